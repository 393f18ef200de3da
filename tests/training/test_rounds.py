"""Teacher and student rounds at tiny scale."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from attrex.config import Config
from attrex.errors import ConfigError
from attrex.inference.checkpoint import Model, load_model
from attrex.io.predictions import PredictionFile, read_predictions
from attrex.labels.pseudo_labels import Teacher
from attrex.training.rounds import exact_span_f1
from attrex.training.train import train
from attrex.training.trainer import AttrexTrainer
from attrex.types import ExtractedValue, Prediction, Product

ROUNDS = {
    "text": {"hidden_dropout": 0.0},
    "image": {"model": None},
    "fusion": {"kind": "none"},
    "range": {"unknown": "masked", "tune_threshold": False},
    "decoder": {"hidden": 32, "dropout": 0.0},
    "training": {
        "rounds": 2,
        "epochs": 10,
        "evaluations": 1,
        "batch_size": 4,
        "learning_rate": 3e-3,
        "head_learning_rate": 1e-2,
        "teacher_high": 0.3,  # nobody is sure of much after 60 steps
        "teacher_low": 0.05,
    },
}


class Killed(BaseException):
    """Stands for `kill -9`: nothing in the library catches it."""


@pytest.fixture(scope="module")
def config(tiny: Config) -> Config:
    raw = tiny.model_dump()
    for section, values in ROUNDS.items():
        raw[section] |= values
    return Config.parse(raw)


def having(config: Config, **training: Any) -> Config:
    return Config.parse(config.model_dump() | {"training": config.training.model_dump() | training})


@pytest.fixture(scope="module")
def blank(products: list[Product]) -> list[Product]:
    """Titles, of which every third has lost its labels."""
    return [
        replace(
            p,
            fields={"title": p.fields["title"]},
            spans=() if i % 3 == 0 else tuple(s for s in p.spans or () if s.field == "title"),
            table={},
            complete=False,
        )
        for i, p in enumerate(products[:24])
    ]


def run(blank: list[Product], directory: Path, config: Config, resume: bool = False) -> tuple[Model, str]:
    console = Console(file=io.StringIO(), width=200)
    model = train(blank, blank[:6], directory, config=config, resume=resume, trackers=[], console=console)
    return model, console.file.getvalue()  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def whole(blank: list[Product], config: Config, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Model, str]:
    directory = tmp_path_factory.mktemp("whole")
    return directory, *run(blank, directory, config)


def outcome(model: Model) -> Any:
    """The weights, and all metrics but times and memory."""
    metrics = json.loads(json.dumps(model.metrics))
    metrics.pop("minutes")
    for entry in metrics["history"]:
        for key in ("eval_seconds", "eval_minutes"):
            entry.pop(key)
    for entry in metrics["rounds"]:
        for key in ("minutes", "reading_minutes", "peak_mb"):
            entry.pop(key)
    return metrics, {k: v.cpu().tolist() for k, v in model.network.state_dict().items()}


def test_each_round_is_a_model_of_its_own_and_the_last_one_is_the_result(whole: tuple[Path, Model, str]) -> None:
    directory, model, said = whole
    first, second = (load_model(directory / "rounds" / n) for n in "12")
    assert not torch.equal(first.network.crf.transitions, second.network.crf.transitions)
    assert torch.equal(load_model(directory).network.crf.transitions, second.network.crf.transitions)
    assert load_model(directory).config.training.rounds == 2
    rounds = json.loads((directory / "metrics.json").read_text())["rounds"]
    assert [r["round"] for r in rounds] == [1, 2]
    assert rounds[0]["agreement"] is None
    assert 0 <= rounds[1]["agreement"] <= 1
    assert all(r["peak_mb"] > 0 and r["minutes"] >= 0 and r["finds"] >= 0 for r in rounds)
    assert rounds == model.metrics["rounds"]
    assert model.metrics["minutes"] == pytest.approx(sum(r["minutes"] + r["reading_minutes"] for r in rounds), abs=0.01)
    assert "round 1 of at most 2" in said
    assert "as in the round before" in said


def test_the_second_round_learns_from_what_the_first_one_read(
    blank: list[Product], config: Config, whole: tuple[Path, Model, str], tmp_path: Path
) -> None:
    directory, model, _ = whole
    read = list(read_predictions(directory / "rounds" / "1" / "training.jsonl"))
    assert [p.id for p in read] == [p.id for p in blank]
    teacher = Teacher(read, model.schema, high=config.training.teacher_high, low=config.training.teacher_low)
    pseudo = [teacher.pseudo_label(p, []) for p in blank]
    assert any(p.labels for p in pseudo)
    assert any(p.scores for p in pseudo)
    # The same run with that teacher, from the start, is the second round.
    one = having(config, rounds=1)
    again = train(blank, blank[:6], tmp_path, config=one, trackers=[], console=Console(quiet=True), teacher=read)
    second = load_model(directory / "rounds" / "2").network.state_dict()
    assert all(torch.equal(v.cpu(), second[k]) for k, v in again.network.state_dict().items())


@pytest.mark.parametrize(
    ("owner", "name", "call"),
    [
        (AttrexTrainer, "training_step", 3),  # in the first round
        (PredictionFile, "write", 2),  # the first round is trained, its reading of the training products is not made
        (AttrexTrainer, "training_step", 75),  # in the second round
        (Model, "save", 3),  # both rounds are there, the result is not
    ],
    ids=["first round", "reading", "second round", "result"],
)
def test_killed_and_resumed_ends_the_same(
    blank: list[Product],
    config: Config,
    whole: tuple[Path, Model, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    call: int,
) -> None:
    original = getattr(owner, name)
    calls = iter(range(1, 1000))

    def dying(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == call:
            raise Killed
        return original(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, dying)
        with pytest.raises(Killed):
            run(blank, tmp_path, config)
    torch.manual_seed(12345)  # a new process starts with other random numbers
    with pytest.raises(ConfigError, match="holds an unfinished run; go on with --resume"):
        run(blank, tmp_path, config)
    with pytest.raises(ConfigError, match=r"training\.seed was 0 and is now 1"):
        run(blank, tmp_path, having(config, seed=1), resume=True)
    model, _ = run(blank, tmp_path, config, resume=True)
    assert outcome(model) == outcome(whole[1])


def test_rounds_end_when_two_find_the_same(blank: list[Product], config: Config, tmp_path: Path) -> None:
    model, _ = run(blank, tmp_path, having(config, rounds=4, round_agreement=0.0, epochs=0.2))
    assert len(model.metrics["rounds"]) == 2
    assert not (tmp_path / "rounds" / "2" / "training.jsonl").exists()  # nobody learns from the last round


def test_agreement_is_the_f1_of_exact_finds() -> None:
    def reading(*words: tuple[int, int]) -> list[Prediction]:
        return [Prediction("p", tuple(ExtractedValue("Color", "x", "text", a, b, 0.9) for a, b in words))]

    assert exact_span_f1(reading((0, 3), (4, 8)), reading((0, 3), (4, 9), (10, 12))) == pytest.approx(2 / 5)
    assert exact_span_f1(reading((0, 3)), reading((0, 3))) == 1.0
    assert exact_span_f1(reading(), reading()) == 1.0
    assert exact_span_f1(reading((0, 3)), [Prediction("q", reading((0, 3))[0].values)]) == 0.0
