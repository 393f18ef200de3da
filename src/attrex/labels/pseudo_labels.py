"""Pseudo-labels: what another model read in the cells that a table leaves unknown, for a student to learn from.

The teacher is a file of predictions: of a bigger model, of a language model, of the same model trained before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

from attrex.shop.schema import Schema
from attrex.types import CellState, Prediction, Product, Span, Value


class PseudoLabels(NamedTuple):
    """What a teacher says of a product's unknown cells."""

    labels: list[tuple[Span, float]]  #: values that nobody labelled, with their confidence
    uncertain: list[Span]  #: words that may be a value or not
    scores: dict[str, float]  #: attribute -> range score of a cell without a located value
    options: Mapping[str, Mapping[str, float]] = {}
    """attribute -> option that a blank cell has -> how much that counts, said by the text or not"""


@dataclass
class TeacherCounts:
    """What a teacher's predictions bring to the training products."""

    products: int = 0  #: with predictions
    without: int = 0  #: without predictions, or with an id that comes twice
    labels: int = 0
    options: int = 0  #: options of blank cells
    uncertain: int = 0
    changed: int = 0  #: finds that the product's text no longer says
    other_attributes: int = 0  #: finds of attributes that the schema does not have
    unmatched: int = 0  #: finds that the text does not say and that are no option
    muted: int = 0  #: finds of attributes that the teacher is muted for
    unreadable: int = 0  #: rows of the file that are marked

    def to_json(self) -> dict[str, int]:
        return asdict(self)

    def render(self) -> str:
        """One sentence, and what was left out."""
        left_out = (
            (self.without, "products have no prediction"),
            (self.changed, "predicted values left out: the product's text does not say them"),
            (self.other_attributes, "predicted values left out: the schema does not have their attribute"),
            (self.unmatched, "predicted values left out: the text does not say them, and no option is called so"),
            (self.muted, "predicted values left out: the teacher errs on their attribute"),
            (self.unreadable, "rows of the teacher's file could not be read"),
        )
        labels = f"{self.labels:,} pseudo-labels" + (f", {self.options:,} options" if self.options else "")
        return "; ".join(
            [
                f"teacher: {labels} and {self.uncertain:,} uncertain values in {self.products:,} products",
                *(f"{number:,} {what}" for number, what in left_out if number),
            ]
        )


