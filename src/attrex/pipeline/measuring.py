"""Measuring a model on labelled products: evaluate."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from attrex.pipeline.given import ProductSource, extractor_of, products_of, shop_of
from attrex.pipeline.training import labelled_by_hand
from attrex.progress import Progress, note, silent, track
from attrex.shop.shop import Shop

if TYPE_CHECKING:
    from attrex.evaluation.evaluate import Evaluation
    from attrex.pipeline.given import ModelSource


def evaluate(
    model: ModelSource,
    products: ProductSource,
    *,
    shop: Shop | str | Path | None = None,
    by_hand: bool = False,
    attributes: Collection[str] | None = None,
    threshold: float | None = None,
    photos: bool = True,
    evidence: bool = False,
    gold_attributes: bool = False,
    bootstrap: int = 1000,
    allow_code: Iterable[str | type] = (),
    progress: Progress = silent,
) -> Evaluation:
    """Score a model on labelled products: TAG-F1, CLS-F1, accuracy, macro-F1, per attribute, with intervals.

    Where labels are not complete, bounds of the precision come with the scores.

    :param by_hand: the products are labelled in full by hand.
    :param attributes: score only these.
    :param threshold: S_thr in place of the model's.
    :param gold_attributes: ask each product only for the attributes that it has, as some papers do.
    :param bootstrap: resamples of the confidence intervals.
    """
    from attrex.evaluation.evaluate import evaluate_extractor, evaluation_remarks
    from attrex.evaluation.metrics import count

    source = products_of(products, shop_of(shop, model))
    labelled = labelled_by_hand(source) if by_hand else list(source)
    count(labelled, [None] * len(labelled), attributes=attributes)  # labels that cannot be scored are an error at once
    extractor = extractor_of(model, allow_code=allow_code)
    for remark in evaluation_remarks(labelled, extractor.names, attributes):
        note(progress, f"note: {remark}")
    return evaluate_extractor(
        extractor,
        track(labelled, "extracting", progress),
        attributes=attributes,
        bootstrap=bootstrap,
        threshold=threshold,
        photos=photos,
        evidence=evidence,
        gold_attributes=gold_attributes,
    )
