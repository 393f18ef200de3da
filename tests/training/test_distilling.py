"""A student at tiny scale: it finds more and more of what its teacher finds, and is a model as any other."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from attrex import pipeline
from attrex.cli import app
from attrex.config import Config
from attrex.errors import CheckpointError, ConfigError, DataError
from attrex.evaluation.parity import agreement_f1
from attrex.inference.checkpoint import Model, load_model
from attrex.inference.extractor import Extractor
from attrex.io.products import write_products
from attrex.shop.schema import Schema
from attrex.shop.shop import Shop
from attrex.training.distilling import distill_model, student_of
from attrex.training.train import new_model
from attrex.training.trainer import AttrexTrainer
from attrex.types import Product
from attrex.vocabulary.normalizer import ValueNormalizer

QUICK = [
    "image.size=32",
    "training.learning_rate=3e-3",
    "training.head_learning_rate=3e-3",
    "training.epochs=4",
    "training.save_every=2",
    "training.evaluations=1",
    "training.seed=3",
]


@pytest.fixture(scope="module")
def few(products: list[Product]) -> list[Product]:
    """Titles alone are read fast."""
    return [
        replace(p, fields={"title": p.fields["title"]}, spans=tuple(s for s in p.spans or () if s.field == "title"))
        for p in products[:24]
    ]


@pytest.fixture(scope="module")
def teacher(tiny: Config, schema: Schema, few: list[Product]) -> Model:
    """Two layers with random weights, and so with something to say of every product."""
    torch.manual_seed(0)
    model = new_model(tiny.changed(QUICK), Shop(schema=schema))
    model.normalizer = ValueNormalizer.fit(few, shop=model.shop)
    with torch.no_grad():
        model.network.decoder.output.bias[1:] += 0.3
        for weight in model.network.text.layers[1].parameters():
            weight.add_(torch.randn_like(weight), alpha=0.2)  # without this layer the student begins far away
    model.thresholds = {"range": 0.45}
    model.network.eval()
    return model


@pytest.fixture(scope="module")
def student(teacher: Model, few: list[Product], tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Path]:
    directory = tmp_path_factory.mktemp("student")
    return distill_model(teacher, few[:16], few[16:], directory, layers=1), directory


def agreement(model: Model, teacher: Model, products: list[Product]) -> float:
    told, found = (list(Extractor(m, device="cpu").extract(products, evidence=False)) for m in (teacher, model))
    return agreement_f1([replace(p, spans=t.spans) for p, t in zip(products, told, strict=True)], found)


def weights_differ(one: Model, other: Model) -> set[str]:
    theirs = other.network.state_dict()
    return {name for name, value in one.network.state_dict().items() if not torch.equal(value, theirs[name])}


def test_a_student_starts_from_layers_of_its_teacher_and_all_else(teacher: Model) -> None:
    started = student_of(teacher, 1)
    theirs = teacher.network.state_dict()
    assert {n.split(".")[2] for n in started.network.state_dict() if n.startswith("text.layers.")} == {"0"}
    assert all(torch.equal(v, theirs[n]) for n, v in started.network.state_dict().items())


def test_a_student_is_a_model_that_finds_what_its_teacher_finds(
    teacher: Model, student: tuple[Model, Path], few: list[Product]
) -> None:
    model, directory = student
    loaded = load_model(directory)
    assert weights_differ(loaded, model) == set()
    assert len(loaded.network.text.layers) == 1
    before, after = (agreement(m, teacher, few[16:]) for m in (student_of(teacher, 1), loaded))
    assert after > before + 0.1
    assert loaded.metrics["distilled"] | {"layers": 1, "of": 2, "agreement_f1": after} == loaded.metrics["distilled"]
    assert loaded.metrics["validation"]["products"] == 8  # they have labels
    assert loaded.thresholds["range"] in map(float, loaded.metrics["threshold_curve"])
    assert "a student: 1 of the 2 layers" in (directory / "README.md").read_text(encoding="utf-8")
    assert not (directory / "checkpoints").exists()


def test_the_image_encoder_is_the_teachers(teacher: Model, student: tuple[Model, Path]) -> None:
    theirs = teacher.network.state_dict()
    same = {n: torch.equal(v, theirs[n]) for n, v in student[0].network.state_dict().items() if n.startswith("image.")}
    assert all(same.values())
    assert same


def test_labels_and_tables_teach_nothing(
    teacher: Model, student: tuple[Model, Path], few: list[Product], tmp_path: Path
) -> None:
    bare = [replace(p, spans=None, table={}) for p in few]
    model = distill_model(teacher, bare[:16], bare[16:], tmp_path, layers=1, calibrate=False)
    assert weights_differ(model, student[0]) == set()
    assert model.metrics["validation"] is None  # nothing is known of what is right
    assert model.calibration is teacher.calibration


class Killed(BaseException):
    """Stands for `kill -9`: nothing in the library catches it."""


def test_killed_and_resumed_ends_the_same(
    teacher: Model, student: tuple[Model, Path], few: list[Product], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, calls = AttrexTrainer.training_step, iter(range(99))

    def dying(self: AttrexTrainer, *args: Any) -> Any:
        if next(calls) == 3:
            raise Killed
        return step(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(AttrexTrainer, "training_step", dying)
        with pytest.raises(Killed):
            distill_model(teacher, few[:16], few[16:], tmp_path, layers=1)
    other = replace(teacher, thresholds={"range": 0.4})
    with pytest.raises(ConfigError, match="its teacher is another one"):
        distill_model(other, few[:16], few[16:], tmp_path, layers=1, resume=True)
    model = distill_model(teacher, few[:16], few[16:], tmp_path, layers=1, resume=True)
    assert weights_differ(model, student[0]) == set()


def test_what_cannot_be_distilled_is_told(teacher: Model, few: list[Product], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="from 1 to 1, for the model's text encoder has 2; got 2"):
        distill_model(teacher, few[:4], few[4:], tmp_path, layers=2)
    with pytest.raises(DataError, match="finds nothing in the 1 validation products"):
        distill_model(teacher, few[:4], [Product("1", {"text": " "})], tmp_path / "nothing", layers=1)
    with pytest.raises(DataError, match="none of the 1 products has a text"):
        distill_model(teacher, [Product("1", {"text": " "})], few[4:], tmp_path / "mute", layers=1)
    with pytest.raises(ConfigError, match=r"only settings of training change, not text.max_tokens=8"):
        pipeline.distill(teacher, few, tmp_path, settings=["text.max_tokens=8"])


def test_without_validation_products_the_confidences_stay_the_models(
    teacher: Model, few: list[Product], tmp_path: Path
) -> None:
    told: list[str] = []
    model = pipeline.distill(
        teacher, few, tmp_path, epochs=0.5, progress=lambda event: told.append(event.message) if event.message else None
    )
    assert model.calibration is teacher.calibration
    assert any("confidences stay those of the model" in message for message in told)


# --- the fast export --------------------------------------------------------------------------------------------------


def test_a_fast_export_is_a_student_compared_with_its_model(
    teacher: Model, student: tuple[Model, Path], few: list[Product], tmp_path: Path
) -> None:
    shutil.copytree(student[1], tmp_path / "onnx-student")  # as an earlier try has left it
    said: list[str] = []
    parity = pipeline.export(
        teacher,
        tmp_path / "onnx",
        fast=few[:16],
        sample=few[16:],
        tolerance=1,
        progress=lambda event: said.append(event.message) if event.message else None,
    )
    assert said == [f"{tmp_path / 'onnx-student'} is finished already: nothing left to do"]
    assert parity.agreement_f1 == pytest.approx(agreement(student[0], teacher, few[16:]), abs=0.1)
    assert parity.agreement_f1 < 1  # it is the student that was exported
    exported = Extractor.load(tmp_path / "onnx")
    assert exported.engine.batch_invariant
    assert exported.model.about["weights"] == "int8"


def test_an_export_that_finds_other_values_than_its_students_model_is_refused(
    teacher: Model, student: tuple[Model, Path], few: list[Product], tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match="give the student more products, epochs or layers, or allow more"):
        pipeline.export(student[0], tmp_path / "onnx", sample=few[16:], against=teacher, tolerance=0)
    assert not (tmp_path / "onnx").exists()
    with pytest.raises(ConfigError, match="give `fast` or against"):
        pipeline.export(student[0], tmp_path / "both", sample=few[16:], against=teacher, fast=few)


def test_the_command(teacher: Model, few: list[Product], tmp_path: Path) -> None:
    teacher.save(tmp_path / "model")
    write_products(tmp_path / "a.jsonl", few[:8])
    write_products(tmp_path / "b.jsonl", few[8:16])
    write_products(tmp_path / "valid.jsonl", few[16:])
    files = [str(tmp_path / name) for name in ("model", "a.jsonl", "b.jsonl")]
    options = ["--valid", str(tmp_path / "valid.jsonl"), "--out", str(tmp_path / "out"), "--set", "training.epochs=0.5"]
    result = CliRunner().invoke(app, ["distill", *files, *options])
    assert result.exit_code == 0, result.output
    assert "1 layers in place of 2: agreement with the model F1 0." in result.output
    assert load_model(tmp_path / "out").metrics["training_products"] == 16
