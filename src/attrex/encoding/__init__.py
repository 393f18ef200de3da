"""Products to what the network reads: units and windows, tags, batches."""
