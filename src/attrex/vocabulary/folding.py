"""Texts and values cut into words, each folded (case, spelling, plural), so that two ways of saying a value are one.

Every folded word keeps the place it came from, so offsets are exact whatever the folding did. A number is one word,
whatever its signs; a measure is read twice: as one word that is the same for 0.5 l and 500 ml, and as its words.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import accumulate, pairwise
from typing import Any, TypeVar

from attrex.characters import CLUSTER, IGNORABLE, OTHER_NUMBERS, TRADE_MARKS, UNSPACED, caseless, without_unseen
from attrex.shop.label_policy import DEFAULT_POLICY, LabelPolicy
from attrex.vocabulary.numbers import NumberStyle
from attrex.vocabulary.quantities import MARK, SIZE, fold_size, measures
from attrex.vocabulary.word_lists import ENGLISH, WordLists

_CJK = "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_HYPHENS = "\\-\u2010\u2011"
IS_CJK = re.compile(f"[{_CJK}]")
MARKS = "".join(
    c for c in map(chr, range(0x300, 0x10000)) if unicodedata.category(c)[0] == "M" and not IGNORABLE.match(c)
)
"""Accents and vowel signs, for a class in a regular expression: what belongs to the letter in front of it."""
_ONE_FOR_ALL = str.maketrans({"’": "'", "\u2013": "-", "\u2212": "-"})
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉", "01234567890123456789")
_TRADE_MARK = re.compile(f"[{TRADE_MARKS}]")
_K = TypeVar("_K")
_V = TypeVar("_V")


@cache
def _word_pattern(word_boundaries: bool, hyphen_is_space: bool, style: NumberStyle) -> re.Pattern[str]:
    """What a text is split by, as one group: sizes, numbers, words with marks, single CJK characters, signs.

    Of scripts that put no space between words the smallest parts that can be read, as of CJK.
    """
    marks = f"[{MARKS}]"  # no match may end in front of one of them
    # A hyphen between spaces is a dash: it keeps two words apart, so it stays a sign of its own.
    sign = rf"(?:(?<=\s)[{_HYPHENS}](?=\s)|[^\s{_HYPHENS}]){marks}*" if hyphen_is_space else rf"\S{marks}*"
    if not word_boundaries:
        return re.compile(f"({style.token}|{sign})")
    letters = rf"[^\W\d_{OTHER_NUMBERS}{_CJK}{UNSPACED}]+"
    words = rf"{letters}(?:{marks}+(?:{letters})?)*(?:['’][sS](?!\w))?"
    return re.compile(rf"({SIZE}|{style.token}|{words}|{CLUSTER}|{sign})")


def fold_plural(word: str) -> str:
    """One form for the singular and plural of an English word: ``dresses -> dress``, ``hoodie, hoodies -> hoody``.

    The form need not be a word (``blouse, blouses -> blous``); it only has to be the same for both.
    """
    plural = word.endswith("s") and not word.endswith("ss")
    if plural and (len(word) > 3 or (len(word) == 3 and word[1] not in "aeiou")):  # "lace-ups", but not "gas"
        word = word[:-1]
    if word.endswith("ie"):
        return word[:-2] + "y"
    return word[:-1] if len(word) > 3 and word.endswith(("se", "ze", "xe", "che", "she")) else word


class BoundedCache(dict[_K, _V]):
    """A function's results by argument, for a catalogue repeats its words and cells; when too many, it starts anew."""

    def __init__(self, compute: Callable[[_K], _V], limit: int = 200_000) -> None:
        super().__init__()
        self.compute = compute
        self.limit = limit

    def __missing__(self, key: _K) -> _V:
        if len(self) >= self.limit:
            self.clear()
        self[key] = self.compute(key)
        return self[key]


