"""Measuring a model: evaluate on labelled products, evaluate_table on the cells of a shop's table."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attrex.errors import ConfigError
from attrex.pipeline.given import ProductSource, directory_of, extractor_of, products_of, shop_of, verdicts_of
from attrex.pipeline.review import tell_verdicts
from attrex.pipeline.training import labelled_by_hand
from attrex.progress import Progress, note, silent, track
from attrex.shop.shop import Shop

if TYPE_CHECKING:
    from attrex.evaluation.calibrating import Calibrated
    from attrex.evaluation.evaluate import Evaluation
    from attrex.evaluation.table import FilledCells, PhotoKind, TableEvaluation
    from attrex.pipeline.given import ModelSource
    from attrex.review.verdicts import CellVerdict
    from attrex.types import Product


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
    deterministic: bool = False,
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
    :param deterministic: a product gets the same values alone as among any others: torch in fp32, or an export.
    """
    from attrex.evaluation.evaluate import evaluate_extractor, evaluation_remarks
    from attrex.evaluation.metrics import count

    known = shop_of(shop, model)
    source = known.schema.by_option(products_of(products, known))
    labelled = labelled_by_hand(source) if by_hand else list(source)
    count(labelled, [None] * len(labelled), attributes=attributes)  # labels that cannot be scored are an error at once
    extractor = extractor_of(model, deterministic=deterministic, allow_code=allow_code)
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


def calibrate(
    model: str | Path,
    products: ProductSource,
    *,
    shop: Shop | str | Path | None = None,
    verdicts: Iterable[CellVerdict] | str | Path | None = None,
    photos: bool = True,
    allow_code: Iterable[str | type] = (),
    progress: Progress = silent,
) -> Calibrated:
    """Make a model's confidences those of your filled cells, without training: a new shop, or an export.

    The directory's `calibration.json` is replaced. The products should be others than it was trained on: a model knows
    what it has seen too well.

    :param model: the directory of a model or an export with a value head.
    :param products: with their table; about a thousand tell enough.
    :param verdicts: what people decided of cells of these products, or their file: it counts in place of the table's.
    """
    from attrex.evaluation.calibrating import calibrate_extractor
    from attrex.inference.selection import CALIBRATION_FILE
    from attrex.io.atomic import write_json

    directory = directory_of(model)
    extractor = extractor_of(directory, allow_code=allow_code, calibrated=False)  # the one to be replaced may be older
    if not extractor.chooses_values:
        raise ConfigError(f"{directory} has no value head to calibrate; train it with values.head=true")
    decided = verdicts_of(verdicts)
    known = shop_of(shop, directory)
    rows = known.schema.by_option(track(products_of(products, known), "reading", progress))
    source = list(decided.applied(rows))
    tell_verdicts(decided, source, progress)
    calibrated = calibrate_extractor(extractor, source, photos=photos)
    assert extractor.model.calibration is not None
    write_json(directory / CALIBRATION_FILE, extractor.model.calibration.to_json())
    return calibrated


def evaluate_table(
    model: ModelSource,
    products: ProductSource,
    *,
    valid: ProductSource | None = None,
    shop: Shop | str | Path | None = None,
    attributes: Collection[str] | None = None,
    threshold: float | None = None,
    photos: bool = True,
    wanted: Sequence[float] = (0.95, 0.98),
    bootstrap: int = 1000,
    deterministic: bool = False,
    allow_code: Iterable[str | type] = (),
    progress: Progress = silent,
) -> TableEvaluation:
    """The table test: are the shop's own cells found again when they are hidden?

    A model reads texts and photos, never the table; its surest value for each filled cell, in the shop's words, is
    compared with the cell. The products need their table and no labels. They are read with their own photos, without
    photos, and with the photos of other products; a model that reads texts only, once.

    :param valid: products with their table on which the cut-offs for the wanted precisions are chosen; without them
        nothing is said of coverage. They are read with the same kind of photos as the products.
    :param attributes: judge only these; None: those with at least 50 filled cells.
    :param threshold: S_thr in place of the model's.
    :param photos: False: read the texts only.
    :param wanted: precisions that a shop may want of what is filled in.
    :param bootstrap: resamples of the confidence intervals.
    :param deterministic: a product gets the same values alone as among any others: torch in fp32, or an export.
    """
    from attrex.evaluation.table import (
        TableEvaluation,
        filled_cells,
        photo_kinds,
        table_answers,
        table_attributes,
        table_remarks,
        table_scores,
        with_photos,
    )

    shop = shop_of(shop, model)
    judged = list(shop.schema.by_option(products_of(products, shop)))
    names = table_attributes(judged, attributes)
    chosen_on = None if valid is None else list(shop.schema.by_option(products_of(valid, shop)))
    extractor = extractor_of(model, deterministic=deterministic, allow_code=allow_code)
    for remark in table_remarks(judged, chosen_on or (), names, extractor.names):
        note(progress, f"note: {remark}")
    normalizer = extractor.model.normalizer

    def read(rows: Sequence[Product], kind: PhotoKind) -> FilledCells:
        changed = track(with_photos(rows, kind), f"extracting, photos: {kind}", progress)
        found = extractor.extract(changed, evidence=False, threshold=threshold)
        return filled_cells(rows, table_answers(found, normalizer), names, lambda value: normalizer.folded[value])

    readings = {}
    for kind in photo_kinds(judged if photos and extractor.loader else ()):
        cells = None if chosen_on is None else read(chosen_on, kind)
        readings[kind] = table_scores(read(judged, kind), cells, wanted=wanted, bootstrap=bootstrap)
    return TableEvaluation(len(judged), None if chosen_on is None else len(chosen_on), readings)
