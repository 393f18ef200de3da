"""Training from products or tables: train."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from attrex.errors import ConfigError, DataError
from attrex.io.confinement import LEADS_OUT
from attrex.pipeline.given import ProductSource, lexicon_of, products_of, shop_of, verdicts_of
from attrex.pipeline.labels import MINE, locate
from attrex.pipeline.review import tell_verdicts
from attrex.progress import Progress, note, silent, track
from attrex.shop.shop import Shop
from attrex.types import Prediction, Product

if TYPE_CHECKING:
    from attrex.config import Config
    from attrex.inference.checkpoint import Model
    from attrex.review.verdicts import CellVerdict
    from attrex.vocabulary.lexicon import Lexicon

HELD_OUT = 0.1
"""Share of the training products, by group, that validation takes where no validation products are given."""


def train(
    products: ProductSource,
    validation: ProductSource | None = None,
    directory: str | Path = "runs/shop",
    *,
    shop: Shop | str | Path | None = None,
    config: Config | str | Path = "small",
    settings: Sequence[str] = (),
    gold: ProductSource | None = None,
    train_gold: ProductSource | None = None,
    lexicon: Lexicon | str | Path | None = None,
    teacher: Iterable[Prediction] | str | Path | Sequence[str | Path] | None = None,
    unlabelled: ProductSource | None = None,
    verdicts: Iterable[CellVerdict] | str | Path | None = None,
    resume: bool = False,
    trackers: Sequence[str] | None = None,
    progress: Progress = silent,
) -> Model:
    """Train a model and write its directory; the best state by validation TAG-F1 is kept.

    Products without labels, but with a table, get its values located first, as :func:`locate` does.

    :param validation: None: a tenth of the products, by group, is held out.
    :param config: a configuration, the name of a preset, or a YAML file; ``settings`` such as ``training.epochs=2``
        change it.
    :param gold: products labelled in full by hand, in place of ``validation``; S_thr is chosen on them, too.
    :param train_gold: products labelled in full by hand, to learn from beside the others.
    :param lexicon: what the labels of the products go by, to be kept with the model; None: that of the labels that are
        located here.
    :param teacher: what another system found in the products, or files of it, each of another one: labels for unknown
        cells, weighed by how often filled cells agree.
    :param unlabelled: further products, whose labels are a teacher's finds; those without any are left out.
    :param verdicts: what people decided of cells of these products, or their file (:func:`review_export`): decided
        cells have what they say, and no other label.
    :param resume: continue an interrupted run; a finished one is loaded.
    :param trackers: where curves go; None: TensorBoard if it is installed.
    """
    from attrex.config import Config
    from attrex.io.splitting import split_by_group
    from attrex.training.train import train_model
    from attrex.vocabulary.lexicon import NOTHING_MINED

    if gold is not None and validation is not None:
        raise ConfigError("gold takes the place of validation; give one of them")
    settings = [*(["range.tune_threshold=true"] if gold is not None else ()), *settings]
    if not isinstance(config, Config):
        config = Config.load(config, settings)
    elif settings:
        raise ConfigError("settings change a preset or a file; of a Config, load it with them: Config.load(..., [...])")
    shop = shop_of(shop)
    known = None if lexicon is None else lexicon_of(lexicon)
    decided = verdicts_of(verdicts)
    read = decided.applied(track(products_of(products, shop), "reading", progress))
    learned, located = _labelled(read, shop, known, progress)
    lexicon = located or known
    if config.image.model is not None:
        _check_photos(learned)
    if gold is not None:
        chosen_on = labelled_by_hand(products_of(gold, shop))
    elif validation is not None:
        rows = track(products_of(validation, shop), "reading", progress)
        chosen_on, _ = _labelled(decided.applied(rows), shop, lexicon, progress)
    else:
        learned, chosen_on = split_by_group(learned, HELD_OUT)
        note(progress, f"validation: {len(chosen_on):,} of the products, by group, held out of training")
    # Once more: for labels that were located in between.
    learned = list(shop.schema.by_option(decided.applied(learned)))
    chosen_on = chosen_on if gold is not None else list(shop.schema.by_option(decided.applied(chosen_on)))
    tell_verdicts(decided, [*learned, *chosen_on], progress)
    further: list[Product] = []
    if unlabelled is not None:
        rows = track(products_of(unlabelled, shop), "reading", progress)
        further, _ = _labelled(decided.applied(rows), shop, lexicon or NOTHING_MINED, progress)
    if train_gold is not None:
        learned += labelled_by_hand(products_of(train_gold, shop))
    return train_model(
        learned,
        chosen_on,
        directory,
        config=config,
        shop=shop,
        lexicon=lexicon,
        resume=resume,
        trackers=trackers,
        progress=progress,
        teacher=teacher,
        unlabelled=further,
    )


def _check_photos(products: Sequence[Product]) -> None:
    """Raise where every photo lies outside of the folder: such a model would have learned from texts alone."""
    outside = [w for p in products for w in p.warnings if LEADS_OUT in w]
    if outside and not any(p.images for p in products):
        raise DataError(
            f"expected photos to learn from, got none that may be read ({outside[0]}); for a model without photos set "
            "image.model=null and fusion.kind=none"
        )


def labelled_by_hand(products: Iterable[Product]) -> list[Product]:
    """Products whose labels are all there are. Raises :class:`DataError` for one that nobody has labelled."""
    found = [replace(p, complete=True) for p in products]
    bare = next((p.id for p in found if p.error is None and p.spans is None), None)
    if bare is not None:
        raise DataError(
            f"products labelled by hand: {bare!r} has no spans, so that nobody seems to have labelled it; label it, "
            "give it `spans: []` if none of its words is a value, or leave it out"
        )
    return found


def _labelled(
    products: Iterable[Product], shop: Shop, lexicon: Lexicon | None, progress: Progress
) -> tuple[list[Product], Lexicon | None]:
    """Products with spans, and the lexicon that those without were labelled by; None where all had spans."""
    found = list(shop.schema.by_option(products))
    bare = sum(p.spans is None and p.error is None for p in found)
    if not bare:
        return found, None
    labelled = locate(found, shop=shop, lexicon=lexicon or MINE, progress=progress)
    note(
        progress,
        f"{bare:,} of {len(found):,} products had no labels: the values of their table were located in their texts "
        f"({labelled.report.summary()})",
    )
    return list(labelled), labelled.lexicon
