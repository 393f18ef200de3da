"""What scores mean where the labels are not all there are: bounds, so that nobody tunes towards missing values.

Labels made from a table are right where it is filled and missing where it is blank. A find without a label may be a
value that the table lacks; where it counts as wrong, a model that misses what the table misses looks the better one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from attrex.evaluation.metrics import PRF
from attrex.labels.mentions import UnlabelledMentions
from attrex.types import CellState, Prediction, Product, Span


@dataclass(frozen=True, slots=True)
class Incomplete:
    """Recall of the labels, and between what the precision lies. Exact spans; every value is 0..1."""

    recall: float
    precision_lower: float  #: every find without a label is wrong
    precision_upper: float  #: every find that may be an unlabelled value is right
    precision_known: float  #: those are left out: they are right as often as the others
    finds_in_blank_cells: int
    finds_on_mentions: int  #: in filled cells, on words that name a known value and are not labelled

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def incomplete(
    products: Sequence[Product],
    predictions: Sequence[Prediction | None],
    tag: PRF,
    mentions: UnlabelledMentions,
    *,
    attributes: Collection[str] | None = None,
) -> Incomplete:
    """Bounds to the exact scores ``tag`` of the same rows; where all products are complete both are the precision.

    A find without a label is unknown in a blank cell that the category does not rule out; in a filled cell where it
    stands on a mention (:meth:`UnlabelledMentions.unknown`) and apart from the cell's labels.
    """
    blank = filled = 0
    for product, prediction in zip(products, predictions, strict=True):
        for span in _unknown(product, prediction, mentions):
            if attributes is None or span.attribute in attributes:
                is_blank = mentions.schema.cell_state(product, span.attribute) == CellState.BLANK
                blank, filled = blank + is_blank, filled + (not is_blank)
    unknown = blank + filled
    decided = tag.predicted - unknown
    return Incomplete(
        recall=tag.recall,
        precision_lower=tag.precision,
        precision_upper=(tag.correct + unknown) / tag.predicted if tag.predicted else 0.0,
        precision_known=tag.correct / decided if decided else 0.0,
        finds_in_blank_cells=blank,
        finds_on_mentions=filled,
    )


def without_unknown(
    products: Sequence[Product], predictions: Sequence[Prediction], mentions: UnlabelledMentions
) -> list[Prediction]:
    """Predictions without the finds, and the range scores of blank cells, that nobody can call right or wrong.

    What a model or S_thr is chosen by where labels are not complete: scored as they are, those that find no more than
    the table has would look best.
    """
    out = []
    for product, prediction in zip(products, predictions, strict=True):
        left_out = {s.key for s in _unknown(product, prediction, mentions)}
        values = tuple(v for v in prediction.values if v.source is None or v.key not in left_out)
        known = {a: s for a, s in prediction.range.items() if mentions.schema.cell_state(product, a) != CellState.BLANK}
        out.append(replace(prediction, values=values, range=prediction.range if product.complete else known))
    return out


def _unknown(product: Product, prediction: Prediction | None, mentions: UnlabelledMentions) -> list[Span]:
    """The finds without a label that may be right, each once."""
    if product.complete or product.error is not None or prediction is None or prediction.error is not None:
        return []
    labels = {s.key for s in product.spans or ()}
    doubtful = mentions.unknown(product)
    return [
        found
        for found in {s.key: s for s in prediction.spans if s.key not in labels}.values()
        if mentions.schema.cell_state(product, found.attribute) == CellState.BLANK
        or (_on(found, doubtful) and not _on(found, product.spans or ()))
    ]


def _on(found: Span, spans: Sequence[Span]) -> bool:
    """Whether a find shares a character with a span of its attribute."""
    return any(
        (s.attribute, s.field) == (found.attribute, found.field) and s.start < found.end and found.start < s.end
        for s in spans
    )
