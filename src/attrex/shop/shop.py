"""One shop: what its files hold, what its cells and words mean, and which attributes it has. The file `shop.yaml`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml

from attrex.errors import ConfigError, SchemaError, did_you_mean, short
from attrex.io.atomic import write_text
from attrex.plain_yaml import load_plain, load_words
from attrex.shop.cells import Cells
from attrex.shop.label_policy import DEFAULT_POLICY, LabelPolicy
from attrex.shop.mapping import ColumnMapping
from attrex.shop.schema import Schema
from attrex.types import Product

SHOP_FILE = "shop.yaml"
"""The shop's name in a model directory."""
DEFAULT_COLUMNS, DEFAULT_CELLS, NO_SCHEMA = ColumnMapping(), Cells(), Schema(())
_HEADER = """\
# What one shop's files mean. Edit freely; keys that are left out keep their defaults.
#   columns     which columns hold what          cells       which cells are blank or absent
#   labels      how values are found in texts    languages   whose word forms count
#   word_forms  word -> the word it is read as   aliases     value of any attribute -> other forms of it in texts
#   categories  category -> its attributes; a category that is not named may have all
#   attributes  name -> columns: table columns merged into it, options: known values, most frequent first,
#               each a word, or {value: Blue, labels: {de: Blau, es: Azul}}: what it is called in other languages,
#               aliases: value -> other forms of it that texts use
"""
_SHOP_SECTIONS: dict[str, type[Any]] = {"columns": ColumnMapping, "cells": Cells, "labels": LabelPolicy}
_PLAIN_TYPES = ("languages", "word_forms", "aliases")
_SHOP_KEYS = (*_SHOP_SECTIONS, *_PLAIN_TYPES, "attributes", "categories")
_ShopSection = TypeVar("_ShopSection")


@dataclass(frozen=True)
class Shop:
    """What one shop's files mean; the parts can be given one by one. Which columns cells merge is the schema's."""

    columns: ColumnMapping = DEFAULT_COLUMNS  #: which columns of a file hold what
    cells: Cells = DEFAULT_CELLS  #: what table cells say
    labels: LabelPolicy = DEFAULT_POLICY  #: how the table's values are found in texts
    languages: tuple[str, ...] = ("en",)  #: whose word forms count, strongest first
    word_forms: Mapping[str, str] = field(default_factory=dict)  #: the shop's own: word -> the word it is read as
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  #: value of any attribute -> forms in texts
    schema: Schema = NO_SCHEMA  #: attributes: merged columns, options, aliases; categories

    def __post_init__(self) -> None:
        columns = self.schema.column_mapping()
        if self.cells.other_columns == "drop" and not columns:
            raise ConfigError("cells: other_columns is drop, but the schema has no attributes, so that none is left")
        object.__setattr__(self, "cells", replace(self.cells, columns=columns))

    def learn(self, products: Iterable[Product]) -> Self:
        """The shop with what it leaves open learned from labelled products.

        Its attributes stay, with their options where it names any; others of the products follow, unless
        `cells.other_columns` drops them. Categories are learned where it names none.
        """
        products = list(products)
        own = {a.name: a for a in self.schema.attributes}
        drop = self.cells.other_columns == "drop"
        learned = Schema.learn(products)
        options = {a.name: a.options for a in learned.attributes}
        attributes = [replace(a, options=a.options or options.get(a.name, ())) for a in own.values()]
        attributes += [a for a in learned.attributes if a.name not in own and not drop]
        names = [a.name for a in attributes]
        categories = {c: tuple(n for n in names if n in members) for c, members in learned.categories.items()}
        return replace(self, schema=Schema(tuple(attributes), self.schema.categories or categories))

    def unused(self, columns: Iterable[str]) -> Iterator[str]:
        """What a person should know who names columns or attributes that no table has; ``columns``: those of tables."""
        columns = dict.fromkeys(columns)
        merged = dict.fromkeys(c for a in self.schema.attributes for c in a.columns)
        known = {*columns, *self.schema.names}
        priority = self.labels.priority
        for key, names, there in (("attributes: columns", merged, columns), ("labels: priority", priority, known)):
            if gone := [name for name in names if name not in there]:
                near = next(filter(None, (did_you_mean(name, there) for name in gone)), "")
                what = f"{len(gone)} of {len(names)} names under `{key}` are in no product's table"
                yield f"{what}, such as {short(gone[0])}{near}"

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a YAML file, or the one in a model directory; keys that are left out keep their defaults.

        Words are taken as they are written: a size 38, a cell NO or a value yes needs no quotes. Raises
        :class:`ConfigError` or :class:`SchemaError` that names the file and the key at fault.
        """
        path = Path(path)
        path = path / SHOP_FILE if path.is_dir() else path
        try:
            # One object's key that comes twice, or a date that is none, must not stop words from being words.
            body = load_words(path.read_text(encoding="utf-8")) or {}
        except FileNotFoundError:
            if path.name == SHOP_FILE and path.with_name("attrex.json").exists():  # a model of format 1
                advice = f"convert the model: python -m attrex.tools.convert {path.parent}"
            else:
                advice = "Shop().save(path) writes one with every key"
            raise ConfigError(f"no shop file {path}; {advice}") from None
        except (OSError, yaml.YAMLError, UnicodeDecodeError) as exc:
            raise ConfigError(f"{path} is not YAML: {exc}") from exc
        if not isinstance(body, dict):
            raise ConfigError(f"{path} should be a mapping with any of {', '.join(_SHOP_KEYS)}")
        try:
            return cls._from_plain(body)
        except (ConfigError, SchemaError) as exc:
            raise type(exc)(f"{path}: {exc}") from exc

    @classmethod
    def _from_plain(cls, body: Mapping[str, Any]) -> Self:
        for key in body:
            if key not in _SHOP_KEYS:
                home = next((s for s, kind in _SHOP_SECTIONS.items() if key in _types(kind)), None)
                raise ConfigError(
                    f"unknown key {short(key)}"
                    + (f"; it belongs under `{home}:`" if home else did_you_mean(key, _SHOP_KEYS))
                    + f" (known: {', '.join(_SHOP_KEYS)})"
                )
        given: dict[str, Any] = {name: _section(name, kind, body.get(name)) for name, kind in _SHOP_SECTIONS.items()}
        types = _types(cls)
        for key in _PLAIN_TYPES:
            if body.get(key, "") != "":  # a key without anything, too
                given[key] = _value(types[key], body[key], key)
        return cls(**given, schema=Schema.from_plain(body.get("attributes"), body.get("categories")))

    def to_yaml(self) -> str:
        """The file's text, with every key."""
        body: dict[str, Any] = {
            name: {key: _plain_value(getattr(getattr(self, name), key)) for key in _types(kind)}
            for name, kind in _SHOP_SECTIONS.items()
        }
        body |= {key: _plain_value(getattr(self, key)) for key in _PLAIN_TYPES} | self.schema.to_plain()
        return _HEADER + yaml.safe_dump(body, allow_unicode=True, sort_keys=False, width=120)

    def save(self, path: str | Path) -> None:
        write_text(Path(path), self.to_yaml())


