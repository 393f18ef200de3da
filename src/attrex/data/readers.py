"""Files and datasets in, products out: JSONL, JSON, CSV, Parquet, Hugging Face datasets; and products back to JSONL.

A row that cannot be read becomes a product with ``error`` set, a doubtful one a product with ``warnings``; none is
dropped. Offsets and texts are exactly the file's: nothing is trimmed, normalised or re-encoded.
"""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import math
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, Literal, TypeVar, cast

from attrex.errors import DataError, did_you_mean
from attrex.types import ImageSource, Product, Span

TEXT_COLUMNS = ("title", "description", "bullets", "text")
IMAGE_COLUMNS = ("image", "images")
_HEAD = 100  # rows looked at to know a file's columns; JSON rows may each leave some out
_BATCH = 256  # rows of Parquet in memory at once; they may hold photos
_BOM = b"\xef\xbb\xbf"
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")  # half of a surrogate pair: not text, and no tokenizer takes it
_T = TypeVar("_T")


@dataclass(frozen=True)
class ColumnMapping:
    """Which columns (JSON keys) hold what, and how table cells are to be read.

    A row with a ``fields`` object, as :func:`write_products` writes it, has its texts there. Markers are compared
    without regard to case and surrounding space; ``absent`` goes before ``blank``; an empty list is known-absent.
    """

    id: str = "id"
    fields: tuple[str, ...] | None = (
        None  #: None: ``text`` where there is a spans column, else the TEXT_COLUMNS present
    )
    images: tuple[str, ...] | None = None  #: None: ``image`` and ``images``
    category: str = "category"
    table: str | None = "attributes"  #: a column that holds {attribute: value or values}, or pairs of these
    table_columns: tuple[str, ...] | None = None  #: columns that are one attribute each; ``("*",)``: all the others
    spans: str = "spans"
    group: str = "group"
    complete: bool = False  #: for rows that do not say ``complete`` themselves
    blank: tuple[str, ...] = ("", "NA", "N/A", "nan", "null", "none")  #: cells that say nothing
    absent: tuple[str, ...] = ()  #: cells that say: it has none
    separator: str | None = None  #: splits table cells that hold several values ("Blue / Red")


