"""Rows to products: which columns hold what, and how their cells are read.

A row that cannot be read becomes a product with ``error`` set, a doubtful one a product with ``warnings``. Offsets and
texts are exactly the row's: nothing is trimmed or normalised.
"""

from __future__ import annotations

import base64
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

from attrex.errors import DataError, did_you_mean, kind_of, printable, short
from attrex.io.bad_rows import RowTally
from attrex.io.confinement import PhotoFolders
from attrex.io.html import without_markup
from attrex.io.photo_addresses import is_address, split_addresses
from attrex.plain_json import load_json, number_text
from attrex.shop.cells import Cells, ColumnCounts, HeldCell, Occupied, is_empty, is_missing
from attrex.shop.mapping import ColumnMapping
from attrex.shop.shop import DEFAULT_COLUMNS, DEFAULT_SHOP, Shop
from attrex.types import ImageSource, Product, Span

log = logging.getLogger(__name__)

TEXT_COLUMNS = ("title", "description", "bullets", "text")
IMAGE_COLUMNS = ("image", "images")
HALF_CHARACTER = re.compile("[\ud800-\udfff]")  # half of a surrogate pair: not text, and no tokenizer takes it
_FLAGS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
LONGEST_WARNING = 2000  #: characters
HEAD = 100  # rows looked at to know a source's columns; JSON rows may each leave some out


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One record of a source, before it is a product."""

    where: str  #: for messages, e.g. ``shop.jsonl line 12``
    number: int  #: line or record, from 1
    values: Mapping[str, Any] | None = None
    error: str = ""  #: why there are no values
    warnings: tuple[str, ...] = ()
    rows: int = 1  #: rows of the source that it stands for, of a damaged part as many as are known to be lost
    damaged: bool = False  #: a part of the source cannot be read, and this stands for it


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
        for key in self.duplicate_keys:
            if is_empty(self[key]):  # another one may hold something
                self[key] = Occupied()


def parse_json(text: str) -> Any:
    """As :func:`load_json`; that a key comes twice in an object is remembered, for :func:`record` to warn of."""
    return load_json(text, json_object)


def json_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
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
        if getattr(value, "ndim", 0):
            return _plain(value.tolist(), lone_surrogates)  # numpy
        return float(str(value)) if getattr(value.dtype, "kind", "") == "f" else value.tolist()  # 0.1 in 32 bits is 0.1
    return value


def row_products(
    rows: Iterator[RawRecord],
    name: str,
    shop: Shop,
    photos: PhotoFolders,
    counts: ColumnCounts | None = None,
    tally: RowTally | None = None,
) -> Iterator[Product]:
    tally = RowTally() if tally is None else tally
    head = list(islice(rows, HEAD))
    if not head:
        raise DataError(f"{name}: expected at least one product, got an empty file or dataset; check its source")
    fitting = fitting_shop(head, shop)
    if fitting is not shop:  # may be a typo, so it is told
        log.warning(
            "%s lacks the columns %s, which the shop names: it is read as a file that Attrex wrote, by its own keys",
            name,
            shortlist(_lacking(head, shop.columns)),
        )
        shop = fitting
    _check_columns(head, name, shop.columns)
    if counts is not None:
        mapping = shop.columns
        read = {mapping.id, mapping.category, mapping.spans, mapping.group, ""}
        read |= {*(mapping.texts or TEXT_COLUMNS), *(mapping.images or IMAGE_COLUMNS)}
        read |= {"complete", "fields", "warnings", "error"}
        table = {mapping.attributes} if isinstance(mapping.attributes, str) else {*(mapping.attributes or ())}
        columns = dict.fromkeys(column for row in head for column in row.values or ())
        counts.unread = () if "*" in table else tuple(c for c in columns if c not in read | table)
    return (tally.add(to_product(row, shop, photos, counts), row.rows, row.damaged) for row in chain(head, rows))


def fitting_shop(head: Sequence[RawRecord], shop: Shop) -> Shop:
    """The shop as it reads these rows: those that Attrex wrote by their own keys, where they lack the shop's."""
    keys = [row.values.keys() for row in head if row.values]
    own = all({"id", "attributes"} <= k and k & {"fields", "text"} for k in keys)  # as `write_products` writes them
    if not own or not _lacking(head, shop.columns):
        return shop
    return replace(shop, columns=shop.columns.of_labelled_rows())


