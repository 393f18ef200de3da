"""PrestaShop: the CSV of its product import, as its sample files and export modules write it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

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
)
from attrex.io.rows import RawRecord

_FEATURES = re.compile(r"features?|[^()]*\(\s*\w+\s*:\s*\w+\s*:\s*(?:position|posición|posizione).*", re.IGNORECASE)
_COLUMNS = {
    "id": ("id", "product id"),
    "reference": ("reference #", "reference", "product reference", "référence #", "référence", "referencia nº"),
    "title": ("name", "nom", "nombre", "nome"),
    "short_description": ("summary", "short description", "récapitulatif", "résumé", "resumen"),
    "description": ("description", "descripción", "descrizione"),
    "images": ("image urls", "image", "url des images", "url's de las imágenes", "urls de las imágenes"),
    "categories": ("categories", "category", "catégories", "categorías", "categorie"),
}
"""Part of a product -> its columns in sample files in English, French and Spanish, without ``*`` and ``(x,y,z...)``."""


class PrestaShopCsv(Dialect):
    """PrestaShop's product CSV.

    Stands on ``AdminImportController::productImportOne`` of PrestaShop 1.7 to 9 (read in its own tree and in forks of
    it) and ``ProductFieldsProvider``; the user maps columns at the import, so headers are those of the sample files.

    - Features are ``Name:Value:Position:Customized``, separated by the "multiple value separator", a comma by default;
      the last two may be missing. A colon or a comma cannot stand inside of a value: nothing escapes it.
    - A feature without a name or a value is left out.
    - Both descriptions are HTML, photos are separated like features.
    """

    name = "prestashop"
    title = "a PrestaShop product CSV"

    @classmethod
    def recognises(cls, sample: Sample) -> bool:
        own = _plain_names(sample)
        features = any(_FEATURES.fullmatch(c.strip()) and "(" in c for c in sample.columns)
        named = not own.keys().isdisjoint(_COLUMNS["title"])
        return named and (features or {"reference #", "image urls"} <= own.keys())

    def __init__(self, sample: Sample) -> None:
        super().__init__(sample)
        own = _plain_names(sample)
        self.columns = {part: next((own[n] for n in names if n in own), "") for part, names in _COLUMNS.items()}
        self.features = next((c for c in sample.columns if _FEATURES.fullmatch(c.strip())), "")
        self.joints = {self.features: ","}
        self.names: dict[str, None] = {}  #: of features, as the file spells them

    def items(self) -> Iterator[Item]:
        for row in self.records():
            yield marked(row) if row.error else self._item(row)

    def _item(self, row: RawRecord) -> Item:
        said = {part: cell(row, column) for part, column in self.columns.items()}
        texts = {part: said[part] for part in ("title", "short_description", "description")}
        features = feature_values(cell(row, self.features))
        self.names.update(dict.fromkeys(features))
        return Item(
            (row,),
            id=said["id"].strip() or said["reference"].strip() or None,
            texts=texts,
            html=frozenset(texts),
            attributes=features,
            images=_split(said["images"]),
            category=next((c.rpartition("/")[2].strip() for c in _split(said["categories"])), None),
        )

    def place(self, item: Item, attribute: str, values: Sequence[str]) -> list[Edit]:
        """The cell of all features, where nothing is in it."""
        (row,) = item.rows
        if not self.features:
            raise NoPlace("the file has no column of features")
        if is_filled(row, self.features):
            raise NoPlace(f"column {self.features!r} holds other features, and a filled cell is not changed")
        if len(values) > 1:
            raise NoPlace("a feature takes one value in every version")
        name = find_name(attribute, self.names) or attribute
        if any(c in part for part in (name, values[0]) for c in ":,"):
            raise NoPlace("a colon or a comma cannot stand in a feature's name or value")
        return [Edit(row.number, (self.features,), f"{name}:{values[0]}")]


def _plain_names(sample: Sample) -> dict[str, str]:
    """Column without what stands in brackets and marks that it is required -> as the file has it."""
    return {name_key(re.sub(r"\([^()]*\)|\*", "", c)): c for c in reversed(sample.columns)}


def feature_values(text: str) -> dict[str, list[str]]:
    """``Name:Value:Position:Customized`` by name."""
    found: dict[str, list[str]] = {}
    for feature in _split(text, needs=":"):
        name, _, rest = feature.partition(":")
        value = rest.split(":")[0].strip()
        if name.strip() and value:
            found.setdefault(name.strip(), []).append(value)
    return found


def _split(text: str, needs: str = "") -> list[str]:
    """Parts of a cell by the separator that the shop uses: a comma, unless each part of another one is whole."""
    for separator in "|,;":
        parts = [part.strip() for part in text.split(separator) if part.strip()]
        if len(parts) > 1 and all(needs in part for part in parts):
            return parts
    return [part.strip() for part in text.split(",") if part.strip()]
