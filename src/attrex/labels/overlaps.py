"""Which of a text's matches become labels where several claim the same words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from attrex.labels.matching import Match
from attrex.vocabulary.matcher import longest_first


class Contest(NamedTuple):
    """Words that two attributes claim."""

    match: Match  #: the claim that lost, or that shares the words where the policy keeps both
    winner: str  #: the attribute that has them


def settle_overlaps(matches: Iterable[Match], overlap: str) -> tuple[list[Match], list[Contest]]:
    """The matches that stay, from left to right, and the words that two attributes claimed.

    Where the cells of two attributes have the same value, the words that say it are both's: "mahogany" is the material
    of the body and of the back.

    :param overlap: "longest", "priority" (the attribute's rank comes before the length) or "keep" (one per attribute)
    """

    def order(m: Match) -> tuple[Any, ...]:
        length = m.start - m.end
        return (m.source != "heading", *((m.rank, length) if overlap == "priority" else (length, m.rank)), m.start)

    ranked = sorted(matches, key=order)
    kept = longest_first(ranked, key=lambda m: m.attribute if overlap == "keep" else "", order=order)
    if overlap != "keep":
        own = {_cell(m): m.attribute for m in kept if m.source == "table"}
        of_both = (
            m for m in dict.fromkeys(ranked) if m.source == "table" and own.get(_cell(m)) not in (None, m.attribute)
        )
        kept += list({(m.attribute, m.start): m for m in of_both}.values())
    owner: dict[tuple[int, int], str] = {}
    contests = []
    unclaimed = set(kept)
    for m in ranked:
        winner = owner.get((m.start, m.end), m.attribute)
        if winner != m.attribute:
            contests.append(Contest(m, winner))
        if m in unclaimed:
            owner.setdefault((m.start, m.end), m.attribute)
    return sorted(kept, key=lambda m: (m.start, m.end, m.rank)), contests


def _cell(match: Match) -> tuple[int, int, str]:
    return match.start, match.end, (match.value or "").casefold()
