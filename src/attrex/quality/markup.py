"""HTML tags in texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from attrex.io.html import has_markup
from attrex.quality.report import Finding, counted_list, finding
from attrex.types import Product


class Markup:
    """Which texts have HTML tags in them: an encoder reads these as words, and lists and headings are not seen."""

    def __init__(self) -> None:
        self.fields: Counter[str] = Counter()

    def add(self, split: str, product: Product) -> None:
        self.fields.update(name for name, text in product.fields.items() if has_markup(text))

    def findings(self) -> Iterator[Finding]:
        if self.fields:
            found = dict(self.fields.most_common())
            yield finding(
                "html",
                "warning",
                f"texts with HTML tags: {counted_list(found)}",
                f"name these columns in the shop's file, columns: html: [{', '.join(found)}]: tags are then no "
                "words, and lists and headings are seen; offsets stay those of the file. Labels are to be located anew",
                fields=found,
            )
