"""Attributes that a table names in its cells: pairs of columns (``Option1 Name`` and ``Value``), cells of pairs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from attrex.io.dialects.column_names import bare

_KIND = re.compile(
    r"(?:.* )?(options?|variations?|varianten?|attributes?|attr|attribut|property|properties|prop|features?|specs?"
    r"|specifications?|characteristics?|custom fields?|custom attributes?|info|parameters?|param|merkmal|eigenschaft"
    r"|caractéristique|característica|caratteristica|kenmerk|özellik|属性|规格)(?: .*)?"
)
_OF_VARIANTS = ("option", "variation", "variant")
_NAMES = ("name", "title", "key", "label", "bezeichnung", "titel", "nom", "nombre", "nome", "naam", "adı", "名", "名称")
_VALUES = (
    *("value", "values", "wert", "werte", "valeur", "valeurs", "valor", "valores", "valore", "waarde", "değer", "值"),
    *("choices", "description", "text"),
)
_BESIDE = ("type", "typ", "id", "code", "visible", "global", "position", "sort", "default", "required", "variation")
_BETWEEN = re.compile(r"(?<=[^\W\d])(?=\d)|(?<=\d)(?=[^\W\d])")
_COLOUR_CODE = re.compile("#[0-9a-fA-F]{3,8}:(?=.)")
_CELLS_OF_PAIRS = re.compile(
    r"(?:product |item )?(?:custom fields?|custom attributes?|attributes?|properties|specs?|specifications?|features"
    r"|parameters|merkmale|eigenschaften|attribute|technische daten|caractéristiques|características|caratteristiche)"
)
_PAIR = re.compile(r"\s*([^\s:=][^:=]{0,60}?)\s*[:=]\s*(\S.*?)\s*", re.DOTALL)


@dataclass(frozen=True)
class ColumnPair:
    """Two columns: the cells of one name an attribute of their product, those of the other say its value."""

    name: str
    value: str
    of_variants: bool  #: the values are what a customer chooses among, and make variants

    def values(self, text: str) -> list[str]:
        """The values of a cell: choices are separated by ``;`` or commas, a colour's code before its name is none."""
        parts = re.split(";", text) if ";" in text else re.split(r",(?!\d)|(?<!\d),", text)
        parts = parts if self.of_variants else [text]
        return [said for part in parts if (said := _COLOUR_CODE.sub("", part.strip(), count=1))]


def pairs_of(columns: Sequence[str]) -> tuple[list[ColumnPair], list[str]]:
    """The pairs among a table's columns, and the columns that say something else about them (``Option1 Type``)."""
    named: dict[str, dict[str, str]] = {}
    for column in columns:
        words = _BETWEEN.sub(" ", bare(column)).split()
        for at, word in enumerate(words):
            stem = " ".join((*words[:at], *words[at + 1 :]))
            if word in (*_NAMES, *_VALUES, *_BESIDE) and _KIND.fullmatch(stem):
                named.setdefault(stem, {}).setdefault(word, column)
    pairs, beside = [], []
    for stem, own in named.items():
        name = next((own[w] for w in _NAMES if w in own), None)
        value = next((own[w] for w in _VALUES if w in own), None)
        if name is None or value is None:
            continue
        kind = _KIND.fullmatch(stem)
        pairs.append(ColumnPair(name, value, kind is not None and kind[1].startswith(_OF_VARIANTS)))
        beside += [column for word, column in own.items() if word in _BESIDE]
    taken = {c for pair in pairs for c in (pair.name, pair.value)}
    return pairs, [column for column in beside if column not in taken]


def may_hold_pairs(column: str) -> bool:
    """Whether the cells of a column of this name are pairs in some shops: ``Color=Red;Material=Wool``."""
    return _CELLS_OF_PAIRS.fullmatch(bare(column)) is not None


def cell_pairs(text: str) -> dict[str, list[str]] | None:
    """Name -> values of a cell whose parts, between ``;``, ``|`` or lines, are each one pair; None: they are not."""
    for separator in ("\n", "|", ";"):
        parts = [part for part in text.split(separator) if part.strip()]
        found = [_PAIR.fullmatch(part) for part in parts]
        if all(found) and (len(parts) > 1 or separator == ";"):
            values: dict[str, list[str]] = {}
            for pair in filter(None, found):
                values.setdefault(pair[1], []).append(pair[2].strip('"'))
            return values
    return None
