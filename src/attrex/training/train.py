"""From labelled products to a model directory."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import set_seed

from attrex.config import Config
from attrex.encoding.batching import load_photos
from attrex.encoding.dataset import Collator, LabelledProducts
from attrex.encoding.encoder import ProductEncoder
from attrex.encoding.targets import TargetEncoder
from attrex.errors import ConfigError, DataError
from attrex.evaluation.calibrating import Calibrated, calibrate_extractor
from attrex.evaluation.incomplete import without_unknown
from attrex.evaluation.metrics import score
from attrex.evaluation.placing import with_places
from attrex.evaluation.reliability_plot import reliability_svg
from attrex.evaluation.threshold import CANDIDATES, best_threshold, threshold_curve
from attrex.inference.checkpoint import Model, load_model, load_tokenizer
from attrex.inference.extractor import Extractor
from attrex.io.atomic import write_text
from attrex.io.images import ImageLoader, ImageTransform
from attrex.labels.mentions import UnlabelledMentions
from attrex.labels.pseudo_labels import Teachers
from attrex.labels.supervision import Supervision, supervision
from attrex.model.build import build_system
from attrex.model.text_encoder import resolve_text_model
from attrex.progress import Progress, note, silent
from attrex.shop.schema import Schema
from attrex.shop.shop import DEFAULT_SHOP, Shop
from attrex.training.model_card import RELIABILITY_PLOT, model_card
from attrex.training.resuming import fingerprint, open_run
from attrex.training.teachers import TeacherSource, read_teachers, tell_teachers
from attrex.training.trainer import AttrexTrainer, freeze, known_trackers
from attrex.types import BEGIN, INSIDE, Prediction, Product
from attrex.vocabulary.lexicon import LEXICON_FILE, NOTHING_MINED, Lexicon
from attrex.vocabulary.normalizer import ValueNormalizer
from attrex.vocabulary.word_lists import WordLists

PHOTOS_KEPT = 128 * 2**20
"""Bytes of decoded photos that a training keeps; of more photos than that all are decoded again in each pass. One of
224 x 224 pixels takes 1.6 ms, a step of 16 products some seconds."""


def train_model(
    products: Iterable[Product],
    validation: Iterable[Product],
    directory: str | Path,
    *,
    config: Config | None = None,
    shop: Shop = DEFAULT_SHOP,
    lexicon: Lexicon | None = None,
    resume: bool = False,
    trackers: Sequence[str] | None = None,
    progress: Progress = silent,
    teacher: TeacherSource | None = None,
    unlabelled: Iterable[Product] = (),
) -> Model:
    """Train a model and write its directory; the best state by validation TAG-F1 is kept.

    :param shop: what is known of the shop; what it leaves open is learned from the products (:meth:`Shop.learn`).
    :param lexicon: what the labels go by; it is kept with the model.
    :param resume: continue a killed run from its last checkpoint, to the end that it would have had; without any
        checkpoint it starts, and a finished one is loaded.
    :param trackers: where curves go; None: TensorBoard if it is installed.
    :param teacher: another system's finds in the products, or files of them (:func:`~attrex.io.finds.read_finds`), to
        learn from in cells that the table leaves unknown.
    :param unlabelled: further products to learn from; those without finds of a teacher are left out.

    Raises :class:`DataError` for products without labels, :class:`ConfigError` when the directory holds another run.
    """
    directory = Path(directory)
    products, validation = list(products), list(validation)
    known = {p.id for p in (*products, *validation)}  # a product that is validated must not be learned from as well
    unlabelled = [p for p in unlabelled if p.id not in known]
    shop = shop.learn(products)
    schema = shop.schema
    taught = None
    if teacher is not None:
        everything = [*products, *unlabelled]
        taught = read_teachers(
            teacher, config or Config.load(), shop, everything, lexicon or NOTHING_MINED, validation, progress
        )
        products += [p for p in unlabelled if taught.knows(p)]
        if unlabelled:
            with_finds = len(products) - (len(everything) - len(unlabelled))
            note(
                progress,
                f"{with_finds:,} of {len(unlabelled):,} unlabelled products have finds of a teacher; those without are "
                "left out, and so were those that are training or validation products, too",
            )
    elif unlabelled:
        raise ConfigError("unlabelled products teach nothing without a teacher; give one, or leave them out")
    config = (config or Config.load()).fitted(len(products))
    taught_alone = taught is not None and not _labelled_of(products, schema)
    if taught is not None and not _labelled_of(validation, schema):
        validation = [taught.labelled(p) if p.error is None else p for p in validation]
        note(progress, "no validation product has a label: the best state is chosen by what the teacher says of them")
    if not (taught_alone and taught is not None and any(taught.pseudo_label(p, []).labels for p in products)):
        _check_labels(products, schema, "training")
    _check_labels(validation, schema, "validation")
    _check_scored(validation)
    trackers = known_trackers(trackers)
    record = fingerprint(
        config, products, validation, shop=shop.to_yaml(), teacher=taught.fingerprint() if taught else ""
    )
    with open_run(directory, record, resume, finished="attrex.json", what="model") as checkpoint:
        if (directory / "attrex.json").exists():
            note(progress, f"{directory} is finished already: nothing left to do")
            shutil.rmtree(directory / "checkpoints", ignore_errors=True)
            return load_model(directory, allow_code=config.code)
        return _fit(products, validation, directory, config, shop, lexicon, checkpoint, trackers, progress, taught)


def _fit(
    products: Sequence[Product],
    validation: Sequence[Product],
    directory: Path,
    config: Config,
    shop: Shop,
    lexicon: Lexicon | None,
    checkpoint: Path | None,
    trackers: Sequence[str],
    progress: Progress,
    teacher: Teachers | None,
) -> Model:
    """One training, from its start or from a checkpoint, to a model directory."""
    set_seed(config.training.seed)
    model = new_model(config, shop)
    model.normalizer = ValueNormalizer.fit(
        (p for p in products if p.error is None), shop=shop, lexicon=lexicon or NOTHING_MINED
    )
    data = _training_data(products, model, teacher, progress)
    repeated = count_repeated(products, validation, progress)
    train_set, mentions = data.train_set, data.mentions
    model.network.drop_uncertain = data.known.mostly_in_doubt
    model.network.build_vocabulary(labelled_values(train_set))
    init_range_bias(model, train_set)
    calibrate_regions(model, products)
    freeze(model.network, config.training)

    extractor = training_extractor(model)

    def read(threshold: float | None = None) -> list[Prediction]:
        predictions = extractor.extract(validation, evidence=False, threshold=threshold)
        found = with_places(validation, predictions, extractor.encoder)
        return without_unknown(validation, found, mentions) if mentions else found

    def measure(bootstrap: int = 0) -> dict[str, Any]:
        return score(validation, read(), bootstrap=bootstrap).to_json()

    collator = Collator(extractor.encoder, extractor.loader)
    trainer = AttrexTrainer(
        model.network,
        config,
        train_set,
        collator,
        lambda: headline(measure()),
        directory,
        trackers=trackers,
        progress=progress,
    )
    trainer.run(checkpoint)
    if collator.warnings:
        product, said = next(iter(collator.warnings.items()))
        warning = f"{len(collator.warnings)} products had photos that cannot be read; {product}: {said[0]}"
        note(progress, warning)
    curve = _tune_threshold(model, validation, read) if config.range.tune_threshold else {}
    calibrated = calibrate_on(extractor, validation, progress) if model.network.chooses_values else None
    model.metrics = {
        "validation": measure(bootstrap=1000),
        "threshold_curve": curve,
        "history": trainer.validations,
        "training_products": train_set.products,
        "steps": trainer.state.global_step,
        "minutes": round(trainer.minutes, 2),
        "seed": config.training.seed,
        "cells": data.known.by_attribute(shop.schema.names),
        "supervision": data.known.to_json(),
        "pseudo_labels": data.pseudo_labels or None,
        "repeated_validation": repeated,
        "calibration": calibrated.to_json() if calibrated is not None else None,
        "left_open": mentions is not None and not all(p.complete for p in validation),
    }
    if trainer.is_world_process_zero():
        if lexicon is not None:
            lexicon.save(directory / LEXICON_FILE)
        if calibrated is not None:
            write_text(directory / RELIABILITY_PLOT, reliability_svg(calibrated.reliability))
        model.save(directory, card=model_card(model))
        shutil.rmtree(directory / "checkpoints", ignore_errors=True)
    return model


@dataclass(frozen=True)
class _TrainingData:
    """What a training learns from."""

    train_set: LabelledProducts
    known: Supervision
    mentions: UnlabelledMentions | None  #: None where nothing is unknown
    pseudo_labels: dict[str, Any]  #: what the teachers bring


def _training_data(
    products: Sequence[Product], model: Model, teacher: Teachers | None, progress: Progress
) -> _TrainingData:
    """Encoded products with their targets; what is known of their cells is reported."""
    config, schema = model.config, model.schema
    mentions = None  # of complete products everything is known
    if not all(p.complete for p in products):
        words = WordLists.of(model.shop)
        mentions = UnlabelledMentions.learn(products, schema, min_share=config.range.mention_share, words=words)
    known = supervision(products, schema, mentions)
    note(progress, known.render())
    pseudo_labels = tell_teachers(teacher, products, progress) if teacher else {}
    if config.range.unknown == "negative":
        mentions = None  # what is not labelled is absent
    encoder = ProductEncoder(model.tokenizer, config, schema)
    train_set = LabelledProducts(products, encoder, TargetEncoder(schema, mentions, teacher))
    if train_set.left_out:
        note(progress, f"{train_set.left_out} of {len(products)} training rows have no readable text and are left out")
    return _TrainingData(train_set, known, mentions, pseudo_labels)


def _labelled_of(products: Sequence[Product], schema: Schema) -> bool:
    """Whether any product has a label of the schema's attributes."""
    names = set(schema.names)
    return any(s.attribute in names for p in products if p.error is None for s in p.spans or ())


