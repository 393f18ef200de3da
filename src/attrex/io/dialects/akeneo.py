"""Akeneo PIM: its product and product model exports, CSV and XLSX."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from attrex.io.dialects.akeneo_units import amount_in, measure
from attrex.io.dialects.dialect import Dialect, Edit, Item, NoPlace, Sample, cell, find_name, is_filled, marked
from attrex.io.dialects.languages import in_language, main_tag, texts_in_languages
from attrex.io.rows import RawRecord

_LOCALE = re.compile(r"[a-z]{2,3}(?:_[A-Z][a-z]{3})?_(?:[A-Z]{2}|\d{3})")  # en_US, zh_Hans_CN
_CURRENCY = re.compile(r"[A-Z]{3}")
_ASSOCIATION = re.compile(r".+-(?:groups|products|product_models|product_uuids)(?:-quantity)?")
_PROPERTIES = ("uuid", "identifier", "code", "categories", "enabled", "family", "family_variant", "groups", "parent")
_CODE = re.compile(r"[A-Za-z0-9_]+")
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?")
_PICTURE = re.compile(r"\.(?:jpe?g|png|gif|webp|tiff?|bmp)$", re.IGNORECASE)
_NAMES = {"name", "title", "label"}
_TEXTS = (_NAMES, {"short"}, {"description"}, {"text"})  #: a word in the code of what is a text, in reading order
_NOT_READ = {"meta", "keywords", "seo", "ean", "gtin", "upc", "isbn", "mpn", "asin"}
_LONG = 60  #: characters on average: a text and no value
_MOST_CODES = 5000  #: of one attribute; more are no options


@dataclass(frozen=True, slots=True)
class Column:
    """A column's parts, as its name says them."""

    name: str
    attribute: str
    locale: str = ""
    channel: str = ""
    part: str = ""  #: "unit", or a currency


@dataclass(slots=True)
class Survey:
    """What the cells of one attribute are, over the whole file."""

    filled: int = 0
    characters: int = 0
    written_as_text: int = 0  #: with markup, several lines, or words between commas
    pictures: int = 0
    numbers: int = 0
    codes: dict[str, None] = field(default_factory=dict)
    several: bool = False  #: codes between commas
    flags: bool = True  #: nothing but 0 and 1
    locales: Counter[str] = field(default_factory=Counter)

    def add(self, locale: str, text: str) -> None:
        self.filled += 1
        self.characters += len(text)
        self.flags = self.flags and text in ("0", "1")
        self.locales.update([locale] if locale else [])
        if (text.startswith("files/") or "/" in text) and _PICTURE.search(text):
            self.pictures += 1
        parts = [part.strip() for part in text.split(",")]
        if _NUMBER.fullmatch(text):
            self.numbers += 1
        elif all(_CODE.fullmatch(part) for part in parts):
            self.several = self.several or len(parts) > 1
            if len(self.codes) <= _MOST_CODES:
                self.codes.update(dict.fromkeys(parts))
        else:
            self.written_as_text += 1


