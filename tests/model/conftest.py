"""Networks on tiny random backbones, and one small labelled batch, for the tests of the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import BertConfig, BertModel

from attrex.config import Config
from attrex.model.batch import Batch
from attrex.model.image_encoder import ImageEncoder, build_image_encoder
from attrex.model.network import Network
from attrex.model.text_encoder import TextEncoder

ATTRIBUTES = 4
WIDTH = 16
PLAIN = """
text: {max_tokens: 32, overlap: 8, hidden_dropout: 0, attention_dropout: 0}
image: {size: 64, dropout: 0}
fusion: {width: 8, init_std: 0.2}
decoder: {hidden: 8, dropout: 0}
"""


def tiny_bert() -> TextEncoder:
    return TextEncoder(
        BertModel(
            BertConfig(
                vocab_size=60,
                hidden_size=WIDTH,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=32,
                max_position_embeddings=40,
                hidden_dropout_prob=0.0,
                attention_probs_dropout_prob=0.0,
                initializer_range=0.3,  # far from a linear model, so that mistakes show
            )
        )
    )


def readings(options: int) -> Tensor:
    """What a text encoder might read in the options' names."""
    return torch.nn.functional.normalize(
        torch.randn(options, WIDTH, generator=torch.Generator().manual_seed(0)), dim=-1
    )


@cache
def backbones() -> tuple[TextEncoder, TextEncoder, ImageEncoder]:
    """Two text encoders, and a ResNet to which 64 pixels are 2 x 2 regions of 12 channels."""
    torch.manual_seed(0)
    config = {"hidden_sizes": [16, 16, 16, 12], "depths": [1] * 4, "embedding_size": 16, "layer_type": "basic"}
    resnet = build_image_encoder({"kind": "hf", "config": {"model_type": "resnet", **config}})
    return tiny_bert(), tiny_bert(), resnet


@pytest.fixture
def encoder() -> TextEncoder:
    torch.manual_seed(0)
    return tiny_bert().eval()


@pytest.fixture
def count_rows() -> Callable[[torch.nn.Module], list[int]]:
    """``read = count_rows(module)``: from now on, the batch sizes with which a module is called."""

    def count_rows(module: torch.nn.Module) -> list[int]:
        read: list[int] = []
        module.register_forward_hook(lambda _, inputs, __: read.append(len(inputs[0])))
        return read

    return count_rows


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Network]:
    """``build("guidance.kind=dynet", ...)``: a network of those settings, the same weights every time.

    ``options``: how many options each attribute has, for a value head.
    """
    plain = tmp_path / "plain.yaml"
    plain.write_text(PLAIN, encoding="utf-8")

    def build(*settings: str, options: Sequence[int] | None = None) -> Network:
        config = Config.load(plain, settings)
        text, guide, image = deepcopy(backbones())
        torch.manual_seed(0)
        bert = config.guidance.kind == "bert"
        names = torch.tensor([[2, 7, 3], [2, 8, 3], [2, 9, 3], [2, 10, 3]]), torch.ones(4, 3, dtype=torch.bool)
        network = Network(
            config,
            ATTRIBUTES,
            text,
            image if config.image.model else None,
            guide if bert else None,
            names if bert else None,
            options=None if options is None else (options, readings(sum(options))),
        )
        if network.concat is not None:
            torch.nn.init.ones_(network.concat.norm.weight)  # as if trained: at the start regions are silent
        return network

    return build


@pytest.fixture
def batch() -> Batch:
    """Three rows of 9, 8 and 6 tokens; the first two have a photo.

    Gold: row 0 has attributes 0 and 2, row 1 has attribute 1, row 2 has none. Row 1 has a blank cell, row 2 two.
    """
    random = torch.Generator().manual_seed(0)
    lengths = torch.tensor([9, 8, 6])
    position = torch.arange(9)
    units = torch.arange(7)
    return Batch.from_tensors(
        {
            "input_ids": torch.randint(5, 60, (3, 9), generator=random).masked_fill(position >= lengths[:, None], 0),
            "token_mask": position < lengths[:, None],
            "unit_index": (units + 1).expand(3, 7).masked_fill(units >= lengths[:, None] - 2, 0),
            "unit_mask": units < lengths[:, None] - 2,
            "pixels": torch.randint(0, 256, (2, 64, 64, 3), generator=random, dtype=torch.uint8),
            "image_index": torch.tensor([[0], [1], [-1]]),
            "cells": torch.tensor([[2, 1, 2, 1], [1, 2, 3, 0], [0, 1, 1, 0]], dtype=torch.uint8),
            "pair_rows": torch.tensor([0, 0, 1]),
            "pair_attributes": torch.tensor([0, 2, 1]),
            "pair_tags": torch.tensor([[0, 1, 2, 0, 0, 0, 0], [0, 0, 0, 0, 1, 0, 1], [1, 2, 2, 0, 0, 0, 0]]),
            "flat_tags": torch.tensor([[0, 1, 2, 0, 5, 0, 5], [3, 4, 4, 0, 0, 0, 0], [0] * 7]),
            "pair_weights": torch.zeros(3),
            "range_targets": torch.zeros(3, 4),
        }
    )
