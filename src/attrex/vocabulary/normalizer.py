"""What the shop calls a value that a text names: "crewneck" is its Round Neck. Fitted once, saved with the model."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from attrex.errors import DataError, short
from attrex.io.atomic import write_text
from attrex.shop.schema import Schema
from attrex.shop.shop import DEFAULT_SHOP, Shop
from attrex.types import Prediction, Product, paired
from attrex.vocabulary.folding import BoundedCache, Folder
from attrex.vocabulary.forms import ValueForms
from attrex.vocabulary.lexicon import NOTHING_MINED, Lexicon
from attrex.vocabulary.numbers import DEFAULT_STYLE
from attrex.vocabulary.word_lists import WordLists

NORMALIZER_FILE = "normalizer.json"
"""The normaliser's name in a model directory."""
NORMALIZER_FORMAT = 1
SEVERAL = 0.01
"""An attribute is single-valued where fewer of its filled cells than this share hold several values."""
MIN_CELLS = 5
"""Filled cells beside which a form must have been found before it is taken for the cells' value."""
CELL_AGREEMENT = 0.8
"""The share of them that must agree on the value, 0..1."""


@dataclass(slots=True)
class AttributeForms:
    """The values of one attribute, and how often each folded form was met with each."""

    values: list[str] = field(default_factory=list)  #: those known without a table: of a schema or a lexicon
    forms: dict[str, tuple[str, ...]] = field(default_factory=dict)  #: value -> their forms
    modifiers: frozenset[str] = frozenset()  #: words that may stand before a value
    names: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    """option -> language -> what it is called there, the name that is written first"""
    cells: Counter[str] = field(default_factory=Counter)  #: value -> filled cells with it
    single: int = 0  #: filled cells that hold one value
    several: int = 0  #: filled cells that hold several
    labels: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """form -> value -> labels"""
    beside: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """form -> value -> filled cells beside which a model found the form"""

    def to_json(self) -> dict[str, Any]:
        return {
            "values": self.values,
            "forms": {value: list(forms) for value, forms in self.forms.items()},
            "modifiers": sorted(self.modifiers),
            **({"names": {o: _plain_names(names) for o, names in self.names.items()}} if self.names else {}),
            "cells": dict(self.cells),
            "single": self.single,
            "several": self.several,
            "labels": {form: dict(counts) for form, counts in self.labels.items()},
            "beside": {form: dict(counts) for form, counts in self.beside.items()},
        }


