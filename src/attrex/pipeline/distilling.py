"""A smaller student of a trained model: distill."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attrex.errors import ConfigError
from attrex.io.splitting import split_by_group
from attrex.pipeline.given import ProductSource, products_of, shop_of, trained_model
from attrex.pipeline.training import HELD_OUT
from attrex.progress import Progress, note, silent, track
from attrex.shop.shop import Shop

if TYPE_CHECKING:
    from attrex.inference.checkpoint import Model
    from attrex.pipeline.given import ModelSource


def distill(
    model: ModelSource,
    products: ProductSource,
    directory: str | Path,
    *,
    validation: ProductSource | None = None,
    layers: int | None = None,
    epochs: float | None = None,
    settings: Sequence[str] = (),
    shop: Shop | str | Path | None = None,
    resume: bool = False,
    allow_code: Iterable[str | type] = (),
    progress: Progress = silent,
) -> Model:
    """Train a smaller, faster student that finds what a model finds, and write it as a model directory.

    :param model: a directory, a hub name, or a loaded model.
    :param products: texts, with photos where there are any, to learn from; labels and tables are not read.
    :param validation: products with their table that the model was not trained on: the best state, S_thr and the
        confidences are chosen on them. None: a tenth of the products, by group, is held out for the first two, and the
        confidences stay those of the model.
    :param layers: of the text encoder; None: half of the model's.
    :param epochs: passes over the products; None: as many as the model was trained for.
    :param settings: others of the training section, such as ``training.batch_size=8``.
    :param resume: continue an interrupted run; a finished one is loaded.
    """
    from attrex.model.distillation import distillable
    from attrex.training.distilling import distill_model

    other = [s for s in settings if not s.startswith("training.")]
    if other:
        raise ConfigError(
            f"a student is as its model but for its layers; only settings of training change, not {other[0]}"
        )
    teacher = trained_model(model, allow_code)
    layers = max(1, len(distillable(teacher.network).text.layers) // 2) if layers is None else layers
    changed = [*settings, *([] if epochs is None else [f"training.epochs={epochs}"])]
    shop = shop_of(shop, teacher)
    learned = list(track(products_of(products, shop), "reading", progress))
    if validation is not None:
        chosen_on = list(track(products_of(validation, shop), "reading", progress))
    else:
        learned, chosen_on = split_by_group(learned, HELD_OUT)
        note(
            progress,
            f"validation: {len(chosen_on):,} of the products, by group, held out; the confidences stay those of the "
            "model, for it may have been trained on them: give validation products, or calibrate the student",
        )
    return distill_model(
        teacher,
        learned,
        chosen_on,
        directory,
        layers=layers,
        config=teacher.config.changed(changed),
        calibrate=validation is not None,
        resume=resume,
        progress=progress,
    )