class Folder:
    """Cuts a text into words and folds each, so that two spellings of a value become one.

    :param ignore_case: "Blue" is "blue"
    :param fold_inflection: the English rule: "dresses" is "dress", "Men's" is "men"
    :param hyphen_is_space: "crew-neck" is "crew neck"
    :param join_words: "t shirt" is "tshirt"
    :param word_boundaries: whole words only (Chinese, Japanese, Korean: whole characters); else any characters
    :param word_forms: word -> the word it is read as; in any case, singular or plural
    :param numbers: the number 1234.5 as the texts write it: "1,234.5", "1.234,5", "1 234,5"
    """

    def __init__(
        self,
        *,
        ignore_case: bool = True,
        fold_inflection: bool = True,
        hyphen_is_space: bool = True,
        join_words: bool = True,
        word_boundaries: bool = True,
        word_forms: Mapping[str, str] | None = None,
        numbers: str = ENGLISH.numbers,
    ) -> None:
        self.settings: dict[str, Any] = {
            "ignore_case": ignore_case,
            "fold_inflection": fold_inflection,
            "hyphen_is_space": hyphen_is_space,
            "join_words": join_words,
            "word_boundaries": word_boundaries,
            "word_forms": dict(word_forms or {}),
            "numbers": numbers,
        }
        self.style = NumberStyle.of(numbers)
        self.ignore_case, self.fold_inflection, self.join_words = ignore_case, fold_inflection, join_words
        self.word_forms: dict[str, str] = {}
        self.word_forms = {self._fold_letters(word): form for word, form in self.settings["word_forms"].items()}
        self.pattern = _word_pattern(word_boundaries, hyphen_is_space, self.style)
        self.words = BoundedCache(self._fold_word)

    @classmethod
    def of(cls, policy: LabelPolicy = DEFAULT_POLICY, words: WordLists = ENGLISH) -> Folder:
        """As a policy and word lists say."""
        return cls(
            ignore_case=policy.ignore_case,
            fold_inflection=policy.fold_inflection and words.inflection == "english",
            hyphen_is_space=policy.hyphen_is_space,
            join_words=policy.join_words,
            word_boundaries=policy.word_boundaries,
            word_forms=words.word_forms if policy.aliases else None,
            numbers=words.numbers,
        )

    def _fold_word(self, word: str) -> str:
        folded = self._fold_letters(word)
        return folded if self.join_words or not folded else f"{folded} "

    def _fold_letters(self, word: str) -> str:
        if size := fold_size(word):
            return size
        if any(map(str.isnumeric, word)):
            return self.style.fold(word.translate(_RAISED))
        seen = word if word.isascii() else _TRADE_MARK.sub("", word)
        folded = unicodedata.normalize("NFKC", seen).translate(_ONE_FOR_ALL)
        if self.ignore_case:
            folded = folded.lower() if folded.isascii() else unicodedata.normalize("NFKC", caseless(folded))
        if self.fold_inflection:
            folded = fold_plural(folded.removesuffix("'s").removesuffix("'S"))
        return self.word_forms.get(folded, folded)

    def fold(self, text: str) -> str:
        return "".join(self.split(text))

    def split(self, text: str) -> list[str]:
        """The folded words of a text; a measure is one."""
        words = [word for word, _, _ in FoldedText(text, self).words()]
        abbreviated = len(words) > 1 and words[-1].strip() == "." and words[-2][0:1] == MARK
        return words[:-1] if abbreviated else words  # 12 in. is 12 in


class _Words:
    """Folded words from left to right as one string, with the way back from each to its characters."""

    def __init__(self, words: Sequence[str], begins: Sequence[int], ends: Sequence[int]) -> None:
        self.folded = "".join(words)
        self.starts = list(accumulate(map(len, words), initial=0))
        self.begins, self.ends = begins, ends  #: characters of the text

    def find(self, form: str) -> Iterator[tuple[int, int]]:
        """Places of the runs of whole words that fold to ``form``, not overlapping."""
        starts = self.starts
        at = self.folded.find(form)
        while at >= 0:
            end = at + len(form)
            # A word may fold to nothing (a trade mark): it is no part of the find, before or behind it.
            first, after = bisect_right(starts, at) - 1, bisect_left(starts, end)
            whole = starts[first] == at and starts[after] == end
            if whole:
                yield self.begins[first], self.ends[after - 1]
            at = self.folded.find(form, end if whole else at + 1)

    def search(self, longest: Mapping[str, int]) -> Iterator[tuple[str, int, int]]:
        starts = self.starts
        for first, at in enumerate(starts[:-1]):
            if starts[first + 1] == at:
                continue  # nothing
            most = at + longest.get(self.folded[at : at + 2], 0)
            for after in range(first + 1, len(starts)):
                if starts[after] > most:
                    break
                if starts[after] == starts[after - 1]:
                    continue
                yield self.folded[at : starts[after]], self.begins[first], self.ends[after - 1]


