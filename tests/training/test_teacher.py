"""Learning from what another model extracted, at tiny scale."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console

from attrex.config import Config
from attrex.inference.checkpoint import Model
from attrex.inference.extractor import Extractor
from attrex.labels.pseudo_labels import Teacher
from attrex.training.train import train_model
from attrex.types import Product

STUDENT = {
    "text": {"hidden_dropout": 0.0},
    "image": {"model": None},
    "fusion": {"kind": "none"},
    "range": {"unknown": "masked", "tune_threshold": False},
    "decoder": {"hidden": 32, "dropout": 0.0},
    "training": {
        "epochs": 10,
        "evaluations": 1,
        "batch_size": 4,
        "learning_rate": 3e-3,
        "head_learning_rate": 1e-2,
        "teacher_high": 0.3,  # nobody is sure of much after 60 steps
        "teacher_low": 0.05,
    },
}


@pytest.fixture(scope="module")
def config(tiny: Config) -> Config:
    raw = tiny.model_dump()
    for section, values in STUDENT.items():
        raw[section] |= values
    return Config.parse(raw)


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


def run(blank: list[Product], directory: Path, config: Config, teacher: Teacher | None = None) -> Model:
    console = Console(quiet=True)
    return train_model(blank, blank[:6], directory, config=config, trackers=[], console=console, teacher=teacher)


def test_a_student_learns_from_what_its_teacher_extracted(
    blank: list[Product], config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(blank, tmp_path / "first", config)
    low, high = config.training.teacher_low, config.training.teacher_high
    read = list(Extractor(first, device="cpu").extract(blank, threshold=low, evidence=False))
    teacher = Teacher(read, first.schema, high=high, low=low)
    weights: list[torch.Tensor] = []
    forward = type(first.network).forward

    def watched(self: torch.nn.Module, **tensors: torch.Tensor) -> object:
        weights.append(tensors["pair_weights"])
        assert (tensors["range_targets"] <= 1).all()
        return forward(self, **tensors)

    monkeypatch.setattr(type(first.network), "forward", watched)
    student = run(blank, tmp_path / "student", config, teacher)
    confidences = torch.cat([w[w > 0] for w in weights])
    assert len(confidences)
    assert (confidences >= high).all()
    assert not torch.equal(student.network.crf.transitions, first.network.crf.transitions)
