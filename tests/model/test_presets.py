"""The paper's presets on tiny random backbones of the same classes: their code runs here, without a download."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer

from attrex.config import Config
from attrex.model.batch import Batch
from attrex.model.build import build_system, name_tokens, read_names
from attrex.model.network import Network
from attrex.shop.schema import Attribute, Schema

NAMES = ["closure", "colour", "sleeve length", "a very long name of an attribute that no shop would ever give"]
SCHEMA = Schema(tuple(Attribute(name, options=("red", "half zip")) for name in NAMES))
BERT = {
    "model_type": "bert",
    "vocab_size": 60,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 160,
}
RESNET = {
    "model_type": "resnet",  # ResNet-152 has these layers, 3, 8, 36 and 3 of them
    "layer_type": "bottleneck",
    "embedding_size": 8,
    "hidden_sizes": [16, 16, 32, 32],
    "depths": [1, 1, 2, 1],
}
SPECS = {"text": BERT, "image": {"kind": "hf", "config": RESNET}, "guide": None}

PAPER = {
    "image.model": "microsoft/resnet-152",
    "image.size": 224,
    "image.mean": (0.48, 0.498, 0.531),
    "image.std": (0.214, 0.207, 0.207),
    "image.max_images": 1,
    "image.dropout": 0.0,
    "fusion.kind": "tir",
    "fusion.width": 200,
    "fusion.heads": 1,
    "fusion.softmax": False,
    "fusion.init_std": 0.01,
    "fusion.region_norm": False,
    "range.kind": "predicted",
    "range.reduction": "mean",
    "range.unknown": "negative",
    "guidance.kind": "prototype",
    "decoder.hidden": None,
    "decoder.dropout": 0.2,
    "decoder.reduction": "mean",
    "decoder.constrained": True,
    "training.scheme": "uls",
    "training.learning_rate": 1e-4,
    "training.image_learning_rate": 5e-5,
    "training.head_learning_rate": None,
    "training.schedule": "constant",
    "training.warmup": 0.0,
    "training.weight_decay": 0.0,
    "training.epochs": 45,
    "training.batch_size": 70,
}
MEPAVE = {"text.model": "uer/chinese_roberta_L-4_H-512", "text.max_tokens": 48, "range.threshold": 0.5}
MAE = {"text.model": "bert-base-uncased", "text.max_tokens": 128, "range.threshold": 0.4}
PRESETS: dict[str, dict[str, Any]] = {
    "mepave": PAPER | MEPAVE | {"text.units": "char"},
    "mae": PAPER | MAE | {"range.only_epochs": 1},
}


def labelled_batch() -> Batch:
    """Two rows of 8 and 6 tokens with a photo each."""
    lengths, position = torch.tensor([8, 6]), torch.arange(8)
    index = torch.arange(1, 7).expand(2, -1)
    unit_mask = index < lengths[:, None] - 1
    tags = torch.tensor([[0, 1, 2, 0, 0, 0], [0, 0, 1, 2, 0, 0]])
    random = torch.Generator().manual_seed(0)
    return Batch.from_tensors(
        {
            "input_ids": torch.randint(5, 60, (2, 8), generator=random).masked_fill(position >= lengths[:, None], 0),
            "token_mask": position < lengths[:, None],
            "unit_index": index.masked_fill(~unit_mask, 0),
            "unit_mask": unit_mask,
            "pixels": torch.randint(0, 256, (2, 64, 64, 3), generator=random, dtype=torch.uint8),
            "image_index": torch.tensor([[0], [1]]),
            "cells": torch.tensor([[2, 1, 0, 1], [1, 2, 1, 0]], dtype=torch.uint8),
            "pair_rows": torch.tensor([0, 1]),
            "pair_attributes": torch.tensor([0, 1]),
            "pair_tags": tags,
            "flat_tags": torch.zeros_like(index),
            "pair_weights": torch.zeros(2),
            "range_targets": torch.zeros(2, 4),
        }
    )


def make(preset: str, overrides: Sequence[str] = ()) -> Network:
    torch.manual_seed(0)
    return build_system(Config.load(preset, overrides), SCHEMA, None, SPECS)


@pytest.mark.parametrize("preset", PRESETS)
def test_settings_are_those_of_the_paper(preset: str):
    config = Config.load(preset)
    found = {key: getattr(getattr(config, key.split(".")[0]), key.split(".")[1]) for key in PRESETS[preset]}
    assert found == PRESETS[preset]
    assert config.system_name == "ULS-DRAM"
    assert config.preset == preset


@pytest.mark.parametrize("preset", ["mepave", "mae"])
def test_presets_train_and_extract(preset: str):
    network = make(preset)
    batch = labelled_batch()
    torch.nn.init.constant_(network.classifier.output.bias, 9.0)  # some range to decode
    losses = network.train()(**batch.tensors())
    losses.loss.backward()
    assert losses.loss.isfinite()
    assert losses.pairs == 8
    still = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert still == []
    assert network.crf.num_tags == 3
    assert network.decoder.lstm.hidden == network.text.width
    assert network.classifier.output.out_features == len(NAMES)
    assert not any(m.training for m in network.image.modules() if isinstance(m, torch.nn.BatchNorm2d))

    found = network.eval().extract(batch.inputs, region_weights=True)
    assert found.region_weights.shape == (2, 8, 4)
    assert found.pairs == 8
    assert found.probability.isfinite().all()


def test_padding_does_not_matter():
    network = make("mepave").eval()
    batch = labelled_batch()
    before = network.encode(batch.inputs).range_logits
    batch.inputs.input_ids = torch.nn.functional.pad(batch.inputs.input_ids, (0, 4))
    batch.inputs.token_mask = torch.nn.functional.pad(batch.inputs.token_mask, (0, 4))
    assert torch.allclose(network.encode(batch.inputs).range_logits, before, atol=1e-6)


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["guidance.kind=bert"],
        ["guidance.kind=dynet", "fusion.kind=concat_attention"],
        ["range.kind=none", "fusion.kind=none", "image.model=null"],
    ],
)
def test_a_saved_architecture_makes_the_same_network(tiny_text: Path, tiny_image: Path, overrides: list[str]):
    tokenizer = AutoTokenizer.from_pretrained(tiny_text)
    config = Config.load("mepave", [f"text.model={tiny_text}", f"image.model={tiny_image}", *overrides])
    network = build_system(config, SCHEMA, tokenizer)
    specs = json.loads(json.dumps(network.architecture()))
    again = build_system(config, SCHEMA, tokenizer, specs)
    shapes = {name: value.shape for name, value in network.state_dict().items()}
    assert {name: value.shape for name, value in again.state_dict().items()} == shapes
    assert again.architecture() == network.architecture()


def test_pretrained_weights_arrive_in_both_encoders_and_in_bert_guidance(tiny_text: Path, tiny_image: Path):
    tokenizer = AutoTokenizer.from_pretrained(tiny_text)
    settings = [f"text.model={tiny_text}", f"image.model={tiny_image}", "guidance.kind=bert"]
    one, other = (build_system(Config.load("mepave", settings), SCHEMA, tokenizer) for _ in range(2))
    for part in ("text", "image", "guidance.encoder"):
        states = [n.get_submodule(part).state_dict() for n in (one, other)]
        assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])
    assert one.text is not one.guidance.encoder
    names = {name for name, _ in one.pretrained_parameters()}
    assert {name.split(".")[0] for name in names} == {"text", "guidance"}


def test_attribute_names_are_read_up_to_ten_tokens(tiny_text: Path):
    tokenizer = AutoTokenizer.from_pretrained(tiny_text)
    ids, mask = name_tokens(NAMES, tokenizer)
    assert ids.shape == mask.shape == (4, 10)
    assert (ids[:, 0] == tokenizer.cls_token_id).all()
    assert [row[m][-1].item() for row, m in zip(ids, mask, strict=True)] == [tokenizer.sep_token_id] * 4
    assert mask[3].all()
    assert (ids[~mask] == tokenizer.pad_token_id).all()


def test_options_are_read_by_the_pretrained_encoder_in_their_order(tiny_text: Path, tiny_image: Path):
    tokenizer = AutoTokenizer.from_pretrained(tiny_text)
    config = Config.load("small", [f"text.model={tiny_text}", f"image.model={tiny_image}", "text.max_tokens=96"])
    schema = Schema(
        (
            Attribute("colour", options=("red", "navy blue")),
            Attribute("pattern"),
            Attribute("sole", options=("a very long name of a sole", "red")),
        )
    )
    network = build_system(config, schema, tokenizer)
    readings = network.values.readings
    assert network.values.sizes.tolist() == [2, 0, 2]
    assert readings.shape == (4, network.text.width)
    torch.testing.assert_close(readings.norm(dim=1), torch.ones(4))
    assert torch.equal(readings[0], readings[3])
    assert not torch.isclose(readings[0], readings[1:3]).all(1).any()
    alone = torch.cat([read_names([name], network.text, tokenizer) for name in ("red", "navy blue")])
    torch.testing.assert_close(alone, readings[:2])  # whatever is read beside it
    torch.testing.assert_close(read_names(["red", "navy blue", "red"], network.text, tokenizer, batch=2)[:2], alone)
    assert read_names([], network.text, tokenizer).shape == (0, network.text.width)
    for training in (True, False):
        network.text.train(training)
        torch.testing.assert_close(read_names(["red"], network.text, tokenizer), alone[:1])
        assert network.text.training == training
    saved = build_system(config, schema, tokenizer, json.loads(json.dumps(network.architecture())))
    assert not saved.values.readings.any()  # they come with the weights
    assert not build_system(Config.load("small", ["range.kind=none"]), schema, tokenizer, SPECS).chooses_values
