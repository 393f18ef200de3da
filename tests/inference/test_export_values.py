"""An exported value head chooses what its model chooses, for the same reasons, without torch."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from attrex.config import Config
from attrex.errors import CheckpointError
from attrex.inference.checkpoint import Model
from attrex.inference.export import write_export
from attrex.inference.extractor import Extractor
from attrex.shop.schema import Schema
from attrex.shop.shop import Shop
from attrex.training.train import new_model
from attrex.types import Prediction, Product

TEXT_ONLY = {"image": {"model": None}, "fusion": {"kind": "none"}}
CHOOSING: dict[str, dict[str, Any]] = {
    "several photos, not calibrated": {"image": {"max_images": 2}, "calibrated": False},
    "text only, guided by names": TEXT_ONLY | {"guidance": {"kind": "bert"}},
    "concat, several windows": {"fusion": {"kind": "concat"}, "text": {"max_tokens": 32, "overlap": 12}},
}


@pytest.fixture(scope="module")
def sample(products: list[Product]) -> list[Product]:
    """With several photos, none, a broken one; and a text of nothing but space."""
    first, second, third, *rest = products[:7]
    return [
        replace(first, images=()),
        replace(second, images=(*second.images, *rest[0].images)),
        replace(third, images=(b"no photo",)),
        Product("blank", {"title": " "}, images=first.images),
        *rest,
    ]


@pytest.fixture(scope="module")
def chosen(choosing: Callable[..., Model], tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Path]:
    model = choosing()
    return model, write_export(model, tmp_path_factory.mktemp("chosen") / "onnx")


def assert_same(one: list[Prediction], other: list[Prediction]) -> None:
    """The same values for the same reasons, and the same numbers but for rounding."""
    for a, b in zip(one, other, strict=True):
        assert (a.id, a.warnings, len(a.values)) == (b.id, b.warnings, len(b.values))
        for v, w in zip(a.values, b.values, strict=True):
            assert (v.attribute, v.value, v.key, v.decided_by) == (w.attribute, w.value, w.key, w.decided_by)
            assert v.confidence == pytest.approx(w.confidence, abs=1e-4)
            words, others = ([(x.field, x.start, x.end, x.text) for x in y.words] for y in (v, w))
            assert words == others
            assert [x.weight for x in v.words] == pytest.approx([x.weight for x in w.words], abs=1e-4)
            assert [x.image for x in v.regions] == [x.image for x in w.regions]
            for x, y in zip(v.regions, w.regions, strict=True):
                assert sum(x.weights, ()) == pytest.approx(sum(y.weights, ()), abs=1e-2)


@pytest.mark.parametrize("name", CHOOSING)
def test_a_value_head_chooses_what_its_model_chooses(
    choosing: Callable[..., Model], sample: list[Product], tmp_path: Path, name: str
) -> None:
    model = choosing(**CHOOSING[name])
    expected = list(Extractor(model, device="cpu").extract(sample, batch_size=5))
    export = Extractor.load(write_export(model, tmp_path / "onnx"))
    assert export.chooses_values
    assert sum(v.source is None for p in expected for v in p.values) > 20
    assert_same(expected, list(export.extract(sample, batch_size=5)))


@pytest.mark.parametrize(
    "options",
    [{"batch_size": 1}, {"photos": False}, {"evidence": False}, {"attributes": ["Color", "Fit"]}, {"threshold": 0.99}],
    ids=lambda options: next(iter(options)),
)
def test_an_export_chooses_alike_however_it_is_asked(
    chosen: tuple[Model, Path], sample: list[Product], options: dict[str, Any]
) -> None:
    expected = list(Extractor(chosen[0], device="cpu").extract(sample, **options))
    assert_same(expected, list(Extractor.load(chosen[1]).extract(sample, **options)))


def test_an_attribute_that_is_ruled_out_is_not_chosen(
    choosing: Callable[..., Model], sample: list[Product], schema: Schema, tmp_path: Path
) -> None:
    model = choosing(range={"mask_by_category": True})
    model.shop = replace(model.shop, schema=replace(schema, categories={"Shoes": schema.names[:3]}))
    shoes = [replace(product, category="Shoes") for product in sample]
    expected = list(Extractor(model, device="cpu").extract(shoes))
    found = list(Extractor.load(write_export(model, tmp_path / "onnx")).extract(shoes))
    assert {v.attribute for p in found for v in p.values} <= set(schema.names[:3])
    assert_same(expected, found)


def test_cells_are_those_of_the_model(chosen: tuple[Model, Path], sample: list[Product]) -> None:
    both = (Extractor(chosen[0], device="cpu"), Extractor.load(chosen[1]))
    for one, other in zip(*(extractor.cells(sample) for extractor in both), strict=True):
        assert one.keys() == other.keys()
        for attribute, candidates in one.items():
            features = {c.value: c.features for c in other[attribute]}
            assert {c.value for c in candidates} == features.keys()
            assert all(c.features == pytest.approx(features[c.value], abs=2e-3) for c in candidates)


def test_nothing_is_chosen_where_nothing_is_asked(
    choosing: Callable[..., Model], sample: list[Product], tmp_path: Path
) -> None:
    model = choosing(values={"threshold": 0.999})
    export = Extractor.load(write_export(model, tmp_path / "onnx"))
    for extractor in (Extractor(model, device="cpu"), export):
        assert not any(p.values for p in extractor.extract(sample[4:6], threshold=0.999))


def test_options_are_added_in_the_model_and_not_in_its_export(
    chosen: tuple[Model, Path], tmp_path: Path, schema: Schema
) -> None:
    copy = shutil.copytree(chosen[1], tmp_path / "copy")
    color = schema.attributes[schema.index("Color")]
    text = (copy / "shop.yaml").read_text(encoding="utf-8")
    (copy / "shop.yaml").write_text(text.replace(f"- {color.options[0]}\n", f"- {color.options[0]}\n    - Lilac\n", 1))
    with pytest.raises(
        CheckpointError, match=r"options\.safetensors has \d+ options, shop\.yaml \d+; add options in the"
    ):
        Extractor.load(copy)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda d: (d / "options.safetensors").unlink(), "options.safetensors missing"),
        (lambda d: (d / "values.onnx").unlink(), "values.onnx missing"),
        (lambda d: (d / "options.safetensors").write_bytes(b"no tensors"), "options.safetensors is damaged: .*export"),
        (
            lambda d: save_file({"bias": np.zeros(3)}, d / "options.safetensors"),
            "is damaged: 'vectors'; export the mod",
        ),
        (lambda d: (d / "values.onnx").write_bytes(b"no graph"), "is damaged"),
        (lambda d: (d / "calibration.json").write_text("{}"), "calibration.json is damaged"),
    ],
)
def test_a_damaged_value_head_is_told(
    chosen: tuple[Model, Path], tmp_path: Path, damage: Callable[[Path], Any], words: str
) -> None:
    copy = Path(shutil.copytree(chosen[1], tmp_path / "copy"))
    damage(copy)
    with pytest.raises(CheckpointError, match=words):
        Extractor.load(copy)


@pytest.mark.parametrize("change", [{"values": {"head": False}}, {"range": {"kind": "none"}}], ids=str)
def test_an_export_of_a_model_without_a_head_has_none(
    tiny: Config, schema: Schema, tmp_path: Path, change: dict[str, Any]
) -> None:
    raw = tiny.model_dump()
    for section, settings in change.items():
        raw[section] |= settings
    directory = write_export(new_model(Config.parse(raw), Shop(schema=schema)), tmp_path / "onnx")
    assert not {"values.onnx", "options.safetensors", "calibration.json"} & {p.name for p in directory.iterdir()}
    assert not Extractor.load(directory).chooses_values
