"""The words that texts are read with: those of their languages (`languages/*.yaml`), and those of one shop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from attrex.errors import ConfigError, did_you_mean

INFLECTIONS = ("english",)
"""The rules that a language file may name: :func:`attrex.vocabulary.folding.fold_plural`."""


@dataclass(frozen=True, slots=True)
class WordLists:
    """Word forms, aliases, negations and conjunctions, each as a text has it; :class:`Folder` folds them."""

    word_forms: Mapping[str, str] = field(default_factory=dict)
    """word -> the word it is read as, in texts and values alike"""
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """value of any attribute -> other words for it in texts; one direction only: a bag need not be a handbag"""
    negations: tuple[str, ...] = ()  #: behind one of them a clause denies what it names
    conjunctions: tuple[str, ...] = ()  #: what ends the name of a part of a composition
    inflection: str | None = None  #: the rule that makes one of singular and plural, of :data:`INFLECTIONS`

    @classmethod
    def of(
        cls,
        languages: Iterable[str] = ("en",),
        word_forms: Mapping[str, str] | None = None,
        aliases: Mapping[str, Iterable[str]] | None = None,
    ) -> WordLists:
        """The lists of some languages together, and a shop's ``word_forms`` and ``aliases``, which come first.

        Raises :class:`ConfigError` for a language that has no file.
        """
        found = [load_language(name) for name in languages]
        return cls(
            {word: form for one in reversed(found) for word, form in one.word_forms.items()} | dict(word_forms or {}),
            {value: tuple(forms) for value, forms in (aliases or {}).items()},
            tuple(dict.fromkeys(word for one in found for word in one.negations)),
            tuple(dict.fromkeys(word for one in found for word in one.conjunctions)),
            next((one.inflection for one in found if one.inflection), None),
        )

    @classmethod
    def load(cls, path: str | Path) -> WordLists:
        """A shop's words from YAML: any of `languages` (default: [en]), `word_forms` and `aliases`.

        Raises :class:`ConfigError` that names the file and the key at fault.
        """
        body = _read_mapping(Path(path), ("languages", "word_forms", "aliases"))
        return cls.of(
            _words(path, "languages", body.get("languages", ["en"])),
            _word_forms(path, body),
            {value: _words(path, f"aliases of {value!r}", forms) for value, forms in _mapping(path, "aliases", body)},
        )


def known_languages() -> list[str]:
    """Those with a file, by their two letters (ISO 639-1)."""
    return sorted(Path(f.name).stem for f in _languages().iterdir() if f.name.endswith(".yaml"))


@cache
def load_language(name: str) -> WordLists:
    """The word lists of one language, such as `en`; raises :class:`ConfigError` where it has no file."""
    if name not in known_languages():
        raise ConfigError(f"no word lists of the language {name!r}; there are {', '.join(known_languages())}")
    path = Path(str(_languages() / f"{name}.yaml"))
    body = _read_mapping(path, ("inflection", "negations", "conjunctions", "word_forms"))
    if body.get("inflection") not in (None, *INFLECTIONS):
        raise ConfigError(f"{path}: inflection should be one of {', '.join(INFLECTIONS)}, found {body['inflection']!r}")
    return WordLists(
        word_forms=_word_forms(path, body),
        negations=_words(path, "negations", body.get("negations", [])),
        conjunctions=_words(path, "conjunctions", body.get("conjunctions", [])),
        inflection=body.get("inflection"),
    )


def _languages() -> Any:
    return files("attrex.vocabulary") / "languages"


def _read_mapping(path: Path, keys: tuple[str, ...]) -> dict[str, Any]:
    try:
        # Everything as it is written: `no` and `y` are words here, not truths.
        body = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    except FileNotFoundError:
        raise ConfigError(f"no file {path} with a shop's words; examples/fashion/words.yaml is one") from None
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path} is not YAML: {exc}") from exc
    if not isinstance(body, dict):
        raise ConfigError(f"{path} should be a mapping with any of {', '.join(keys)}, found {body!r}")
    for key in body:
        if key not in keys:
            raise ConfigError(f"{path}: unknown key {key!r}{did_you_mean(str(key), keys)}")
    return body


def _words(path: str | Path, where: str, found: Any) -> tuple[str, ...]:
    if not (isinstance(found, list) and all(isinstance(word, str) and word for word in found)):
        raise ConfigError(f"{path}: {where} should be a list of words such as [a, b], found {found!r}")
    return tuple(found)


def _mapping(path: str | Path, key: str, body: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    found = body.get(key) or {}
    if not isinstance(found, dict):
        raise ConfigError(f"{path}: {key} should be a mapping, found {found!r}")
    return found.items()


def _word_forms(path: str | Path, body: Mapping[str, Any]) -> dict[str, str]:
    forms = dict(_mapping(path, "word_forms", body))
    if wrong := next((form for form in forms.values() if not isinstance(form, str) or not form), None):
        raise ConfigError(f"{path}: word_forms should name one word for each, such as 'tee: tshirt', found {wrong!r}")
    return forms


ENGLISH = WordLists.of(("en",))
