"""What a job writes for SQL: Parquet with a row for each value (long), or with a column for each attribute (wide).

The columns are fixed before the first shard is run, from the model alone, so that all files of a job have the same
ones: engines take a table's types from its first file. Texts are texts, never a dictionary or a column of nulls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from attrex.filling.fill import FilledRow, Outcome
from attrex.types import Prediction, Value

SCHEMA_VERSION = 1
"""Of both forms; a higher one has other columns. It stands in each file's metadata under ``attrex.schema``."""
OWN = "table"
"""The ``source`` and ``outcome`` of a value that the shop's own cell has."""


def long_schema() -> Any:
    """The columns of a row for each value; docs/how-to/run.md says what they mean."""
    import pyarrow as pa

    texts = ("id", "attribute", "value", "source", "outcome")
    columns = [(name, pa.string()) for name in texts]
    columns += [("confidence", pa.float64()), ("field", pa.string()), ("start", pa.int64()), ("end", pa.int64())]
    columns += [("text", pa.string()), ("model", pa.string()), ("error", pa.string())]
    return pa.schema(columns, {"attrex.schema": f"long/{SCHEMA_VERSION}"})


def wide_schema(attributes: Sequence[str], is_single_valued: Callable[[str], bool]) -> Any:
    """The columns of a row for each product: three for each attribute of the model."""
    import pyarrow as pa

    columns = [("id", pa.string())]
    for name in attributes:
        kind = pa.string() if is_single_valued(name) else pa.list_(pa.string())
        name = column_of(name)  # noqa: PLW2901
        columns += [(name, kind), (f"{name}:source", pa.string()), (f"{name}:confidence", pa.float64())]
    columns += [(f"attrex:{name}", pa.string()) for name in ("model", "error")]
    return pa.schema(columns, {"attrex.schema": f"wide/{SCHEMA_VERSION}"})


def long_rows(row: FilledRow, prediction: Prediction, model: str) -> Iterator[dict[str, Any]]:
    """The shop's own values, then what was found; of a product that could not be read also a row with the reason.

    :param model: a hash of the model.
    """
    filled = {e.attribute for e in row.entries if e.outcome == Outcome.FILLED}
    every = {"id": row.id, "model": model, "error": row.error}
    for attribute, values in row.table.items():
        if attribute not in filled:
            for value in values:
                yield {**every, "attribute": attribute, "value": value, "source": OWN, "outcome": OWN}
    for entry in row.entries:
        place = entry.found.source
        yield {
            **every,
            "attribute": entry.attribute,
            "value": entry.value,
            "source": source_of(entry.found),
            "outcome": entry.outcome.value,
            "confidence": round(entry.found.confidence, 4),
            **({} if place is None else {k: getattr(place, k) for k in ("field", "start", "end", "text")}),
        }
    if row.error is not None:
        yield {**every, "outcome": "error"}


def wide_row(
    row: FilledRow, attributes: Sequence[str], is_single_valued: Callable[[str], bool], model: str
) -> dict[str, Any]:
    """The cells of the table afterwards. A cell of several values where the shop gives one is joined with ``, ``."""
    found: dict[str, Any] = {"id": row.id, "attrex:model": model, "attrex:error": row.error}
    surest: dict[str, Value] = {}
    for entry in row.entries:
        if entry.outcome == Outcome.FILLED:
            surest.setdefault(entry.attribute, entry.found)
    for name in attributes:
        if (values := row.table.get(name)) is None:
            continue
        column = column_of(name)
        found[column] = (", ".join(values) or None) if is_single_valued(name) else list(values)
        found[f"{column}:source"] = source_of(surest[name]) if name in surest else OWN
        found[f"{column}:confidence"] = round(surest[name].confidence, 4) if name in surest else None
    return found


def column_of(attribute: str) -> str:
    """An attribute's column of the wide form."""
    return f"{attribute} (attribute)" if attribute == "id" else attribute


def source_of(value: Value) -> str:
    """What a found value is from: ``text``, ``photo`` or ``both``."""
    return value.decided_by or ("text" if value.source is not None else "photo")