def _known_columns(head: Sequence[RawRecord]) -> dict[str, None]:
    columns: dict[str, None] = {}
    for row in head:
        columns.update(dict.fromkeys(row.values or ()))
        columns.update(dict.fromkeys(_own_fields(row.values or {}) or ()))
    return columns


def mapped_columns(mapping: ColumnMapping) -> list[str]:
    """The columns that a mapping names itself."""
    keys = ("id", "category", "spans", "group")
    single = [column for key in keys if (column := getattr(mapping, key)) != getattr(DEFAULT_COLUMNS, key)]
    if mapping.attributes != DEFAULT_COLUMNS.attributes:
        single += [mapping.attributes] if isinstance(mapping.attributes, str) else mapping.attributes
    wanted = [*single, *(mapping.texts or ()), *mapping.html, *(mapping.images or ())]
    return [column for column in wanted if column != "*"]


def _lacking(head: Sequence[RawRecord], mapping: ColumnMapping) -> list[str]:
    """The columns that the mapping names and no row has."""
    columns = _known_columns(head)
    return [column for column in mapped_columns(mapping) if column not in columns]


def _check_columns(head: Sequence[RawRecord], name: str, mapping: ColumnMapping) -> None:
    """Raise for a mapped column that no row has, and where no column is known to hold text."""
    columns = _known_columns(head)
    if not columns:
        return  # nothing but marked rows
    for column in _lacking(head, mapping)[:1]:
        raise DataError(
            f"{name}: expected the column {column!r}, which the shop names, got {shortlist(columns)}"
            f"{did_you_mean(column, columns)}; correct the shop's columns or the file"
        )
    own = {c for row in head for c in _own_fields(row.values or {}) or ()}
    for column in mapping.html:
        if mapping.texts is None and column not in (*TEXT_COLUMNS, *own):
            raise DataError(
                f"{name}: expected html to name columns that are read as texts ({', '.join(own or TEXT_COLUMNS)}), "
                f"got {column!r}; name all text columns in the shop (columns: texts), this one too"
            )
    if mapping.texts is None and not any(c in columns for c in (*TEXT_COLUMNS, "fields")):
        near = next(filter(None, (did_you_mean(c, columns) for c in TEXT_COLUMNS)), "")
        raise DataError(
            f"{name}: expected a text column ({', '.join(TEXT_COLUMNS)}), got {shortlist(columns)}{near}; "
            "name the text columns in the shop (columns: texts)"
        )


def as_products(items: Iterable[Product | Mapping[str, Any] | str], shop: Shop = DEFAULT_SHOP) -> Iterator[Product]:
    """Products as they are, dicts as rows of the shop's files, strings as the text of one product each.

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
    return (_as_product(number, item, shop) for number, item in enumerate(items, 1))


def _as_product(number: int, item: Product | Mapping[str, Any] | str, shop: Shop) -> Product:
    if isinstance(item, Product):
        return item
    if isinstance(item, str):
        return Product(f"row-{number}", {"text": item})
    if isinstance(item, Mapping):
        return to_product(
            record(f"products row {number}", number, item), shop, PhotoFolders([Path()], source="products")
        )
    raise DataError(f"products row {number}: expected a product, a dict or a text, got {kind_of(item)} {short(item)}")


def to_product(row: RawRecord, shop: Shop, photos: PhotoFolders, counts: ColumnCounts | None = None) -> Product:
    """The product of a row; one that cannot be read is marked with ``error``."""
    values, mapping = row.values or {}, shop.columns
    warnings = list(row.warnings)
    try:
        name, lack = _name(values.get(mapping.id)), f"no id in column {mapping.id!r}"
    except DataError as exc:
        name, lack = None, f"column {mapping.id!r}: {exc}"
    if name is None:
        name = f"row-{row.number}"
        if not row.error:
            warnings.append(f"{row.where}: {lack}; the row number stands in for it")
    cells, others = _table_cells(values, shop, warnings)
    table = shop.cells.merge(cells, counts)
    held = shop.cells.held(others, table)
    try:
        if row.error:
            raise DataError(row.error)
        texts = _texts(values, mapping)
        spans, all_fit = _spans(_decoded(values.get(mapping.spans)), texts, _own_fields(values) or (), warnings)
        category = _optional_name(values, mapping.category, warnings)
        warnings += [w for w in _items(values.get("warnings")) if isinstance(w, str)] if "warnings" in values else []
        return Product(
            id=name,
            fields=texts,
            images=_images(values, shop, photos, warnings),
            category=None if shop.cells.is_blank(category) else category,
            table=table,
            spans=spans,
            # where a label was lost, its text no longer says "nothing else here"
            complete=_flag(values.get("complete"), shop, warnings) and all_fit,
            group=_optional_name(values, mapping.group, warnings),
            error=None if _own_fields(values) is None else _optional_name(values, "error", warnings),
            warnings=_told(warnings),  # when all have been told
            held=held,
            number=row.number,
        )
    except DataError as exc:
        # The cells are the shop's, also where the texts cannot be read: `attrex fill` gives them back.
        error = _told([f"{row.where}: {exc}"])[0]
        return Product(name, {}, table=table, error=error, warnings=_told(warnings), held=held, number=row.number)


def _told(messages: Iterable[str]) -> tuple[str, ...]:
    """What is said of a row, which may be shown on a terminal or be written beside every product."""
    return tuple(printable(message, LONGEST_WARNING) for message in messages)


def _own_fields(values: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The texts of a row in the form that :func:`~attrex.io.products.write_products` writes."""
    own = values.get("fields")
    return own if isinstance(own, Mapping) else None


