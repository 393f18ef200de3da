"""A table of any shop: what its columns hold is guessed from their names and first rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice

from attrex.errors import DataError
from attrex.io.dialects.dialect import (
    Dialect,
    Edit,
    Item,
    NoPlace,
    Sample,
    cell,
    find_name,
    is_filled,
    marked,
    name_key,
    split_photos,
)
from attrex.io.html import has_entities, has_markup
from attrex.io.rows import RawRecord

_IDS = (
    *("id", "sku", "product id", "item id", "article id", "product code", "item code", "article number", "item number"),
    *(
        "product number",
        "asin",
        "code",
        "reference",
        "ref",
        "artikelnummer",
        "artikelnr",
        "art nr",
        "référence",
        "handle",
    ),
)
_TITLES = (
    *("title", "name", "product title", "product name", "item name", "article name", "productname", "producttitle"),
    *("titel", "bezeichnung", "produktname", "artikelname", "artikelbezeichnung", "titre", "nom", "nombre", "titolo"),
    *("título", "naam", "omschrijving kort"),
)
_TEXTS = (
    *(
        "short description",
        "description",
        "long description",
        "product description",
        "bullets",
        "bullet points",
        "text",
    ),
    *("body", "body html", "details", "summary", "highlights", "about", "features", "kurzbeschreibung", "beschreibung"),
    *(
        "langbeschreibung",
        "produktbeschreibung",
        "description courte",
        "description longue",
        "descripción",
        "descrizione",
    ),
    *("beschrijving", "omschrijving"),
)
_CATEGORIES = (
    *("category", "categories", "product category", "product type", "category path", "google product category"),
    *("kategorie", "warengruppe", "catégorie", "categoría", "categoria", "categorie", "type"),
)
_GROUPS = ("group", "group id", "item group id", "parent", "parent sku", "parent id", "model", "style id")
_PHOTO = re.compile(r"(?:.* )?(?:images?|photos?|pictures?|bild(?:er)?|fotos?|img|thumbnail)(?: .*|\d+)?")
_NO_ATTRIBUTE = re.compile(
    r".*\b(?:price|preis|prix|precio|cost|msrp|rrp|uvp|currency|tax|vat|mwst|stock|bestand|qty|quantity|inventory|"
    r"availability|available|verfügbar|shipping|versand|delivery|url|link|slug|ean|gtin|upc|isbn|mpn|barcode|asin|"
    r"sku|id|uuid|date|created|updated|modified|timestamp|meta|seo|tags?|keywords?|rating|reviews?|position|sort|"
    r"status|active|published|visible|visibility|enabled|discount|sale|supplier|vendor code|warehouse|hs code|"
    r"complete|warnings|error)\b.*"
)
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
        names = {name_key(c) for c in sample.columns}
        return not names & _OWN and not names.isdisjoint((*_TITLES, *_TEXTS))

    def __init__(self, sample: Sample) -> None:
        super().__init__(sample)
        named = {name_key(c): c for c in reversed(sample.columns) if c.strip()}
        self.id = self.id_column = _first(named, _IDS)
        self.product_title = _first(named, _TITLES)
        self.texts = [named[n] for n in _TEXTS if n in named]
        self.category, self.group = _first(named, _CATEGORIES), _first(named, _GROUPS)
        self.photos = [c for n, c in reversed(named.items()) if _PHOTO.fullmatch(n) and "alt" not in n.split()]
        taken = {self.id, self.product_title, *self.texts, self.category, self.group, *self.photos}
        open_columns = [c for c in sample.columns if c.strip() and c not in taken]
        self.attributes = [c for c in open_columns if not _NO_ATTRIBUTE.fullmatch(name_key(c))]
        self._look(list(islice(self.records(), _HEAD)))

    def _look(self, head: Sequence[RawRecord]) -> None:
        """Take out of the attributes what the first rows show to be something else."""
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


def _first(named: dict[str, str], names: Sequence[str]) -> str:
    return next((named[n] for n in names if n in named), "")


def _text_name(column: str) -> str:
    """`description` and the like by their own names, so that a model finds them; others by the column's."""
    key = name_key(column).replace(" ", "_")
    return key if key in ("description", "short_description", "bullets", "text", "highlights") else column


def _is_code(text: str) -> bool:
    return text.isdigit() and len(text) >= 6
