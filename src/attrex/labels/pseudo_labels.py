"""Pseudo-labels: what another model read in the cells that a table leaves unknown, for a student to learn from.

The teacher is a file of predictions: of a bigger model, of a language model, of the same model trained before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

from attrex.shop.schema import Schema
from attrex.types import CellState, Prediction, Product, Span, Value


class PseudoLabels(NamedTuple):
    """What a teacher says of a product's unknown cells."""

    labels: list[tuple[Span, float]]  #: values that nobody labelled, with their confidence
    uncertain: list[Span]  #: words that may be a value or not
    scores: dict[str, float]  #: attribute -> range score of a cell without a located value


@dataclass
class TeacherCounts:
    """What a teacher's predictions bring to the training products."""

    products: int = 0  #: with predictions
    without: int = 0  #: without predictions, or with an id that comes twice
    labels: int = 0
    uncertain: int = 0
    changed: int = 0  #: finds that the product's text no longer says
    other_attributes: int = 0  #: finds of attributes that the schema does not have

    def to_json(self) -> dict[str, int]:
        return asdict(self)

    def render(self) -> str:
        """One sentence, and what was left out."""
        left_out = (
            (self.without, "products have no prediction"),
            (self.changed, "predicted values left out: the product's text does not say them"),
            (self.other_attributes, "predicted values left out: the schema does not have their attribute"),
        )
        return "; ".join(
            [
                f"teacher: {self.labels:,} pseudo-labels and {self.uncertain:,} uncertain values in "
                f"{self.products:,} products",
                *(f"{number:,} {what}" for number, what in left_out if number),
            ]
        )


class Teacher:
    """Predictions for the training products, matched by id, as pseudo-labels.

    A predicted value is a label from ``high`` on, none up to ``low``, and uncertain in between. Of an attribute that a
    prediction's range leaves out, the teacher says that there is no value: predict with S_thr = ``low`` to hear of all
    uncertain ones. A teacher without any range scores, such as a language model, says so of no attribute.
    """

    def __init__(self, predictions: Iterable[Prediction], schema: Schema, *, high: float, low: float) -> None:
        self.schema, self.high, self.low = schema, high, low
        readable = [p for p in predictions if p.error is None]
        times = Counter(p.id for p in readable)
        # An id that comes twice does not say which product is meant: such products keep their mentions.
        self._predictions = {p.id: p for p in readable if times[p.id] == 1}
        self._scored = any(p.range for p in readable)

    def pseudo_label(self, product: Product, mentions: Sequence[Span]) -> PseudoLabels:
        """Sort predicted values and ``mentions`` (:meth:`UnlabelledMentions.unknown`) by the teacher's confidence.

        What is labelled or known to be absent stands; a mention without a predicted value stays uncertain as long as
        the attribute itself is.
        """
        found = self._predictions.get(product.id)
        if found is None or product.complete:
            return PseudoLabels([], list(mentions), {})
        values = [v for v in found.values if self._is_news(product, v)]
        labels = [(v.source, v.confidence) for v in values if v.source and v.confidence >= self.high]
        uncertain = [v.source for v in values if v.source and self.low < v.confidence < self.high]
        uncertain += [
            m
            for m in mentions
            if (not self._scored or found.range.get(m.attribute, 0.0) > self.low)
            and not any(v.source and _overlap(m, v.source) for v in values)
        ]
        return PseudoLabels(labels, uncertain, dict(self._range_scores(product, found, values)))

    def count(self, products: Iterable[Product]) -> TeacherCounts:
        """What :meth:`pseudo_label` makes of the training products."""
        counts, names = TeacherCounts(), {*self.schema.names}
        for product in products:
            found = self._predictions.get(product.id)
            counts.products += found is not None
            counts.without += found is None
            if found is None:
                continue
            counts.changed += sum(v.source is not None and not _says(product, v.source) for v in found.values)
            counts.other_attributes += sum(v.attribute not in names for v in found.values)
            pseudo = self.pseudo_label(product, [])
            counts.labels += len(pseudo.labels)
            counts.uncertain += len(pseudo.uncertain)
        return counts

    def fingerprint(self) -> str:
        """What a training depends on of the predictions."""
        found = self._predictions.values()
        return repr(
            [(p.id, [(v.attribute, v.value, v.key, v.confidence) for v in p.values], dict(p.range)) for p in found]
        )

    def _is_news(self, product: Product, value: Value) -> bool:
        """Whether a value is in the text and where nothing is labelled, of an attribute that may have one."""
        span = value.source
        if span is None or not _says(product, span) or value.attribute not in self.schema.names:
            return False
        if value.attribute in product.reviewed:
            return False
        known = self.schema.cell_state(product, value.attribute) == CellState.ABSENT
        return not known and not any(
            s.field == span.field and s.start < span.end and span.start < s.end for s in product.spans or ()
        )

    def _range_scores(
        self, product: Product, found: Prediction, values: Sequence[Value]
    ) -> Iterator[tuple[str, float]]:
        """Of the cells without a located value; where the teacher gives none, the confidence of its best value."""
        scores = found.range
        if not self._scored:
            scores = {a: max(v.confidence for v in values if v.attribute == a) for a in {v.attribute for v in values}}
        for attribute, score in scores.items():
            state = self.schema.cell_state(product, attribute)
            unknown = state in (CellState.BLANK, CellState.NOT_LOCATED) and attribute not in product.reviewed
            if score > self.low and unknown:
                yield attribute, score


def _says(product: Product, span: Span) -> bool:
    return product.fields.get(span.field, "")[span.start : span.end] == span.text


def _overlap(mention: Span, span: Span) -> bool:
    same = (mention.attribute, mention.field) == (span.attribute, span.field)
    return same and mention.start < span.end and span.start < mention.end