_DEFAULT = ColumnMapping()


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a source, before it is a product."""

    where: str  #: for messages, e.g. ``shop.jsonl line 12``
    number: int  #: line or record, from 1
    values: Mapping[str, Any] | None = None
    error: str = ""  #: why there are no values
    warnings: tuple[str, ...] = ()


Source = str | Path | Mapping[str, Any] | Iterable[Mapping[str, Any]]


def read_products(
    source: Source,
    *,
    mapping: ColumnMapping = _DEFAULT,
    images: str | Path | None = None,
    split: str | None = None,
    limit: int | None = None,
) -> Iterator[Product]:
    """Stream products from a file, a directory or a dataset.

    ``source``: .jsonl, .ndjson, .json, .csv, .tsv (each also .gz) or .parquet; a directory in MEPAVE or MAE layout or a
    Hugging Face dataset saved on disk; ``hf:NAME`` of one on the hub; or a loaded one, or any iterable of dicts.
    ``images``: the directory that relative image paths start from (default: the one of the data file).
    ``split``: which part of a directory or dataset. Lists of texts (bullets) are joined with a newline, and offsets
    count in the joined text. Ids are kept in memory to notice those that come twice.

    Raises :class:`DataError` for a source that is missing, empty, of an unknown kind, or without a mapped column.
    """
    products = _layout_products(source, mapping, images, split)
    if products is None:
        rows, name, base = _open_source(source, split)
        products = _row_products(rows, name, mapping, Path(images) if images is not None else base)
    return islice(_warn_of_duplicates(products), limit)


# --- sources: each yields rows -------------------------------------------------------------------------------------


def _layout_products(
    source: Source, mapping: ColumnMapping, images: str | Path | None, split: str | None
) -> Iterator[Product] | None:
    """Products of a source in the original layout of MEPAVE or MAE; None for all other sources."""
    from attrex.data import importers

    if not isinstance(source, str | Path) or str(source).startswith("hf:"):
        return None
    path = Path(source)
    layout = importers.layout_of(path)
    if layout is None or (path.is_file() and mapping != _DEFAULT):
        return None
    if mapping != _DEFAULT:
        raise DataError(
            f"{path}: expected no column mapping for a directory in {layout} layout, whose columns are known, got one; "
            "leave it out, or read the files one by one"
        )
    read = importers.read_mepave if layout == "MEPAVE" else importers.read_mae
    return read(path, split, images=images)


def _open_source(source: Source, split: str | None) -> tuple[Iterator[Row], str, Path]:
    """The rows of a source, its name for messages, and the directory its image paths start from."""
    if isinstance(source, str) and source.startswith("hf:"):
        return _dataset_rows(_load_hub(source.removeprefix("hf:"), split), source), source, Path()
    if not isinstance(source, str | Path):
        if isinstance(source, Mapping):
            source = choose_split(source, split, "the dataset")
        return _dataset_rows(source, "dataset"), "the dataset", Path()
    path = Path(source)
    if not path.exists():
        near = did_you_mean(path.name, (p.name for p in path.parent.glob("*")))
        raise DataError(f"{path}: expected a file or directory, found nothing there{near}; check the path")
    if path.is_dir():
        return _dataset_rows(_load_saved(path, split), path.name), path.name, path
    kind = _suffix(path)
    if kind not in _FILE_ROWS or (kind == ".parquet" and path.suffix.lower() == ".gz"):
        raise DataError(
            f"{path}: expected a file ending in {', '.join(_FILE_ROWS)} (or .gz of the text ones), got {path.name!r}; "
            "rename it to what it is, or convert it"
        )
    if split is not None:
        raise DataError(
            f"{path}: expected no split for a single file, got split={split!r}; "
            "name the file of that split, or read the directory"
        )
    return _until_damage(_FILE_ROWS[kind](path), path), path.name, path.parent


def _suffix(path: Path) -> str:
    return Path(path.name.lower().removesuffix(".gz")).suffix


def open_binary(path: Path, mode: Literal["rb", "wb"] = "rb") -> IO[bytes]:
    """A file of bytes, unpacked or packed where its name ends in .gz."""
    return cast(IO[bytes], (gzip.open if path.suffix.lower() == ".gz" else open)(path, mode))


def _until_damage(rows: Iterator[Row], path: Path) -> Iterator[Row]:
    """The rows up to the place where a file is damaged, then one marked row."""
    last = 0
    try:
        for row in rows:
            last = row.number
            yield row
    except (OSError, EOFError, zlib.error) as exc:
        if not last:
            raise DataError(f"{path}: expected a readable {path.suffix} file, got: {exc}; make it again") from exc
        error = f"expected more rows, got: {exc}; the file is damaged here and cannot be read further, make it again"
        yield Row(f"{path.name} after row {last}", last + 1, error=error)


def _jsonl_rows(path: Path) -> Iterator[Row]:
    with open_binary(path) as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield _json_row(f"{path.name} line {number}", number, line)


def _json_row(where: str, number: int, line: bytes) -> Row:
    try:
        text = line.removeprefix(_BOM).decode()
        values = json.loads(text)
    except UnicodeDecodeError as exc:
        return Row(where, number, error=_not_utf8(exc.object[exc.start], exc.start))
    except (ValueError, RecursionError) as exc:
        return Row(where, number, error=f"expected one JSON object, got {_short(line)} ({exc}); correct the line")
    return record(where, number, values, check="\\u" in text)


def _json_rows(path: Path) -> Iterator[Row]:
    """A JSON list, or JSON lines in a file that is called .json."""
    with open_binary(path) as file:
        start = file.read(4096).removeprefix(_BOM).lstrip()
    if not start.startswith(b"["):
        yield from _jsonl_rows(path)
        return
    for number, item in enumerate(load_json_list(path, path.name), 1):
        yield record(f"{path.name} item {number}", number, item)


def load_json_list(path: Path, name: str) -> list[Any]:
    """The list in a JSON file; raises :class:`DataError` that begins with ``name`` and tells where it is broken."""
    try:
        with open_binary(path) as file:
            items = json.loads(file.read().removeprefix(_BOM).decode())
    except UnicodeDecodeError as exc:
        raise DataError(f"{name}: {_not_utf8(exc.object[exc.start], exc.start)}") from exc
    except (ValueError, RecursionError, OSError, EOFError, zlib.error) as exc:
        raise DataError(f"{name}: expected a JSON list of products, got broken JSON ({exc}); correct the file") from exc
    if not isinstance(items, list):
        raise DataError(f"{name}: expected a JSON list of products, got {_kind(items)}; put the products into one list")
    return items


def _csv_rows(path: Path) -> Iterator[Row]:
    csv.field_size_limit(2**31 - 1)  # the default refuses texts over 131,072 characters
    # A byte that is not UTF-8 comes through as half a surrogate pair, so that only its own row is marked.
    with io.TextIOWrapper(open_binary(path), "utf-8-sig", errors="surrogateescape", newline="") as file:
        first = file.readline()
        delimiter = "\t" if _suffix(path) == ".tsv" else _delimiter(first)
        reader = csv.reader(chain([first] if first else [], file), delimiter=delimiter, strict=True)
        header = _csv_header(reader, path)
        while True:
            number = reader.line_num + 1
            where = f"{path.name} line {number}"
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as exc:
                error = f'expected cells with closed quotes, got a row to line {reader.line_num} ({exc}); write " as ""'
                yield Row(where, number, error=error)
                continue
            if cells:
                yield _csv_row(where, number, header, cells)


def _csv_header(reader: Iterator[list[str]], path: Path) -> list[str]:
    try:
        header = next(reader, [])
    except csv.Error as exc:
        raise DataError(f"{path}: expected a first line with column names, got a broken one ({exc})") from exc
    if bad := _HALF_CHARACTER.search("".join(header)):
        raise DataError(f"{path}: {_not_utf8(ord(bad[0]) & 0xFF)}")
    twice = {name for name in header if name and header.count(name) > 1}
    if twice:
        raise DataError(f"{path}: expected column names that differ, got {sorted(twice)} more than once; rename one")
    return header


def _csv_row(where: str, number: int, header: list[str], cells: list[str]) -> Row:
    if len(cells) != len(header):
        error = (
            f"expected {len(header)} cells as in the header, got {len(cells)}; "
            "quote cells that hold a delimiter or a line break"
        )
        return Row(where, number, error=error)
    if bad := _HALF_CHARACTER.search("".join(cells)):
        return Row(where, number, error=_not_utf8(ord(bad[0]) & 0xFF))
    return Row(where, number, dict(zip(header, cells, strict=True)))


def _delimiter(header: str) -> str:
    """The most frequent of the usual delimiters outside quotes."""
    bare = re.sub(r'"[^"]*"', "", header)
    return max(",;\t|", key=bare.count)


def _parquet_rows(path: Path) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_BATCH):
                for values in batch.to_pylist():
                    number += 1
                    yield Row(f"{path.name} row {number}", number, values)
    except (pa.ArrowException, UnicodeDecodeError) as exc:
        raise OSError(str(exc)) from exc


_FILE_ROWS = {
    ".jsonl": _jsonl_rows,
    ".ndjson": _jsonl_rows,
    ".json": _json_rows,
    ".csv": _csv_rows,
    ".tsv": _csv_rows,
    ".parquet": _parquet_rows,
}


def _dataset_rows(dataset: Any, name: str) -> Iterator[Row]:
    """Rows of a Hugging Face dataset (its photos stay undecoded) or of any iterable of dicts."""
    rows: Iterable[Any] = dataset
    if hasattr(dataset, "with_format"):
        batches = dataset.with_format("arrow").iter(_BATCH)
        rows = chain.from_iterable(batch.to_pylist() for batch in batches)
    for number, values in enumerate(rows, 1):
        yield record(f"{name} row {number}", number, values)


def _load_hub(name: str, split: str | None) -> Any:
    datasets = _import_datasets(f"hf:{name}")
    try:
        found = datasets.load_dataset(name)
    except (OSError, ValueError) as exc:
        raise DataError(f"hf:{name}: expected a dataset on the Hugging Face hub, got: {exc}; check the name") from exc
    return choose_split(found, split, f"hf:{name}")


def _load_saved(path: Path, split: str | None) -> Any:
    if not any((path / name).is_file() for name in ("dataset_dict.json", "state.json")):
        found = sorted(p.name for p in path.iterdir())
        raise DataError(
            f"{path}: expected a directory in MEPAVE layout (jdair.jave.train.txt ...) or MAE layout (train/, val/ "
            f"with JSON lists), or a Hugging Face dataset saved on disk, got {_listed(found)}; name one data file in it"
        )
    datasets = _import_datasets(str(path))
    try:
        dataset = datasets.load_from_disk(str(path))
    except (OSError, ValueError) as exc:
        raise DataError(f"{path}: expected a Hugging Face dataset saved on disk, got: {exc}; save it again") from exc
    return choose_split(dataset, split, str(path)) if isinstance(dataset, Mapping) else dataset


def _import_datasets(name: str) -> Any:
    try:
        import datasets
    except ImportError as exc:
        raise DataError(
            f"{name}: expected the package 'datasets', which reads Hugging Face datasets, but it is not installed; "
            "run: pip install 'attrex[datasets]'"
        ) from exc
    return datasets


def choose_split(available: Mapping[str, _T], split: str | None, where: str) -> _T:
    """The part called ``split`` (valid, val, validation and dev are one name), or the only part there is."""
    if split is None and len(available) == 1:
        return next(iter(available.values()))
    for name, part in available.items():
        if split is not None and canonical_split(name) == canonical_split(split):
            return part
    came = "none was named" if split is None else f"got {split!r}{did_you_mean(split, available)}"
    raise DataError(f"{where}: expected one of the splits {list(available)}, {came}; name one with split=")


def canonical_split(name: str) -> str:
    return "valid" if name in ("val", "validation", "dev") else name


# --- rows to products ----------------------------------------------------------------------------------------------


def record(where: str, number: int, values: Any, check: bool = True) -> Row:
    """A row of what should be a JSON object. ``check``: replace half characters (a cut emoji) by U+FFFD, and warn."""
    if not isinstance(values, Mapping):
        error = f"expected an object with named columns, got {_kind(values)} {_short(values)}; correct the row"
        return Row(where, number, error=error)
    if not check:
        return Row(where, number, values)
    halves: list[str] = []
    values = _plain(values, halves)
    warning = "half of a character (a lone surrogate, as in a cut emoji) was replaced by U+FFFD"
    return Row(where, number, values, warnings=(warning,) if halves else ())


def _plain(value: Any, halves: list[str]) -> Any:
    """The value in Python's own types, with half characters replaced; those that had some are put into ``halves``."""
    if isinstance(value, str):
        if value.isascii() or not _HALF_CHARACTER.search(value):
            return value
        halves.append(value)
        return _HALF_CHARACTER.sub("\ufffd", value)
    if isinstance(value, Mapping):
        return {_plain(str(k), halves): _plain(v, halves) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v, halves) for v in value]
    if hasattr(value, "tolist") and not isinstance(value, memoryview):
        return _plain(value.tolist(), halves) if getattr(value, "ndim", 0) else value.tolist()  # numpy
    return value


