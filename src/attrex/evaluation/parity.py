"""An export is only kept if it says what the model says: spans, values, scores and TAG-F1 on a sample of products.

And if it says the same of a product alone as among others: see :func:`steadiness`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrex.errors import CheckpointError, DataError
from attrex.evaluation.incomplete import without_unknown
from attrex.evaluation.metrics import score
from attrex.evaluation.table import Answer, table_answers
from attrex.evaluation.threshold import CANDIDATES, best_threshold, threshold_curve
from attrex.inference.checkpoint import Model
from attrex.inference.directory import read_json
from attrex.inference.export import write_export
from attrex.inference.extractor import Extractor
from attrex.io.atomic import atomic_directory, write_json
from attrex.labels.mentions import UnlabelledMentions
from attrex.types import Prediction, Product
from attrex.vocabulary.word_lists import WordLists

if TYPE_CHECKING:
    from attrex.inference.onnx_engine import Exported

TOLERANCE = 0.002
"""TAG-F1 that an export may lose: 0.2 points."""
AGREEMENT = 0.95
"""F1 of an export's finds against its model's, at least: labels do not tell what it loses where they have none.

Also the least share of the cells that both give the same value.
"""
STEADY = 1e-3
"""How far a confidence may move with the products beside it: rounding differs a little with the size of a batch."""
REGROUPED = 5
"""Products of a batch in the repeat that puts long texts beside short ones: a size that is no divisor of usual ones."""


@dataclass(frozen=True, slots=True)
class Parity:
    """How far an export agrees with its model on a sample."""

    products: int
    agreement_f1: float  #: the export's spans scored against the model's
    model_f1: float | None  #: TAG-F1 against labels, where the sample has them
    export_f1: float | None
    confidence_difference: float  #: the largest, over spans that both found
    tolerance: float
    cells_agreement: float = 1.0  #: share of the cells that either gives a value in which both give the same
    unsteady: int = 0  #: products in which the export finds other values alone, or among other products
    regrouped_difference: float = 0.0  #: how far a confidence of the export moves with the products beside it

    @property
    def lost(self) -> float:
        """TAG-F1 lost: against the labels, or without any, the disagreement."""
        if self.model_f1 is None or self.export_f1 is None:
            return 1 - self.agreement_f1
        return self.model_f1 - self.export_f1

    @property
    def least_agreement(self) -> float:
        """:data:`AGREEMENT`, or less where more than that may be lost."""
        return min(AGREEMENT, 1 - self.tolerance)

    @property
    def steady(self) -> bool:
        """Whether a product gets the same values, with the same confidences, whatever products are beside it."""
        return not self.unsteady and self.regrouped_difference <= STEADY

    @property
    def kept(self) -> bool:
        """Whether the export finds what its model finds, of a product alone as among others."""
        agreement = min(self.agreement_f1, self.cells_agreement)
        return self.lost <= self.tolerance and agreement >= self.least_agreement and self.steady

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"lost": self.lost}


def export_checked(
    model: Model,
    out: Path,
    sample: Sequence[Product],
    *,
    int8: bool = False,
    tolerance: float = TOLERANCE,
    against: Model | None = None,
) -> Parity:
    """Export ``model`` to the directory ``out``, unless TAG-F1 on ``sample`` falls by more than ``tolerance``.

    What the export finds is compared with what ``against`` finds, such as the model that ``model`` is a student of;
    None: with what ``model`` finds.

    Finds that nobody can call right or wrong count where the model was taught that they do
    (``range.unknown=negative``), else only in the agreement with the model, which is :data:`AGREEMENT` at least. An
    export that finds other values in a product alone than among others is refused, whatever ``tolerance`` is. Where
    the sample is labelled, S_thr is then chosen again for the export's own scores. Raises :class:`CheckpointError` that
    says what was lost; then nothing is left behind, and an earlier export in ``out`` stays as it was.
    """
    products = [p for p in sample if p.error is None]
    if not products:
        raise DataError("parity needs products to compare on: the sample has none that can be read")
    with atomic_directory(check_export(out)) as draft:
        write_export(model, draft, int8=int8)
        parity = _compare_runs(model if against is None else against, draft, products, tolerance)
        if not parity.kept:
            raise CheckpointError(_refusal(parity, int8, student=against is not None))
        write_json(draft / "export.json", read_json(draft / "export.json") | {"parity": parity.to_json()})
    return parity


def check_export(out: Path) -> Path:
    """The directory that an export may be written to; :class:`CheckpointError` for one that holds anything else."""
    out = out.resolve()  # a link stays a link
    if out == Path.cwd():
        raise CheckpointError(f"{out} is the directory you are in; name a new one for the export")
    # An earlier export makes room, anything else in its place is left alone.
    if out.exists() and not (out.is_dir() and (not any(out.iterdir()) or (out / "export.json").exists())):
        raise CheckpointError(f"{out} is not empty and holds no export; choose another directory")
    return out


def _compare_runs(model: Model, directory: Path, products: Sequence[Product], tolerance: float) -> Parity:
    reference = list(Extractor(model, device="cpu", precision="fp32").extract(products, evidence=False))
    known = {s.attribute for p in products for s in p.spans or ()} & {*model.schema.names}
    labelled = known and all(p.spans is not None for p in products)
    exported = Extractor.load(directory)
    found = list(exported.extract(products, evidence=False))
    as_gold = [replace(p, spans=r.spans) for p, r in zip(products, reference, strict=True)]
    agreement, difference = agreement_f1(as_gold, found), _difference(reference, found)
    answers = (table_answers(p, model.normalizer) for p in (reference, found))
    cells = cells_agreement(*answers)
    steady = steadiness(found, [read_alone(exported, products), read_regrouped(exported, products)])
    if not labelled:
        return Parity(len(products), agreement, None, None, difference, tolerance, cells, *steady)
    # Compared at the model's own S_thr: one chosen on the sample would flatter the export on it.
    both = (judged(model, products, p) for p in (reference, found))
    model_f1, export_f1 = (score(products, p, bootstrap=0).tag.f1 for p in both)
    if model.network.predicts_range:
        _recalibrate(exported, products, directory)
    return Parity(len(products), agreement, model_f1, export_f1, difference, tolerance, cells, *steady)


def read_alone(exported: Extractor, products: Sequence[Product]) -> list[Prediction]:
    """Each product in a batch of its own, the last one first."""
    return list(exported.extract(products[::-1], batch_size=1, evidence=False))[::-1]


def read_regrouped(exported: Extractor, products: Sequence[Product]) -> list[Prediction]:
    """Each product among others: short texts beside long ones, and so padded, in small batches of another size."""
    by_length = sorted(range(len(products)), key=lambda i: sum(map(len, products[i].fields.values())))
    order = [by_length.pop(-(turn % 2)) for turn in range(len(products))]  # the shortest, the longest, the next ...
    found: dict[int, Prediction] = {}
    for at in range(0, len(order), REGROUPED):
        group = order[at : at + REGROUPED]
        predictions = exported.extract([products[i] for i in group], batch_size=REGROUPED, evidence=False)
        found |= dict(zip(group, predictions, strict=True))
    return [found[i] for i in range(len(products))]


def steadiness(found: Sequence[Prediction], repeats: Sequence[Sequence[Prediction]]) -> tuple[int, float]:
    """Products that some repeat finds other values in, and the largest move of a confidence among values that stay."""
    unsteady, moved = 0, 0.0
    for once, *again in zip(found, *repeats, strict=True):
        first = _confidences(once)
        others = [_confidences(prediction) for prediction in again]
        unsteady += any(first.keys() != other.keys() for other in others)
        moves = (abs(first[key] - other[key]) for other in others for key in first.keys() & other.keys())
        moved = max(moved, *moves, 0.0)
    return unsteady, moved


def _confidences(prediction: Prediction) -> dict[tuple[object, ...], float]:
    return {(v.attribute, v.value, v.key): v.confidence for v in prediction.values}


def judged(
    model: Model | Exported, products: Sequence[Product], predictions: Sequence[Prediction]
) -> Sequence[Prediction]:
    """The predictions as training has judged its own: without what nobody can call right or wrong, if it was open."""
    settings = model.config.range
    if settings.unknown == "negative" or all(p.complete for p in products):
        return predictions
    mentions = UnlabelledMentions.learn(
        products, model.schema, min_share=settings.mention_share, words=WordLists.of(model.shop)
    )
    return without_unknown(products, predictions, mentions)


def agreement_f1(as_gold: Sequence[Product], found: Sequence[Prediction]) -> float:
    """TAG-F1 against the model's own spans; where it has none, 1 if the export has none either."""
    if any(p.spans for p in as_gold):
        return score(as_gold, found, bootstrap=0).tag.f1
    return 0.0 if any(p.spans for p in found) else 1.0


