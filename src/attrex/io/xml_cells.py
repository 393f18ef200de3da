"""BMEcat catalogues as products whose FEATUREs can be given values, while every other byte is kept.

A column is a FEATURE of a product and the language of its values: ``("FEATURE 3", "eng")``, the third one from the
product's beginning. Its cell is all FVALUEs of that language, or those without one where the language is empty.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from attrex.errors import DataError
from attrex.io.cell_edits import Change, Column, Source
from attrex.io.packed import open_binary, rewritten
from attrex.io.xml_stream import Element, XmlEdit, edited, elements, filled_element, new_element, xml_encoding

PRODUCTS = ("ARTICLE", "PRODUCT")
GROUPS = ("ARTICLE_FEATURES", "PRODUCT_FEATURES")
_BEFORE_VALUES = ("FNAME", "FT_IDREF", "FTEMPLATE", "FVALUE")
_LONGEST_END_TAG = 1000  #: bytes


def features_of(product: Element) -> list[Element]:
    """A product's FEATUREs, in the order that columns count them in."""
    return [feature for group in GROUPS for feature in product.all(group, "FEATURE")]


def column_of(place: int, language: str) -> tuple[str, str]:
    """The column of the FEATURE at a place (from 0), and of a language as FVALUE writes it."""
    return (f"FEATURE {place + 1}", language)


@dataclass(slots=True)
class XmlRow:
    """One product (:class:`~attrex.io.cell_edits.EditableRow`)."""

    file: XmlFile
    features: list[Element]
    index: int
    error: str = ""
    edits: list[XmlEdit] = field(default_factory=list)

    @property
    def number(self) -> int:
        return self.index + 1

    def content(self, column: Column) -> Any:
        texts = [text for value in self._values(column) if (text := value.text.strip())]
        return (texts[0] if len(texts) == 1 else texts) if texts else None

    def source(self, column: Column) -> str:
        return json.dumps([self.file.spelt(value) for value in self._values(column)], ensure_ascii=False)

    def write(self, column: Column, value: Any) -> None:
        """Note what becomes of the FVALUEs of a column: texts, or, from :meth:`source`, how they were spelt."""
        feature, own = self._feature(column), self._values(column)
        if isinstance(value, Source):
            news = json.loads(value.text)
        else:
            if any(not v.is_empty for v in own):
                raise DataError(f"{self.file.path}: {column!r} of product {self.number} is filled")
            texts = [value] if isinstance(value, str) else list(value)
            lang = f" lang={quoteattr(str(column[1]))}" if isinstance(column, tuple) and column[1] else ""
            tag = f"{feature.written_name.removesuffix('FEATURE')}FVALUE{lang}"
            news = [filled_element(self.file.spelt(v), t) for v, t in zip(own, texts, strict=False)]
            news += [new_element(tag, text) for text in texts[len(own) :]]
        behind = next((c.start for c in feature.children if c.name not in _BEFORE_VALUES), feature.end)
        if not isinstance(value, Source):
            own = own[: len(news)]  # further ones stay as they are
        places = [(v.start, self.file.end_of(v)) for v in own]
        self.edits += [XmlEdit(start, end, new) for (start, end), new in zip(places, news, strict=False)]
        self.edits += [XmlEdit(start, end, "") for start, end in places[len(news) :]]
        self.edits += [XmlEdit(behind, behind, new) for new in news[len(places) :]]

    def _feature(self, column: Column) -> Element:
        assert isinstance(column, tuple)
        return self.features[int(str(column[0]).removeprefix("FEATURE ")) - 1]

    def _values(self, column: Column) -> list[Element]:
        assert isinstance(column, tuple)
        place = int(str(column[0]).removeprefix("FEATURE ")) - 1
        feature = self.features[place] if place < len(self.features) else None
        return [v for v in feature.all("FVALUE") if v.attributes.get("lang", "") == column[1]] if feature else []


@dataclass
class XmlFile:
    """A catalogue (:class:`~attrex.io.cell_edits.EditableFile`); of XML of other kinds it is a copy."""

    path: Path

    @cached_property
    def columns(self) -> Mapping[Column, str]:
        most, languages = 0, dict.fromkeys([""])
        for row in self.rows():
            most = max(most, len(row.features))
            for feature in row.features:
                for said in (*feature.all("FNAME"), *feature.all("FVALUE")):
                    languages.setdefault(said.attributes.get("lang", ""))
        return {column_of(place, lang): f"FEATURE {place + 1}" for place in range(most) for lang in languages}

    def holds_lists(self, column: Column) -> bool:
        return True

    def can_hold(self, column: Column, value: str) -> bool:
        return True

    def new_column(self, name: str, place: int) -> Column:
        raise DataError(
            f"{self.path}: expected the FEATUREs that a catalogue has, got a new one {name!r}; add it there"
        )

    def rows(self) -> Iterator[XmlRow]:
        with open_binary(self.path) as file:
            for index, product in enumerate(elements(file, PRODUCTS)):
                yield XmlRow(self, features_of(product), index)

    def write(self, out: Path, change: Change, new: Sequence[str] = (), drop: Sequence[Column] = ()) -> None:
        """As :meth:`EditableFile.write`. Raises :class:`DataError` for a file that is damaged."""
        edits: list[XmlEdit] = []
        for row in self.rows():
            for column, value in change(row).items():
                row.write(column, value)
            edits += row.edits
        with open_binary(self.path) as file, rewritten(out) as copy:
            encoding = xml_encoding(file)
            for chunk in edited(file, edits, encoding):
                copy.write(chunk)

    def spelt(self, element: Element) -> str:
        """An element as the file spells it."""
        return self.text(element.start, self.end_of(element))

    def end_of(self, element: Element) -> int:
        """The byte behind an element's end tag."""
        if self.text(element.start, element.end).endswith("/>") and element.is_empty:
            return element.end
        tag = self.text(element.end, element.end + _LONGEST_END_TAG)
        return element.end + len(tag[: tag.index(">") + 1].encode(self.encoding))

    @cached_property
    def encoding(self) -> str:
        with open_binary(self.path) as file:
            return xml_encoding(file)

    def text(self, start: int, end: int) -> str:
        """The file between two bytes."""
        with open_binary(self.path) as file:
            file.seek(start)
            return file.read(end - start).decode(self.encoding, errors="ignore")
