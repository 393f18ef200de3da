"""Which of a file's languages is read: where a value is said in several, it is one value and not several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TypeVar

Said = TypeVar("Said")
_ONE_NAME = {  # ISO 639-2 has two codes of three letters for some languages, and 639-1 one of two letters
    **{"en": "eng", "de": "deu", "ger": "deu", "fr": "fra", "fre": "fra", "it": "ita", "es": "spa", "pt": "por"},
    **{"nl": "nld", "dut": "nld", "pl": "pol", "cs": "ces", "cze": "ces", "sk": "slk", "slo": "slk", "hu": "hun"},
    **{"da": "dan", "sv": "swe", "nb": "nor", "no": "nor", "nob": "nor", "fi": "fin", "ro": "ron", "rum": "ron"},
    **{"ru": "rus", "uk": "ukr", "tr": "tur", "el": "ell", "gre": "ell", "ja": "jpn", "zh": "zho", "chi": "zho"},
    **{"ko": "kor", "ar": "ara", "he": "heb", "hr": "hrv", "sl": "slv", "bg": "bul", "et": "est", "lv": "lav"},
}


def language(tag: str) -> str:
    """The language of a tag: ``en_US``, ``en-GB``, ``EN`` and ``eng`` are one."""
    primary = tag.replace("_", "-").split("-")[0].casefold()
    return _ONE_NAME.get(primary, primary)


def main_tag(counts: Mapping[str, int]) -> str:
    """The tag that is read: the most frequent one of the most frequent language, of equals the first.

    ``counts``: tag -> how often something is said in it. Empty where there is none.
    """
    languages: Counter[str] = Counter()
    for tag, times in counts.items():
        languages[language(tag)] += times
    most = max(languages, key=lambda name: languages[name], default="")
    return max((t for t in counts if language(t) == most), key=lambda tag: counts[tag], default="")


def in_language(said: Mapping[str, Said], main: str) -> str | None:
    """The key of what is said in the main language: its own tag, else one of the same language, else the first.

    ``said``: tag -> what is said in it; an empty tag means the main language. None where nothing is said.
    """
    if main in said:
        return main
    if "" in said:
        return ""
    same = (tag for tag in said if language(tag) == language(main))
    return next(same, next(iter(said), None))


def by_language(said: Iterable[tuple[str, Said]]) -> dict[str, list[Said]]:
    """Tag -> what is said in it, in the order of the file."""
    found: dict[str, list[Said]] = {}
    for tag, what in said:
        found.setdefault(tag, []).append(what)
    return found


def texts_in_languages(named: Iterable[tuple[str, Mapping[str, str]]], main: str) -> dict[str, str]:
    """Texts as fields: those in the main language by their names, then the others as ``NAME-TAG``.

    ``named``: (name, tag -> text). A text that an earlier field has, too (the same in two channels), is left out.
    """
    named, fields = list(named), dict[str, str]()
    main_tags = {name: in_language(said, main) for name, said in named}
    for name, said in named:
        tag = main_tags[name]
        if tag is not None:
            fields.setdefault(name, said[tag])
    for name, said in named:
        for tag, text in said.items():
            if tag != main_tags[name] and text not in fields.values():
                fields[f"{name}-{tag}"] = text
    return fields
