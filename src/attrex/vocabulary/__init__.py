"""Words: how they are folded and found, what a shop calls its values, and what its texts call them."""
