"""What there is to show: the values and labels of a product side by side, and which products a page has room for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from attrex.filling.conflicts import Conflict
from attrex.reports.markup import Html, bdi, el, join, ordinal
from attrex.types import Prediction, Product, Value, WordWeight

ProductRun = Sequence[Prediction]
"""The predictions of one model, parallel to the products."""
ScoreTree = Mapping[str, Any]
"""What ``attrex evaluate --json`` writes."""
SIGNS = {"right": "✓", "wrong": "✗", "missed": "missed", "found": "", "": ""}
DECIDED = {"text": "from the text", "photo": "from the photo", "both": "from both"}
"""What a value of a value head hangs on, in words (:data:`~attrex.types.DECIDED_BY`)."""
MAX_CONFLICTS = 50  #: cells that are probably wrong, of which the page tells
NumberedConflict = tuple[int, Conflict]
"""The index of the product, and a cell of it."""


def words_for(value: Value | None) -> tuple[WordWeight, ...]:
    """The words that spoke for a value which the text does not say; none where the photo alone decided."""
    return () if value is None or value.decided_by == "photo" else value.words


@dataclass(frozen=True, slots=True)
class ValueRow:
    """One (attribute, place) of a product, or a value without a place: which model found it, and if it is a label."""

    attribute: str
    field: str | None  #: None: the value has no place, `start` and `end` are 0
    start: int
    end: int
    text: str  #: what the text says there, or the value
    gold: bool | None  #: None: the product has no labels, or the value no place
    found: tuple[Value | None, ...]  #: one per model
    fits: bool  #: False: the product's text does not say this at this place

    def status(self, model: int) -> str:
        """``right``, ``wrong``, ``missed``, ``found`` (nothing to compare with), or empty."""
        if self.found[model] is None:
            return "missed" if self.gold else ""
        return "found" if self.gold is None else "right" if self.gold else "wrong"

    @property
    def mistake(self) -> bool:
        return any(self.status(m) in ("wrong", "missed") for m in range(len(self.found)))

    @property
    def differs(self) -> bool:
        return len({value is None for value in self.found}) > 1

    @property
    def confidence(self) -> float:
        """The lowest of any model; 1 where no model has found it."""
        return min((v.confidence for v in self.found if v), default=1.0)


def value_rows(product: Product, predictions: Sequence[Prediction]) -> list[ValueRow]:
    """Every value of any model and every label, one row per place, in reading order; values without a place last."""
    found = [{v.source.key: v for v in p.values if v.source} for p in predictions]
    gold = None if product.spans is None else {s.key: s.text for s in product.spans}
    said = dict(gold or {})
    for values in found:
        said |= {key: v.source.text for key, v in values.items() if v.source}
    rows = []
    for key, text in said.items():
        attribute, field, start, end = key
        fits = 0 <= start < end and product.fields.get(field, "")[start:end] == text
        is_gold = None if gold is None else key in gold
        rows.append(ValueRow(attribute, field, start, end, text, is_gold, tuple(f.get(key) for f in found), fits))
    order = {field: i for i, field in enumerate(product.fields)}
    rows.sort(key=lambda r: (order.get(r.field or "", len(order)), r.start, r.end, r.attribute))
    placeless = [{(v.attribute, v.value): v for v in p.values if v.source is None} for p in predictions]
    for attribute, value in sorted({key for values in placeless for key in values}):
        same = tuple(values.get((attribute, value)) for values in placeless)
        rows.append(ValueRow(attribute, None, 0, 0, value, None, same, fits=True))
    return rows


def listed_conflicts(conflicts: Sequence[NumberedConflict], limit: int) -> list[NumberedConflict]:
    """The first :data:`MAX_CONFLICTS`, as far as a page of at most ``limit`` products can show all that they are of."""
    listed = conflicts[:MAX_CONFLICTS]
    shown = [*dict.fromkeys(i for i, _ in listed)][:limit]
    return [(i, conflict) for i, conflict in listed if i in shown]


def sample(
    products: Sequence[Product],
    predictions: Sequence[Sequence[Prediction]],
    limit: int,
    first: Collection[int] = (),
) -> list[int]:
    """Which products a page of at most ``limit`` shows, as indices in input order.

    ``predictions``: for each product one per model. ``first``: at most ``limit`` that are shown in any case. With
    labels, products with mistakes come first, then those with the lowest confidence; without labels they are taken
    evenly over the input.
    """
    n = len(products)
    if n <= limit:
        return list(range(n))
    others, room = [i for i in range(n) if i not in first], limit - len({*first})
    if all(p.spans is None for p in products):
        return sorted({*first, *(others[j * len(others) // room] for j in range(room))})

    def urgency(i: int) -> tuple[bool, float]:
        rows = value_rows(products[i], predictions[i])
        return (not any(r.mistake for r in rows), min((r.confidence for r in rows), default=1.0))

    return sorted({*first, *sorted(others, key=urgency)[:room]})


@dataclass(frozen=True, slots=True)
class Page:
    """What every part of the page needs to know."""

    models: tuple[str, ...]
    hues: Mapping[str, int]  #: attribute -> degrees on the colour circle
    image_size: int

    @property
    def two(self) -> bool:
        return len(self.models) > 1

    def name(self, model: int) -> Html:
        return join([self.two and ordinal(model), bdi(self.models[model])])

    def ink(self, attribute: str) -> str:
        return f"hsl({self.hues.get(attribute, 0)} 70% 50%)"

    def label(self, attribute: str) -> Html:
        return join([el("i", cls="dot", style=f"background:{self.ink(attribute)}"), bdi(attribute)])