def _row_products(rows: Iterator[Row], name: str, mapping: ColumnMapping, base: Path) -> Iterator[Product]:
    head = list(islice(rows, _HEAD))
    if not head:
        raise DataError(f"{name}: expected at least one product, got an empty file or dataset; check its source")
    _check_columns(head, name, mapping)
    return (to_product(row, mapping, base) for row in chain(head, rows))


def _check_columns(head: Sequence[Row], name: str, mapping: ColumnMapping) -> None:
    """Raise for a mapped column that no row has, and where no column is known to hold text."""
    columns: dict[str, None] = {}
    for row in head:
        columns.update(dict.fromkeys(row.values or ()))
        columns.update(dict.fromkeys(_own_fields(row.values or {}) or ()))
    if not columns:
        return  # nothing but marked rows
    single = [f.name for f in fields(mapping) if f.name in ("id", "category", "table", "spans", "group")]
    named = [getattr(mapping, n) for n in single if getattr(mapping, n) != getattr(_DEFAULT, n)]
    wanted = [*named, *(mapping.fields or ()), *(mapping.images or ()), *(mapping.table_columns or ())]
    for column in wanted:
        if column not in columns and column not in (None, "*"):
            raise DataError(
                f"{name}: expected the column {column!r}, which the mapping names, got {_listed(columns)}"
                f"{did_you_mean(column, columns)}; correct the mapping or the file"
            )
    if mapping.fields is None and not any(c in columns for c in (*TEXT_COLUMNS, "fields")):
        near = next(filter(None, (did_you_mean(c, columns) for c in TEXT_COLUMNS)), "")
        raise DataError(
            f"{name}: expected a text column ({', '.join(TEXT_COLUMNS)}), got {_listed(columns)}{near}; "
            "name the text columns in the mapping (fields)"
        )


