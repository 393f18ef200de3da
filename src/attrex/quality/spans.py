"""Labels whose edges are not those of words, and labels over others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from attrex.io.annotations.spans import cuts_word
from attrex.quality.report import SHOWN, Finding, finding
from attrex.types import Product


class SpanEdges:
    """How many spans have spaces at their edges, cut a word, or lie over a span of another attribute."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = {"spaces": [], "cut": [], "overlapping": []}

    def add(self, split: str, product: Product) -> None:
        reached: dict[str, int] = {}
        for span in sorted(product.spans or (), key=lambda s: (s.field, s.start, -s.end)):
            text = product.fields[span.field]
            self.counts["spans"] += 1
            self._note("spaces", span.text != span.text.strip(), f"{product.id}: {span.text!r}")
            cut = cuts_word(text, span.start) or cuts_word(text, span.end)
            around = text[max(0, span.start - 10) : span.end + 10]
            self._note("cut", cut, f"{product.id}: {span.text!r} in {around!r}")
            overlaps = span.start < reached.get(span.field, 0)
            self._note("overlapping", overlaps, f"{product.id}: {span.attribute} {span.text!r}")
            reached[span.field] = max(span.end, reached.get(span.field, 0))

    def _note(self, kind: str, seen: bool, example: str) -> None:
        self.counts[kind] += seen
        if seen and len(self.examples[kind]) < SHOWN:
            self.examples[kind].append(example)

    def findings(self) -> Iterator[Finding]:
        told = (
            ("spaces", "span-spaces", "have spaces at their edges", "trim them; scores count characters"),
            ("cut", "span-cuts-word", "begin or end within a word", "mark whole words: training widens them to words"),
            ("overlapping", "span-overlap", "lie over another span", "fine for a model that tags attributes apart"),
        )
        for kind, code, what, advice in told:
            if n := self.counts[kind]:
                message = f"{n} of {self.counts['spans']} spans {what}, such as {self.examples[kind][0]}"
                yield finding(
                    code,
                    "info" if kind == "overlapping" else "warning",
                    message,
                    advice,
                    spans=n,
                    examples=self.examples[kind],
                )
