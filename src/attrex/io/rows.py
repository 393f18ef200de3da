"""Rows to products: which columns hold what, and how their cells are read.

A row that cannot be read becomes a product with ``error`` set, a doubtful one a product with ``warnings``. Offsets and
texts are exactly the row's: nothing is trimmed or normalised.
"""

from __future__ import annotations

import base64
import json
import logging
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import Any

from attrex.errors import DataError, did_you_mean
from attrex.io.html import without_markup
from attrex.shop.mapping import ColumnMapping
from attrex.types import ImageSource, Product, Span

log = logging.getLogger(__name__)

TEXT_COLUMNS = ("title", "description", "bullets", "text")
IMAGE_COLUMNS = ("image", "images")
HALF_CHARACTER = re.compile("[\ud800-\udfff]")  # half of a surrogate pair: not text, and no tokenizer takes it
_FLAGS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
_HEAD = 100  # rows looked at to know a source's columns; JSON rows may each leave some out


DEFAULT_MAPPING = ColumnMapping()


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One record of a source, before it is a product."""

    where: str  #: for messages, e.g. ``shop.jsonl line 12``
    number: int  #: line or record, from 1
    values: Mapping[str, Any] | None = None
    error: str = ""  #: why there are no values
    warnings: tuple[str, ...] = ()


def record(where: str, number: int, values: Any, check: bool = True) -> RawRecord:
    """A row of what should be a JSON object. ``check``: replace half characters (a cut emoji) by U+FFFD, and warn."""
    if not isinstance(values, Mapping):
        error = f"expected an object with named columns, got {kind_of(values)} {short(values)}; correct the row"
        return RawRecord(where, number, error=error)
    lone_surrogates: list[str] = []
    try:
        duplicate_keys = _duplicate_keys(values)
        if check or duplicate_keys:
            values = _plain(values, lone_surrogates)
    except RecursionError:
        error = "expected lists and objects in a few levels, got ones nested too deep to be read; correct the row"
        return RawRecord(where, number, error=error)
    warnings = [f"expected keys that differ, got {key!r} more than once; the last is read" for key in duplicate_keys]
    if lone_surrogates:
        warnings.append("half of a character (a lone surrogate, as in a cut emoji) was replaced by U+FFFD")
    return RawRecord(where, number, values, warnings=tuple(warnings))


class _Repeating(dict[str, Any]):
    """A JSON object some of whose keys came more than once; as Python's own parser does, it keeps the last."""

    def __init__(self, pairs: Sequence[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.duplicate_keys = [key for key, times in Counter(key for key, _ in pairs).items() if times > 1]


def parse_json(text: str) -> Any:
    """As ``json.loads``; that a key comes twice in an object is remembered, for :func:`record` to warn of."""
    return json.loads(text, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _Repeating(pairs)


def _duplicate_keys(value: Any) -> list[str]:
    """The keys that come more than once in an object, wherever in the value it is."""
    if isinstance(value, dict):
        own = value.duplicate_keys if isinstance(value, _Repeating) else []
        return [*own, *(key for part in value.values() for key in _duplicate_keys(part))]
    return [key for part in value for key in _duplicate_keys(part)] if isinstance(value, list) else []


def _plain(value: Any, lone_surrogates: list[str]) -> Any:
    """The value in Python's own types, with half characters replaced; those that had some are put into ``halves``."""
    if isinstance(value, str):
        if value.isascii() or not HALF_CHARACTER.search(value):
            return value
        lone_surrogates.append(value)
        return HALF_CHARACTER.sub("\ufffd", value)
    if isinstance(value, Mapping):
        return {_plain(str(k), lone_surrogates): _plain(v, lone_surrogates) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v, lone_surrogates) for v in value]
    if hasattr(value, "tolist") and not isinstance(value, memoryview):
        return _plain(value.tolist(), lone_surrogates) if getattr(value, "ndim", 0) else value.tolist()  # numpy
    return value


def row_products(rows: Iterator[RawRecord], name: str, mapping: ColumnMapping, base: Path) -> Iterator[Product]:
    head = list(islice(rows, _HEAD))
    if not head:
        raise DataError(f"{name}: expected at least one product, got an empty file or dataset; check its source")
    lacking = _lacking(head, mapping) if _labelled(head) else []
    if lacking:  # may be a typo, so it is told
        log.warning(
            "%s lacks the columns %s, which the mapping names: it is read as a file that Attrex wrote, by its own keys",
            name,
            shortlist(lacking),
        )
        mapping = mapping.of_labelled_rows()
    _check_columns(head, name, mapping)
    return (to_product(row, mapping, base) for row in chain(head, rows))


def _labelled(head: Sequence[RawRecord]) -> bool:
    """Whether the rows are in the form that :func:`~attrex.io.products.write_products` writes."""
    keys = [row.values.keys() for row in head if row.values]
    return all({"id", "attributes"} <= k and k & {"fields", "text"} for k in keys)


def _known_columns(head: Sequence[RawRecord]) -> dict[str, None]:
    columns: dict[str, None] = {}
    for row in head:
        columns.update(dict.fromkeys(row.values or ()))
        columns.update(dict.fromkeys(_own_fields(row.values or {}) or ()))
    return columns


def _lacking(head: Sequence[RawRecord], mapping: ColumnMapping) -> list[str]:
    """The columns that the mapping names and no row has."""
    single = [f.name for f in fields(mapping) if f.name in ("id", "category", "table", "spans", "group")]
    named = [getattr(mapping, n) for n in single if getattr(mapping, n) != getattr(DEFAULT_MAPPING, n)]
    wanted = [*named, *(mapping.fields or ()), *mapping.html, *(mapping.images or ()), *(mapping.table_columns or ())]
    columns = _known_columns(head)
    return [column for column in wanted if column not in columns and column not in (None, "*")]


def _check_columns(head: Sequence[RawRecord], name: str, mapping: ColumnMapping) -> None:
    """Raise for a mapped column that no row has, and where no column is known to hold text."""
    columns = _known_columns(head)
    if not columns:
        return  # nothing but marked rows
    for column in _lacking(head, mapping)[:1]:
        raise DataError(
            f"{name}: expected the column {column!r}, which the mapping names, got {shortlist(columns)}"
            f"{did_you_mean(column, columns)}; correct the mapping or the file"
        )
    own = {c for row in head for c in _own_fields(row.values or {}) or ()}
    for column in mapping.html:
        if mapping.fields is None and column not in (*TEXT_COLUMNS, *own):
            raise DataError(
                f"{name}: expected html to name columns that are read as texts ({', '.join(own or TEXT_COLUMNS)}), "
                f"got {column!r}; name all text columns in the mapping (fields), this one too"
            )
    if mapping.fields is None and not any(c in columns for c in (*TEXT_COLUMNS, "fields")):
        near = next(filter(None, (did_you_mean(c, columns) for c in TEXT_COLUMNS)), "")
        raise DataError(
            f"{name}: expected a text column ({', '.join(TEXT_COLUMNS)}), got {shortlist(columns)}{near}; "
            "name the text columns in the mapping (fields)"
        )


def as_products(items: Iterable[Product | Mapping[str, Any] | str]) -> Iterator[Product]:
    """Products as they are, dicts as rows of a file without a column mapping, strings as the text of one product each.

    Raises :class:`DataError` at the call for what is no series of these, later for an item that is none of them.
    """
    if hasattr(items, "iterrows"):
        raise DataError("products should be a list or another iterable, got a table; give table.to_dict('records')")
    if isinstance(items, str | bytes | Path | Product | Mapping) or not isinstance(items, Iterable):
        advice = "read_products reads files" if isinstance(items, Path) else "put a single one into a list"
        raise DataError(
            f"products should be a list or another iterable of products, dicts or texts, got {kind_of(items)} "
            f"{short(items)}; {advice}"
        )
    return (_as_product(number, item) for number, item in enumerate(items, 1))


def _as_product(number: int, item: Product | Mapping[str, Any] | str) -> Product:
    if isinstance(item, Product):
        return item
    if isinstance(item, str):
        return Product(f"row-{number}", {"text": item})
    if isinstance(item, Mapping):
        return to_product(record(f"products row {number}", number, item), DEFAULT_MAPPING, Path())
    raise DataError(f"products row {number}: expected a product, a dict or a text, got {kind_of(item)} {short(item)}")


def to_product(row: RawRecord, mapping: ColumnMapping, base: Path) -> Product:
    """The product of a row; one that cannot be read is marked with ``error``. Image paths start from ``base``."""
    values = row.values or {}
    warnings = list(row.warnings)
    try:
        name, lack = _name(values.get(mapping.id)), f"no id in column {mapping.id!r}"
    except DataError as exc:
        name, lack = None, f"column {mapping.id!r}: {exc}"
    if name is None:
        name = f"row-{row.number}"
        if not row.error:
            warnings.append(f"{row.where}: {lack}; the row number stands in for it")
    try:
        if row.error:
            raise DataError(row.error)
        return _to_readable_product(name, values, mapping, base, warnings)
    except DataError as exc:
        # The cells are the shop's, also where the texts cannot be read: `attrex fill` gives them back.
        cells = _table_cells(values, mapping, warnings)
        return Product(name, {}, table=cells, error=f"{row.where}: {exc}", warnings=tuple(warnings))


def _to_readable_product(
    name: str, values: Mapping[str, Any], mapping: ColumnMapping, base: Path, warnings: list[str]
) -> Product:
    texts = _texts(values, mapping)
    spans, all_fit = _spans(_decoded(values.get(mapping.spans)), texts, _own_fields(values) or (), warnings)
    category = _optional_name(values, mapping.category, warnings)
    warnings += [w for w in _items(values.get("warnings")) if isinstance(w, str)] if "warnings" in values else []
    return Product(
        id=name,
        fields=texts,
        images=_images(values, mapping, base, warnings),
        category=None if category is None or _marked(category, mapping.blank) else category,
        table=_table_cells(values, mapping, warnings),
        spans=spans,
        # where a label was lost, its text no longer says "nothing else here"
        complete=_flag(values.get("complete"), mapping, warnings) and all_fit,
        group=_optional_name(values, mapping.group, warnings),
        error=None if _own_fields(values) is None else _optional_name(values, "error", warnings),
        warnings=tuple(warnings),  # when all have been told
    )


def _own_fields(values: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The texts of a row in the form that :func:`~attrex.io.products.write_products` writes."""
    own = values.get("fields")
    return own if isinstance(own, Mapping) else None


def _texts(values: Mapping[str, Any], mapping: ColumnMapping) -> dict[str, str]:
    own = _own_fields(values)
    source = values if own is None else own
    if mapping.fields is not None:
        names: Iterable[str] = mapping.fields
    elif own is not None:
        names = own
    else:
        labelled_text = "text" in values and mapping.spans in values
        names = ("text",) if labelled_text else TEXT_COLUMNS
    texts = {n: _field_text(n, source[n]) for n in names if not _missing(source.get(n))}
    texts |= {n: without_markup(texts[n]) for n in mapping.html if n in texts}
    if not texts and own is None:
        raise DataError(f"expected text in {list(names)}, got none; columns with a value: {shortlist(_filled(values))}")
    return texts


def _field_text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and all(isinstance(v, str) or v is None for v in value):
        return "\n".join(v for v in value if v is not None)
    raise DataError(f"expected text or a list of texts in {name!r}, got {kind_of(value)} {short(value)}; correct it")


def _spans(
    value: Any, texts: Mapping[str, str], known_fields: Iterable[str], warnings: list[str]
) -> tuple[tuple[Span, ...] | None, bool]:
    """The labels that fit their text, and whether all did. Labels in fields that were not asked for do not count."""
    if _missing(value) or value == "":
        return None, True
    if not isinstance(value, list | tuple):
        warnings.append(f"spans: expected a list, got {kind_of(value)} {short(value)}; the labels are left out")
        return None, False
    spans, all_fit = [], True
    for item in value:
        field = item.get("field") if isinstance(item, Mapping) else None
        if isinstance(field, str) and field not in texts and field in known_fields:
            continue
        try:
            spans.append(_parse_span(item, texts))
        except DataError as exc:
            warnings.append(f"{exc}; this span is left out")
            all_fit = False
    return tuple(spans), all_fit


def _parse_span(item: Any, texts: Mapping[str, str]) -> Span:
    if not isinstance(item, Mapping):
        raise DataError(f"span: expected an object, got {kind_of(item)} {short(item)}")
    attribute, start, end = (item.get(k) for k in ("attribute", "start", "end"))
    if not (isinstance(attribute, str) and attribute and type(start) is int and type(end) is int):
        raise DataError(f"span: expected attribute (text), start and end (whole numbers), got {short(dict(item))}")
    field = item.get("field") or (next(iter(texts)) if len(texts) == 1 else "text")
    if not isinstance(field, str) or field not in texts:
        raise DataError(f"span {attribute!r}: expected a field of {list(texts)}, got {field!r}")
    said = texts[field][start:end]
    text = said if item.get("text") is None else item["text"]
    if not 0 <= start < end <= len(texts[field]) or said != text:
        raise DataError(
            f"span {attribute!r}: expected {short(text)} at {start}:{end} of {field!r}, got {short(said)} "
            "(offsets are characters, end exclusive)"
        )
    value = item.get("value")
    return Span(attribute, start, end, text, field, None if value is None else str(value))


def _table_cells(values: Mapping[str, Any], mapping: ColumnMapping, warnings: list[str]) -> dict[str, tuple[str, ...]]:
    """Attribute -> values; no key where blank, an empty tuple where known to be absent."""
    table: dict[str, tuple[str, ...]] = {}
    for name, cell in chain(_table_column(values, mapping, warnings), _flat_cells(values, mapping)):
        try:
            said = _cell(_decoded(cell), mapping)
        except DataError as exc:
            warnings.append(f"attribute {name!r}: {exc}; the cell is left out")
            continue
        if said is not None:
            table[name] = tuple(dict.fromkeys(table.get(name, ()) + said))
    return table


def _table_column(values: Mapping[str, Any], mapping: ColumnMapping, warnings: list[str]) -> Iterable[tuple[str, Any]]:
    content = _decoded(values.get(mapping.table)) if mapping.table else None
    if _missing(content) or content == "":
        return ()
    if isinstance(content, Mapping):
        return ((str(k), v) for k, v in content.items())
    if isinstance(content, list | tuple) and all(isinstance(p, list | tuple) and len(p) == 2 for p in content):
        return ((str(k), v) for k, v in content)
    warnings.append(
        f"column {mapping.table!r}: expected an object or pairs, got {kind_of(content)} {short(content)}; left out"
    )
    return ()


def _flat_cells(values: Mapping[str, Any], mapping: ColumnMapping) -> Iterable[tuple[str, Any]]:
    names: Iterable[str] = mapping.table_columns or ()
    if "*" in names:
        used = {mapping.id, mapping.category, mapping.table, mapping.spans, mapping.group, ""}
        used |= {"complete", "fields", "warnings", "error"}
        used |= {*(mapping.fields or TEXT_COLUMNS), *(mapping.images or IMAGE_COLUMNS)}
        names = [c for c in values if c not in used]
    return ((n, values.get(n)) for n in names)


def _cell(cell: Any, mapping: ColumnMapping) -> tuple[str, ...] | None:
    """A cell's values: None for blank, an empty tuple for known to be absent."""
    parts = _items(cell)
    if mapping.separator and isinstance(cell, str) and not _marked(cell, mapping.blank + mapping.absent):
        parts = cell.split(mapping.separator)  # a marker such as N/A is whole before it is split
    said, absent = [], isinstance(cell, list | tuple) and not cell
    for part in parts:
        if _missing(part):
            continue
        if isinstance(part, Mapping | list | tuple | bytes):
            raise DataError(f"expected text, a number or a list of these, got {kind_of(part)} {short(part)}")
        word = str(part).strip()
        if _marked(word, mapping.absent):
            absent = True
        elif not _marked(word, mapping.blank):
            said.append(word)
    if said:
        return tuple(dict.fromkeys(said))
    return () if absent else None


def _images(
    values: Mapping[str, Any], mapping: ColumnMapping, base: Path, warnings: list[str]
) -> tuple[ImageSource, ...]:
    found = []
    for column in mapping.images if mapping.images is not None else IMAGE_COLUMNS:
        for item in _items(_decoded(values.get(column))):
            try:
                image = _image(item, base, mapping.blank)
            except DataError as exc:
                warnings.append(f"{column}: {exc}; the product goes on without this photo")
                continue
            if image is not None:
                found.append(image)
    return tuple(found)


def _image(item: Any, base: Path, blank: tuple[str, ...]) -> ImageSource | None:
    """A path, bytes, or ``{"bytes": ..., "path": ...}`` as datasets store it (in JSON the bytes are base64)."""
    if isinstance(item, Mapping):
        content = item.get("bytes")
        if isinstance(content, str):
            try:
                return base64.b64decode(content, validate=True)
            except ValueError as exc:  # also binascii.Error
                raise DataError(f"expected base64 bytes of a photo, got {short(content)} ({exc})") from exc
        return _image(item.get("path") if content is None else content, base, blank)
    if _missing(item) or (isinstance(item, str) and _marked(item, blank)):
        return None
    if isinstance(item, bytes | bytearray | memoryview):
        return bytes(item)
    if isinstance(item, str) and "://" in item:
        raise DataError(f"expected a file, got the address {short(item)}; download it and give the path")
    if isinstance(item, str | Path):
        return base / item
    raise DataError(f"expected a path or bytes, got {kind_of(item)}")


# --- small helpers -------------------------------------------------------------------------------------------------


_PANDAS_BLANKS = ("NAType", "NaTType")  # by name: they answer to no comparison, and pandas need not be there


def _missing(value: Any) -> bool:
    """Whether a cell is empty, in any of the ways of JSON and pandas."""
    nan = isinstance(value, float) and math.isnan(value)
    return value is None or nan or type(value).__name__ in _PANDAS_BLANKS


def _name(value: Any) -> str | None:
    """An id, category or group as text; None where there is none. Raises :class:`DataError` for what is no name."""
    if _missing(value) or value == "":
        return None
    if isinstance(value, Mapping | list | tuple | bytes):
        raise DataError(f"expected text or a number, got {kind_of(value)} {short(value)}")
    return str(value)


def _optional_name(values: Mapping[str, Any], column: str, warnings: list[str]) -> str | None:
    """The name in a column; what is no name is a warning."""
    try:
        return _name(values.get(column))
    except DataError as exc:
        warnings.append(f"column {column!r}: {exc}; left out")
        return None


def _flag(value: Any, mapping: ColumnMapping, warnings: list[str]) -> bool:
    """Whether a row is complete; where it does not say so in a word that is known, what the mapping says of all."""
    word = str(value).strip().lower() if isinstance(value, str | int | float) else None
    if word in _FLAGS:
        return _FLAGS[word]
    if not _missing(value) and not (isinstance(value, str) and _marked(value, ("", *mapping.blank))):
        default = str(mapping.complete).lower()
        got = f"{kind_of(value)} {short(value)}"
        warnings.append(f"column 'complete': expected true or false, got {got}; taken as {default}")
    return mapping.complete


def _decoded(value: Any) -> Any:
    """A cell that holds JSON (tables and spans in CSV), parsed; anything else as it is."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return _plain(json.loads(value), [])
        except (ValueError, RecursionError):
            pass
    return value


def _items(cell: Any) -> Sequence[Any]:
    return cell if isinstance(cell, list | tuple) else (cell,)


@lru_cache
def _folded(markers: tuple[str, ...]) -> frozenset[str]:
    return frozenset(m.strip().casefold() for m in markers)


def _marked(word: str, markers: tuple[str, ...]) -> bool:
    return bool(markers) and word.strip().casefold() in _folded(markers)


def _filled(values: Mapping[str, Any]) -> list[str]:
    return [k for k, v in values.items() if not _missing(v)]


def shortlist(names: Iterable[str], most: int = 20) -> str:
    names = list(names)
    return f"{names[:most]}" + (f" and {len(names) - most} more" if len(names) > most else "")


def short(value: Any, most: int = 40) -> str:
    try:
        text = repr(value)
    except RecursionError:
        text = "nested too deep to be shown"
    return text if len(text) <= most else text[:most] + "..."


def kind_of(value: Any) -> str:
    return {dict: "an object", list: "a list", str: "text", int: "a number", float: "a number"}.get(
        type(value), type(value).__name__
    )


def not_utf8(byte: int, position: int | None = None) -> str:
    at = "" if position is None else f" at position {position}"
    return f"expected UTF-8 text, got the byte 0x{byte:02x}{at}; save the file as UTF-8"
