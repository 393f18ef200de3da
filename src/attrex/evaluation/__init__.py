"""Metrics of the field, exactly as the papers count them."""
