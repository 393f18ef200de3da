"""Marks to spans: offsets counted in characters, UTF-16 units or bytes, a line end as one or two; proved, or told.

A file that says the words of its marks is believed where they stand. One that does not is read as its tool counts,
unless marks begin and end at words only if they are counted otherwise.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cache

from attrex.io.annotations.documents import AnnotationReport, Document, Mark
from attrex.types import Span

UNITS: dict[str, Callable[[str], int]] = {
    "characters": lambda c: 1,
    "utf-16": lambda c: 2 if c > "\uffff" else 1,
    "bytes": lambda c: len(c.encode("utf-8", "surrogatepass")),
}
"""How offsets are counted -> what one character counts. Behind `+lf` the two characters of a line end count as one."""
WAYS = tuple(f"{unit}{lf}" for lf in ("", "+lf") for unit in UNITS)
_CLAUSE_ENDS = ",;:.!?，；。、"
_CJK = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\U00020000-\U0003ffff]")


def boundaries(text: str, way: str) -> dict[int, int]:
    """Offset, counted in one of :data:`WAYS` -> character; what lies within a character is none."""
    unit, _, lf = way.partition("+")
    size, at, found = UNITS[unit], 0, {}
    for i, character in enumerate(text):
        found[at] = i
        if not (lf and character == "\r" and text[i + 1 : i + 2] == "\n"):
            at += size(character)
    found[at] = len(text)
    return found


def in_units(text: str, offset: int, way: str) -> int:
    """A character's offset as one of :data:`WAYS` counts it."""
    unit, _, lf = way.partition("+")
    before = text[:offset]
    return sum(map(UNITS[unit], before)) - (before.count("\r\n") * UNITS[unit]("\n") if lf else 0)


def spans_of(
    documents: Sequence[Document], usual: Sequence[str], report: AnnotationReport, way: str | None = None
) -> list[tuple[tuple[Span, ...] | None, tuple[str, ...]]]:
    """The spans of every document, and warnings of those that were changed or lost.

    None: nobody has looked, or none of the marks is where its text says it: that nothing is there would be untrue.

    :param usual: how the offsets of the file's tool may be counted, the usual way first.
    :param way: one of :data:`WAYS` to count all offsets in; None: the one that fits.
    """
    ways = (way,) if way else tuple(dict.fromkeys((*usual, *WAYS)))
    unproved = way or _best_way([d for d in documents if d.marks], tuple(usual), report)
    return [_of_document(d, ways, unproved, report) for d in documents]


def _best_way(documents: Iterable[Document], usual: Sequence[str], report: AnnotationReport) -> str:
    """How a file counts whose marks do not say their words: as most marks begin and end at words."""
    score: Counter[str] = Counter(dict.fromkeys(usual, 0))
    told = 0
    for document in documents:
        places = {way: boundaries(document.text, way) for way in usual}
        for mark in document.marks or ():
            at = {way: (p.get(mark.start), p.get(mark.end)) for way, p in places.items()}
            if mark.text is None and len(set(at.values())) > 1:
                told += 1
                for way, (start, end) in at.items():
                    if start is not None and end is not None and start < end:
                        score[way] += _is_whole(document.text, start, end)
    best = max(usual, key=lambda way: (score[way], way == usual[0]))
    if told:
        others = ", ".join(f"{score[w]} as {w}" for w in usual if w != best)
        report.remarks.append(
            f"offsets are counted in {best}: of {told} marks behind an emoji or a line end, {score[best]} are whole "
            f"words then ({others}); say otherwise with offsets"
        )
    return best


