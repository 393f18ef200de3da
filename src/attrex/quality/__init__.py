"""What a person should know about a data set before training on it, each with the advice that follows.

One class per question in the files beside; each sees every product once (``add``), so that a catalogue of any size can
stream by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from attrex.labels.mentions import UnlabelledMentions
from attrex.quality.cells import CellsCheck, Unlabelled, Words
from attrex.quality.leaks import Duplicates
from attrex.quality.lengths import Lengths
from attrex.quality.markup import Markup
from attrex.quality.photos import Photos
from attrex.quality.report import SEVERITIES, CheckReport, Finding
from attrex.quality.rows import Rows
from attrex.quality.spans import SpanEdges
from attrex.shop.schema import Schema
from attrex.types import Product

__all__ = ["CheckReport", "Finding", "check_splits"]


def check_splits(
    products_by_split: Mapping[str, Iterable[Product]],
    *,
    schema: Schema | None = None,
    count_tokens: Callable[[str], int] | None = None,
    max_tokens: int | None = None,
    overlap: int = 0,
    check_images: bool = True,
    image_size: int = 224,
    mentions: UnlabelledMentions | None = None,
) -> CheckReport:
    """Look at every product once and report what matters before training.

    ``products_by_split``: such as ``{"train": ..., "valid": ...}``; one split is fine. ``count_tokens`` counts one
    text's tokens without special ones; with ``max_tokens`` (special ones included) and ``overlap``, both in tokens,
    it tells how many windows the texts take. ``check_images`` decodes every photo at ``image_size`` pixels.
    ``mentions``, learned from the same products, tell what the texts say that the table lacks; without ``schema``, the
    categories of theirs tell which blank cells are absent.
    """
    duplicates = Duplicates()
    rows, cells, words = Rows(), CellsCheck(schema, mentions.schema if mentions else None), Words()
    unsaid, edges = Unlabelled(mentions), SpanEdges()
    lengths, markup = Lengths(count_tokens, max_tokens, overlap), Markup()
    photos = Photos(image_size if check_images else None, duplicates)
    for split, products in products_by_split.items():
        rows.open(split)
        for product in products:
            rows.add(split, product)
            if product.error is None:
                for part in (cells, edges, unsaid, words, lengths, markup, photos, duplicates):
                    part.add(split, product)
    found = [
        f for part in (rows, cells, edges, unsaid, words, lengths, markup, photos, duplicates) for f in part.findings()
    ]
    gravity = list(SEVERITIES)
    return CheckReport(
        splits=rows.splits,
        attributes=cells.summary(),
        lengths=lengths.summary(),
        images=dict(photos.counts),
        findings=tuple(sorted(found, key=lambda f: gravity.index(f.severity))),
    )
