"""The screen of `attrex lexicon`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from attrex.cli.screens.figures import Figures

if TYPE_CHECKING:
    from attrex.labels.lexicon_review import LexiconReview


def lexicon_screen(review: LexiconReview, everything: bool = False) -> Group:
    """How many forms a model judged, and those that change their section."""
    rows = [
        [form.attribute, form.value, form.form, section, f"{stats.precision:.0%}", f"{stats.by_model:.0%}"]
        for section, moved in (("accepted", review.promoted), ("suggested", review.demoted))
        for form, stats in moved.items()
    ]
    counts = f"{len(review.promoted):,} are accepted now, {len(review.demoted):,} only suggested"
    headings = ("attribute", "value", "form", "now", "cells\nagree", "model\nreads it")
    return Group(
        Text(f"{review.judged:,} forms were judged: {counts}."),
        *([Figures("Forms that move", headings, rows, everything, names=4, what="forms")] if rows else []),
    )