def new_model(config: Config, shop: Shop) -> Model:
    """A fresh model on pretrained backbones."""
    tokenizer = load_tokenizer(resolve_text_model(config.text.model))
    network = build_system(config, shop.schema, tokenizer)
    transform = None
    if network.image is not None:
        image = config.image
        transform = ImageTransform(
            image.size, image.mean or network.image.default_mean, image.std or network.image.default_std
        )
    return Model(network, tokenizer, config, shop, transform, {"range": config.range.threshold})


def training_extractor(model: Model) -> Extractor:
    """Reads the validation products, and has the loader of all photos, which keeps only some of them in memory."""
    extractor = Extractor(model)
    if model.transform is not None:
        extractor.loader = ImageLoader(model.transform, cache_bytes=PHOTOS_KEPT)
    return extractor


def count_repeated(products: Sequence[Product], validation: Sequence[Product], progress: Progress) -> int:
    """How many validation products have the texts of a training product; told, where there are any."""
    seen = {tuple(p.fields.values()) for p in products if any(p.fields.values())}
    repeated = sum(p.error is None and tuple(p.fields.values()) in seen for p in validation)
    if repeated:
        share = f"{repeated:,} of {len(validation):,} validation products have the texts of a training product"
        note(progress, f"{share}: their scores tell what was memorised")
    return repeated


