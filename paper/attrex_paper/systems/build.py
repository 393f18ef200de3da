"""Any system from a configuration: on pretrained encoders for training, or on saved specifications for use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from attrex.config import Config
from attrex.model.build import name_tokens, network_from, pretrained_network, pretrained_text
from attrex.model.image_encoder import ImageEncoder, build_image_encoder
from attrex.model.system import System
from attrex.model.text_encoder import TextEncoder
from attrex_paper.systems.adatag import AdaTag
from attrex_paper.systems.attn_birnn import AttnBiRNN
from attrex_paper.systems.aveqa import AVEQA
from attrex_paper.systems.jave import JAVE
from attrex_paper.systems.joint_bert import JointBERT, KPlug
from attrex_paper.systems.mae_model import MAEModel
from attrex_paper.systems.opentag import OpenTag
from attrex_paper.systems.pam import PAM
from attrex_paper.systems.rnn_lstm import RNNLSTM
from attrex_paper.systems.rpbert import RpBERT
from attrex_paper.systems.slot_gated import SlotGated
from attrex_paper.systems.suopentag import SUOpenTag
from attrex_paper.systems.words import WordEmbeddings

T = TypeVar("T")


@dataclass
class Parts:
    """What systems are put together from; each takes what it needs."""

    text: TextEncoder | None
    words: WordEmbeddings | None
    image: ImageEncoder | None
    names: tuple[Tensor, Tensor]  #: attribute names as tokens: ids and mask, each (C, T)
    reserved: Tensor  #: ids that stand for no text
    mask: int | None = None  #: id of [MASK], where there are pretrained weights to learn from
    values: tuple[int, ...] = ()  #: size of a vocabulary of values or their pieces: how many, the longest in tokens


def pretrained_system(config: Config, attributes: Sequence[str], tokenizer: Any) -> System:
    """A system whose encoders carry their pretrained weights; all other layers are fresh."""
    if _is_network(config):
        return pretrained_network(config, attributes, tokenizer)
    text = pretrained_text(config)
    reserved = _reserved(tokenizer)
    words = WordEmbeddings.of(text, reserved)
    image = build_image_encoder(config.image.model) if config.image.model is not None else None
    names = name_tokens(attributes, tokenizer)
    return _compose(config, len(attributes), Parts(text, words, image, names, reserved, mask=tokenizer.mask_token_id))


def system_from(config: Config, attributes: Sequence[str], tokenizer: Any, specs: Mapping[str, Any]) -> System:
    """The architecture of :meth:`System.architecture`, with fresh weights."""
    if _is_network(config):
        return network_from(config, attributes, tokenizer, specs)
    text = TextEncoder.from_config(specs["text"]) if specs.get("text") else None
    words, reserved = None, _reserved(tokenizer)
    if specs.get("words"):
        pieces = nn.Embedding(specs["words"]["pieces"], specs["words"]["width"])
        words = WordEmbeddings(pieces, reserved)
    image = build_image_encoder(specs["image"]) if specs.get("image") is not None else None
    names = name_tokens(attributes, tokenizer)
    values = tuple(specs.get("values", ()))
    return _compose(config, len(attributes), Parts(text, words, image, names, reserved, values=values))


def _is_network(config: Config) -> bool:
    """ULS-DRAM, its variants, and the single-stream models, which differ in their fusion only."""
    return config.system in ("uls-dram", "uniter", "vilt", "pixel-bert")


def _compose(config: Config, attributes: int, parts: Parts) -> System:
    text, words, image = parts.text, parts.words, parts.image
    match config.system:
        case "opentag":
            return OpenTag(config, attributes, _there(words))
        case "rnn-lstm":
            return RNNLSTM(config, attributes, _there(words))
        case "attn-birnn":
            return AttnBiRNN(config, attributes, _there(words))
        case "slot-gated" | "slot-gated-intent":
            return SlotGated(config, attributes, _there(words), slot_attention=config.system == "slot-gated")
        case "joint-bert" | "joint-bert-crf":
            return JointBERT(config, attributes, _there(text), crf=config.system == "joint-bert-crf")
        case "k-plug":
            return KPlug(config, attributes, _there(text))
        case "suopentag":
            return SUOpenTag(config, attributes, _there(text), parts.names)
        case "aveqa":
            return AVEQA(config, attributes, _there(text), parts.names, parts.mask)
        case "adatag":
            return AdaTag(config, attributes, _there(text), parts.names)
        case "jave-lstm" | "m-jave-lstm":
            return JAVE(config, attributes, words=_there(words), image=image)
        case "jave-bert" | "m-jave-bert":
            return JAVE(config, attributes, text=_there(text), image=image)
        case "rpbert":
            return RpBERT(config, attributes, _there(text), _there(words), _there(image))
        case "mae-model":
            return MAEModel(config, attributes, _there(words), _there(image), *parts.values)
        case "pam":
            return PAM(config, attributes, _there(text), _there(image), parts.reserved, *parts.values)
        case other:
            raise AssertionError(f"system={other} is listed in attrex.systems and composed nowhere")


def _there(part: T | None) -> T:
    assert part is not None  # an architecture.json without it was not written by this system
    return part


def _reserved(tokenizer: Any) -> Tensor:
    """Ids that stand for no text; the unknown word's does."""
    return torch.tensor(sorted({*tokenizer.all_special_ids} - {tokenizer.unk_token_id}))
