"""Modifiers: words that belong to the value they stand before, as "royal" does in "royal blue"."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from attrex.labels.mining.corpus import Corpus, Line, Word
from attrex.vocabulary.lexicon import FormStats
from attrex.vocabulary.matcher import LexiconMatch

MODIFIED = 0.1
"""Share of an attribute's values that must be another value with a word before it (navy blue ~ blue)."""
BEFORE = 0.4
"""Share of the lines with a modifier in which it stands right before a value."""
ANY = 0.8
"""A word that stands before so much of an attribute's values, of three at least, modifies none of them: "in black"."""


def mine_modifiers(corpus: Corpus) -> dict[str, dict[str, FormStats]]:
    """attribute -> words that mostly stand right before its values, and are no value of another attribute.

    Only attributes count whose table itself tells modified values apart. Every line counts once however many products
    repeat it, for "wash dark colours separately" tells nothing of "dark"; titles do not, where names of models stand
    before the values.
    """
    attributes = [name for name in corpus.options if _modified(corpus, name) >= MODIFIED]
    own = {
        name: {corpus.folder.split(v)[0] for v in corpus.options[name] if corpus.folder.split(v)} for name in attributes
    }
    lines = {line.text: line for reading in corpus.readings for line in reading.lines if not line.title}
    occurrences: Counter[str] = Counter()
    before: Counter[tuple[str, str]] = Counter()
    spelled: dict[str, str] = {}
    values: defaultdict[str, set[str | None]] = defaultdict(set)  # attribute -> those in the lines
    modified: defaultdict[tuple[str, str], set[str | None]] = defaultdict(set)  # those with the word before them
    for line in lines.values():
        occurrences.update({w.folded for w in line.words})
        for value in line.known:
            values[value.attribute].add(value.value)
        pairs = list(_before(line))
        before.update({(value.attribute, word.folded) for value, word in pairs})
        for value, word in pairs:
            modified[value.attribute, word.folded].add(value.value)
            spelled.setdefault(word.folded, line.text[word.start : word.end].lower())
    found: dict[str, dict[str, FormStats]] = defaultdict(dict)
    for (attribute, folded), n in before.most_common():
        share = n / occurrences[folded]
        of_any = len(modified[attribute, folded]) >= max(3, ANY * len(values[attribute]))
        enough = n >= corpus.thresholds.support and share >= BEFORE
        if attribute in attributes and enough and (not of_any or folded in own[attribute]):
            found[attribute][spelled[folded]] = FormStats(n, round(share, 3))
    return found


def _modified(corpus: Corpus, attribute: str) -> float:
    """Share of the attribute's values that are one word and another value."""
    values = [corpus.folder.split(v) for v in corpus.options[attribute]]
    whole = {"".join(words) for words in values}
    return sum(len(words) > 1 and "".join(words[1:]) in whole for words in values) / len(values)


def _before(line: Line) -> Iterator[tuple[LexiconMatch, Word]]:
    """Values with the word right before them, unless that is a value of another attribute."""
    index = {word.start: i for i, word in enumerate(line.words)}
    for value in line.known:
        place = index.get(value.start, 0)  # a form may begin within a measure
        word = line.words[place - 1] if place else None
        free = word is not None and (word.known is None or word.known.attribute == value.attribute)
        if word is not None and free and word.folded.isalpha():
            yield value, word
