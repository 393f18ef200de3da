"""Annotations of other tools in and out: Label Studio, doccano, Argilla, Prodigy, spaCy, brat.

Each format is a file that says what it stands on. What it reads are documents with marks (`documents.py`); `spans.py`
proves that every mark is where the text says it, and `files.py` makes products of them and documents of products.
"""