def init_range_bias(model: Model, train_set: LabelledProducts) -> None:
    """Give the range classifier each attribute's training frequency as its prior."""
    counts = torch.zeros(len(model.schema.names))
    filled = torch.zeros(len(model.schema.names))
    options = [torch.zeros(len(a.options)) for a in model.schema.attributes]
    for item in train_set.items:
        counts[list({*item.labels.pairs, *item.labels.pseudo})] += 1
        filled[list(item.labels.options)] += 1
        for attribute, chosen in item.labels.options.items():
            options[attribute][chosen] += 1 / len(chosen)
    rows = max(1, len(train_set))
    model.network.init_bias(counts / rows, filled / rows, torch.cat(options))


def labelled_values(train_set: LabelledProducts) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Each labelled value as its attribute and token ids."""
    for _, window, labels in train_set.items:
        for attribute, tags in labels.pairs.items():
            for start in (i for i, tag in enumerate(tags) if tag == BEGIN):
                more = sum(1 for _ in takewhile(INSIDE.__eq__, tags[start + 1 :]))
                units = window.units[start : start + 1 + more]
                yield attribute, tuple(i for unit in units for i in unit.ids)


def calibrate_regions(model: Model, products: Sequence[Product], photos: int = 512) -> None:
    """Give region normalisation the statistics of the first readable photos."""
    if model.network.region_norm is None or model.transform is None:
        return
    loader = ImageLoader(model.transform)
    found = (pixels for p in products for pixels in load_photos(p, loader, most=1)[0].values())
    chosen = list(islice(found, photos))
    if chosen:
        model.network.calibrate(torch.from_numpy(np.stack(chosen)))


def _tune_threshold(
    model: Model, validation: Sequence[Product], read: Callable[[float], list[Prediction]]
) -> dict[float, float]:
    """Set S_thr to the best on validation products; returns the TAG-F1 of all candidates. Nothing without a range."""
    if not model.network.predicts_range:
        return {}
    curve = threshold_curve(validation, read(min(CANDIDATES)))
    model.thresholds["range"] = best_threshold(curve)
    return curve


def calibrate_on(extractor: Extractor, validation: Sequence[Product], progress: Progress) -> Calibrated | None:
    """Make the model's confidences those of the validation products' filled cells; None where these are too few."""
    try:
        calibrated = calibrate_extractor(extractor, validation)
    except DataError as exc:
        note(progress, f"confidences are not calibrated: {exc}")
        return None
    note(progress, calibrated.render())
    return calibrated


def headline(found: dict[str, Any]) -> dict[str, float]:
    """The figures of :meth:`Scores.to_json` that every validation shows."""
    tag = {f"tag_{name}": found["tag"][name] for name in ("f1", "precision", "recall")}
    macro = {"macro_f1": found["macro_f1"]} if found["macro_attributes"] else {}  # nothing could be averaged
    return tag | {"cls_f1": found["cls"]["f1"], **macro, "accuracy": found["accuracy"]}


def _check_labels(products: Sequence[Product], schema: Schema, what: str) -> None:
    if not _labelled_of(products, schema):
        number = len(schema.names)
        raise DataError(
            f"none of the {len(products)} {what} products has labelled spans of the schema's {number} attributes; "
            "make them from the shop's table with `attrex locate TABLE --out FILE`"
        )


def _check_scored(validation: Sequence[Product]) -> None:
    """Told before the first step, not after an epoch."""
    bare = next((p.id for p in validation if p.error is None and p.spans is None), None)
    if bare is not None:
        raise DataError(
            f"validation product {bare!r} has no labels to score against (its spans are missing); label it, give it "
            "`spans: []` if it says no value, or leave it out"
        )