DEFAULT_SHOP = Shop()


def _types(kind: type[Any]) -> dict[str, str]:
    """The keys of a section and their types; which column belongs to which attribute the schema says."""
    return {f.name: str(f.type) for f in fields(kind) if f.name != "columns"}


def _plain_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain_value(content) for key, content in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _section(name: str, kind: type[_ShopSection], body: Any) -> _ShopSection:
    types = _types(kind)
    if body and not isinstance(body, dict):
        raise ConfigError(f"{name} should be a mapping with any of {', '.join(types)}, not {short(body)}")
    for key in body or {}:
        if key not in types:
            raise ConfigError(f"{name}: unknown key {short(key)}{did_you_mean(key, types)} (known: {', '.join(types)})")
    return kind(**{key: _value(types[key], value, f"{name}: {key}") for key, value in (body or {}).items()})


_YAML_KINDS = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "str": "a word",
    "Mapping[str, str]": "a mapping of words to words",
    "Mapping[str, tuple[str, ...]]": "a mapping of words to lists of words",
}


def _value(kind: str, value: Any, where: str) -> Any:
    """What BaseLoader read (words, lists and mappings of words) as a dataclass' type; raises :class:`ConfigError`."""
    if kind.endswith(" | None") and value in ("", "null", "~"):
        return None
    kind = kind.removesuffix(" | None")
    if isinstance(value, str):
        if kind == "str" or kind.startswith("str |"):
            return value
        if kind.startswith("tuple"):
            return (value,)
        try:
            typed = load_plain(value)
        except yaml.YAMLError:
            typed = value
        if type(typed).__name__ == kind or (kind == "float" and type(typed) is int):
            return float(typed) if kind == "float" else typed
    elif isinstance(value, list) and kind.endswith("tuple[str, ...]") and all(isinstance(item, str) for item in value):
        return tuple(value)
    elif isinstance(value, dict) and kind.startswith("Mapping"):
        inner = kind.removeprefix("Mapping[str, ").removesuffix("]")
        return {word: _value(inner, content, f"{where}: {word}") for word, content in value.items()}
    raise ConfigError(f"{where} should be {_YAML_KINDS.get(kind, 'a list of words')}, not {short(value)}")
