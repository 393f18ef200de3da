"""What counts as a table value in a text: the choices of :mod:`attrex.labels.labeler`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from attrex.errors import ConfigError, short


@dataclass(frozen=True)
class LabelPolicy:
    """What counts as a table value in a text, and what happens when two values claim the same words.

    Raises :class:`ConfigError` on a choice that does not exist.
    """

    ignore_case: bool = True
    fold_inflection: bool = True  #: English singular ~ plural (dress ~ dresses), possessive (Men's ~ Men)
    hyphen_is_space: bool = True  #: "crew-neck" ~ "crew neck"
    join_words: bool = True  #: "t shirt" ~ "tshirt", and "t-shirt" too where a hyphen is a space
    aliases: bool = True  #: use word forms and aliases: of the languages, the shop, its schema
    word_boundaries: bool = True  #: whole words only (Chinese, Japanese, Korean: whole characters); else any characters
    min_length: int = 2  #: shorter values are not searched, in characters (CJK values always are)
    occurrences: str = "all"  #: "all", or only the "first" of each value
    overlap: str = "longest"  #: who gets overlapping words: "longest", "priority" (attribute order first), "keep" both
    priority: tuple[str, ...] = ()  #: attributes, strongest first; the others follow in the order of schema or table
    negations: tuple[str, ...] | None = None
    """behind one of these, up to the next , ; . or line, a text names no value; None: those of the languages"""
    headings: bool = True  #: "Fit: Regular": the heading names the attribute, what stands under it is its value
    composition: tuple[str, ...] = ("Material", "Fabric")  #: attributes whose values stand behind percentages
    mined_forms: bool = True  #: use the forms of a lexicon
    whole_phrases: bool = True  #: a lexicon's modifiers and longer values belong to a value: "royal blue", not "blue"
    titles: bool = True  #: what a title says counts as its cell does, if the cell is blank or its word not in the title
    blank_cells: bool = True  #: label blank cells with what texts say
    trust: float = 0.8  #: a lexicon's form is believed in titles and blank cells if filled cells agree so often, 0..1

    def __post_init__(self) -> None:
        choices = {
            "occurrences": ("all", "first"),
            "overlap": ("longest", "priority", "keep"),
        }
        if not 0 <= self.trust <= 1:
            raise ConfigError(f"labels: trust should be a share from 0 to 1, such as 0.8, not {short(self.trust)}")
        for key, known in choices.items():
            if getattr(self, key) not in known:
                raise ConfigError(f"labels: {key} should be one of {', '.join(known)}, not {short(getattr(self, key))}")

    def composed(self, attributes: Iterable[str]) -> str | None:
        """Of the attributes the one whose values stand in compositions, in any case; None: none of them."""
        there = {name.casefold(): name for name in attributes}
        return next((there[name.casefold()] for name in self.composition if name.casefold() in there), None)


DEFAULT_POLICY = LabelPolicy()
