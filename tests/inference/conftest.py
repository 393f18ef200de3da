"""Untrained models whose value head has made up its mind, for the tests of extraction, directories and exports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from attrex.config import Config
from attrex.inference.calibration import Calibration
from attrex.inference.candidates import FEATURES
from attrex.inference.checkpoint import Model
from attrex.shop.schema import Schema
from attrex.shop.shop import Shop
from attrex.training.train import new_model
from attrex.types import Product
from attrex.vocabulary.normalizer import ValueNormalizer

Choosing = Callable[..., Model]


@pytest.fixture(scope="session")
def choosing(tiny: Config, schema: Schema, products: list[Product]) -> Choosing:
    """``choosing(text={"max_tokens": 32}, ...)``: a model that chooses, of those settings; the same weights every time.

    ``calibrated``: with a calibration, by which an attribute seldom applies where its text does not say it.
    """

    def choosing(*, calibrated: bool = True, **changes: dict[str, Any]) -> Model:
        raw = tiny.model_dump()
        for section, values in changes.items():
            raw[section] |= values
        torch.manual_seed(0)
        model = new_model(Config.parse(raw), Shop(schema=schema))
        head = model.network.values
        torch.manual_seed(1)
        with torch.no_grad():
            for look in filter(None, (head.text_look, head.photo_look)):
                look.query.weight.normal_(std=0.3)
                look.output.weight.normal_(std=0.3)
            head.own.normal_(std=0.3)
            head.bias.normal_()
            model.network.value_range.output.weight.normal_()
        model.normalizer = ValueNormalizer.fit(products, shop=model.shop)
        model.thresholds = {"range": 0.47}  # about half of the attributes
        if calibrated:
            weights = np.random.default_rng(0).normal(0, 0.2, (2, len(FEATURES) + 1)).round(3)
            model.calibration = Calibration(weights[0], {schema.names[1]: weights[1]}, {schema.names[2]: 0.5})
        return model

    return choosing
