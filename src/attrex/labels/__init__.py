"""Weak labels from a table: its values are found in the texts; other forms of them are mined from the texts."""
