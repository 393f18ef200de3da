"""Which columns of a shop's file hold what."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

EXPORT_TEXTS = ("title", "short_description", "description", "highlights", "bullets", "text")
"""The names that texts have where a platform's export is read (:mod:`attrex.io.dialects`)."""


@dataclass(frozen=True)
class ColumnMapping:
    """Which columns (JSON keys) hold what.

    A row with a ``fields`` object, as :func:`~attrex.io.products.write_products` writes it, has its texts there. What
    that writes is read by its own keys (:meth:`of_labelled_rows`): a mapping also fits what was made of a shop's file.
    """

    id: str = "id"
    texts: tuple[str, ...] | None = None  #: in reading order; None: ``text`` beside spans, else the TEXT_COLUMNS
    html: tuple[str, ...] = ()  #: text columns that hold HTML: read without tags, offsets stay those of the file
    images: tuple[str, ...] | None = None  #: None: ``image`` and ``images``
    category: str = "category"
    attributes: str | tuple[str, ...] = "attributes"
    """The column that holds the table, {attribute: value or values} or pairs of these; or, in a list, columns that are
    one attribute each (and such as hold a table). ``("*",)``: all that are nothing else."""
    spans: str = "spans"
    group: str = "group"
    complete: bool = False  #: for rows that do not say ``complete`` themselves

    def of_labelled_rows(self) -> Self:
        """The same for rows that Attrex wrote from such a file: with its own keys, and the shop's texts."""
        return replace(type(self)(), texts=self.texts, complete=self.complete)

    def of_export(self) -> Self:
        """The same for what a dialect makes of a platform's export: its keys, and the shop's texts if it has them."""
        texts = self.texts if set(self.texts or ()) <= set(EXPORT_TEXTS) else None
        return replace(type(self)(), texts=texts, complete=self.complete)