class Teacher:
    """Predictions for the training products, matched by id, as pseudo-labels.

    A predicted value is a label from ``high`` on, none up to ``low``, and uncertain in between. Of an attribute that a
    prediction's range leaves out, the teacher says that there is no value: predict with S_thr = ``low`` to hear of all
    uncertain ones. A teacher without any range scores, such as a language model, says so of no attribute.

    :param weights: attribute -> how much its finds count, beside their confidence; None: all count fully.
    :param muted: attributes of which the teacher says nothing.
    """

    def __init__(
        self,
        predictions: Iterable[Prediction],
        schema: Schema,
        *,
        high: float,
        low: float,
        weights: Mapping[str, float] | None = None,
        muted: Collection[str] = (),
    ) -> None:
        self.schema, self.high, self.low = schema, high, low
        self.weights, self.muted = weights or {}, frozenset(muted)
        self._options = {a.name: frozenset(a.options) for a in schema.attributes}
        rows = list(predictions)
        readable = [p for p in rows if p.error is None]
        self._unreadable = len(rows) - len(readable)
        self.record: dict[str, Any] = {}  #: of its weights, for the metrics of the model
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
        labels = [(v.source, self._weight(v)) for v in values if v.source and v.confidence >= self.high]
        uncertain = [v.source for v in values if v.source and self.low < v.confidence < self.high]
        uncertain += [
            m
            for m in mentions
            if (not self._scored or m.attribute in self.muted or found.range.get(m.attribute, 0.0) > self.low)
            and not any(v.source and _overlap(m, v.source) for v in values)
        ]
        scores = dict(self._range_scores(product, found, values))
        return PseudoLabels(labels, uncertain, scores, self._blank_options(product, found))

    def knows(self, product: Product) -> bool:
        """Whether there is a prediction of the product."""
        return product.id in self._predictions

    def count(self, products: Iterable[Product]) -> TeacherCounts:
        """What :meth:`pseudo_label` makes of the training products."""
        counts, names = TeacherCounts(unreadable=self._unreadable), {*self.schema.names}
        for product in products:
            found = self._predictions.get(product.id)
            counts.products += found is not None
            counts.without += found is None
            if found is None:
                continue
            counts.changed += sum(v.source is not None and not _says(product, v.source) for v in found.values)
            counts.other_attributes += sum(v.attribute not in names for v in found.values)
            counts.muted += sum(v.attribute in self.muted for v in found.values)
            counts.unmatched += sum(
                v.source is None and v.attribute in names and v.value not in self._options[v.attribute]
                for v in found.values
            )
            pseudo = self.pseudo_label(product, [])
            counts.labels += len(pseudo.labels)
            counts.options += sum(map(len, pseudo.options.values()))
            counts.uncertain += len(pseudo.uncertain)
        return counts

    def fingerprint(self) -> str:
        """What a training depends on of the predictions."""
        found = self._predictions.values()
        said = [(p.id, [(v.attribute, v.value, v.key, v.confidence) for v in p.values], dict(p.range)) for p in found]
        return repr((said, sorted(self.weights.items()), sorted(self.muted)))

    def _weight(self, value: Value) -> float:
        return value.confidence * self.weights.get(value.attribute, 1.0)

    def _blank_options(self, product: Product, found: Prediction) -> dict[str, dict[str, float]]:
        """The options that sure finds name, of blank cells."""
        options: dict[str, dict[str, float]] = {}
        for v in found.values:
            known = v.value in self._options.get(v.attribute, ()) and v.attribute not in (
                *self.muted,
                *product.reviewed,
            )
            fits = v.source is None or _says(product, v.source)
            sure = known and fits and v.confidence >= self.high
            if sure and self.schema.cell_state(product, v.attribute) == CellState.BLANK:
                of_cell = options.setdefault(v.attribute, {})
                of_cell[v.value] = max(self._weight(v), of_cell.get(v.value, 0.0))
        return options

    def _is_news(self, product: Product, value: Value) -> bool:
        """Whether a value is in the text and where nothing is labelled, of an attribute that may have one."""
        span = value.source
        if span is None or not _says(product, span) or value.attribute not in self.schema.names:
            return False
        if value.attribute in product.reviewed or value.attribute in self.muted:
            return False
        cell = product.table.get(value.attribute)
        if cell and value.value in self._options[value.attribute] and value.value not in cell:
            return False  # the shop says another one of its values
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
            if attribute in self.muted:
                continue
            state = self.schema.cell_state(product, attribute)
            unknown = state in (CellState.BLANK, CellState.NOT_LOCATED) and attribute not in product.reviewed
            if score > self.low and unknown:
                yield attribute, score * self.weights.get(attribute, 1.0)


class Teachers:
    """Several teachers: what an earlier one leaves open a later one may say; of labels over each other the surest."""

    def __init__(self, teachers: Sequence[Teacher]) -> None:
        self.teachers = tuple(teachers)

    def pseudo_label(self, product: Product, mentions: Sequence[Span]) -> PseudoLabels:
        """As :meth:`Teacher.pseudo_label`, of all together."""
        labels: list[tuple[Span, float]] = []
        scores: dict[str, float] = {}
        options: dict[str, Mapping[str, float]] = {}
        uncertain = list(mentions)
        for teacher in self.teachers:
            said = teacher.pseudo_label(product, uncertain)
            labels, uncertain = labels + said.labels, said.uncertain
            scores |= {a: max(score, scores.get(a, 0.0)) for a, score in said.scores.items()}
            for attribute, named in said.options.items():
                if max(named.values()) > max(options.get(attribute, {"": 0.0}).values()):
                    options[attribute] = named
        return PseudoLabels(sorted(labels, key=lambda label: -label[1]), uncertain, scores, options)

    def labelled(self, product: Product) -> Product:
        """The product with the labels as if they were its own."""
        spans = list(product.spans or ())
        for span, _ in self.pseudo_label(product, []).labels:
            if not any(s.field == span.field and s.start < span.end and span.start < s.end for s in spans):
                spans.append(span)
        return replace(product, spans=tuple(spans))

    def knows(self, product: Product) -> bool:
        """Whether any has a prediction of the product."""
        return any(teacher.knows(product) for teacher in self.teachers)

    def fingerprint(self) -> str:
        """What a training depends on of them."""
        return "\n".join(teacher.fingerprint() for teacher in self.teachers)


def _says(product: Product, span: Span) -> bool:
    return product.fields.get(span.field, "")[span.start : span.end] == span.text


def _overlap(mention: Span, span: Span) -> bool:
    same = (mention.attribute, mention.field) == (span.attribute, span.field)
    return same and mention.start < span.end and span.start < mention.end
