"""Attrex in other people's tools; each needs an extra of its name."""