def _of_document(
    document: Document, ways: Sequence[str], unproved: str, report: AnnotationReport
) -> tuple[tuple[Span, ...] | None, tuple[str, ...]]:
    report.documents += 1
    if document.marks is None:
        return None, document.warnings
    text, warnings, spans = document.text, list(document.warnings), []
    places = cache(lambda way: boundaries(text, way))
    said = [mark for mark in document.marks if mark.text is not None]
    fits = [way for way in ways if all(_place(text, m, places(way)) for m in said)]
    way = unproved if not said else fits[0] if fits else ways[0]
    if said and way != ways[0]:
        report.units[way] += 1
    before = Counter(report.counts)
    for mark in document.marks:
        place = _place(text, mark, places(way)) or _elsewhere(text, mark, report)
        if place is None:
            report.counts["lost"] += 1
            got = (
                "beyond the text" if mark.end not in places(way) else repr(text[places(way).get(mark.start, 0) :][:40])
            )
            warnings.append(
                f"{mark.label}: expected {mark.text!r:.60} at {mark.start}:{mark.end}, got {got}; this span is left out"
            )
            continue
        start, end = _whole(text, *place, report)
        spans.append(Span(mark.label, start, end, text[start:end], document.field, mark.value))
    spans = list(dict.fromkeys(spans))
    report.spans += len(spans)
    report.counts["overlapping"] += overlapping(spans)
    warnings += [
        f"{n - before[what]} spans {told}"
        for what, told in (("trimmed", "trimmed of spaces"), ("widened", "widened to whole words"), ("moved", "moved"))
        if (n := report.counts[what]) > before[what]
    ]
    return tuple(spans) if spans or not document.marks else None, tuple(warnings)


def overlapping(spans: Iterable[Span | Mark]) -> int:
    """How many spans begin within another one, or where it does."""
    ordered, end, found = sorted(spans, key=lambda s: (s.start, -s.end)), -1, 0
    for span in ordered:
        found += span.start < end
        end = max(end, span.end)
    return found


def _place(text: str, mark: Mark, places: dict[int, int]) -> tuple[int, int] | None:
    """Where a mark is, if its offsets lie between characters and the text says its words there."""
    start, end = places.get(mark.start), places.get(mark.end)
    if start is None or end is None or not text[start:end].strip():
        return None
    # Some tools show a line end, or any run of spaces, as one space.
    return (start, end) if mark.text is None or _plain(text[start:end]) == _plain(mark.text) else None


def _plain(text: str) -> str:
    return " ".join(text.split())


def _elsewhere(text: str, mark: Mark, report: AnnotationReport) -> tuple[int, int] | None:
    """The only place that says the words of a mark whose offsets do not fit."""
    if not mark.text or not mark.text.strip():
        return None
    found = [m.span() for m in re.finditer(r"\s+".join(map(re.escape, mark.text.split())), text)]
    whole = [place for place in found if _is_whole(text, *place)]
    places = whole or found
    if len(places) != 1:
        return None
    report.counts["moved"] += 1
    return places[0]


def _whole(text: str, start: int, end: int, report: AnnotationReport) -> tuple[int, int]:
    """Without spaces at the edges, and with the rest of a word that an edge cuts."""
    trimmed = text[start:end]
    low, high = end - len(trimmed.lstrip()), start + len(trimmed.rstrip())
    report.counts["trimmed"] += (low, high) != (start, end)
    start, end = low, high
    while cuts_word(text, start):
        start -= 1
    while cuts_word(text, end):
        end += 1
    report.counts["widened"] += (start, end) != (low, high)
    return start, end


def _is_whole(text: str, start: int, end: int) -> bool:
    said = text[start:end]
    plain = said == said.strip() and said[0] not in _CLAUSE_ENDS and said[-1] not in _CLAUSE_ENDS
    return plain and not cuts_word(text, start) and not cuts_word(text, end)


def cuts_word(text: str, at: int) -> bool:
    """Whether a place lies between two letters, or two digits, of one word; scripts without spaces have none."""
    before, after = text[at - 1 : at], text[at : at + 1]
    alike = (before.isalpha() and after.isalpha()) or (before.isdigit() and after.isdigit())
    return alike and not _CJK.match(before) and not _CJK.match(after)
