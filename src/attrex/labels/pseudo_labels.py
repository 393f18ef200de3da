"""What a trained model read in the cells that a table leaves unknown: soft labels for the next one to learn from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from attrex.shop.schema import Schema
from attrex.types import CellState, Prediction, Product, Span


class PseudoLabels(NamedTuple):
    """What may be thought of a product's unknown cells."""

    labels: list[tuple[Span, float]]  #: values that nobody labelled, with their confidence
    uncertain: list[Span]  #: words that may be a value or not
    scores: dict[str, float]  #: attribute -> range score of a cell without a located value


class Teacher:
    """The finds of a model in the products it was trained on.

    ``predictions`` are made with S_thr = ``low``: an attribute that is not in their range cannot have a find whose
    confidence is above it. A find counts as a label from ``high`` on, as none up to ``low``, as in doubt in between.
    """

    def __init__(self, predictions: Iterable[Prediction], schema: Schema, *, high: float, low: float) -> None:
        self.schema, self.high, self.low = schema, high, low
        readings = [p for p in predictions if p.error is None]
        times = Counter(p.id for p in readings)
        # An id that comes twice does not tell whose reading it is: such products keep their mentions.
        self._read = {p.id: p for p in readings if times[p.id] == 1}

    def pseudo_label(self, product: Product, mentions: Sequence[Span]) -> PseudoLabels:
        """Sort finds and ``mentions`` (:meth:`Mentions.unknown`) by the teacher's confidence.

        What is labelled or known to be absent stands; a mention where nothing was found stays in doubt as long as the
        attribute itself is.
        """
        read = self._read.get(product.id)
        if read is None or product.complete:
            return PseudoLabels([], list(mentions), {})
        placed = [(v.source, v.confidence) for v in read.values if v.source is not None]
        finds = [(span, confidence) for span, confidence in placed if self._counts(product, span)]
        labels = [(span, confidence) for span, confidence in finds if confidence >= self.high]
        uncertain = [span for span, confidence in finds if self.low < confidence < self.high]
        uncertain += [
            m
            for m in mentions
            if read.range.get(m.attribute, 0.0) > self.low and not any(_meet(m, f) for f, _ in finds)
        ]
        open_states = (CellState.BLANK, CellState.NOT_LOCATED)
        scores = {a: s for a, s in read.range.items() if self.schema.cell_state(product, a) in open_states}
        return PseudoLabels(labels, uncertain, {a: s for a, s in scores.items() if s > self.low})

    def _counts(self, product: Product, find: Span) -> bool:
        """Whether a find says anything new; its product may have been given another text since."""
        same_text = product.fields.get(find.field, "")[find.start : find.end] == find.text
        known = self.schema.cell_state(product, find.attribute) == CellState.ABSENT
        labelled = any(s.field == find.field and s.start < find.end and find.start < s.end for s in product.spans or ())
        return same_text and not known and not labelled


def _meet(mention: Span, find: Span) -> bool:
    same = (mention.attribute, mention.field) == (find.attribute, find.field)
    return same and mention.start < find.end and find.start < mention.end
