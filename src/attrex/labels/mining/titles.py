"""Forms that stand in a title where the value is expected, and whose own word the title lacks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from attrex.labels.mining.corpus import Corpus, Line, ScannedText, Word
from attrex.labels.mining.synonyms import Candidates
from attrex.vocabulary.lexicon import FormStats

SLOT = 0.5
"""Share of the values between the same neighbours that must be of the attribute."""
Slot = tuple[str, str]
"""What stands before and after: an attribute, "?" for a word that is no known value, "" for the title's end."""


def mine_titles(corpus: Corpus) -> Candidates:
    """Words in an attribute's slot that stand for one value: where the cell has Caps, titles end in "beanie".

    Only titles count that lack the cell's own word, for a form replaces it; and wherever else it stands, the cell
    should have that value too. A word that tells more of another attribute's cell (the name of one brand's model) is
    left out.
    """
    slots = _learn_slots(corpus)
    replaces: Counter[tuple[str, str, str]] = Counter()
    spelled: dict[str, str] = {}
    for reading in corpus.readings:
        for attribute, form, surface in set(_unexplained(corpus, reading, slots)):
            spelled.setdefault(form, surface)
            replaces.update((attribute, value, form) for value in reading.table[attribute])
    wanted = {key for key, n in replaces.items() if n >= corpus.thresholds.support}
    stats = _titles_with(corpus, {form for _, _, form in wanted})
    found: Candidates = {}
    for attribute, value, form in wanted:
        shares = stats[form]
        support, precision, lift = shares[attribute, value]
        others = [
            t.lift for (a, _), t in shares.items() if a != attribute and t.precision >= corpus.thresholds.accepted
        ]
        if precision >= corpus.thresholds.suggested and max(corpus.thresholds.lift, *others, 0) <= lift:
            found[attribute, value, spelled[form]] = FormStats(support, round(precision, 3))
    return found


def _learn_slots(corpus: Corpus) -> dict[Slot, str]:
    """The attribute that is usual between two neighbours in titles, by the cells' own words."""
    counts: defaultdict[Slot, Counter[str]] = defaultdict(Counter)
    for reading in corpus.readings:
        for line in reading.lines:
            labels = _slot_labels(line, reading) if line.title else []
            for i, label in enumerate(labels):
                if label != "?":
                    counts[_around(labels, i)][label] += 1
    usual = {slot: c.most_common(1)[0] for slot, c in counts.items()}
    return {slot: name for slot, (name, n) in usual.items() if n >= SLOT * counts[slot].total()}


def _slot_labels(line: Line, reading: ScannedText) -> list[str]:
    """One label per unit of a title: the attribute of a known value that the cell has, else "?"."""
    table = reading.table
    return [
        w.known.attribute if w.known is not None and w.known.value in table.get(w.known.attribute, ()) else "?"
        for w in _units(line)
    ]


def _units(line: Line) -> list[Word]:
    """The words of a title, one for each known value of several words."""
    words = line.words
    return [w for i, w in enumerate(words) if w.known is None or not i or words[i - 1].known is not w.known]


def _around(labels: list[str], i: int) -> Slot:
    return labels[i - 1] if i else "", labels[i + 1] if i + 1 < len(labels) else ""


def _unexplained(corpus: Corpus, reading: ScannedText, slots: dict[Slot, str]) -> Iterator[tuple[str, str, str]]:
    """(attribute, folded, surface) of the single words that stand in the slot of an attribute the title lacks."""
    for line in reading.lines:
        labels = _slot_labels(line, reading) if line.title else []
        for i, word in enumerate(_units(line) if line.title else ()):
            attribute = slots.get(_around(labels, i))
            if (
                word.known is None
                and word.folded.isalpha()
                and attribute is not None
                and reading.table.get(attribute)
                and attribute not in labels
            ):
                yield attribute, word.folded, line.text[word.start : word.end].lower()


class _TitleForm(NamedTuple):
    """What saying a form tells of a cell."""

    support: int  #: products with a filled cell whose text has the form
    precision: float  #: share of them whose cell has the value
    lift: float  #: the same, as a multiple of the share in all products


def _titles_with(corpus: Corpus, forms: set[str]) -> dict[str, dict[tuple[str, str], _TitleForm]]:
    """form -> (attribute, value) -> what the form tells of it."""
    filled: defaultdict[str, Counter[str]] = defaultdict(Counter)
    cells: defaultdict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for reading in corpus.readings:
        for form in {w.folded for line in reading.lines for w in line.words} & forms:
            filled[form].update(a for a, cell in reading.table.items() if cell)
            cells[form].update((a, value) for a, cell in reading.table.items() for value in cell)
    out: dict[str, dict[tuple[str, str], _TitleForm]] = {}
    for form, counts in cells.items():
        shares = {key: n / filled[form][key[0]] for key, n in counts.items()}
        out[form] = {
            (a, v): _TitleForm(filled[form][a], share, share / corpus.base_rate(a, [v]))
            for (a, v), share in shares.items()
        }
    return out
