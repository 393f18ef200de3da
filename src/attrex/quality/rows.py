"""How many rows a data set has, and which of them are none."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from attrex.io.bad_rows import BadRowLimit, RowTally
from attrex.quality.report import SHOWN, Finding, Severity, finding
from attrex.types import Product


class Rows:
    """How many products, how many of them readable and labelled."""

    def __init__(self) -> None:
        self.splits: dict[str, Counter[str]] = {}
        self.examples: defaultdict[str, list[str]] = defaultdict(list)

    def open(self, split: str) -> None:
        columns = ("products", "labelled", "complete", "errors", "with_warnings", "without_text")
        self.splits[split] = Counter(dict.fromkeys(columns, 0))

    def add(self, split: str, product: Product) -> None:
        counts = self.splits[split]
        counts["products"] += 1
        counts["labelled"] += product.spans is not None
        counts["complete"] += product.complete
        if product.error is not None:
            self._note(split, "errors", product.error)
        elif not any(t.strip() for t in product.fields.values()):
            self._note(split, "without_text", product.id)
        if product.warnings:
            self._note(split, "with_warnings", product.warnings[0])

    def _note(self, split: str, kind: str, example: str) -> None:
        self.splits[split][kind] += 1
        if len(self.examples[kind]) < SHOWN:
            self.examples[kind].append(example)

    def findings(self) -> Iterator[Finding]:
        for split, counts in self.splits.items():
            if not counts["products"]:
                yield finding("empty-split", "error", f"{split} has no products", "check its file", split=split)
        n = sum(self.splits.values(), Counter())
        yield from self._noted("errors", n, "warning", "rows could not be read", "correct them; they are left out")
        yield from self._noted("with_warnings", n, "info", "rows have warnings", "see whether you meant them so")
        advice = "map the columns that hold the title or description"
        yield from self._noted("without_text", n, "warning", "products have no text", advice)
        readable = n["products"] - n["errors"]
        unlabelled = readable - n["labelled"]
        if unlabelled > 0:
            yield finding(
                "unlabelled",
                "info" if n["labelled"] else "warning",
                f"{unlabelled} of {readable} products have no spans",
                "make them from the table with `attrex locate`; training needs spans, extracting does not",
                unlabelled=unlabelled,
                products=readable,
            )

    def _noted(self, kind: str, n: Counter[str], severity: Severity, what: str, advice: str) -> Iterator[Finding]:
        if n[kind]:
            examples = self.examples[kind]
            what = f"{n[kind]} of {n['products']} {what}, such as: {examples[0]}"
            yield finding(kind.replace("_", "-"), severity, what, advice, rows=n[kind], examples=examples)


def bad_row_findings(tallies: Mapping[str, RowTally], limit: BadRowLimit) -> Iterator[Finding]:
    """The splits of which too many rows cannot be read."""
    for split, tally in tallies.items():
        if limit.is_exceeded(tally):
            why = "a part of it is damaged" if tally.damaged else f"more than {limit}"
            yield finding(
                "too-many-bad-rows",
                "error",
                f"{tally.unreadable:,} of {tally.rows:,} rows of {split} could not be read ({why}), such as: "
                f"{tally.reasons[0]}",
                "make the file again" if tally.damaged else "correct them, or allow more with max_bad_rows",
                split=split,
                rows=tally.unreadable,
                examples=tally.reasons,
            )
