"""From a checkpoint and products to values with evidence."""
