"""The words that texts are read with: those of their languages (`languages/*.yaml`), and those of one shop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from attrex.errors import ConfigError
from attrex.plain_yaml import load_words
from attrex.shop.shop import DEFAULT_SHOP, Shop
from attrex.vocabulary.numbers import DEFAULT_STYLE


@dataclass(frozen=True, slots=True)
class WordLists:
    """Word forms, aliases, negations and conjunctions, each as a text has it; :class:`Folder` folds them."""

    word_forms: Mapping[str, str] = field(default_factory=dict)
    """word -> the word it is read as, in texts and values alike"""
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """value of any attribute -> other words for it in texts; one direction only: a bag need not be a handbag"""
    negations: tuple[str, ...] = ()  #: behind one of them a clause denies what it names
    conjunctions: tuple[str, ...] = ()  #: what ends the name of a part of a composition
    numbers: str = DEFAULT_STYLE.example  #: the number 1234.5 as texts write it
    inflection: str | None = None  #: the rule that makes one of singular and plural: "english", or none

    @classmethod
    def of(cls, shop: Shop) -> WordLists:
        """The lists of a shop's languages together, the first one's first, and before them the shop's own words.

        Raises :class:`ConfigError` for a language that has no file.
        """
        found = [load_language(name) for name in shop.languages]
        return cls(
            {word: form for one in reversed(found) for word, form in one.word_forms.items()} | dict(shop.word_forms),
            shop.aliases,
            tuple(dict.fromkeys(word for one in found for word in one.negations)),
            tuple(dict.fromkeys(word for one in found for word in one.conjunctions)),
            found[0].numbers if found else DEFAULT_STYLE.example,
            next((one.inflection for one in found if one.inflection), None),
        )


def known_languages() -> list[str]:
    """Those with a file, by their two letters (ISO 639-1)."""
    return sorted(Path(f.name).stem for f in _languages().iterdir() if f.name.endswith(".yaml"))


@cache
def load_language(name: str) -> WordLists:
    """The word lists of one language, such as `en`; raises :class:`ConfigError` where it has no file."""
    if name not in known_languages():
        raise ConfigError(f"languages: no word lists of {name!r}; there are {', '.join(known_languages())}")
    # Everything as it is written: `no` and `y` are words here, not truths.
    body = load_words((_languages() / f"{name}.yaml").read_text(encoding="utf-8"))
    return WordLists(
        word_forms=body.get("word_forms", {}),
        negations=tuple(body.get("negations", ())),
        conjunctions=tuple(body.get("conjunctions", ())),
        numbers=body.get("numbers", DEFAULT_STYLE.example),
        inflection=body.get("inflection"),
    )


def _languages() -> Any:
    return files("attrex.vocabulary") / "languages"


ENGLISH = WordLists.of(DEFAULT_SHOP)
