"""Labels from a table: where and how texts say what its cells hold; what they call it is mined from the texts."""
