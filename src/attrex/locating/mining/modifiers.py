"""Modifiers: words that belong to the value they stand before, as "royal" does in "royal blue"."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from attrex.locating.lexicon import Evidence
from attrex.locating.mining.corpus import Corpus, Line, Word

MODIFIED = 0.1
"""Share of an attribute's values that must be another value with a word before it (navy blue ~ blue)."""
BEFORE = 0.4
"""Share of the lines with a modifier in which it stands right before a value."""


def mine_modifiers(corpus: Corpus) -> dict[str, dict[str, Evidence]]:
    """attribute -> words that mostly stand right before its values, and are no value of another attribute.

    Only attributes count whose table itself tells modified values apart. Every line counts once however many products
    repeat it, for "wash dark colours separately" says nothing of "dark"; titles do not, where names of models stand
    before the values.
    """
    attributes = [name for name in corpus.options if _modified(corpus, name) >= MODIFIED]
    lines = {line.text: line for reading in corpus.readings for line in reading.lines if not line.title}
    said: Counter[str] = Counter()
    before: Counter[tuple[str, str]] = Counter()
    spelled: dict[str, str] = {}
    for line in lines.values():
        said.update({w.folded for w in line.words})
        for attribute, word in _before(line):
            before[attribute, word.folded] += 1
            spelled.setdefault(word.folded, line.text[word.start : word.end].lower())
    found: dict[str, dict[str, Evidence]] = defaultdict(dict)
    for (attribute, folded), n in before.most_common():
        share = n / said[folded]
        if attribute in attributes and n >= corpus.thresholds.support and share >= BEFORE:
            found[attribute][spelled[folded]] = Evidence(n, round(share, 3))
    return found


def _modified(corpus: Corpus, attribute: str) -> float:
    """Share of the attribute's values that are one word and another value."""
    values = [corpus.folder.split(v) for v in corpus.options[attribute]]
    whole = {"".join(words) for words in values}
    return sum(len(words) > 1 and "".join(words[1:]) in whole for words in values) / len(values)


def _before(line: Line) -> Iterator[tuple[str, Word]]:
    """(attribute, word) of the words right before its values, each once, but for values of other attributes."""
    index = {word.start: i for i, word in enumerate(line.words)}
    seen = set()
    for value in line.known:
        word = line.words[index[value.start] - 1] if index[value.start] else None
        free = word is not None and (word.known is None or word.known.attribute == value.attribute)
        if word is not None and free and word.folded.isalpha() and (value.attribute, word.folded) not in seen:
            seen.add((value.attribute, word.folded))
            yield value.attribute, word
