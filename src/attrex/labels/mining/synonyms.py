"""Forms that resemble a value: a part of it, another inflection, another head word, with something in between."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from math import ceil
from typing import NamedTuple

from attrex.labels.mining.corpus import Corpus, Line, Word
from attrex.vocabulary.lexicon import FormStats

Candidates = dict[tuple[str, str, str], FormStats]
"""(attribute, value, form) -> evidence"""
LONGEST = 3
"""Words of a form at most."""
KIN = 4
"""Letters that two inflections of a word begin with at least, and 60 % of the longer one: buttoned ~ button."""


class WordForm(NamedTuple):
    attribute: str
    folded: str
    values: tuple[str, ...]  #: what it may stand for


def mine_own(corpus: Corpus) -> Candidates:
    """How far the values' own words and aliases can be trusted, in texts and in titles."""
    filled: Counter[tuple[str, str]] = Counter()
    agreeing: Counter[tuple[str, str]] = Counter()
    in_titles: Counter[tuple[str, str]] = Counter()
    agreeing_in_titles: Counter[tuple[str, str]] = Counter()
    for reading in corpus.readings:
        places = {(f.attribute, f.form, f.value or "", line.title) for line in reading.lines for f in line.known}
        for attribute, form, value in {place[:3] for place in places}:
            if cell := reading.table.get(attribute):
                agrees = corpus.agrees(attribute, value, cell)
                filled[attribute, form] += 1
                agreeing[attribute, form] += agrees
                if (attribute, form, value, True) in places:
                    in_titles[attribute, form] += 1
                    agreeing_in_titles[attribute, form] += agrees
    found: Candidates = {}
    for (attribute, value), forms in corpus.known.items():
        for form in forms:
            key = attribute, corpus.folder.fold(form)
            titles = None
            if in_titles[key] >= corpus.thresholds.support:
                titles = round(agreeing_in_titles[key] / in_titles[key], 3)
            share = agreeing[key] / filled[key] if filled[key] else 0.0
            found[attribute, value, form] = FormStats(filled[key], round(share, 3), titles)
    return found


def mine_contained(corpus: Corpus) -> Candidates:
    """Words for values that are a part of longer ones: where the cell has Pure Cotton, "cotton" is its value too."""
    split = corpus.folder.split
    found: Candidates = {}
    occurrences: Counter[tuple[str, str, str]] = Counter()
    for reading in corpus.readings:
        occurrences.update(
            {
                (f.attribute, f.value or "", v)
                for line in reading.lines
                for f in line.known
                for v in reading.table.get(f.attribute, ())
            }
        )
    for attribute, part, whole in occurrences:
        # A part that only the schema knows has no forms of its own.
        for form in corpus.known.get((attribute, part), (part,)) if part != whole else ():
            one, other = split(form), split(whole)
            # Of the longer value it is the beginning or the end.
            if 0 < len(one) < len(other) and one in (other[: len(one)], other[-len(one) :]):
                found[attribute, whole, form.lower()] = FormStats(occurrences[attribute, part, whole], 1.0)
    return found


def mine_resembling(corpus: Corpus) -> Candidates:
    """Forms that share a telling word with a value, and stand in texts where the cell has it."""
    resembling = _Resembling(corpus)
    occurrences: Counter[tuple[str, str]] = Counter()
    agreeing: Counter[tuple[str, str]] = Counter()
    by_value: Counter[tuple[str, str, str]] = Counter()
    forms: dict[tuple[str, str], tuple[WordForm, str]] = {}
    for reading in corpus.readings:
        spelled: dict[WordForm, str] = {}  # each form of a product once, in its first spelling
        for line in reading.lines:
            for form, surface in resembling.find(line):
                spelled.setdefault(form, surface)
        for form, surface in spelled.items():
            if cell := reading.table.get(form.attribute):
                key = form.attribute, form.folded
                forms.setdefault(key, (form, surface))
                occurrences[key] += 1
                hits = [v for v in cell if v in form.values]
                agreeing[key] += bool(hits)
                by_value.update((*key, v) for v in hits)
    limits = corpus.thresholds
    found: Candidates = {}
    for key, (form, surface) in forms.items():
        precision = agreeing[key] / occurrences[key]
        lift = precision / max(corpus.base_rate(form.attribute, form.values), 1e-9)
        if occurrences[key] >= limits.support and precision >= limits.suggested and lift >= limits.lift:
            for value in form.values:
                if by_value[(*key, value)]:
                    found[form.attribute, value, surface] = FormStats(occurrences[key], round(precision, 3))
    return found


class _Resembling:
    """Runs of words that resemble a value of some attribute, and are not explained by a known value."""

    def __init__(self, corpus: Corpus) -> None:
        self.begins: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        """telling word -> attribute -> the values of several words that have it"""
        self.heads: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        """last word -> attribute -> the values of several words that end with it"""
        self.kin: defaultdict[str, set[tuple[str, str, str]]] = defaultdict(set)
        """first letters -> (word, attribute, value) of the values of one word"""
        self.common = {name: corpus.index.common(name) for name in corpus.options}
        self.last: dict[tuple[str, str], str] = {}
        for name, values in corpus.options.items():
            for value in values:
                words = corpus.folder.split(value)
                self.last[name, value] = words[-1] if words else ""
                if len(words) == 1:
                    self.kin[words[0][:KIN]].add((words[0], name, value))
                elif words and words[-1] not in self.common[name]:
                    self.heads[words[-1]][name].add(value)
                for word in words if len(words) > 1 else ():
                    if word.isalnum() and word not in self.common[name]:
                        self.begins[word][name].add(value)

    def find(self, line: Line) -> Iterator[tuple[WordForm, str]]:
        for first, word in enumerate(line.words):
            if word.known is None and word.folded.isalpha():
                yield from self._single(line, word)
                for last in range(first + 1, min(first + LONGEST, len(line.words))):
                    if line.words[last].known is not None or not line.words[last].folded.isalpha():
                        break
                    yield from self._run(line, line.words[first : last + 1])

    def _single(self, line: Line, word: Word) -> Iterator[tuple[WordForm, str]]:
        surface = line.text[word.start : word.end].lower()
        for attribute, values in self.heads.get(word.folded, {}).items():
            yield WordForm(attribute, word.folded, tuple(sorted(values))), surface
        kin: defaultdict[str, list[str]] = defaultdict(list)
        for other, attribute, value in self.kin.get(word.folded[:KIN], ()):
            shared = ceil(max(KIN, 0.6 * max(len(word.folded), len(other))))
            if other != word.folded and other[:shared] == word.folded[:shared]:
                kin[attribute].append(value)
        for attribute, related in kin.items():
            yield WordForm(attribute, word.folded, tuple(sorted(related))), surface

    def _run(self, line: Line, words: list[Word]) -> Iterator[tuple[WordForm, str]]:
        """Several words that begin with a telling word of a value and end as it does, or as many values do."""
        head = words[-1].folded
        for attribute, values in self.begins.get(words[0].folded, {}).items():
            ends_alike = {v for v in values if self.last[attribute, v] == head and words[0].folded != head}
            related = values if head in self.common[attribute] else ends_alike
            if related:
                folded = "".join(w.folded for w in words)
                surface = line.text[words[0].start : words[-1].end].lower()
                yield WordForm(attribute, folded, tuple(sorted(related))), surface