def to_product(row: Row, mapping: ColumnMapping, base: Path) -> Product:
    """The product of a row; one that cannot be read is marked with ``error``. Image paths start from ``base``."""
    values = row.values or {}
    warnings = list(row.warnings)
    name = _name(values.get(mapping.id))
    if name is None:
        name = f"row-{row.number}"
        if not row.error:
            warnings.append(f"{row.where}: no id in column {mapping.id!r}; the row number stands in for it")
    try:
        if row.error:
            raise DataError(row.error)
        return _read(name, values, mapping, base, warnings)
    except DataError as exc:
        return Product(name, {}, error=f"{row.where}: {exc}", warnings=tuple(warnings))


def _read(name: str, values: Mapping[str, Any], mapping: ColumnMapping, base: Path, warnings: list[str]) -> Product:
    texts = _texts(values, mapping)
    spans, all_fit = _spans(_decoded(values.get(mapping.spans)), texts, _own_fields(values) or (), warnings)
    category = _name(values.get(mapping.category))
    warnings += [w for w in _items(values.get("warnings")) if isinstance(w, str)] if "warnings" in values else []
    return Product(
        id=name,
        fields=texts,
        images=_images(values, mapping, base, warnings),
        category=None if category is None or _marked(category, mapping.blank) else category,
        table=_table(values, mapping, warnings),
        spans=spans,
        # where a label was lost, its text no longer says "nothing else here"
        complete=_flag(values.get("complete"), mapping.complete) and all_fit,
        group=_name(values.get(mapping.group)),
        warnings=tuple(warnings),
        error=None if _own_fields(values) is None else _name(values.get("error")),
    )


