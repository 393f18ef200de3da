"""A table of any shop: what its columns hold is guessed from their names and first rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice, pairwise
from typing import Any

from attrex.errors import DataError
from attrex.io.dialects.column_names import (
    CATEGORIES,
    GROUPS,
    IDS,
    TEXTS,
    TITLES,
    all_of,
    bare,
    first_of,
    is_no_attribute,
    is_only_photo,
    is_photo,
    may_be_values,
)
from attrex.io.dialects.column_pairs import cell_pairs, may_hold_pairs, pairs_of
from attrex.io.dialects.dialect import (
    Dialect,
    Edit,
    Item,
    NoPlace,
    Sample,
    find_name,
    is_filled,
    looks_like_photo,
    marked,
    name_key,
    split_photos,
)
from attrex.io.html import has_entities, has_markup
from attrex.io.packed import kind_of_file
from attrex.io.parquet_cells import ParquetFile
from attrex.io.rows import IMAGE_COLUMNS, TEXT_COLUMNS, RawRecord
from attrex.plain_json import number_text
from attrex.shop.cells import is_missing

_OWN = {"attributes", "fields", "spans"}
_KNOWN = {"id", "category", "group", "complete", *TEXT_COLUMNS, *IMAGE_COLUMNS}
_TYPED = (".json", ".jsonl", ".ndjson", ".parquet")  # files whose cells are more than text
_HEAD = 100
TOLD = 15  # columns that one line names
_LONG = 60  # characters: a cell of so many, in the middle of a column, is no value but a text
_CODE = re.compile(r"[a-z][a-z0-9_.#\[\]=:-]*")


class PlainTable(Dialect):
    """A table with one product a row and one column for each attribute: text, a workbook, Parquet, objects in JSON.

    Stands on names that shops give to columns in a few languages, and on what the first 100 rows hold. Names decide
    about id, title, texts, photos, category and group, and about columns that are no attributes (prices, stock, codes,
    addresses, dates). Of the others, a column of long texts is a text, one of addresses, of long numbers or of objects
    nothing, and any other one an attribute, also where all of its cells are blank. Two columns that name an attribute
    and say its value (``Option1 Name``, ``Option1 Value``) are read so, and cells of pairs (``Color=Red;Material=Wool``
    under ``Custom fields``). Nothing else is split but photos.

    Rows below a product that have a choice, neither title nor text, and its id or none, are its variants (Wix,
    Squarespace), where one of the first 100 rows is so. A row of codes below the header (Amazon's ``item_sku``) is
    passed over.
    """

    name = "table"
    title = "a table"
    by_row = True

    @classmethod
    def recognises(cls, sample: Sample) -> bool:
        columns = sample.columns or _keys(sample.first)
        if kind_of_file(sample.path) in _TYPED and {c for c in columns if not is_no_attribute(c)} <= _KNOWN:
            return False  # there is nothing to guess
        names = {key for c in columns for key in (name_key(c), bare(c))}
        return not names & _OWN and not names.isdisjoint((*TITLES, *TEXTS))

    def __init__(self, sample: Sample) -> None:
        super().__init__(sample)
        head = list(islice(self.records(), _HEAD))
        if not sample.columns:
            self.sample = replace(sample, columns=tuple(dict.fromkeys(c for row in head for c in row.values or ())))
        columns = [c for c in self.sample.columns if c.strip()]
        self.product_title = first_of(columns, TITLES)
        self.id = first_of(columns, IDS)
        self.texts = [c for c in all_of(columns, TEXTS) if c != self.product_title]
        self.category, self.group = first_of(columns, CATEGORIES), first_of(columns, GROUPS)
        self.photos = [c for c in columns if is_photo(c)]
        self.pairs, beside = pairs_of([c for c in columns if c not in (self.product_title, self.id)])
        beside += [c for pair in self.pairs for c in (pair.name, pair.value)]
        self.texts = [c for c in self.texts if c not in beside]
        taken = {self.id, self.product_title, *self.texts, self.category, self.group, *self.photos, *beside}
        self.attributes = [c for c in columns if c not in taken and not is_no_attribute(c)]
        self.pair_cells: list[str] = []  #: columns whose cells are pairs
        self.coded = bool(head) and self._is_of_codes(head[0])
        head = head[self.coded :]
        self._look(head)
        self.lists = {c for row in head for c, v in (row.values or {}).items() if isinstance(v, list | tuple)}
        self.new_are_lists = False
        if kind_of_file(sample.path) == ".parquet":  # by type: all of a column may be blank
            file = ParquetFile(sample.path)
            self.lists = {name for c, name in file.columns.items() if c == (name,) and file.holds_lists(c)}
            self.new_are_lists = file.holds_lists(file.new_column("", 0))
        if shared := [
            c for c in all_of(columns, IDS) if any(self._goes_on(r, above, c) for above, r in pairwise(head))
        ]:
            self.by_row, self.id = False, shared[0]
        self.id_column = self.id or None
        self.known = set(self.sample.columns)

    def _look(self, head: Sequence[RawRecord]) -> None:
        """Take out of the attributes, photos and texts what the first rows show to be something else."""

        def said_in(column: str) -> list[Any]:
            return [value for row in head if not _says_nothing(value := (row.values or {}).get(column))]

        for column in [c for c in self.photos if not is_only_photo(c)]:
            said = said_in(column)
            if said and not any(map(_is_photo, said)):  # image sensor, picture frame
                self.photos.remove(column)
                self.attributes.append(column)
        for column in [c for c in (*self.texts, *self.attributes) if may_hold_pairs(c)]:
            if (said := said_in(column)) and all(isinstance(v, str) and cell_pairs(v) is not None for v in said):
                (self.texts if column in self.texts else self.attributes).remove(column)
                self.pair_cells.append(column)
        for column in filter(may_be_values, list(self.texts)):
            if (said := said_in(column)) and max(len(_text(v)) for v in said) <= _LONG:
                self.texts.remove(column)
                self.attributes.append(column)
        for pair in list(self.pairs):  # a heading and a paragraph are none
            if (said := sorted(len(_text(v)) for v in said_in(pair.value))) and said[len(said) // 2] > 2 * _LONG:
                self.pairs.remove(pair)
                self.texts.append(pair.value)
        places = {column: place for place, column in enumerate(self.sample.columns)}
        self.attributes.sort(key=places.__getitem__)
        for column in list(self.attributes):
            said = said_in(column)
            texts = sorted((_text(v) for v in said), key=len)
            if not said:
                continue
            if any(isinstance(v, Mapping) or _text(v) == "" for v in said):  # objects, or lists of them
                self.attributes.remove(column)
            elif len(texts[len(texts) // 2]) > _LONG and not any(isinstance(v, list | tuple) for v in said):
                self.attributes.remove(column)
                self.texts.append(column)
            elif all("://" in t for t in texts) or (len(set(texts)) == len(texts) and all(map(_is_code, texts))):
                self.attributes.remove(column)

    def told(self) -> str:
        parts = {
            "id": [self.id] if self.id else [],
            "texts": [*([self.product_title] if self.product_title else []), *self.texts],
            "photos": self.photos,
            "category": [self.category] if self.category else [],
            "attributes": [
                *self.attributes,
                *self.pair_cells,
                *(f"{pair.name} with {pair.value}" for pair in self.pairs),
            ],
        }
        said = "; ".join(f"{part} {_few(columns)}" for part, columns in parts.items() if columns)
        said += "" if self.by_row else "; rows without title and text belong to the product above"
        said += "; the row of codes below the header is passed over" if self.coded else ""
        return f"{super().told()}: {said} (--shop says it otherwise)"

    def items(self) -> Iterator[Item]:
        rows = self.records()
        head = list(islice(rows, 1))
        if twice := self.sample.repeated:
            raise DataError(
                f"{self.sample.path}: expected column names that differ, got {list(twice)} more than once; rename one"
            )
        if self.coded and head and self._is_of_codes(head[0]):  # in the first part of a file alone
            head.clear()
        product: list[RawRecord] = []
        for row in chain(head, rows):
            if product and not self.by_row and self._goes_on(row, product[0], self.id):
                product.append(row)
                continue
            if product:
                yield self._item(product)
            product = [] if row.error else [row]
            if row.error:
                yield marked(row)
        if product:
            yield self._item(product)

    def _is_of_codes(self, row: RawRecord) -> bool:
        """Whether a row names the columns once more, as a program calls them: the title's, too."""
        said = [text for c in self.sample.columns if (text := _cell(row, c))]
        codes = len(said) > 2 and all(map(_CODE.fullmatch, said)) and sum("_" in t for t in said) * 2 > len(said)
        return codes and name_key(_cell(row, self.product_title)) in TITLES

    def _goes_on(self, row: RawRecord, product: RawRecord, id_column: str) -> bool:
        """Whether a row is a variant of the product above: a choice, without title and text, and no id or that one."""
        said = any(_cell(row, c) for c in (self.product_title, *self.texts))
        choice = any(_cell(row, pair.value) for pair in self.pairs if pair.of_variants)
        above = _cell(product, id_column)
        return not row.error and not said and choice and above != "" and _cell(row, id_column) in ("", above)

    def _item(self, rows: Sequence[RawRecord]) -> Item:
        first = rows[0]
        texts = {"title": _cell(first, self.product_title)}
        texts |= {_text_name(c): _cell(first, c) for c in self.texts}
        attributes = {c: (first.values or {}).get(c) for c in self.attributes}
        for column, value in (first.values or {}).items():
            if column not in self.known:  # in JSON, where none of the first rows has it
                is_none = is_no_attribute(column) or is_photo(column) or isinstance(value, Mapping)
                attributes |= {} if is_none else {column: value}
        for column in self.pair_cells:
            pairs = cell_pairs(_cell(first, column))
            if pairs is None:  # one that says something else is read as a text
                texts[column] = _cell(first, column)
            for name, values in (pairs or {}).items():
                if find_name(name, attributes) is None:
                    attributes[name] = values
        for pair in self.pairs:
            name = next((said for row in rows if (said := _cell(row, pair.name))), "")
            if name and find_name(name, attributes) is None:
                choices = (value for row in rows for value in pair.values(_cell(row, pair.value)))
                attributes[name] = list(dict.fromkeys(choices)) or None
        photos: list[Any] = []
        for row in rows:
            shown = [photo for c in self.photos for photo in _photos((row.values or {}).get(c))]
            photos += [photo for photo in shown if photo not in photos] if photos else shown
        return Item(
            tuple(rows),
            id=_cell(first, self.id) or None,
            texts=texts,
            html=frozenset(n for n, text in texts.items() if has_markup(text) or has_entities(text)),
            attributes=attributes,
            images=photos,
            category=_cell(first, self.category) or None,
            group=_cell(first, self.group) or None,
        )

    def place(self, item: Item, attribute: str, values: Sequence[str]) -> list[Edit]:
        """The blank cell of the pair that names the attribute in this row, its own column, or a new one of its name."""
        row = item.rows[0]
        for pair in self.pairs:
            if name_key(_cell(row, pair.name)) == name_key(attribute):
                if pair.of_variants:
                    raise NoPlace(f"{attribute!r} is a choice of this product, which would get other variants")
                return [self._edit(row, pair.value, values)]
        column = find_name(attribute, self.attributes)
        if column is None and find_name(attribute, self.sample.columns) is not None:
            raise NoPlace(f"column {find_name(attribute, self.sample.columns)!r} is not read as an attribute")
        return [self._edit(row, column or attribute, values)]

    def _edit(self, row: RawRecord, column: str, values: Sequence[str]) -> Edit:
        if is_filled(row, column):
            raise NoPlace(f"column {column!r} is filled")
        listed = column in self.lists or (self.new_are_lists and column not in self.sample.columns)
        return Edit(row.number, (column,), list(values) if listed else self.separator.join(values))


def _keys(first: Any) -> tuple[str, ...]:
    return tuple(first) if isinstance(first, dict) else ()


def _says_nothing(value: Any) -> bool:
    return is_missing(value) or (isinstance(value, str) and not value.strip()) or value in ([], ())


def _text(value: Any) -> str:
    """A cell as text: a list's texts are its lines; of objects, bytes and lists of them there is none."""
    if isinstance(value, list | tuple):
        parts = ["" if is_missing(part) else _text(part) for part in value]
        return "\n".join(filter(None, parts))
    return "" if is_missing(value) or isinstance(value, Mapping | bytes) else number_text(value)


def _cell(row: RawRecord, column: str) -> str:
    return _text((row.values or {}).get(column)).strip() if column else ""


def _photos(value: Any) -> list[Any]:
    """The photos of a cell: paths, addresses, or what a data set keeps in place of a path."""
    if isinstance(value, list | tuple):
        return [photo for part in value for photo in _photos(part)]
    return split_photos(value) if isinstance(value, str) else [] if is_missing(value) else [value]


def _is_photo(value: Any) -> bool:
    photos = _photos(value)
    return any(looks_like_photo(photo) if isinstance(photo, str) else True for photo in photos)


def _few(columns: Sequence[str]) -> str:
    """The first columns, and how many more there are."""
    more = f" and {len(columns) - TOLD} more" if len(columns) > TOLD else ""
    return ", ".join(columns[:TOLD]) + more


def _text_name(column: str) -> str:
    """`description` and the like by their own names, so that a model finds them; others by the column's."""
    key = name_key(column).replace(" ", "_")
    return key if key in ("description", "short_description", "bullets", "text", "highlights") else column


def _is_code(text: str) -> bool:
    return text.isdigit() and len(text) >= 6
