"""The benchmark measures every way a model can be run, and says what it measured."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from torch.utils.flop_counter import FlopCounterMode

from attrex.cli.screens.speed import speed_screen
from attrex.config import Config
from attrex.errors import DataError
from attrex.inference.extractor import Extractor
from attrex.shop.schema import Schema
from attrex.shop.shop import Shop
from attrex.tools import benchmark as module
from attrex.tools.benchmark import Backend, benchmark, in_own_process, machine
from attrex.training.train import new_model
from attrex.types import Product

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def model(tiny: Config, schema: Schema, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)  # an untrained model finds spans only with some first weights
    made = new_model(tiny, Shop(schema=schema))
    made.thresholds = {"range": 0.0}
    return made.save(tmp_path_factory.mktemp("benchmark") / "model")


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting a process takes longer than what these tests look at."""

    def call(function: Callable[..., Any], *arguments: Any) -> Any:
        return function(*arguments)

    monkeypatch.setattr(module, "in_own_process", call)
    monkeypatch.setattr(module, "has_bf16", lambda: False)


@pytest.mark.usefixtures("in_this_process")
def test_a_model_is_measured_in_torch_and_as_exports_with_and_without_photos(
    model: Path, products: list[Product], tmp_path: Path
) -> None:
    said: list[str] = []
    found = benchmark(model, products[:8], tmp_path, rounds=1, progress=said.append)
    names = [f"{way}, {what}" for way in ("torch", "onnx", "onnx int8") for what in ("text", "text + photo")]
    assert list(found["ways"]) == names
    assert [line for line in said if line.startswith("round")] == [f"round 1 of 1: {name}" for name in names]
    for way in found["ways"].values():
        assert way["lowest"] <= way["products_per_second"] <= way["highest"]
        assert 0 < way["p50_ms"] <= way["p99_ms"]
    assert found["matrix_gflops"]["float32"] > 0
    assert [name for name, way in found["ways"].items() if "text_encoder_gflops" in way] == names[:2]
    stages = found["ways"]["torch, text + photo"]["stages_ms"]
    assert {"tokenise", "decode photos", "network and decoding", "of which: image encoder"} <= set(stages)
    assert json.loads(json.dumps(found)) == found
    console = Console(record=True, width=200)
    console.print(speed_screen(found))
    assert "onnx int8, text + photo" in console.export_text()


@pytest.mark.usefixtures("in_this_process")
def test_an_export_is_measured_as_it_is_and_products_without_photos_by_text_only(
    model: Path, products: list[Product], tmp_path: Path
) -> None:
    export = module._export_model(model, tmp_path / "int8", True)
    bare = [replace(p, images=()) for p in products[:4]]
    assert list(benchmark(export, bare, tmp_path, rounds=1)["ways"]) == ["onnx int8, text"]


@pytest.mark.usefixtures("in_this_process")
def test_without_onnx_torch_is_measured_alone(
    model: Path, products: list[Product], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    said: list[str] = []
    bare = [replace(p, images=()) for p in products[:4]]
    assert list(benchmark(model, bare, tmp_path, rounds=1, progress=said.append)["ways"]) == ["torch, text"]
    assert any("onnx is left out: an export is made with onnx" in line for line in said)


def test_without_products_there_is_nothing_to_measure(model: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a benchmark needs products"):
        benchmark(model, [Product("bad", {}, error="line 1")], tmp_path)


def test_a_wider_catalogue_decodes_no_more_sequences_and_finds_the_same(
    model: Path, products: list[Product], tmp_path: Path
) -> None:
    spec = spec_from_file_location("benchmarks_attributes", ROOT / "benchmarks" / "attributes.py")
    assert spec is not None
    assert spec.loader is not None
    attributes = module_from_spec(spec)
    spec.loader.exec_module(attributes)
    attributes._widen(str(model), 300, tmp_path / "wide")
    narrow, wide = Extractor.load(model), Extractor.load(tmp_path / "wide")
    assert len(wide.names) == 300
    found = [list(e.extract(products[:6], threshold=0.2)) for e in (narrow, wide)]
    assert sum(len(p.values) for p in found[0]) > 10
    assert narrow.count == wide.count
    assert [[v.key for v in p.values] for p in found[0]] == [[v.key for v in p.values] for p in found[1]]


def test_operations_of_an_encoder_are_counted_as_torch_counts_them(model: Path) -> None:
    encoder = Extractor.load(model).engine.network.text  # type: ignore[attr-defined]
    plain = torch.autocast("cpu", torch.bfloat16)  # attention as plain products: the fused kernel is not counted
    with FlopCounterMode(display=False) as counter, torch.no_grad(), plain:
        encoder.encode(encoder.embed(torch.ones(3, 10, dtype=torch.long)), None)
    assert module._operations(encoder, 3, 10) == pytest.approx(counter.get_total_flops())


def test_a_process_of_its_own() -> None:
    assert in_own_process(machine) == machine()
    assert Backend("torch", "model", True).precision is None
