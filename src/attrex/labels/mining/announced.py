"""What headings and percentages announce: the headings themselves, and the words behind them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from attrex.characters import without_symbols, word_of
from attrex.labels.headings import compositions, key_value_lines
from attrex.labels.matching import VALUE_WORDS
from attrex.labels.mining.corpus import Corpus, ScannedText
from attrex.labels.mining.synonyms import Candidates
from attrex.vocabulary.folding import FoldedText
from attrex.vocabulary.index import PART, PHRASE
from attrex.vocabulary.lexicon import FormStats

SEEN_OFTEN = 10
"""Products that must have a heading before it is one."""


def mine_headings(corpus: Corpus) -> dict[str, dict[str, FormStats]]:
    """attribute -> headings: short lines and keys under which short lines agree with the attribute's cell."""
    tries: Counter[tuple[str, str]] = Counter()
    hits: Counter[tuple[str, str]] = Counter()
    spelled: dict[str, str] = {}
    for reading in corpus.readings:
        for heading, content in _announced(reading):
            key = corpus.folder.fold(heading)
            spelled.setdefault(key, heading.lower())
            for attribute, cell in reading.table.items():
                if cell:
                    tries[attribute, key] += 1
                    hits[attribute, key] += corpus.index.agreeing(attribute, content, cell) is not None
    best: dict[str, tuple[float, str]] = {}
    for (attribute, key), n in tries.items():
        share = hits[attribute, key] / n
        known = key in corpus.index.headings or _names_a_value(corpus, spelled[key])
        if n >= SEEN_OFTEN and share >= corpus.thresholds.heading and not known:
            best[key] = max(best.get(key, (0.0, "")), (share, attribute))
    found: dict[str, dict[str, FormStats]] = defaultdict(dict)
    for key, (share, attribute) in sorted(best.items(), key=lambda item: -tries[item[1][1], item[0]]):
        found[attribute][spelled[key]] = FormStats(tries[attribute, key], round(share, 3))
    return found


def _announced(reading: ScannedText) -> Iterator[tuple[str, str]]:
    """(heading, short content) of everything that looks like a heading."""
    for text in reading.texts:
        for heading, start, end in key_value_lines(text):
            if len(text[start:end].split()) <= VALUE_WORDS:
                yield heading, text[start:end]


def _names_a_value(corpus: Corpus, words: str) -> bool:
    """Whether words name a value themselves: a line such as "Machine wash" is no heading."""
    return bool(corpus.index.known.find(FoldedText(words, corpus.folder)))


def mine_headed(corpus: Corpus, headings: dict[str, dict[str, FormStats]]) -> Candidates:
    """(attribute, value, form): what stands under the headings; the value is "" where the cells do not agree on one.

    A word for another attribute's value is left out.
    """
    announces = dict(corpus.index.headings) | {corpus.folder.fold(h): a for a, forms in headings.items() for h in forms}
    announces |= {corpus.folder.fold(name): name for name in corpus.options}
    occurrences: Counter[tuple[str, str]] = Counter()
    cells: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    spelled: dict[tuple[str, str], str] = {}
    for reading in corpus.readings:
        for heading, content in _announced(reading):
            attribute = announces.get(corpus.folder.fold(heading))
            phrase = _first_phrase(content)
            if attribute is None or not phrase or corpus.folder.fold(phrase) in announces:
                continue
            if not any(c.isdigit() for c in content) and not _names_a_value(corpus, phrase):
                key = attribute, corpus.folder.fold(phrase)
                spelled.setdefault(key, word_of(phrase.lower()))
                occurrences[key] += 1
                cells[key].update(reading.table.get(attribute, ()))
    found: Candidates = {}
    for (name, form), n in occurrences.items():
        if n >= corpus.thresholds.support:
            words = spelled[name, form]
            value, share = _meant(corpus, name, words, cells[name, form])
            found[name, value, words] = FormStats(n, round(share, 3))
    return found


def _first_phrase(content: str) -> str:
    """The first value that stands under a heading; nothing where there is none."""
    found = PHRASE.search(content)
    places = without_symbols(content, *found.span()) if found else iter(())
    return next((content[start:end] for start, end in places), "")


def _meant(corpus: Corpus, attribute: str, phrase: str, cells: Counter[str]) -> tuple[str, float]:
    """The value that a phrase under a heading stands for, and its share of the cells; "" where there is none.

    Under a heading every phrase is a value of the attribute, also where the table has no word for it: the cells' value
    is only meant where it resembles the phrase, or is far more frequent than elsewhere.
    """
    value, hits = cells.most_common(1)[0] if cells else ("", 0)
    share = hits / max(cells.total(), 1)
    alike = corpus.index.agreeing(attribute, phrase, [value]) if value else None
    frequent = cells.total() >= corpus.thresholds.support and share >= corpus.thresholds.lift * corpus.base_rate(
        attribute, [value]
    )
    return value if share >= corpus.thresholds.suggested and (alike or frequent) else "", share


def mine_parts(corpus: Corpus) -> dict[str, dict[str, FormStats]]:
    """attribute -> words that are one of several parts of 100 %, and no known value of the attribute."""
    attribute = corpus.policy.composed(corpus.options)
    if attribute is None:
        return {}
    whole: Counter[str] = Counter()
    occurrences: Counter[str] = Counter()
    spelled: dict[str, str] = {}
    for reading in corpus.readings:
        for text in reading.texts:
            for part in compositions(text, corpus.index.conjunctions):
                words = word_of(text[part.start : part.end])
                known = corpus.index.known.find(FoldedText(words, corpus.folder))
                if len(words.split()) <= PART and not any(f.attribute == attribute for f in known):
                    key = corpus.folder.fold(words)
                    spelled.setdefault(key, words.lower())
                    occurrences[key] += 1
                    whole[key] += part.whole
    kept = [key for key, n in whole.most_common() if n >= corpus.thresholds.support]
    return {
        attribute: {spelled[key]: FormStats(occurrences[key], round(whole[key] / occurrences[key], 3)) for key in kept}
    }
