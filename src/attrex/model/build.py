"""Any system from a configuration: with pretrained encoders for training, or from saved specifications for use.

Shapes: C attributes, T tokens of a name, V pieces of the vocabulary, E width of their embeddings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from attrex.config import Config
from attrex.errors import ConfigError, short
from attrex.model.image_encoder import ImageEncoder, build_image_encoder
from attrex.model.system import System
from attrex.model.text_encoder import TextEncoder
from attrex.shop.schema import Schema
from attrex.systems import load_part, system_info

NAME_TOKENS = 10
"""Attribute names are read up to this many tokens (published release)."""


def build_system(
    config: Config,
    schema: Schema,
    tokenizer: Any,
    saved: Mapping[str, Any] | None = None,
    most: int | None = None,
) -> System:
    """The system that `system` in a configuration names; what is not pretrained has fresh weights.

    :param schema: the attributes, with the options that a value head chooses among
    :param saved: what :meth:`System.architecture` said of a saved model; None for a new model on pretrained encoders
    :param most: parameters that an encoder of a saved model may have; None: any number
    """
    system = load_part("system", system_info(config.system).code, System)
    return system.build(config, len(schema.names), Parts(config, schema, tokenizer, saved, most))


class Parts:
    """What systems are composed of. Each part is made when a system first asks for it, and is the same afterwards.

    With ``saved`` (:meth:`System.architecture`) encoders have the saved architecture and fresh weights, without it
    pretrained ones.
    """

    def __init__(
        self,
        config: Config,
        schema: Schema,
        tokenizer: Any,
        saved: Mapping[str, Any] | None = None,
        most: int | None = None,
    ) -> None:
        self.config, self.schema, self.tokenizer = config, schema, tokenizer
        self.fresh = saved is None
        self.saved: Mapping[str, Any] = saved or {}
        self.most = most

    @cached_property
    def text(self) -> TextEncoder:
        """The text encoder of `text.model`."""
        return pretrained_text(self.config) if self.fresh else TextEncoder.from_config(self.saved["text"], self.most)

    @cached_property
    def guide(self) -> TextEncoder:
        """A second text encoder like the first one, for the attributes' names."""
        return pretrained_text(self.config) if self.fresh else TextEncoder.from_config(self.saved["guide"], self.most)

    @cached_property
    def image(self) -> ImageEncoder | None:
        """The image encoder of `image.model`; None for a text-only model."""
        model = self.config.image.model if self.fresh else self.saved["image"]
        if model is None:
            return None
        if not self.fresh and not isinstance(model, Mapping):  # a name would be looked for at the hub
            raise ConfigError(f"image encoder should be an object that describes it, found {short(model)}")
        return build_image_encoder(model, most=self.most)

    @cached_property
    def word_pieces(self) -> nn.Embedding:
        """A copy of the text encoder's embedding matrix, (V, E), for systems that have no encoder."""
        if self.fresh:
            return deepcopy(self.text.embeddings.word_embeddings)  # type: ignore[return-value]
        return nn.Embedding(self.saved["words"]["pieces"], self.saved["words"]["width"])

    @cached_property
    def name_tokens(self) -> tuple[Tensor, Tensor]:
        """The attributes' names as tokens: ids and mask, each (C, T), T being NAME_TOKENS at most."""
        return name_tokens(self.schema.names, self.tokenizer)

    @cached_property
    def option_readings(self) -> Tensor:
        """What the text encoder reads in the names of all options, attribute by attribute: (O, D), of unit length."""
        names = [option for attribute in self.schema.attributes for option in attribute.options]
        if not self.fresh:
            return torch.zeros(len(names), self.text.width)
        return read_names(names, self.text, self.tokenizer)

    @property
    def reserved(self) -> Tensor:
        """Ids that stand for no text, such as the separator's; the unknown word's does: (n,)."""
        return torch.tensor(sorted({*self.tokenizer.all_special_ids} - {self.tokenizer.unk_token_id}))

    @property
    def mask_id(self) -> int | None:
        """The id of [MASK] of a new model; None where the tokenizer has none, or the model is a saved one."""
        return self.tokenizer.mask_token_id if self.fresh else None


@torch.no_grad()
def read_names(names: Sequence[str], encoder: TextEncoder, tokenizer: Any, batch: int = 256) -> Tensor:
    """The mean of an encoder's last states over each name's tokens, (n, D), of unit length."""
    training = encoder.training
    encoder.eval()
    readings = []
    for at in range(0, len(names), batch):
        ids, mask = name_tokens(names[at : at + batch], tokenizer)
        states = encoder.encode(encoder.embed(ids), mask)[0]
        readings.append(normalize((states * mask[..., None]).sum(1), dim=-1))
    encoder.train(training)
    return torch.cat(readings) if readings else torch.zeros(0, encoder.width)


def pretrained_text(config: Config) -> TextEncoder:
    """The text encoder with its pretrained weights."""
    return TextEncoder.pretrained(
        config.text.model,
        hidden_dropout=config.text.hidden_dropout,
        attention_dropout=config.text.attention_dropout,
    )


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