def _texts(values: Mapping[str, Any], mapping: ColumnMapping) -> dict[str, str]:
    own = _own_fields(values)
    source = values if own is None else own
    if mapping.texts is not None:
        names: Iterable[str] = mapping.texts
    elif own is not None:
        names = own
    else:
        labelled_text = "text" in values and mapping.spans in values
        names = ("text",) if labelled_text else TEXT_COLUMNS
    texts = {n: _field_text(n, source[n]) for n in names if not is_missing(source.get(n))}
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
    if is_missing(value) or value == "":
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
    # Where no label fits, nobody has looked at these texts: "looked, and found nothing" would be untrue.
    return tuple(spans) if spans or all_fit else None, all_fit


def _parse_span(item: Any, texts: Mapping[str, str]) -> Span:
    if not isinstance(item, Mapping):
        raise DataError(f"span: expected an object, got {kind_of(item)} {short(item)}")
    attribute, start, end = (item.get(k) for k in ("attribute", "start", "end"))
    if not (isinstance(attribute, str) and attribute and type(start) is int and type(end) is int):
        advice = "; labels of an annotation tool are read by `attrex convert`" if "label" in item else ""
        got = f"{short(dict(item))}{advice}"
        raise DataError(f"span: expected attribute (text), start and end (whole numbers), got {got}")
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
    return Span(attribute, start, end, text, field, None if value is None else number_text(value))


def _table_cells(
    values: Mapping[str, Any], shop: Shop, warnings: list[str]
) -> tuple[dict[str, tuple[str, ...]], dict[str, HeldCell]]:
    """Column -> values (no key where blank, an empty tuple where known to be absent), and what the others hold."""
    table: dict[str, tuple[str, ...]] = {}
    held: dict[str, HeldCell] = {}
    for name, cell in _raw_cells(values, shop.columns, warnings):
        try:
            found = shop.cells.read(cell)
        except DataError as exc:
            warnings.append(f"attribute {name!r}: {exc}; the cell is left out")
            held[name] = HeldCell(_shown(cell), unread=True)
            continue
        if found is not None:
            table[name] = tuple(dict.fromkeys(table.get(name, ()) + found))
        else:
            held[name] = HeldCell("" if is_empty(cell) else _shown(cell), empty=shop.cells.may_fill(cell))
    return table, held


def _shown(cell: Any) -> str:
    """A cell as a person is told of it."""
    return cell if isinstance(cell, str) else short(cell, 200)


def attribute_columns(columns: Iterable[str], mapping: ColumnMapping) -> list[str]:
    """Which of a file's columns hold attributes, one each, or a table of them."""
    if isinstance(mapping.attributes, str):
        return [mapping.attributes]
    if "*" not in mapping.attributes:
        return list(mapping.attributes)
    used = {mapping.id, mapping.category, mapping.spans, mapping.group, ""}
    used |= {*(mapping.texts or TEXT_COLUMNS), *(mapping.images or IMAGE_COLUMNS)}
    used |= {"complete", "fields", "warnings", "error"}
    return [c for c in columns if c not in used]


