"""A network from a configuration: with pretrained backbones for training, or from saved specifications for use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from attrex.config import Config
from attrex.model.image_encoder import build_image_encoder
from attrex.model.network import Network
from attrex.model.text_encoder import TextEncoder

NAME_TOKENS = 10
"""Attribute names are read up to this many tokens by BERT guidance (published release)."""


def pretrained_network(config: Config, attributes: Sequence[str], tokenizer: Any) -> Network:
    """A network whose encoders carry their pretrained weights; all other layers are fresh."""
    text = pretrained_text(config)
    bert = config.guidance.kind == "bert" and config.range.kind == "predicted"
    guide = pretrained_text(config) if bert else None
    names = name_tokens(attributes, tokenizer) if bert else None
    image = build_image_encoder(config.image.model) if config.image.model is not None else None
    return Network(config, len(attributes), text, image, guide, names)


def pretrained_text(config: Config) -> TextEncoder:
    """The text encoder with its pretrained weights."""
    return TextEncoder.pretrained(
        config.text.model,
        hidden_dropout=config.text.hidden_dropout,
        attention_dropout=config.text.attention_dropout,
    )


def network_from(config: Config, attributes: Sequence[str], tokenizer: Any, specs: Mapping[str, Any]) -> Network:
    """The architecture of :meth:`Network.architecture`, with fresh weights."""
    guide = TextEncoder.from_config(specs["guide"]) if specs.get("guide") else None
    image = build_image_encoder(specs["image"]) if specs["image"] is not None else None
    names = name_tokens(attributes, tokenizer) if guide is not None else None
    return Network(config, len(attributes), TextEncoder.from_config(specs["text"]), image, guide, names)


def name_tokens(names: Sequence[str], tokenizer: Any) -> tuple[Tensor, Tensor]:
    """Attribute names as tokens: ids and mask, each (C, at most NAME_TOKENS)."""
    rows = []
    for name in names:
        # Said outright, for some tokenizers come set to pad every text to one length.
        encoded = tokenizer(name, add_special_tokens=False, padding=False, truncation=False)
        tokens = encoded.input_ids[: NAME_TOKENS - 2]
        rows.append([tokenizer.cls_token_id, *tokens, tokenizer.sep_token_id])
    width = max(map(len, rows), default=2)
    ids = torch.tensor([row + [tokenizer.pad_token_id] * (width - len(row)) for row in rows])
    mask = torch.tensor([[i < len(row) for i in range(width)] for row in rows])
    return ids, mask
