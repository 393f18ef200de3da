"""Learning from a file of predictions in the cells that a table leaves unknown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from attrex.config import Config
from attrex.errors import ConfigError, DataError
from attrex.inference.checkpoint import Model
from attrex.io.predictions import PredictionFile
from attrex.progress import ProgressEvent
from attrex.shop.schema import Schema
from attrex.shop.shop import Shop
from attrex.training.train import train_model
from attrex.types import Prediction, Product, Value


@pytest.fixture(scope="module")
def config(tiny: Config) -> Config:
    raw = tiny.model_dump()
    raw["image"] |= {"model": None}
    raw["fusion"] |= {"kind": "none"}
    raw["range"] |= {"unknown": "masked"}
    return Config.parse(raw)


@pytest.fixture(scope="module")
def blank(products: list[Product]) -> list[Product]:
    """Products of which every third has lost its labels."""
    return [
        replace(p, spans=() if i % 3 == 0 else p.spans, table={}, complete=False) for i, p in enumerate(products[:24])
    ]


@pytest.fixture(scope="module")
def predictions(products: list[Product]) -> list[Prediction]:
    """What a teacher says that knows everything."""
    return [Prediction(p.id, tuple(Value.from_span(s, 0.95) for s in p.spans or ())) for p in products[:24]]


def fit(blank: list[Product], config: Config, out: Path, **options: object) -> tuple[Model, str]:
    events: list[ProgressEvent] = []
    model = train_model(blank, blank[1:6], out, config=config, trackers=[], progress=events.append, **options)  # type: ignore[arg-type]
    return model, "\n".join(event.message for event in events)


def test_a_file_and_its_predictions_teach_the_same(
    blank: list[Product], config: Config, predictions: list[Prediction], tmp_path: Path
) -> None:
    path = tmp_path / "teacher.jsonl"
    PredictionFile(path).write(predictions)
    from_file, said = fit(blank, config, tmp_path / "file", teacher=path)
    from_memory, _ = fit(blank, config, tmp_path / "memory", teacher=predictions)
    alone, nothing = fit(blank, config, tmp_path / "alone")
    counts = from_file.metrics["pseudo_labels"]
    assert counts["products"] == 24
    assert counts["labels"] == sum(len(p.values) for p in predictions[::3])
    told = f"{counts['labels']:,} pseudo-labels, {counts['options']:,} options and 0 uncertain values in 24 products"
    assert f"teacher: {told}" in said
    assert all(one["right"] == one["compared"] and not one["muted"] for one in counts["agreement"].values())
    assert "teacher" not in nothing
    assert alone.metrics["pseudo_labels"] is None
    weights = [m.network.state_dict() for m in (from_file, from_memory, alone)]
    assert all(torch.equal(weights[0][k], weights[1][k]) for k in weights[0])
    assert not all(torch.equal(weights[0][k], weights[2][k]) for k in weights[0])
    with pytest.raises(ConfigError, match="its teacher is another one"):
        fit(blank, config, tmp_path / "file", teacher=predictions[:5], resume=True)
    fit(blank, config, tmp_path / "file", teacher=predictions, resume=True)


def test_a_teacher_of_other_products_is_refused(blank: list[Product], config: Config, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no prediction for any of the 24 training products, which are matched by id"):
        fit(blank, config, tmp_path, teacher=[Prediction("another")])


@pytest.mark.parametrize("change", [{"unknown": "negative"}, {"kind": "none"}])
def test_a_teacher_needs_cells_that_are_unknown(
    blank: list[Product], config: Config, predictions: list[Prediction], tmp_path: Path, change: dict[str, str]
) -> None:
    other = Config.parse(config.model_dump() | {"range": config.range.model_dump() | change})
    with pytest.raises(ConfigError, match=r"a teacher needs range\.kind=predicted and cells that are unknown"):
        fit(blank, other, tmp_path, teacher=predictions)


def test_finds_alone_teach_products_without_any_label(
    products: list[Product], config: Config, predictions: list[Prediction], tmp_path: Path
) -> None:
    events: list[ProgressEvent] = []
    bare = [replace(p, spans=(), table={}, complete=False) for p in products[:24]]
    model = train_model(
        bare[:12],
        bare[12:16],
        tmp_path,
        config=config,
        shop=Shop(schema=Schema.learn(products[:24])),
        trackers=[],
        progress=events.append,
        teacher=predictions,
        unlabelled=bare[8:],
    )
    said = "\n".join(event.message for event in events)
    assert "no validation product has a label: the best state is chosen by what the teacher says of them" in said
    assert "8 of 8 unlabelled products have finds of a teacher" in said  # not those that are validated, or twice
    assert model.metrics["pseudo_labels"]["products"] == 12 + 8
    assert {one["weight"] for one in model.metrics["pseudo_labels"]["agreement"].values()} == {0.5}


def test_unlabelled_products_need_a_teacher(blank: list[Product], config: Config, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unlabelled products teach nothing without a teacher"):
        fit(blank, config, tmp_path, unlabelled=[replace(blank[0], id="new")])
