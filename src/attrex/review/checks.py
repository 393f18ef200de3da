"""What a person may say: names, and values that go with a verdict."""

from __future__ import annotations

from collections.abc import Sequence

from attrex.errors import DataError, short
from attrex.filling.fill import cell_text
from attrex.review.cells import Verdict
from attrex.shop.cells import BLANK_MARKERS, marker

LONGEST_NAME, LONGEST_VALUE, MOST_VALUES = 200, 1000, 100
"""Characters of a reviewer's name and of a value that a person writes; values of a cell."""


def checked_reviewer(name: str) -> str:
    """A reviewer's name; raises :class:`DataError` for none."""
    if not isinstance(name, str) or not cell_text(name) or len(name) > LONGEST_NAME:
        raise DataError(
            f"reviewer should be a name of 1 to {LONGEST_NAME} characters, got {short(name)}; say who decides"
        )
    return cell_text(name)


def checked_values(
    verdict: Verdict, values: Sequence[str], proposal: tuple[str, ...]
) -> tuple[Verdict, tuple[str, ...] | None]:
    """The verdict, and what the cell has by it: empty where it has none, None where that is not known.

    A correction to what is proposed is to accept it. Raises :class:`DataError` for values that do not go with it.
    """
    if isinstance(values, str):
        raise DataError(f"values should be a list of texts, got the text {short(values)}; put it into a list")
    if verdict != Verdict.CORRECT:
        if values:
            raise DataError(f"values go with the verdict correct, got {short(list(values))} with {verdict.value}")
        if verdict == Verdict.ACCEPT:
            return verdict, proposal
        return verdict, () if verdict == Verdict.DOES_NOT_APPLY else None
    said = tuple(dict.fromkeys(map(_checked_value, values)))
    if not 1 <= len(said) <= MOST_VALUES:
        raise DataError(
            f"the verdict correct needs 1 to {MOST_VALUES} values, got {len(said)}; if the product has none, the "
            "verdict is does_not_apply"
        )
    return (Verdict.ACCEPT if set(said) == set(proposal) else verdict), (
        proposal if set(said) == set(proposal) else said
    )


def _checked_value(value: str) -> str:
    if not isinstance(value, str):
        raise DataError(f"a value should be text, got {short(value)}")
    said = cell_text(value)
    if not said or len(said) > LONGEST_VALUE or marker(said) in map(marker, BLANK_MARKERS):
        raise DataError(
            f"a value should be text of 1 to {LONGEST_VALUE} characters that is no marker of blank cells, got "
            f"{short(value)}; if the product has none, the verdict is does_not_apply"
        )
    return said