class FoldedText:
    """A text as folded words, with the way back from each word to its characters. What nobody sees is skipped."""

    def __init__(self, text: str, folder: Folder) -> None:
        places = None
        if not (text.isascii() and text.isprintable()):
            text, places = without_unseen(text)
        parts = folder.pattern.split(text)  # gap, word, gap, word, ..., gap
        words = list(map(folder.words.__getitem__, parts[1::2]))
        edges = list(accumulate(map(len, parts)))
        begins, ends = edges[::2], edges[1::2]
        #: the text's words; and where it has measures, once more with each of them as one word
        self._readings = [_Words(words, begins, ends)]
        self._parts: list[tuple[str, int, int]] = []  #: measures within longer ones
        if found := measures(text, folder.style):
            words, begins, ends = words.copy(), begins[: len(words)], ends.copy()
            space = "" if folder.join_words else " "
            for m in reversed(found):
                first, after = bisect_left(begins, m.start), bisect_left(begins, m.end)
                if (first and ends[first - 1] > m.start) or ends[after - 1] > m.end:
                    continue  # a part of a number that is another one: 16:9 mm
                words[first:after], begins[first:after], ends[first:after] = [m.folded + space], [m.start], [m.end]
                self._parts += [(p.folded + space, p.start, p.end) for p in m.parts]
            self._readings.append(_Words(words, begins, ends))
        if places is not None:
            for reading in self._readings:
                reading.begins = [places[at] for at in reading.begins[: len(reading.ends)]]
                reading.ends = [places[at - 1] + 1 for at in reading.ends]
            self._parts = [(form, places[start], places[end - 1] + 1) for form, start, end in self._parts]

    def find(self, form: str) -> Iterator[tuple[int, int]]:
        """Places in the text of the runs of whole words that fold to ``form``, from left to right, not overlapping."""
        if len(self._readings) == 1:
            yield from self._readings[0].find(form)
            return
        found = {place for words in self._readings for place in words.find(form)}
        found |= {(start, end) for folded, start, end in self._parts if folded == form}
        reached = 0
        for start, end in sorted(found):
            if start >= reached:
                yield start, end
                reached = end

    def words(self) -> Iterator[tuple[str, int, int]]:
        """(folded, start, end) of every word; a measure is one."""
        words = self._readings[-1]
        for i, (at, end) in enumerate(pairwise(words.starts)):
            yield words.folded[at:end], words.begins[i], words.ends[i]

    def search(self, longest: Mapping[str, int]) -> Iterator[tuple[str, int, int]]:
        """(folded, start, end) of every run of whole words that could be one of many forms, whatever their number.

        ``longest``: the first two folded characters of the forms -> the length of the longest one that begins so.
        """
        if len(self._readings) == 1:
            yield from self._readings[0].search(longest)
            return
        found = dict.fromkeys(match for words in self._readings for match in words.search(longest))
        yield from dict.fromkeys((*found, *self._parts))


def without_possessive(text: str, start: int, end: int, value: str) -> int:
    """Where the value ends: Men is the first three letters of "Men's", unless the value itself is "Levi's"."""
    ends_in_s = text[end - 2 : end].lower() in ("'s", "’s") and end - start > 2
    return end - 2 if ends_in_s and value[-2:-1] not in ("'", "’") else end
