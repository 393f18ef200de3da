"""What counts as a table value being said in a text: the choices of :mod:`attrex.labels.locator`, read from YAML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from attrex.errors import ConfigError, did_you_mean
from attrex.io.atomic import write_text

BLANK_MARKERS = (
    "",
    "na",
    "n/a",
    "nan",
    "none",
    "null",
    "nil",
    "-",
    "--",
    "?",
    "unknown",
    "not available",
    "not applicable",
)


@dataclass(frozen=True)
class LocatePolicy:
    """What counts as a table value being said in a text, and what happens when two values claim the same words.

    Raises :class:`ConfigError` on a choice that does not exist.
    """

    ignore_case: bool = True
    fold_inflection: bool = True  #: English singular ~ plural (dress ~ dresses), possessive (Men's ~ Men)
    hyphen_is_space: bool = True  #: "crew-neck" ~ "crew neck"
    join_words: bool = True  #: "t shirt" ~ "tshirt", and "t-shirt" too where a hyphen is a space
    aliases: bool = True  #: use the built-in word lists and the schema's aliases
    word_boundaries: bool = True  #: whole words only (Chinese, Japanese, Korean: whole characters); else any characters
    min_length: int = 2  #: shorter values are not searched, in characters (CJK values always are)
    occurrences: str = "all"  #: "all", or only the "first" of each value
    overlap: str = (
        "longest"  #: who gets overlapping words: "longest", "priority" (attribute order first) or "keep" both
    )
    priority: tuple[
        str, ...
    ] = ()  #: attributes, strongest first; those left out follow in the order of the schema or table
    columns: Mapping[str, str] = field(default_factory=dict)  #: table column -> attribute it is merged into
    other_columns: str = (
        "keep"  #: columns without a mapping: "keep" under their own name, or "drop" (counted in the report)
    )
    blank: tuple[str, ...] = BLANK_MARKERS  #: cell texts that mean unknown; case does not matter
    absent: tuple[str, ...] = ()  #: cell texts that mean "known to have none"
    negations: tuple[str, ...] = ("not",)  #: behind one of these, up to the next , ; . or line, nothing is said
    headings: bool = True  #: "Fit: Regular": the heading names the attribute, what stands under it is its value
    composition: tuple[str, ...] = ("Material", "Fabric")  #: attributes whose values stand behind percentages
    mined_forms: bool = True  #: use the forms of a lexicon
    whole_phrases: bool = True  #: a lexicon's modifiers and longer values belong to a value: "royal blue", not "blue"
    titles: bool = True  #: what a title says counts as its cell does, if the cell is blank or its word not in the title
    blank_cells: bool = True  #: label blank cells with what texts say
    trust: float = 0.8  #: a lexicon's form is believed in titles and blank cells if filled cells agree so often, 0..1

    def __post_init__(self) -> None:
        choices = {
            "occurrences": ("all", "first"),
            "overlap": ("longest", "priority", "keep"),
            "other_columns": ("keep", "drop"),
        }
        if not 0 <= self.trust <= 1:
            raise ConfigError(f"locate policy: trust should be a share from 0 to 1, such as 0.8, not {self.trust!r}")
        for key, known in choices.items():
            if getattr(self, key) not in known:
                raise ConfigError(
                    f"locate policy: {key} should be one of {', '.join(known)}, not {getattr(self, key)!r}"
                )

    def composed(self, attributes: Iterable[str]) -> str | None:
        """Of the attributes the one whose values stand in compositions, in any case; None: none of them."""
        there = {name.casefold(): name for name in attributes}
        return next((there[name.casefold()] for name in self.composition if name.casefold() in there), None)

    def unused(self, columns: Iterable[str], attributes: Iterable[str]) -> Iterator[str]:
        """What a person should know who wrote names here that neither the table nor the schema has."""
        columns = dict.fromkeys(columns)
        named = {*columns, *self.columns.values(), *attributes}
        for key, names, known in (("columns", self.columns, columns), ("priority", self.priority, named)):
            if gone := [name for name in names if name not in known]:
                near = next(filter(None, (did_you_mean(name, known) for name in gone)), "")
                yield (
                    f"{len(gone)} of {len(names)} names under `{key}` in the policy are in no product's table, such as "
                    f"{gone[0]!r}{near}"
                )

    @classmethod
    def load(cls, path: str | Path) -> LocatePolicy:
        """Read a YAML policy; keys left out keep their defaults. Raises :class:`ConfigError` naming the key."""
        path = Path(path)
        try:
            body = yaml.safe_load(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ConfigError(f"no policy file {path}; LocatePolicy().save() writes one with every key") from None
        except (OSError, yaml.YAMLError, ValueError) as exc:  # ValueError: no UTF-8, or a date that is none
            raise ConfigError(f"{path} is not YAML: {exc}") from exc
        if not isinstance(body, dict):
            raise ConfigError(f"{path} should be a mapping of policy keys, such as 'overlap: longest'")
        defaults = {f.name: getattr(DEFAULT_POLICY, f.name) for f in fields(cls)}
        for key, value in body.items():
            if key not in defaults:
                raise ConfigError(f"{path}: unknown key {key!r}{did_you_mean(str(key), defaults)}")
            body[key] = _as_type_of(defaults[key], value, f"{path}: {key}")
        return cls(**body)

    def save(self, path: str | Path) -> None:
        body = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        write_text(Path(path), yaml.safe_dump(body, allow_unicode=True, sort_keys=False, width=120))


def _as_type_of(default: Any, value: Any, where: str) -> Any:
    """``value`` from YAML as the type of the policy's default; raises :class:`ConfigError`."""
    if isinstance(default, tuple) and isinstance(value, list) and _all_words(value):
        return tuple(value)
    if isinstance(default, dict) and isinstance(value, dict) and _all_words((*value, *value.values())):
        return value
    if isinstance(default, float) and type(value) is int:
        return float(value)
    if type(value) is type(default) and not isinstance(value, dict):
        return value
    kinds = {bool: "true or false", int: "a whole number", float: "a number", str: "a word", tuple: "a list of words"}
    kind = kinds.get(type(default), "a mapping of words to words")
    hint = " (NO, null and numbers in quotes)" if isinstance(default, tuple | dict) else ""
    raise ConfigError(f"{where} should be {kind}{hint}, not {value!r}")


def _all_words(items: Iterable[Any]) -> bool:
    return all(isinstance(item, str) for item in items)


DEFAULT_POLICY = LocatePolicy()