def _own_fields(values: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The texts of a row in the form that :func:`write_products` writes."""
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
    texts = {n: _text(n, source[n]) for n in names if not _missing(source.get(n))}
    if not texts and own is None:
        raise DataError(f"expected text in {list(names)}, got none; columns with a value: {_listed(_filled(values))}")
    return texts


def _text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and all(isinstance(v, str) or v is None for v in value):
        return "\n".join(v for v in value if v is not None)
    raise DataError(f"expected text or a list of texts in {name!r}, got {_kind(value)} {_short(value)}; correct it")


def _spans(
    value: Any, texts: Mapping[str, str], known_fields: Iterable[str], warnings: list[str]
) -> tuple[tuple[Span, ...] | None, bool]:
    """The labels that fit their text, and whether all did. Labels in fields that were not asked for do not count."""
    if _missing(value) or value == "":
        return None, True
    if not isinstance(value, list | tuple):
        warnings.append(f"spans: expected a list, got {_kind(value)} {_short(value)}; the labels are left out")
        return None, False
    spans, all_fit = [], True
    for item in value:
        field = item.get("field") if isinstance(item, Mapping) else None
        if isinstance(field, str) and field not in texts and field in known_fields:
            continue
        try:
            spans.append(_span(item, texts))
        except DataError as exc:
            warnings.append(f"{exc}; this span is left out")
            all_fit = False
    return tuple(spans), all_fit


def _span(item: Any, texts: Mapping[str, str]) -> Span:
    if not isinstance(item, Mapping):
        raise DataError(f"span: expected an object, got {_kind(item)} {_short(item)}")
    attribute, start, end = (item.get(k) for k in ("attribute", "start", "end"))
    if not (isinstance(attribute, str) and attribute and type(start) is int and type(end) is int):
        raise DataError(f"span: expected attribute (text), start and end (whole numbers), got {_short(dict(item))}")
    field = item.get("field") or (next(iter(texts)) if len(texts) == 1 else "text")
    if not isinstance(field, str) or field not in texts:
        raise DataError(f"span {attribute!r}: expected a field of {list(texts)}, got {field!r}")
    said = texts[field][start:end]
    text = said if item.get("text") is None else item["text"]
    if not 0 <= start < end <= len(texts[field]) or said != text:
        raise DataError(
            f"span {attribute!r}: expected {_short(text)} at {start}:{end} of {field!r}, got {_short(said)} "
            "(offsets are characters, end exclusive)"
        )
    value = item.get("value")
    return Span(attribute, start, end, text, field, None if value is None else str(value))


def _table(values: Mapping[str, Any], mapping: ColumnMapping, warnings: list[str]) -> dict[str, tuple[str, ...]]:
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
        f"column {mapping.table!r}: expected an object or pairs, got {_kind(content)} {_short(content)}; left out"
    )
    return ()


def _flat_cells(values: Mapping[str, Any], mapping: ColumnMapping) -> Iterable[tuple[str, Any]]:
    names: Iterable[str] = mapping.table_columns or ()
    if "*" in names:
        used = {mapping.id, mapping.category, mapping.table, mapping.spans, mapping.group, "complete", "fields", ""}
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
            raise DataError(f"expected text, a number or a list of these, got {_kind(part)} {_short(part)}")
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
                raise DataError(f"expected base64 bytes of a photo, got {_short(content)} ({exc})") from exc
        return _image(item.get("path") if content is None else content, base, blank)
    if _missing(item) or (isinstance(item, str) and _marked(item, blank)):
        return None
    if isinstance(item, bytes | bytearray | memoryview):
        return bytes(item)
    if isinstance(item, str) and "://" in item:
        raise DataError(f"expected a file, got the address {_short(item)}; download it and give the path")
    if isinstance(item, str | Path):
        return base / item
    raise DataError(f"expected a path or bytes, got {_kind(item)}")


def _warn_of_duplicates(products: Iterable[Product]) -> Iterator[Product]:
    seen: set[str] = set()
    for product in products:
        if product.id in seen:
            warning = f"the id {product.id!r} was there before; results of the two cannot be told apart by id"
            product = replace(product, warnings=(*product.warnings, warning))  # noqa: PLW2901
        seen.add(product.id)
        yield product


# --- small helpers -------------------------------------------------------------------------------------------------


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))  # NaN: how pandas leaves a cell empty


def _name(value: Any) -> str | None:
    """An id, category or group as text; None where there is none."""
    if _missing(value) or value == "" or isinstance(value, Mapping | list | tuple | bytes):
        return None
    return str(value)


def _flag(value: Any, default: bool) -> bool:
    if isinstance(value, str):
        return {"true": True, "1": True, "false": False, "0": False}.get(value.strip().lower(), default)
    return default if _missing(value) else bool(value)


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


def _listed(names: Iterable[str], most: int = 20) -> str:
    names = list(names)
    return f"{names[:most]}" + (f" and {len(names) - most} more" if len(names) > most else "")


def _short(value: Any, most: int = 40) -> str:
    text = repr(value)
    return text if len(text) <= most else text[:most] + "..."


def _kind(value: Any) -> str:
    return {dict: "an object", list: "a list", str: "text", int: "a number", float: "a number"}.get(
        type(value), type(value).__name__
    )


def _not_utf8(byte: int, position: int | None = None) -> str:
    at = "" if position is None else f" at position {position}"
    return f"expected UTF-8 text, got the byte 0x{byte:02x}{at}; save the file as UTF-8"


# --- products to files ---------------------------------------------------------------------------------------------


def product_to_row(product: Product, base: Path) -> dict[str, Any]:
    """The product in the labelled row format. Image paths below ``base`` are stored relative to it, others absolute."""
    row: dict[str, Any] = {"id": product.id}
    if tuple(product.fields) == ("text",) and product.error is None:
        row["text"] = product.fields["text"]
    else:
        row["fields"] = dict(product.fields)
    if product.images:
        row["images"] = [_stored_image(i, base.absolute()) for i in product.images]
    if product.category is not None:
        row["category"] = product.category
    row["attributes"] = {a: list(v) for a, v in product.table.items()}
    if product.spans is not None:
        row["spans"] = [s.to_json() for s in product.spans]
    row |= {"group": product.group} if product.group is not None else {}
    row |= {"complete": True} if product.complete else {}
    row |= {"warnings": list(product.warnings)} if product.warnings else {}
    row |= {"error": product.error} if product.error is not None else {}
    return row


def _stored_image(image: ImageSource, base: Path) -> str | dict[str, str]:
    if isinstance(image, bytes):
        return {"bytes": base64.b64encode(image).decode()}
    path = image.absolute()
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)


def write_rows(path: str | Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write one JSON object a line (packed where the name ends in .gz), and return how many."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    number = 0
    # backslashreplace turns half a surrogate pair, which UTF-8 cannot hold, into its JSON escape
    with io.TextIOWrapper(open_binary(path, "wb"), "utf-8", errors="backslashreplace", newline="\n") as file:
        for number, row in enumerate(rows, 1):  # noqa: B007
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return number


def write_products(path: str | Path, products: Iterable[Product]) -> int:
    """Write products in the labelled row format, which :func:`read_products` reads back; return how many."""
    base = Path(path).parent
    return write_rows(path, (product_to_row(p, base) for p in products))
