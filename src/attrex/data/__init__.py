"""Rows and files become labelled products, and products become batches."""
