"""Where a text says values that a model names without a place, so that they can be scored as spans."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from attrex.encoding.encoder import EncodedProduct, ProductEncoder, Unit
from attrex.inference.assembly import in_reading_order, spans_from_units
from attrex.types import Prediction, Product, Value


def with_places(
    products: Iterable[Product], predictions: Iterable[Prediction], encoder: ProductEncoder
) -> list[Prediction]:
    """Predictions whose values without a source stand wherever the text says them; those that it does not say are gone.

    The model has chosen no place: scoring does, so that systems that name values (MAE-model, PAM) can be compared with
    taggers. A text says a value where whole units of it have the token ids of the value's word; a value that
    was named in one window of a long text is looked for in all of it.
    """
    known: dict[str, set[tuple[int, ...]]] = {}
    placed = []
    for product, prediction in zip(products, predictions, strict=True):
        if all(v.source is not None or v.decided_by for v in prediction.values):
            placed.append(prediction)  # what a value head chose stands nowhere, and is not scored as a span
            continue
        encoded = encoder.encode(product)
        units = _owned_units(encoded)
        pieces = [_pieces(unit, encoder) for unit in units]
        values: list[Value] = []
        for value in prediction.values:
            if value.source is not None:
                values.append(value)
            if value.source is not None or value.decided_by:
                continue
            if value.value not in known:
                # At the start of a text, and behind a space: some tokenizers tell the two apart.
                read = [encoder.encode(Product("", {"text": text})) for text in (value.value, f" {value.value}")]
                known[value.value] = {tuple(i for u in _owned_units(e) for i in _pieces(u, encoder)) for e in read}
            for start, end in (place for ids in known[value.value] for place in places(pieces, ids)):
                spans = spans_from_units(value.attribute, units[start:end], product, encoded.fields)
                values += [replace(value, source=span) for span in spans]
        placed.append(replace(prediction, values=tuple(in_reading_order(values, encoded.fields))))
    return placed


def places(units: Sequence[tuple[int, ...]], value: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Where whole units, each some token ids, say a value: first unit, and last (exclusive)."""
    at = 0
    while at < len(units):
        said, end = units[at], at + 1
        while len(said) < len(value) and end < len(units):
            said, end = said + units[end], end + 1
        if said == value:
            yield at, end
        at = end if said == value else at + 1


def _owned_units(encoded: EncodedProduct) -> list[Unit]:
    """The units of all windows, each once."""
    owned = (unit for window in encoded.windows for unit in window.units[slice(*window.owned)])
    return [unit for unit in owned if unit is not None]


def _pieces(unit: Unit, encoder: ProductEncoder) -> tuple[int, ...]:
    return tuple(i for i in unit.ids if i not in encoder.units.reserved)
