"""Files in and out: rows to products, photos, predictions and tables."""
