"""How long a training takes on this machine: a few steps of it, timed before it starts."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from attrex.config import Config
from attrex.encoding.dataset import Collator, LabelledProducts
from attrex.encoding.targets import TargetEncoder
from attrex.inference.extractor import Extractor
from attrex.shop.shop import Shop
from attrex.training.train import init_range_bias, labelled_values, new_model
from attrex.training.trainer import AttrexTrainer, freeze
from attrex.types import Product

SAMPLE = 512
"""Products of which windows are counted and steps are timed."""
WARM_UP, TIMED = 2, 8
"""Steps that are left out, for the first ones are slow, and steps that are timed."""


@dataclass(frozen=True)
class Pace:
    """How long a training takes. A validation product counts as one to learn from, which is more than it takes."""

    step: float  #: seconds
    steps: float  #: in a pass over the training products
    validation_steps: float  #: as many as a validation is counted for

    def epochs(self, minutes: float) -> float:
        """Passes, each with its validation, that fit into so many minutes, with the measures at the end."""
        at_the_end = 2 * self.validation_steps  # the final scores and the calibration
        epochs = (60 * minutes / self.step - at_the_end) / (self.steps + self.validation_steps)
        return math.floor(max(0.0, epochs) * 100) / 100

    def minutes(self, epochs: float) -> float:
        """How long so many passes take."""
        return self.step * (epochs * (self.steps + self.validation_steps) + 2 * self.validation_steps) / 60


class _Clock(TrainerCallback):
    """Times some steps, and ends the training."""

    seconds = 0.0

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if state.global_step == WARM_UP:
            self.started = time.monotonic()
        elif state.global_step == WARM_UP + TIMED:
            self.seconds = time.monotonic() - self.started
            control.should_training_stop = True


def measure_pace(products: Sequence[Product], validation: Sequence[Product], *, config: Config, shop: Shop) -> Pace:
    """Time some steps of a training that is thrown away.

    :param products: labelled ones to train on.
    :param validation: of them only the number counts.
    """
    shop = shop.learn(products)
    config = config.fitted(len(products))
    readable = [p for p in products if p.error is None]
    sample = Random(config.training.seed).sample(readable, min(SAMPLE, len(readable)))
    model = new_model(config, shop)
    extractor = Extractor(model)
    train_set = LabelledProducts(sample, extractor.encoder, TargetEncoder(shop.schema))
    model.network.build_vocabulary(labelled_values(train_set))
    init_range_bias(model, train_set)
    freeze(model.network, config.training)
    endless = config.training.model_copy(update={"epochs": 1000, "evaluations": 1, "save_every": 0})
    clock = _Clock()
    with tempfile.TemporaryDirectory() as directory:
        collator = Collator(extractor.encoder, extractor.loader)
        timed = config.model_copy(update={"training": endless})
        trainer = AttrexTrainer(model.network, timed, train_set, collator, dict, Path(directory), trackers=[])
        trainer.add_callback(clock)
        trainer.train()
    windows = len(train_set) / max(1, train_set.products)
    per_product = windows / (config.training.batch_size * config.training.accumulation)
    return Pace(clock.seconds / TIMED, per_product * len(readable), per_product * len(validation))
