"""What fill makes of the values of a page, and what a person is asked about them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from attrex.filling.fill import Entry, FilledRow, Outcome
from attrex.reports.markup import Html, counted, el
from attrex.review.cells import Kind, ProposedCell
from attrex.review.collecting import cells_of
from attrex.types import Product, Value

OUTCOMES = {
    Outcome.FILLED: "fills a blank cell",
    Outcome.AGREES: "as the shop says",
    Outcome.DIFFERS: "the shop says otherwise",
    Outcome.FURTHER: "one more value",
    Outcome.UNKNOWN: "no word of the shop",
    Outcome.BELOW: "not sure enough",
    Outcome.KEPT: "the cell is taken",
    Outcome.NO_COLUMN: "no column for it",
    Outcome.UNWRITABLE: "cannot be written",
}
"""What becomes of a value, in words."""


@dataclass(frozen=True)
class Filled:
    """What became of one product's values."""

    row: FilledRow
    cells: tuple[ProposedCell, ...] = ()  #: that a person may decide, those that would be filled in among them
    attributes: int = 0  #: cells that a product of its kind has
    _entries: Mapping[tuple[str, str], Entry] = field(default_factory=dict)

    @property
    def risk(self) -> float:
        """How probable it is that one of its cells should be mended by a person, 0..1: of the most doubtful one."""
        return max((cell.risk for cell in self.cells if cell.kind != Kind.SURE), default=0.0)

    @property
    def share(self) -> str:
        """How full its row is, in words."""
        full = sum(bool(values) for values in self.row.table.values())
        new = len({e.attribute for e in self.row.entries if e.outcome == Outcome.FILLED})
        return f"{full} of {counted(self.attributes, 'cell')} filled{f', {new} of them now' if new else ''}"

    def entry(self, found: Value | None) -> Entry | None:
        return None if found is None else self._entries.get((found.attribute, found.value))

    def asked(self, found: Value | None) -> ProposedCell | None:
        """The cell that is decided beside a value: the one that proposes it."""
        if found is None:
            return None
        same = (found.attribute, found.value, found.key)
        return next((c for c in self.cells if c.found and (c.attribute, c.found.value, c.found.key) == same), None)


def filled_products(products: Sequence[Product], rows: Sequence[FilledRow], fold: Callable[[str], str]) -> list[Filled]:
    """The rows of a fill with all that a page tells of them.

    :param rows: parallel to the products.
    :param fold: makes one of two spellings.
    """
    kinds: defaultdict[str | None, set[str]] = defaultdict(set)
    words: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for product, row in zip(products, rows, strict=True):
        kinds[product.category].update(a for a, values in row.table.items() if values)
        for attribute, values in product.table.items():
            for value in values:
                words[attribute][value] = words[attribute].get(value, 0) + 1
    options = {a: sorted(counts, key=lambda v: (-counts[v], v)) for a, counts in words.items()}
    found = []
    for product, row in zip(products, rows, strict=True):
        asked = () if row.error else cells_of(product, row, fold, 0.0, options)
        entries: dict[tuple[str, str], Entry] = {}
        for entry in row.entries:
            entries.setdefault((entry.attribute, entry.found.value), entry)
        found.append(Filled(row, tuple(asked), len(kinds[product.category]), entries))
    return found


def most_doubtful(filled: Iterable[Filled]) -> list[int]:
    """Numbers of the products with cells that a person should look at, the most doubtful first."""
    ranked = sorted(((one.risk, -i) for i, one in enumerate(filled) if one.risk > 0), reverse=True)
    return [-i for _, i in ranked]


def shown_first(conflicts: Iterable[int], filled: Iterable[Filled], most: int) -> list[int]:
    """Numbers of the products that a page shows in any case: with listed conflicts, and up to half of it doubtful."""
    first = [*dict.fromkeys(conflicts)]
    return [*dict.fromkeys([*first, *most_doubtful(filled)[: max(0, most // 2 - len(first))]])]


def outcome_cell(filled: Filled, found: Value | None) -> Html:
    """What became of a value, and what the cell has that it is compared with."""
    entry = filled.entry(found)
    if entry is None:
        return el("td", "" if found is None else "said above", cls="outcome")
    shop = f": {', '.join(entry.cell)}" if entry.outcome in (Outcome.DIFFERS, Outcome.KEPT) and entry.cell else ""
    return el("td", OUTCOMES[entry.outcome], shop and el("bdi", shop), cls=f"outcome {entry.outcome.value}")


def corrections_bar() -> Html:
    """Where what a person has decided is downloaded; shown as soon as there is something."""
    return el(
        "aside",
        el("span", role="status"),
        el("a", "Download corrections.jsonl", cls="save", download="corrections.jsonl"),
        el("button", "Forget them", type="button", cls="forget"),
        cls="corrections",
        hidden=True,
        aria_label="corrections",
    )


def decision_of(cell: ProposedCell) -> str:
    """What the page's script needs to write a verdict on a cell, as JSON; the keys are those of a verdict."""
    source = cell.found.source if cell.found else None
    return json.dumps(
        {
            "product": cell.product,
            "attribute": cell.attribute,
            "proposal": list(cell.proposal),
            "cell": None if cell.cell is None else list(cell.cell),
            "kind": cell.kind.value,
            "confidence": round(cell.confidence, 4),
            "source": source and {"field": source.field, "start": source.start, "end": source.end, "text": source.text},
            "options": [option.value for option in cell.options],
        }
    )
