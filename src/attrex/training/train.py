"""From labelled products to a model directory."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from transformers import set_seed

from attrex.config import Config
from attrex.data.batching import Collator, LabelledProducts
from attrex.data.encoding import ProductEncoder
from attrex.data.images import ImageTransform
from attrex.errors import ConfigError, DataError
from attrex.evaluation.metrics import score
from attrex.inference.checkpoint import Model, load_tokenizer, write_json
from attrex.inference.extractor import Extractor
from attrex.model.build import pretrained_network
from attrex.model.text_encoder import resolve_text_model
from attrex.schema import Schema
from attrex.training.model_card import model_card
from attrex.training.trainer import AttrexTrainer, freeze, last_complete
from attrex.types import CellState, Product


def train(
    products: Iterable[Product],
    validation: Iterable[Product],
    directory: str | Path,
    *,
    config: Config | None = None,
    schema: Schema | None = None,
    resume: bool = False,
    trackers: list[str] | None = None,
    console: Console | None = None,
) -> Model:
    """Train a model and write its directory; the best state by validation TAG-F1 is kept.

    With ``resume`` a killed run goes on from its last checkpoint and ends as if it had not been killed; without any
    checkpoint it starts. Raises :class:`DataError` for products without labels, :class:`ConfigError` when the directory
    holds a run with other settings.
    """
    config = config or Config.load()
    directory, console = Path(directory), console or Console(stderr=True)
    products, validation = list(products), list(validation)
    _check_labels(products, "training")
    _check_labels(validation, "validation")
    schema = schema or Schema.learn(products)
    checkpoint = _prepare_directory(directory, config, schema, resume)

    set_seed(config.training.seed)
    model = new_model(config, schema)
    encoder = ProductEncoder(model.tokenizer, config, schema)
    train_set = LabelledProducts(products, encoder)
    if train_set.left_out:
        console.print(f"{train_set.left_out} of {len(products)} training rows have no readable text and are left out")
    start_classifier(model, train_set)
    freeze(model.network, config.training)

    extractor = Extractor(model)
    collator = Collator(encoder, extractor.loader)

    def measure() -> dict[str, float]:
        predictions = list(extractor.extract(validation, evidence=False))
        found = score(validation, predictions, bootstrap=0).to_json()
        return {
            "tag_f1": found["tag"]["f1"],
            "tag_precision": found["tag"]["precision"],
            "tag_recall": found["tag"]["recall"],
            "cls_f1": found["cls"]["f1"],
            "macro_f1": found["macro_f1"],
            "accuracy": found["accuracy"],
        }

    trainer = AttrexTrainer(
        model.network, config, train_set, collator, measure, directory, trackers=trackers, console=console
    )
    started = time.monotonic()
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    minutes = (time.monotonic() - started) / 60

    model.metrics = {
        "validation": score(validation, list(extractor.extract(validation, evidence=False)), seed=0).to_json(),
        "history": [entry for entry in trainer.state.log_history if "eval_tag_f1" in entry],
        "training_products": len(train_set),
        "minutes": round(minutes, 2),
        "resumed": checkpoint is not None,
        "seed": config.training.seed,
        "cells": cell_counts(products, schema),
    }
    model.save(directory, card=model_card(model))
    shutil.rmtree(directory / "checkpoints", ignore_errors=True)
    return model


def new_model(config: Config, schema: Schema) -> Model:
    """A fresh model on pretrained backbones."""
    tokenizer = load_tokenizer(resolve_text_model(config.text.model))
    network = pretrained_network(config, schema.names, tokenizer)
    transform = None
    if network.image is not None:
        image = config.image
        transform = ImageTransform(
            image.size, image.mean or network.image.default_mean, image.std or network.image.default_std
        )
    return Model(network, tokenizer, config, schema, transform, {"range": config.range.threshold})


def start_classifier(model: Model, train_set: LabelledProducts) -> None:
    """Give the range classifier each attribute's training frequency as its prior."""
    if model.network.classifier is None or not model.config.range.prior_bias:
        return
    windows = [w for _, encoded in train_set.items for w in encoded.windows if w.labels is not None]
    counts = torch.zeros(len(model.schema.names))
    for window in windows:
        if window.labels is not None:
            counts[list(window.labels.pairs)] += 1
    model.network.classifier.start_at(counts / max(1, len(windows)))


def cell_counts(products: Sequence[Product], schema: Schema) -> dict[str, dict[str, int]]:
    """Per attribute, how many training cells are blank, absent, located, filled but not located."""
    counts = {name: dict.fromkeys((s.name.lower() for s in CellState), 0) for name in schema.names}
    for product in products:
        for name in schema.names:
            counts[name][product.cell_state(name).name.lower()] += 1
    return counts


def _check_labels(products: Sequence[Product], what: str) -> None:
    if not any(p.spans for p in products):
        raise DataError(
            f"none of the {len(products)} {what} products has labelled spans; "
            "make them from the shop's table with `attrex locate TABLE --out FILE`"
        )


def _prepare_directory(directory: Path, config: Config, schema: Schema, resume: bool) -> Path | None:
    """Start a run, or find where to go on. What is saved first tells whether a resumed run is the same run."""
    fingerprint = {
        "config": config.model_dump(mode="json"),
        "schema": hashlib.sha256(schema.to_yaml().encode()).hexdigest(),
    }
    record = directory / "run.json"
    checkpoint = last_complete(directory)
    if resume and record.exists() and json.loads(record.read_text(encoding="utf-8")) != fingerprint:
        raise ConfigError(
            f"{directory} holds a run with other settings or attributes; resume it with the same --preset, --set, --seed "
            "and data, or choose another --out"
        )
    if not resume:
        if checkpoint is not None:
            raise ConfigError(f"{directory} holds an unfinished run; go on with --resume, or choose another --out")
        if (directory / "attrex.json").exists():
            raise ConfigError(f"{directory} holds a finished model; choose another --out")
    directory.mkdir(parents=True, exist_ok=True)
    write_json(record, fingerprint)
    return checkpoint if resume else None


def finished(directory: str | Path) -> dict[str, Any] | None:
    """Metrics of a finished run, or None: lets runners skip what is done."""
    path = Path(directory) / "metrics.json"
    return json.loads(path.read_text(encoding="utf-8")) if (Path(directory) / "attrex.json").exists() else None
