"""What became of a table's cells when texts were labelled with them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Container, Mapping
from dataclasses import dataclass, field
from typing import Any

from attrex.shop.cells import ColumnCounts
from attrex.types import Span

EXAMPLES = 5
"""Marked rows whose reason is kept."""


@dataclass
class AttributeCounts:
    """What became of one attribute's cells."""

    cells: int = 0  #: filled cells
    located: int = 0  #: cells with at least one span
    lost_to_overlap: int = 0  #: cells with matches in the text, all of which overlap with another attribute's spans
    absent: int = 0  #: cells known to have no value
    spans: int = 0
    found: Counter[str] = field(default_factory=Counter)  #: value -> cells of which it was located
    missed: Counter[str] = field(default_factory=Counter)  #: value -> cells of which it was not

    @property
    def never_found(self) -> dict[str, int]:
        """Values that were located in no text, most frequent first: candidates for an alias, or left to the photo."""
        return {v: n for v, n in self.missed.most_common() if v not in self.found}

    def to_json(self, top: int = 20) -> dict[str, Any]:
        counts = {k: getattr(self, k) for k in ("cells", "located", "lost_to_overlap", "absent", "spans")}
        never = self.never_found
        return counts | {
            "not_located": self.cells - self.located,
            "located_share": round(self.located / self.cells, 4) if self.cells else None,
            "never_found": dict(list(never.items())[:top]),
            "never_found_values": len(never),
        }


@dataclass
class LabelReport:
    """What was located, lost and never found, summed over all products of a :class:`DistantLabeler`."""

    products: int = 0
    errors: int = 0  #: marked rows, passed on as they came
    error_examples: list[str] = field(default_factory=list)  #: why some of these could not be read
    already_labelled: int = 0  #: products that came with spans, which were kept
    attributes: defaultdict[str, AttributeCounts] = field(default_factory=lambda: defaultdict(AttributeCounts))
    sources: Counter[str] = field(default_factory=Counter)  #: rule that found it (:attr:`Match.source`) -> spans
    ambiguous: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """(words, attribute that has them, attribute that claimed them too) -> times"""
    columns: ColumnCounts = field(default_factory=ColumnCounts)  #: for the reader of the products to count in

    def count_error(self, error: str) -> None:
        """Add a marked row."""
        self.errors += 1
        if len(self.error_examples) < EXAMPLES:
            self.error_examples.append(error)

    def count(
        self, table: Mapping[str, tuple[str, ...]], spans: Collection[Span], matched: Container[tuple[str, str | None]]
    ) -> None:
        """Add one product's cells and spans; ``matched``: (attribute, value) of all matches, overlaps and all."""
        located = {(s.attribute, s.value) for s in spans}
        for s in spans:
            self.attributes[s.attribute].spans += 1
        for attribute, values in table.items():
            counts = self.attributes[attribute]
            found = [v for v in values if (attribute, v) in located]
            counts.cells += bool(values)
            counts.absent += not values
            counts.located += bool(found)
            counts.lost_to_overlap += not found and any((attribute, v) in matched for v in values)
            counts.found.update(found)
            counts.missed.update(v for v in values if v not in found)

    def summary(self) -> str:
        """Cells and those that were located, in one line."""
        cells, located = (sum(getattr(c, name) for c in self.attributes.values()) for name in ("cells", "located"))
        return f"{located:,} of {cells:,} filled cells" + (f", {located / cells:.0%}" if cells else "")

    def to_json(self) -> dict[str, Any]:
        return {
            "products": self.products,
            "errors": self.errors,
            "error_examples": self.error_examples,
            "already_labelled": self.already_labelled,
            "sources": dict(self.sources.most_common()),
            "attributes": {
                a: c.to_json() | {"merged": self.columns.merged[a]}
                for a, c in sorted(self.attributes.items(), key=lambda x: -x[1].cells)
            },
            "ambiguous": [
                {"words": words, "winner": winner, "loser": loser, "times": n}
                for (words, winner, loser), n in self.ambiguous.most_common()
            ],
            "dropped_columns": dict(self.columns.dropped.most_common()),
        }
