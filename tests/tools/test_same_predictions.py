"""The proof that two files of predictions are the same, of the present form or of the one before."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from attrex.io.predictions import PredictionFile
from attrex.types import Prediction, RegionWeights, Span, Value, WordWeight

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "same_predictions.py"
RED = Value.from_span(Span("Color", 0, 3, "red", "title"), 0.9, (RegionWeights(0, ((0.5, 1.0),)),))
SLIM = Value("Fit", "slim", 0.4, decided_by="both", words=(WordWeight("title", 0, 3, "red", 0.5),))
PREDICTIONS = [Prediction("1", (RED, SLIM), {"Color": 0.97, "Fit": 0.6}), Prediction("2")]
OLD = {"attribute": "Color", "text": "red", "field": "title", "start": 0, "end": 3, "confidence": 0.9}


@pytest.fixture(scope="module")
def same() -> Any:
    spec = spec_from_file_location("same_predictions", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


def written(path: Path, *predictions: Prediction) -> str:
    PredictionFile(path).write(predictions)
    return str(path)


def test_the_same_in_both_formats_and_forms(same: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = written(tmp_path / "one.jsonl", *PREDICTIONS)
    assert same([one, written(tmp_path / "two.parquet", *PREDICTIONS)]) == 0
    assert capsys.readouterr().out == "2 products, 2 values, 0 differences\n"
    said = written(tmp_path / "said.jsonl", replace(PREDICTIONS[0], values=(RED,)))
    row = json.loads(Path(said).read_text())
    row["values"] = [OLD | {"evidence": row["values"][0]["regions"]}]
    (tmp_path / "old.jsonl").write_text(json.dumps(row))
    assert same([str(tmp_path / "old.jsonl"), said]) == 0
    assert same([one, said, "--limit", "1"]) == 1


@pytest.mark.parametrize(
    "other",
    [
        [PREDICTIONS[0]],
        [PREDICTIONS[1], PREDICTIONS[0]],
        [replace(PREDICTIONS[0], range={"Fit": 0.6, "Color": 0.97}), PREDICTIONS[1]],
        [replace(PREDICTIONS[0], coverage=0.9), PREDICTIONS[1]],
        [replace(PREDICTIONS[0], values=(replace(RED, confidence=0.9001), PREDICTIONS[0].values[1])), PREDICTIONS[1]],
        [replace(PREDICTIONS[0], values=(replace(RED, regions=()), PREDICTIONS[0].values[1])), PREDICTIONS[1]],
        [replace(PREDICTIONS[0], values=PREDICTIONS[0].values[::-1]), PREDICTIONS[1]],
        [replace(PREDICTIONS[0], values=(RED, replace(SLIM, decided_by="photo"))), PREDICTIONS[1]],
        [replace(PREDICTIONS[0], values=(RED, replace(SLIM, words=()))), PREDICTIONS[1]],
    ],
)
def test_any_difference_is_told(
    same: Any, tmp_path: Path, other: list[Prediction], capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = written(tmp_path / "one.jsonl", *PREDICTIONS), written(tmp_path / "two.jsonl", *other)
    assert same([one, two]) == 1
    assert "row 1: " in capsys.readouterr().out or len(other) == 1