class ValueNormalizer:
    """The values of a shop's table, and the forms that stand for each.

    The values are those of filled cells, of a schema's options and of a lexicon. A form stands for the value that it
    spells; else for the one that labels give it; else for the one whose alias it is, or whose form in the lexicon; else
    for the one that the filled cells have beside which it was found. A lexicon's modifiers in front ("royal" blue) do
    not make it another.

    An option may have names in several languages: cells with any of them have that option, and :meth:`written` is its
    name in the language of the table.

    :attr:`language`: what :meth:`written` writes in; None: the language that most filled cells of the attribute have,
    else of the table, of those that :meth:`refine` has read.

    :param folder: makes one of two spellings
    :param aliases: folded value -> folded forms of it, whichever attribute it is of
    """

    def __init__(self, folder: Folder, aliases: Mapping[str, tuple[str, ...]] | None = None) -> None:
        self.folded = BoundedCache(folder.fold)  #: value or text -> what is the same for all its spellings
        self._folder = folder
        self._aliases = dict(aliases or {})
        self._attributes: defaultdict[str, AttributeForms] = defaultdict(AttributeForms)
        self._names: dict[str, None] = {}  #: attributes with a known value, in order
        self._spelled: dict[str, dict[str, str]] = {}  #: attribute -> folded form -> the value that it spells
        self._aliased: dict[str, dict[str, str]] = {}  #: attribute -> folded form -> the value whose form it is
        self._options: dict[str, dict[str, str]] = {}  #: attribute -> folded name in any language -> option
        self._languages: defaultdict[str, Counter[str | None]] = defaultdict(Counter)
        """attribute -> language -> filled cells with a name of it; None: the options' own"""
        self.translated: set[str] = set()  #: attributes whose options have names in languages
        self.language: str | None = None
        self._of_model = False  #: whether labels may be those of the products that are filled

    @classmethod
    def fit(
        cls,
        products: Iterable[Product] = (),
        *,
        shop: Shop = DEFAULT_SHOP,
        lexicon: Lexicon = NOTHING_MINED,
        predictions: Iterable[Prediction] | None = None,
        of_these: bool = False,
    ) -> ValueNormalizer:
        """Learn from a shop's options and aliases, a lexicon, and from products as :meth:`refine` does.

        ``of_these``: what is asked for will be of these products, whose own labels must not count for them.
        """
        folder = Folder.of(shop.labels, WordLists.of(shop))
        known = ValueForms(folder, shop, lexicon)
        normalizer = cls(folder, known.aliases)
        by_hand = [(a.name, value) for a in shop.schema.attributes for value in a.options]
        mined = [(name, value) for name, v in lexicon.attributes.items() for value in (*v.accepted, *v.headed) if value]
        for attribute, value in dict.fromkeys(by_hand + mined):
            normalizer._attributes[attribute].values.append(value)
            normalizer._names[attribute] = None
        for (attribute, value), forms in known.forms.items():
            normalizer._attributes[attribute].forms[value] = forms
        for name, vocabulary in lexicon.attributes.items():
            if vocabulary.modifiers:
                normalizer._attributes[name].modifiers = frozenset(map(folder.fold, vocabulary.modifiers))
        normalizer.know_names(shop.schema)
        normalizer.refine(products, predictions)
        normalizer._of_model = of_these
        return normalizer

    def know_names(self, schema: Schema) -> None:
        """Learn what a schema's options are called in other languages, in place of what was known of them."""
        for attribute in schema.attributes:
            if attribute.labels:
                one = self._attributes[attribute.name]
                one.names = {option: dict(names) for option, names in attribute.labels.items()}
                one.values += [option for option in one.names if option not in one.values]
                self._names[attribute.name] = None
                self.translated.add(attribute.name)
        self._options.clear()
        self._spelled.clear()
        self._aliased.clear()

    def refine(self, products: Iterable[Product], predictions: Iterable[Prediction] | None = None) -> None:
        """Learn from more products: from their filled cells, and from their labels, or from what a model found.

        With ``predictions`` the labels of these products do not count: a label comes from the product's own cell, and
        would make every find agree with it.

        Raises :class:`DataError` where the predictions are of other products.
        """
        self._spelled.clear()
        self._aliased.clear()
        pairs = ((p, None) for p in products) if predictions is None else paired(products, predictions)
        for product, prediction in pairs:
            for attribute, values in product.table.items():
                if values:
                    one = self._attributes[attribute]
                    self._names[attribute] = None
                    self._count_languages(attribute, one, values)
                    one.cells.update(self.options(attribute, values))
                    one.single += len(values) == 1
                    one.several += len(values) > 1
            if prediction is None:
                for span in product.spans or ():
                    if span.value is not None:
                        value = self.option(span.attribute, span.value)
                        self._attributes[span.attribute].labels[self.folded[span.text]][value] += 1
            else:
                for attribute, form in {(v.attribute, self.folded[v.value]) for v in prediction.values}:
                    if cell := product.table.get(attribute):
                        self._attributes[attribute].beside[form].update(self.options(attribute, cell))

    def know(self, attribute: str, values: Iterable[str]) -> None:
        """Take further values of an attribute for known ones, as a schema's options are."""
        one = self._attributes[attribute]
        one.values += [value for value in self.options(attribute, values) if value not in one.values]
        self._names[attribute] = None
        self._spelled.pop(attribute, None)

    @property
    def attributes(self) -> tuple[str, ...]:
        """Those with a known value, in the order of schema and lexicon, then of the table."""
        return tuple(self._names)

    def is_single_valued(self, attribute: str) -> bool:
        """Whether the shop gives a product one value of the attribute. Where no cell tells, it may have several."""
        one = self._attributes.get(attribute)
        return one is not None and one.single > 0 and one.several < SEVERAL * (one.single + one.several)

    def normalize(self, attribute: str, text: str, cell: tuple[str, ...] = ()) -> str | None:
        """The table's value for what a text names; None: it has none.

        :param cell: the product's own values of the attribute, which do not count for what was found beside them
        """
        one = self._attributes.get(attribute)
        if one is None:
            return None
        cell = tuple(self.option(attribute, value) for value in cell)
        if attribute not in self._spelled:
            self._resolve(attribute, one)
        spelled, aliased = self._spelled[attribute], self._aliased[attribute]
        words = self._folder.split(text)
        for first, word in enumerate(words):
            form = "".join(words[first:])
            own = Counter(cell) if self._of_model else Counter()
            value = (
                spelled.get(form)
                or _most_frequent(one.labels.get(form, Counter()) - own)
                or aliased.get(form)
                or _found_beside(one.beside.get(form, Counter()) - Counter(cell))
            )
            if value is not None or word not in one.modifiers:
                return value
        return None

    def option(self, attribute: str, value: str) -> str:
        """The option that a cell's value names in any language; any other value is itself."""
        one = self._attributes.get(attribute)
        if one is None or not one.names:
            return value
        if attribute not in self._options:
            found = self._options[attribute] = dict[str, str]()
            own = {self.folded[option] for option in one.values}  # an option's own name is nobody else's
            for option, names in one.names.items():
                for form in (self.folded[name] for there in names.values() for name in there):
                    if form not in own:
                        found.setdefault(form, option)
        return self._options[attribute].get(self.folded[value], value)

    def options(self, attribute: str, values: Iterable[str]) -> tuple[str, ...]:
        """:meth:`option` of each of a cell's values, each once."""
        return tuple(dict.fromkeys(self.option(attribute, value) for value in values))

    def key(self, attribute: str, value: str) -> str:
        """What is the same for all spellings of a value, and for all names of an option."""
        return self.folded[self.option(attribute, value)]

    def languages(self) -> list[str]:
        """Those in which any option has a name."""
        every = (names for one in self._attributes.values() for names in one.names.values())
        return sorted({language for names in every for language in names})

    def written(self, attribute: str, value: str) -> str:
        """A value's name in the language of the table; one that has none there is itself."""
        names = self._attributes[attribute].names.get(value) if attribute in self._attributes else None
        if not names:
            return value
        language = self.language or self._language_of(attribute)
        # The language without its region last: a table in de-AT is one in German.
        tags = () if language is None else (language, language.partition("-")[0])
        return next((names[tag][0] for tag in tags if tag in names), value)

    def _language_of(self, attribute: str) -> str | None:
        """The language of most filled cells of an attribute, else of the table; None: the options' own names."""
        votes = self._languages.get(attribute) or sum(self._languages.values(), Counter[str | None]())
        return max(votes, key=lambda language: (votes[language], language is None, language or ""), default=None)

    def _count_languages(self, attribute: str, one: AttributeForms, values: Iterable[str]) -> None:
        for value in values if one.names else ():
            option, form = self.option(attribute, value), self.folded[value]
            if names := one.names.get(option):
                self._languages[attribute][None] += form == self.folded[option]
                for language, there in names.items():
                    self._languages[attribute][language] += any(form == self.folded[name] for name in there)

    def _resolve(self, attribute: str, one: AttributeForms) -> None:
        """The values that forms spell, of several spellings the most frequent; and those whose aliases they are."""
        known = dict.fromkeys((*one.values, *(value for value, _ in one.cells.most_common())))
        values = [value for value in known if self.option(attribute, value) == value]
        spelled: dict[str, str] = {}
        aliased: dict[str, str] = {}
        for value in values:
            spelled.setdefault(self.folded[value], value)
            for form in (*self._aliases.get(self.folded[value], ()), *one.forms.get(value, ())):
                aliased.setdefault(form, value)
        for form, option in self._options.get(attribute, {}).items():
            spelled.setdefault(form, option)
        self._spelled[attribute], self._aliased[attribute] = spelled, aliased

    def to_json(self) -> dict[str, Any]:
        return {
            "format": NORMALIZER_FORMAT,
            "folding": self._folder.settings,
            "aliases": {value: list(forms) for value, forms in self._aliases.items()},
            "attributes": {n: self._attributes[n].to_json() for n in dict.fromkeys((*self._names, *self._attributes))},
        }

    def save(self, path: str | Path) -> None:
        """Write it as JSON."""
        write_text(Path(path), json.dumps(self.to_json(), indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, path: str | Path) -> ValueNormalizer:
        """Read what :meth:`save` wrote. Its labels may be those of the products that are filled; see :meth:`normalize`.

        Raises :class:`DataError` that names the file and the entry at fault.
        """
        path = Path(path)
        try:
            body = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise DataError(
                f"no normaliser {path}; training writes one since format 2: train again, or fill without the model and "
                "give the catalogue and the lexicon that it was trained with"
            ) from None
        except (OSError, ValueError, RecursionError) as exc:
            raise DataError(f"{path} is not JSON: {exc}; copy the model again") from exc
        try:
            return cls._parse(body)
        except DataError as exc:
            raise DataError(f"{path}: {exc}; copy the model again") from None

    @classmethod
    def _parse(cls, body: Any) -> ValueNormalizer:
        version = _require_entry(body, "format", int)
        if version != NORMALIZER_FORMAT:
            raise DataError(f"format should be {NORMALIZER_FORMAT}, found {short(version)}")
        _require_keys(body, ("format", "folding", "aliases", "attributes"), "the normaliser")
        folding = {"numbers": DEFAULT_STYLE.example, **_require_entry(body, "folding", dict)}  # files before it lack it
        _require_keys(folding, tuple(Folder().settings), "folding")
        normalizer = cls(Folder(**folding), _parse_form_counts(body, "aliases"))
        normalizer._of_model = True
        for name, row in _require_entry(body, "attributes", dict).items():
            keys = AttributeForms().to_json()
            _require_keys(row, (*keys, *(["names"] if "names" in row else ())), f"attribute {short(name)}")
            normalizer._attributes[name] = AttributeForms(
                values=_parse_words(row, "values"),
                forms=_parse_form_counts(row, "forms"),
                modifiers=frozenset(_parse_words(row, "modifiers")),
                names=_parse_names(row) if "names" in row else {},
                cells=_parse_counts(row, "cells"),
                single=_require_entry(row, "single", int),
                several=_require_entry(row, "several", int),
                labels=_parse_counters(row, "labels"),
                beside=_parse_counters(row, "beside"),
            )
        normalizer.translated = {name for name, one in normalizer._attributes.items() if one.names}
        named = (name for name, one in normalizer._attributes.items() if one.values or one.cells)
        normalizer._names = dict.fromkeys(named)
        return normalizer


def _most_frequent(values: Counter[str]) -> str | None:
    """Of equally frequent values the last by the alphabet: the same one whatever the order of the products."""
    return max(values, key=lambda v: (values[v], v), default=None)


def _found_beside(values: Counter[str]) -> str | None:
    """The value of nearly all filled cells beside which a form was found."""
    total, value = values.total(), _most_frequent(values)
    return value if value is not None and total >= MIN_CELLS and values[value] >= CELL_AGREEMENT * total else None


_ENTRY_KINDS = {int: "a whole number", list: "a list", dict: "an object"}


def _require_entry(body: Any, key: str, kind: type) -> Any:
    if not isinstance(body, dict) or type(body.get(key)) is not kind:
        found = body.get(key) if isinstance(body, dict) else body
        raise DataError(f"{short(key)} should be {_ENTRY_KINDS[kind]}, found {short(found)}")
    return body[key]


def _require_keys(body: Any, keys: tuple[str, ...], where: str) -> None:
    if not isinstance(body, dict) or set(body) != set(keys):
        raise DataError(f"{where} should have {', '.join(keys)}, found {short(body)}")


def _parse_words(body: Any, key: str) -> list[str]:
    words: list[str] = _require_entry(body, key, list)
    if not all(isinstance(word, str) for word in words):
        raise DataError(f"{short(key)} should be a list of words, found {short(words)}")
    return words


def _parse_form_counts(body: Any, key: str) -> dict[str, tuple[str, ...]]:
    forms = _require_entry(body, key, dict)
    return {value: tuple(_parse_words(forms, value)) for value in forms}


def _parse_names(row: Any) -> dict[str, dict[str, tuple[str, ...]]]:
    names = _require_entry(row, "names", dict)
    return {option: _parse_form_counts(names, option) for option in names}


def _plain_names(names: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    return {language: list(there) for language, there in names.items()}


def _parse_counts(body: Any, key: str) -> Counter[str]:
    counts = _require_entry(body, key, dict)
    return Counter({value: _require_entry(counts, value, int) for value in counts})


def _parse_counters(body: Any, key: str) -> defaultdict[str, Counter[str]]:
    counters = _require_entry(body, key, dict)
    return defaultdict(Counter, {form: _parse_counts(counters, form) for form in counters})