class Akeneo(Dialect):
    r"""Akeneo's export of products or of product models.

    Stands on ``Connector/ArrayConverter/FlatToStandard`` of akeneo/pim-community-dev (AttributeColumnInfoExtractor,
    ColumnsMerger at 13c5091, FieldSplitter at 3181a0b, Product at 0a4114d) and on its demo catalogue (``products.csv``
    in ``icecat_demo_dev`` at 6e5c175):

    - A column is ``attribute-locale-channel``, each only where the attribute has it; then a currency or ``unit``. A
      code has no hyphen. Associations (``X_SELL-products``) and ``quality_score-...`` are no attributes.
    - A metric's amount and ``-unit`` are one value (``500`` and ``GRAM``, read as ``500 g``). Prices are not read.
    - Options are codes; those of a multi-select stand apart by commas and are trimmed (``splitCollection``). They are
      read as words (``short_sleeve``: short sleeve). The file does not say which attributes have options: taken are
      those whose cells hold nothing but codes.
    - The importer refuses a product with an option that does not exist: fill with ``known_only``.
    - Media are paths below the archive's ``files/``. Descriptions of the demo write line breaks as ``\n``.
    - An export gives a variant the values of its models (``parent``), and the importer passes over what belongs to
      them: a model's attributes are filled in the export of models.
    """

    name = "akeneo"
    title = "an Akeneo export"

    @classmethod
    def recognises(cls, sample: Sample) -> bool:
        columns = set(sample.columns)
        if {"code", "family_variant"} <= columns or len(columns & {"categories", "enabled", "family", "groups"}) == 4:
            return True
        if not columns & {"sku", "identifier", "uuid", "code"}:
            return False
        located = any(_LOCALE.fullmatch(part) for c in columns for part in c.split("-")[1:])
        return located or any(f"{c}-unit" in columns for c in columns)

    def __init__(self, sample: Sample) -> None:
        super().__init__(sample)
        columns = sample.columns
        properties = [c for c in columns if c in _PROPERTIES]
        first = next((c for c in columns if c not in properties), None)
        named = next((c for c in ("sku", "identifier", "code") if c in columns), first)
        self.id_column = "uuid" if named is None and "uuid" in columns else named
        known = {*_PROPERTIES, self.id_column}
        parsed = [parse_column(c) for c in columns if c and c not in known]
        self.columns = [c for c in parsed if c is not None]

    @cached_property
    def surveys(self) -> dict[str, Survey]:
        """What the cells of each attribute are; the file is read once for it, and for :attr:`locale`."""
        surveys: dict[str, Survey] = {c.attribute: Survey() for c in self.columns}
        for row in self.records():
            for column in self.columns:
                if not column.part and (text := cell(row, column.name).strip()):
                    surveys[column.attribute].add(column.locale, text)
        return surveys

    @cached_property
    def locale(self) -> str:
        """The locale that is read where a value is said in several: the one with most filled cells."""
        filled: Counter[str] = Counter({c.locale: 0 for c in self.columns if c.locale})
        for survey in self.surveys.values():
            filled.update(survey.locales)
        return main_tag(filled)

    @cached_property
    def texts(self) -> dict[str, list[Column]]:
        """Attribute -> columns of those that are texts, names first."""
        found: dict[str, list[Column]] = {}
        for column in self.columns:
            if self.kinds[column.attribute] == "text":
                found.setdefault(column.attribute, []).append(column)
        return dict(sorted(found.items(), key=lambda item: _text_order(item[0])))

    @cached_property
    def attributes(self) -> dict[str, list[Column]]:
        """Attribute -> columns, those of its unit among them."""
        found: dict[str, list[Column]] = {}
        for column in self.columns:
            if self.kinds[column.attribute] == "attribute":
                found.setdefault(column.attribute, []).append(column)
        return found

    @cached_property
    def kinds(self) -> dict[str, str]:
        """What each attribute is read as: "text", "picture", "attribute", or "" where it is not read."""
        return {name: self._kind(name) for name in self.surveys}

    def _kind(self, attribute: str) -> str:
        survey, words = self.surveys[attribute], set(attribute.lower().split("_"))
        if any(c.part and c.part != "unit" for c in self.columns if c.attribute == attribute) or words & _NOT_READ:
            return ""
        if any(c.part == "unit" for c in self.columns if c.attribute == attribute):
            return "attribute"
        if survey.pictures or (not survey.filled and words & {"image", "images", "picture", "photo"}):
            return "picture"
        if words & (_NAMES | {"description", "text"}) or (survey.filled and survey.characters / survey.filled > _LONG):
            return "text"
        return "" if survey.filled and survey.flags else "attribute"

    def has_options(self, attribute: str) -> bool:
        """Whether the attribute's cells hold nothing but codes."""
        survey = self.surveys[attribute]
        return 0 < len(survey.codes) <= _MOST_CODES and not survey.written_as_text

    def items(self) -> Iterator[Item]:
        parents = self._parents()
        for row in self.records():
            yield marked(row) if row.error else self._item(row, parents)

    def _parents(self) -> dict[str, RawRecord]:
        """The rows that others of this file name as their parent."""
        wanted = {cell(row, "parent").strip() for row in self.records()} - {""}
        rows = ((cell(row, self.id_column or "").strip(), row) for row in self.records() if wanted)
        return {own: row for own, row in rows if own in wanted}

    def _item(self, row: RawRecord, parents: dict[str, RawRecord]) -> Item:
        lines, at = [row], row
        while (at := parents.get(cell(at, "parent").strip(), at)) not in lines:  # the row, its model, the model's model
            lines.append(at)
        texts: dict[str, str] = {}
        for line in lines:
            texts = texts or self._texts(line)
        attributes: dict[str, list[str]] = {}
        for line in reversed(lines):
            attributes |= self._values(line)
        images = next((found for line in lines if (found := self._pictures(line))), [])
        parent = cell(row, "parent").strip()
        return Item(
            (row,),
            id=cell(row, self.id_column or "").strip() or None,
            texts=texts,
            html=frozenset(texts),
            attributes=attributes,
            images=list(dict.fromkeys(images)),
            category=cell(row, "family").strip() or cell(row, "family_variant").strip() or None,
            group=parent or (cell(row, "code").strip() if "family_variant" in (row.values or {}) else "") or None,
        )

    def _pictures(self, row: RawRecord) -> list[str]:
        columns = (c for c in self.columns if self.kinds[c.attribute] == "picture")
        return [text for c in columns if (text := cell(row, c.name).strip())]

    def _texts(self, row: RawRecord) -> dict[str, str]:
        named = []
        for attribute, columns in self.texts.items():
            said: dict[str, str] = {}
            for column in columns:
                text = _with_line_breaks(cell(row, column.name))
                if text.strip():
                    tag = column.locale if column.locale not in said else f"{column.locale}-{column.channel}"
                    said.setdefault(tag, text)
            named.append((_field(attribute, self.texts), said))
        return texts_in_languages(named, self.locale)

    def _values(self, row: RawRecord) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for attribute, columns in self.attributes.items():
            said: dict[str, list[str]] = {}
            for column in columns:
                text = cell(row, column.name).strip()
                if text and not column.part:
                    values = said.setdefault(column.locale, [])
                    values += [v for v in self._split(row, column, text) if v not in values]
            tag = in_language(said, self.locale)
            if tag is not None:
                found[attribute] = said[tag]
        return found

    def _split(self, row: RawRecord, column: Column, text: str) -> list[str]:
        unit = self._unit_column(column)
        if unit is not None:
            amount, _, code = text.partition(" ")
            return [measure(amount, cell(row, unit.name).strip() or code)]
        if not self.has_options(column.attribute):
            return [text]
        return [_words(part.strip()) for part in text.split(",") if part.strip()]

    def _unit_column(self, column: Column) -> Column | None:
        same = (c for c in self.columns if c.part == "unit" and c.attribute == column.attribute)
        return next((c for c in same if (c.locale, c.channel) == (column.locale, column.channel)), None)

    def place(self, item: Item, attribute: str, values: Sequence[str]) -> list[Edit]:
        """The attribute's columns of the locale that is read, one per channel; a metric's amount and its unit."""
        (row,) = item.rows
        name = find_name(attribute, self.attributes)
        if name is None:
            raise NoPlace(
                f"the export has no column {attribute!r}; add the attribute to the family, and export it again"
            )
        said = {c.locale: c for c in self.attributes[name]}
        locale = in_language(said, self.locale)
        columns = [c for c in self.attributes[name] if c.locale == locale and not c.part]
        if any(is_filled(row, c.name) for c in self.attributes[name] if not c.part):
            raise NoPlace(f"{name!r} is filled, in one of its columns")
        return [edit for column in columns for edit in self._edits(row, column, values)]

    def _edits(self, row: RawRecord, column: Column, values: Sequence[str]) -> Iterator[Edit]:
        unit = self._unit_column(column)
        if unit is not None:
            if len(values) > 1:
                raise NoPlace(f"{column.attribute!r} takes one measure, got {len(values)}")
            own = cell(row, unit.name).strip()
            amount, code = amount_in(values[0], own)
            yield Edit(row.number, (column.name,), amount)
            if code and not is_filled(row, unit.name):
                yield Edit(row.number, (unit.name,), code)
            return
        if not self.has_options(column.attribute):
            if len(values) > 1:
                raise NoPlace(f"{column.attribute!r} holds one text, got {len(values)} values")
            yield Edit(row.number, (column.name,), values[0])
            return
        if len(values) > 1 and not self.surveys[column.attribute].several:
            raise NoPlace(f"{column.attribute!r} has one option in each row, got {len(values)} values")
        yield Edit(row.number, (column.name,), ",".join(self._code(column.attribute, value) for value in values))

    def _code(self, attribute: str, value: str) -> str:
        """An option's code: the export's own, else what would be read as this value."""
        code = find_name(value, self.surveys[attribute].codes) or "_".join(value.split())
        if not _CODE.fullmatch(code):
            raise NoPlace(f"{value!r} is no code of an option, as {attribute!r} has them; add it to Akeneo first")
        return code


