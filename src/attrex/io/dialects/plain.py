"""A table of any shop: what its columns hold is guessed from their names and first rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice

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
from attrex.io.dialects.dialect import (
    Dialect,
    Edit,
    Item,
    NoPlace,
    Sample,
    cell,
    find_name,
    is_filled,
    looks_like_photo,
    marked,
    name_key,
    split_photos,
)
from attrex.io.html import has_entities, has_markup
from attrex.io.rows import RawRecord

_OWN = {"attributes", "fields", "spans"}
_HEAD = 100
TOLD = 15  # columns that one line names
_LONG = 60  # characters: a cell of so many, in the middle of a column, is no value but a text


class PlainTable(Dialect):
    """A table with one product a row and one column for each attribute.

    Stands on names that shops give to columns in a few languages, and on what the first 100 rows hold. Names decide
    about id, title, texts, photos, category and group, and about columns that are no attributes (prices, stock, codes,
    addresses, dates). Of the others, a column of long texts is a text, one of addresses or of long numbers nothing, and
    any other one an attribute, also where all of its cells are blank. Nothing is split but photos.
    """

    name = "table"
    title = "a table"
    by_row = True

    @classmethod
    def recognises(cls, sample: Sample) -> bool:
        names = {key for c in sample.columns for key in (name_key(c), bare(c))}
        return not names & _OWN and not names.isdisjoint((*TITLES, *TEXTS))

    def __init__(self, sample: Sample) -> None:
        super().__init__(sample)
        columns = [c for c in sample.columns if c.strip()]
        self.product_title = first_of(columns, TITLES)
        self.id = first_of(columns, IDS)
        self.texts = [c for c in all_of(columns, TEXTS) if c != self.product_title]
        self.category, self.group = first_of(columns, CATEGORIES), first_of(columns, GROUPS)
        self.photos = [c for c in columns if is_photo(c)]
        taken = {self.id, self.product_title, *self.texts, self.category, self.group, *self.photos}
        self.attributes = [c for c in columns if c not in taken and not is_no_attribute(c)]
        self._look(list(islice(self.records(), _HEAD)))
        self.id_column = self.id

    def _look(self, head: Sequence[RawRecord]) -> None:
        """Take out of the attributes, photos and texts what the first rows show to be something else."""
        for column in [c for c in self.photos if not is_only_photo(c)]:
            said = [t for row in head if (t := cell(row, column).strip())]
            if said and not any(map(looks_like_photo, said)):  # image sensor, picture frame
                self.photos.remove(column)
                self.attributes.append(column)
        for column in filter(may_be_values, list(self.texts)):
            said = [t for row in head if (t := cell(row, column).strip())]
            if said and max(map(len, said)) <= _LONG:
                self.texts.remove(column)
                self.attributes.append(column)
        places = {column: place for place, column in enumerate(self.sample.columns)}
        self.attributes.sort(key=places.__getitem__)
        for column in list(self.attributes):
            said = sorted((t for row in head if (t := cell(row, column).strip())), key=len)
            if not said:
                continue
            if len(said[len(said) // 2]) > _LONG:
                self.attributes.remove(column)
                self.texts.append(column)
            elif all("://" in t for t in said) or (len(set(said)) == len(said) and all(map(_is_code, said))):
                self.attributes.remove(column)

    def told(self) -> str:
        parts = {
            "id": [self.id] if self.id else [],
            "texts": [*([self.product_title] if self.product_title else []), *self.texts],
            "photos": self.photos,
            "category": [self.category] if self.category else [],
            "attributes": self.attributes,
        }
        said = "; ".join(f"{part} {_few(columns)}" for part, columns in parts.items() if columns)
        return f"{super().told()}: {said} (--shop says it otherwise)"

    def items(self) -> Iterator[Item]:
        rows = self.records()
        head = list(islice(rows, 1))
        if twice := self.sample.repeated:
            raise DataError(
                f"{self.sample.path}: expected column names that differ, got {list(twice)} more than once; rename one"
            )
        for row in chain(head, rows):
            yield marked(row) if row.error else self._item(row)

    def _item(self, row: RawRecord) -> Item:
        texts = {"title": cell(row, self.product_title)} | {_text_name(c): cell(row, c) for c in self.texts}
        return Item(
            (row,),
            id=cell(row, self.id).strip() or None,
            texts=texts,
            html=frozenset(n for n, text in texts.items() if has_markup(text) or has_entities(text)),
            attributes={c: cell(row, c) for c in self.attributes},
            images=[photo for c in self.photos for photo in split_photos(cell(row, c))],
            category=cell(row, self.category).strip() or None,
            group=cell(row, self.group).strip() or None,
        )

    def place(self, item: Item, attribute: str, values: Sequence[str]) -> list[Edit]:
        """The attribute's column, or a new one of its name."""
        (row,) = item.rows
        column = find_name(attribute, self.attributes)
        if column is None and find_name(attribute, self.sample.columns) is not None:
            raise NoPlace(f"column {find_name(attribute, self.sample.columns)!r} is not read as an attribute")
        if column is not None and is_filled(row, column):
            raise NoPlace(f"column {column!r} is filled")
        return [Edit(row.number, (column or attribute,), self.separator.join(values))]


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