def cells_agreement(reference: Sequence[Mapping[str, Answer]], found: Sequence[Mapping[str, Answer]]) -> float:
    """Share of the cells that either gives a value in which both give the same; 1 where neither gives any."""
    same = [
        attribute in a and attribute in b and a[attribute].value == b[attribute].value
        for a, b in zip(reference, found, strict=True)
        for attribute in a.keys() | b.keys()
    ]
    return sum(same) / len(same) if same else 1.0


def _recalibrate(exported: Extractor, products: Sequence[Product], directory: Path) -> None:
    """Take the S_thr that is best for the export's scores; the model's own stays where it is as good."""
    thresholds = exported.model.thresholds
    now = thresholds.get("range", exported.model.config.range.threshold)
    candidates = sorted({*CANDIDATES, now})
    predictions = list(exported.extract(products, threshold=min(candidates), evidence=False))
    curve = threshold_curve(products, judged(exported.model, products, predictions), candidates)
    best = best_threshold(curve)
    if curve[best] > curve[now]:
        write_json(directory / "thresholds.json", thresholds | {"range": best})


def _difference(one: Sequence[Prediction], other: Sequence[Prediction]) -> float:
    confidences = [
        [{v.key: v.confidence for v in p.values if v.source is not None} for p in (a, b)]
        for a, b in zip(one, other, strict=True)
    ]
    return max((abs(a[key] - b[key]) for a, b in confidences for key in a.keys() & b.keys()), default=0.0)


def _refusal(parity: Parity, int8: bool, *, student: bool = False) -> str:
    if not parity.steady:
        return (
            f"the export is refused: on {parity.products} products it finds other values in {parity.unsteady} of them "
            f"alone or among other products, and confidences move by up to {parity.regrouped_difference:.2g}, at most "
            f"{STEADY} may be; this should not happen: please report it with the versions of onnx and onnxruntime"
        )
    against = "against the labels" if parity.model_f1 is not None else "against what the model finds"
    loss = f"it loses {parity.lost:.4f} of TAG-F1 {against}, at most {parity.tolerance} is tolerated"
    if parity.lost <= parity.tolerance:
        loss = (
            f"its finds agree with the model's by an F1 of {parity.agreement_f1:.4f}, and its values in "
            f"{parity.cells_agreement:.1%} of the cells; {parity.least_agreement} is least"
        )
    advice = "leave out int8" if int8 else "this should not happen without int8: please report it"
    if student:
        advice = "give the student more products, epochs or layers"
    return f"the export is refused: on {parity.products} products {loss}; {advice}, or allow more by `tolerance`"