def parse_column(name: str) -> Column | None:
    """The parts of a column's name; None for one that is no attribute."""
    if _ASSOCIATION.fullmatch(name) or name.startswith("quality_score-"):
        return None
    attribute, *parts = name.split("-")
    locale = parts.pop(0) if parts and _LOCALE.fullmatch(parts[0]) else ""
    last = parts[-1] if parts else ""
    part = parts.pop() if last == "unit" or _CURRENCY.fullmatch(last) else ""
    return Column(name, attribute, locale, "-".join(parts), part)


def _words(code: str) -> str:
    return " ".join(code.replace("_", " ").split())


def _text_order(attribute: str) -> tuple[int, int]:
    """Names before descriptions, short ones before long ones; the plain word before those with others beside it."""
    words = attribute.lower().split("_")
    ranks = [n for n, kinds in enumerate(_TEXTS) if kinds & set(words)]
    return min(ranks, default=len(_TEXTS)), len(words)


def _field(attribute: str, texts: dict[str, list[Column]]) -> str:
    """The field's name: the first name is the title."""
    first = next(iter(texts))
    is_name = set(first.lower().split("_")) & _NAMES
    return "title" if attribute == first and is_name else attribute


def _with_line_breaks(text: str) -> str:
    return text.replace("\\n", "\n") if "\\n" in text else text