def _raw_cells(values: Mapping[str, Any], mapping: ColumnMapping, warnings: list[str]) -> Iterator[tuple[str, Any]]:
    """(attribute, cell) of the table's columns, as they are in the file."""
    whole = isinstance(mapping.attributes, str)
    for column in attribute_columns(values, mapping):
        content = _decoded(values.get(column))
        if isinstance(content, Mapping):
            yield from ((str(k), _decoded(v)) for k, v in content.items())
            if not whole:
                yield column, Occupied()
        elif not whole:
            yield column, content
        elif isinstance(content, list | tuple) and all(isinstance(p, list | tuple) and len(p) == 2 for p in content):
            yield from ((str(k), _decoded(v)) for k, v in content)
        elif not is_missing(content) and content != "":
            got = f"{kind_of(content)} {short(content)}"
            warnings.append(f"column {column!r}: expected an object or pairs, got {got}; left out")


def _images(
    values: Mapping[str, Any], shop: Shop, photos: PhotoFolders, warnings: list[str]
) -> tuple[ImageSource, ...]:
    found = []
    for column in shop.columns.images if shop.columns.images is not None else IMAGE_COLUMNS:
        for item in _photos(_decoded(values.get(column))):
            try:
                image = _image(item, photos, shop.cells)
            except DataError as exc:
                warnings.append(f"{column}: {exc}; the product goes on without this photo")
                continue
            if image is not None:
                found.append(image)
    return tuple(found)


def _photos(cell: Any) -> Iterator[Any]:
    """The photos that a cell names; of a text, those whose addresses it has."""
    for item in _items(cell):
        if isinstance(item, str) and is_address(item):
            yield from split_addresses(item)
        else:
            yield item


def _image(item: Any, photos: PhotoFolders, cells: Cells) -> ImageSource | None:
    """A path, bytes, or ``{"bytes": ..., "path": ...}`` as datasets store it (in JSON the bytes are base64).

    A ``Path`` comes from code, and not from a file, so that it may lead anywhere.
    """
    if isinstance(item, Mapping):
        content = item.get("bytes")
        if isinstance(content, str):
            try:
                return base64.b64decode(content, validate=True)
            except ValueError as exc:  # also binascii.Error
                raise DataError(f"expected base64 bytes of a photo, got {short(content)} ({exc})") from exc
        return _image(item.get("path") if content is None else content, photos, cells)
    if cells.is_blank(item):
        return None
    if isinstance(item, bytes | bytearray | memoryview):
        return bytes(item)
    if isinstance(item, str) and is_address(item):
        return photos.at_address(item)
    if isinstance(item, Path):
        return photos.folders[0] / item
    if isinstance(item, str):
        return photos.find(item)
    raise DataError(f"expected a path or bytes, got {kind_of(item)}")


# --- small helpers -------------------------------------------------------------------------------------------------


def _name(value: Any) -> str | None:
    """An id, category or group as text; None where there is none. Raises :class:`DataError` for what is no name."""
    if is_missing(value) or value == "":
        return None
    if isinstance(value, Mapping | list | tuple | bytes):
        raise DataError(f"expected text or a number, got {kind_of(value)} {short(value)}")
    return number_text(value)


def _optional_name(values: Mapping[str, Any], column: str, warnings: list[str]) -> str | None:
    """The name in a column; what is no name is a warning."""
    try:
        return _name(values.get(column))
    except DataError as exc:
        warnings.append(f"column {column!r}: {exc}; left out")
        return None


def _flag(value: Any, shop: Shop, warnings: list[str]) -> bool:
    """Whether a row is complete; where it does not say so in a word that is known, what the shop says of all."""
    word = number_text(value).strip().lower() if isinstance(value, str | int | float) else None
    if word in _FLAGS:
        return _FLAGS[word]
    if not shop.cells.is_blank(value):
        default = str(shop.columns.complete).lower()
        got = f"{kind_of(value)} {short(value)}"
        warnings.append(f"column 'complete': expected true or false, got {got}; taken as {default}")
    return shop.columns.complete


def _decoded(value: Any) -> Any:
    """A cell that holds JSON (tables and spans in CSV), parsed; anything else as it is."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return _plain(load_json(value), [])
        except (ValueError, RecursionError):
            pass
    return value


def _items(cell: Any) -> Sequence[Any]:
    return cell if isinstance(cell, list | tuple) else (cell,)


def _filled(values: Mapping[str, Any]) -> list[str]:
    return [k for k, v in values.items() if not is_missing(v)]


def shortlist(names: Iterable[str], most: int = 20) -> str:
    names = list(names)
    return f"{names[:most]}" + (f" and {len(names) - most} more" if len(names) > most else "")


def not_utf8(byte: int, position: int | None = None) -> str:
    at = "" if position is None else f" at position {position}"
    return f"expected UTF-8 text, got the byte 0x{byte:02x}{at}; save the file as UTF-8"
