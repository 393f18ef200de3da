"""What a shop's own texts call its values: forms, headings and modifiers, mined by :mod:`attrex.labels.mining`.

Saved as YAML that a person edits; :class:`attrex.labels.labeler.DistantLabeler` goes by what is left in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from attrex.errors import DataError, did_you_mean, short
from attrex.io.atomic import write_text
from attrex.plain_yaml import load_words

LEXICON_FILE = "lexicon.yaml"
"""The lexicon's name in a model directory."""
_LEXICON_HEADER = """\
# What the texts call the values of the table, mined from them by `attrex locate --mine`. Edit freely.
# Behind every form: [products with a filled cell whose text has it, how often the cell agrees, the same for titles if
# known, how often a model reads it there if it was asked].
#   accepted    value -> forms that are labelled where the cell has the value; where it is blank, if they are right
#               as often as the policy's `trust` asks
#   headed      value -> forms that are only labelled under a heading of the attribute
#   suggested   value -> forms that are not labelled: move a line to `accepted` to use it
#   headings    words that announce a value of the attribute, as in "Fit: Regular"
#   parts       words after a percentage
#   modifiers   words that belong to the value they stand before
#   categories  where blank cells may be labelled (none listed: everywhere)
"""


class FormStats(NamedTuple):
    """How well a form is known to stand for what it is listed under."""

    support: int  #: products whose text has it
    precision: float  #: share of those with a filled cell whose cell agrees, 0..1
    in_titles: float | None = None  #: the same of those that have it in the title; None: too few
    by_model: float | None = None  #: share of its places in products with the value that a model reads; None: not asked

    @classmethod
    def read(cls, given: Any, where: str) -> FormStats:
        try:
            support, precision, *more = given
            return cls(int(support), float(precision), *(None if s == "null" else float(s) for s in more))
        except (TypeError, ValueError):
            raise DataError(
                f"{where} should be [support, precision] such as [12, 0.95], found {short(given)}"
            ) from None


StatsByForm = Mapping[str, FormStats]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What texts call the values of one attribute. Forms are written as texts have them, most frequent first."""

    accepted: Mapping[str, StatsByForm] = field(
        default_factory=dict
    )  #: value -> forms; the value's own word among them
    headed: Mapping[str, StatsByForm] = field(
        default_factory=dict
    )  #: value -> forms that need a heading; "": no known value
    suggested: Mapping[str, StatsByForm] = field(default_factory=dict)  #: value -> forms that nobody has accepted
    headings: StatsByForm = field(default_factory=dict)
    parts: StatsByForm = field(default_factory=dict)
    modifiers: StatsByForm = field(default_factory=dict)
    categories: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for section in _BY_VALUE:
            out[section] = {value: _listed(forms) for value, forms in getattr(self, section).items()}
        for section in _PLAIN:
            out[section] = _listed(getattr(self, section))
        out["categories"] = list(self.categories)
        return {section: content for section, content in out.items() if content}


_BY_VALUE = ("accepted", "headed", "suggested")
_PLAIN = ("headings", "parts", "modifiers")
_SECTIONS = (*_BY_VALUE, *_PLAIN, "categories")


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The vocabulary of every attribute."""

    attributes: Mapping[str, Vocabulary] = field(default_factory=dict)

    def save(self, path: str | Path) -> None:
        body = {name: vocabulary.to_json() for name, vocabulary in self.attributes.items()}
        text = yaml.dump(body, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=120)
        write_text(Path(path), _LEXICON_HEADER + text)

    @classmethod
    def load(cls, path: str | Path) -> Lexicon:
        """Read a lexicon; raises :class:`DataError` that names the file and the entry at fault."""
        path = Path(path)
        try:
            # Everything as it is written: a form 38 or `no` is a word here, not a number or a truth.
            body = load_words(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise DataError(
                f"no lexicon {path}; `attrex locate TABLE --out FILE --mine {path}` mines one from a table and texts"
            ) from None
        except (OSError, yaml.YAMLError, UnicodeDecodeError) as exc:
            raise DataError(f"{path} is not YAML: {exc}") from exc
        try:
            return cls({str(n): _vocabulary(str(n), v) for n, v in _parse_mapping("the lexicon", body).items()})
        except DataError as exc:
            raise DataError(f"{path}: {exc}") from None


NOTHING_MINED = Lexicon()


def _vocabulary(name: str, body: Any) -> Vocabulary:
    sections = _parse_mapping(name, body)
    for section in sections:
        if section not in _SECTIONS:
            raise DataError(f"{name} has an unknown section {short(section)}{did_you_mean(str(section), _SECTIONS)}")
    read: dict[str, Any] = {}
    for section in set(_BY_VALUE) & sections.keys():
        values = _parse_mapping(f"{section} of {name}", sections[section])
        read[section] = {str(v): _parse_forms(f"{section} of {name}, {short(v)}", forms) for v, forms in values.items()}
    for section in set(_PLAIN) & sections.keys():
        read[section] = _parse_forms(f"{section} of {name}", sections[section])
    categories = sections.get("categories") or []
    if not isinstance(categories, list):
        raise DataError(f"categories of {name} should be a list such as [Shoes, Bags], found {short(categories)}")
    return Vocabulary(**read, categories=tuple(map(str, categories)))


def _parse_forms(where: str, body: Any) -> dict[str, FormStats]:
    return {str(f): FormStats.read(e, f"{where}: {short(f)}") for f, e in _parse_mapping(where, body).items()}


def _parse_mapping(where: str, body: Any) -> dict[Any, Any]:
    if body and not isinstance(body, dict):
        raise DataError(f"{where} should be a mapping such as {{name: ...}}, found {short(body)}")
    return body or {}


class _Dumper(yaml.SafeDumper):
    """Mappings block by block, but the evidence of a form on its own line."""


class _Line(list[Any]):
    pass


_Dumper.add_representer(_Line, lambda dumper, line: dumper.represent_sequence("tag:yaml.org,2002:seq", line, True))


def _listed(forms: StatsByForm) -> dict[str, _Line]:
    """What is not known is left out at the end of a line, and null before what is."""
    lines = {form: list(evidence) for form, evidence in forms.items()}
    for line in lines.values():
        while line[-1] is None:
            line.pop()
    return {form: _Line(line) for form, line in lines.items()}
