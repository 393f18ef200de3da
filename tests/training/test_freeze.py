"""Which parameters each training scheme leaves alone."""

import pytest
import torch

from attrex.config import Config
from attrex.errors import ConfigError
from attrex.inference.checkpoint import load_tokenizer
from attrex.model.guidance import TextGuidance
from attrex.shop.schema import Schema
from attrex.shop.shop import Shop
from attrex.training.train import new_model
from attrex.training.trainer import freeze


def bert_guided(tiny: Config, scheme: str) -> Config:
    raw = tiny.model_dump()
    raw["guidance"]["kind"] = "bert"
    raw["training"] |= {"scheme": scheme, "text_layers": 1}
    return Config.parse(raw)


@pytest.mark.parametrize(
    ("scheme", "trained_layers"), [("uls", [True, True]), ("partial", [False, True]), ("fixed", [False, False])]
)
def test_the_guiding_encoder_is_frozen_like_the_reading_one(tiny, schema: Schema, scheme, trained_layers):
    config = bert_guided(tiny, scheme)
    network = new_model(config, Shop(schema=schema)).network

    freeze(network, config.training)

    assert isinstance(network.guidance, TextGuidance)
    network.train()
    for encoder in (network.text, network.guidance.encoder):
        assert [all(p.requires_grad for p in layer.parameters()) for layer in encoder.layers] == trained_layers
        assert [layer.training for layer in encoder.layers] == trained_layers
        assert encoder.embeddings.training == (scheme == "uls")
    assert all(p.requires_grad for p in network.decoder.parameters())
    assert network.decoder.training


def test_frozen_encoders_read_the_same_in_every_step(tiny, schema: Schema):
    """No dropout, and no batch statistics that move."""
    raw = tiny.model_dump()
    raw["training"]["scheme"], raw["text"]["hidden_dropout"] = "fixed", 0.5
    config = Config.parse(raw)
    network = new_model(config, Shop(schema=schema)).network
    freeze(network, config.training)
    network.train()
    ids, photos = torch.arange(6)[None], torch.randint(256, (2, 64, 64, 3), dtype=torch.uint8)
    for read in (lambda: network.text.encode(network.text.embed(ids), None)[0], lambda: network.encode_images(photos)):
        assert torch.equal(read(), read())


def test_a_text_model_without_tokenizer_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ConfigError, match=r"no tokenizer for text\.model=.*nowhere.*give a directory"):
        load_tokenizer(tmp_path / "nowhere")
