"""Which photos there are, and which cannot be read."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from attrex.errors import DataError
from attrex.quality.leaks import Duplicates
from attrex.quality.report import SHOWN, Finding, finding
from attrex.types import ImageSource, Product


class Photos:
    """Photos: how many per product, and which cannot be read."""

    def __init__(self, size: int | None, duplicates: Duplicates) -> None:
        self.size = size
        self.duplicates = duplicates
        self.counts = Counter(dict.fromkeys(("none", "one", "several", "photos"), 0))
        if size is not None:
            self.counts.update(dict.fromkeys(("missing", "broken"), 0))
        self.examples: defaultdict[str, list[str]] = defaultdict(list)

    def add(self, split: str, product: Product) -> None:
        self.counts[("none", "one", "several")[min(len(product.images), 2)]] += 1
        self.counts["photos"] += len(product.images)
        if self.size is not None:
            for source in product.images:
                self._look(split, product, source, self.size)

    def _look(self, split: str, product: Product, source: ImageSource, size: int) -> None:
        from attrex.io.images import decode

        kind = "broken"
        try:
            if isinstance(source, Path) and not source.exists():
                kind = "missing"
            decode(source, size)
            data = source if isinstance(source, bytes) else Path(source).read_bytes()
        except (DataError, OSError) as exc:
            self.counts[kind] += 1
            if len(self.examples[kind]) < SHOWN:
                self.examples[kind].append(f"product {product.id}: {exc}")
            return
        self.duplicates.note("photo", data, split)

    def findings(self) -> Iterator[Finding]:
        n = self.counts
        products = n["none"] + n["one"] + n["several"]
        if n["none"]:
            yield finding(
                "no-photo",
                "info",
                f"{n['none']} of {products} products have no photo",
                "they go as text-only, in training and in use; map the image column if they should have one",
                products=n["none"],
            )
        hints = {
            "missing": "check the paths; relative ones start from the data file, or from the directory of `images`",
            "broken": "save them again; until then these products go as text-only",
        }
        for kind, advice in hints.items():
            if n[kind]:
                examples = self.examples[kind]
                yield finding(
                    f"{kind}-images",
                    "error" if n[kind] == n["photos"] else "warning",
                    f"{n[kind]} of {n['photos']} photos are {kind}, such as: {examples[0]}",
                    advice,
                    photos=n[kind],
                    examples=examples,
                )
