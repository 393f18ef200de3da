"""Training at tiny scale: it learns, it survives being killed anywhere, and it leaves one complete directory."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Trainer

from attrex.config import Config
from attrex.errors import CheckpointError, ConfigError, DataError
from attrex.evaluation.incomplete import without_unknown
from attrex.evaluation.metrics import score
from attrex.inference import checkpoint
from attrex.inference.checkpoint import Model, load_model
from attrex.inference.extractor import Extractor
from attrex.labels.mentions import UnlabelledMentions
from attrex.model.network import Network
from attrex.progress import Progress
from attrex.shop.schema import Schema
from attrex.shop.shop import Shop
from attrex.training.train import train_model
from attrex.training.trainer import AttrexTrainer
from attrex.types import UNKNOWN, Product

QUICK = {
    "text": {"hidden_dropout": 0.0},
    "image": {"size": 32, "dropout": 0.0},
    "decoder": {"hidden": 32, "dropout": 0.0},
    "range": {"tune_threshold": False},
    "training": {"learning_rate": 3e-3, "head_learning_rate": 1e-2, "epochs": 7},
}
"""Random backbones learn from scratch within seconds with high rates and without noise."""

TEXT_ONLY = {"image": {"model": None}, "fusion": {"kind": "none"}}

NOISY = {
    "image": {"size": 32, "dropout": 0.5},
    "range": {"only_epochs": 0.5},
    "training": {"epochs": 3, "save_every": 2, "evaluations": 3, "schedule": "linear", "warmup": 0.1},
}
"""Everything random is on: dropout, hidden photos; 9 steps, saved after 2, 3, 4, 6, 8, 9, validated after 3, 6, 9."""


def having(config: Config, *changes: dict[str, dict[str, Any]]) -> Config:
    raw = config.model_dump()
    for change in changes:
        for section, values in change.items():
            raw[section] |= values
    return Config.parse(raw)


def messages(into: list[str]) -> Progress:
    """A progress that keeps its messages."""
    return lambda event: into.append(event.message) if event.message else None


@pytest.fixture(scope="module")
def titles(products: list[Product]) -> list[Product]:
    """The drawn products without their descriptions: short texts train fast."""
    return [
        replace(p, fields={"title": p.fields["title"]}, spans=tuple(s for s in p.spans or () if s.field == "title"))
        for p in products
    ]


@pytest.fixture(scope="module")
def few(titles: list[Product]) -> list[Product]:
    return titles[:24]


def run(few: list[Product], directory: Path, config: Config, **options: Any) -> Model:
    return train_model(few, few[:6], directory, config=config, trackers=[], **options)


# --- learning ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change", [{}, TEXT_ONLY | {"range": {"kind": "none"}, "training": {"epochs": 4}}], ids=["ULS-DRAM", "flat"]
)
def test_learns_its_training_products(
    titles: list[Product], tiny: Config, tmp_path: Path, change: dict[str, Any]
) -> None:
    config = having(tiny, QUICK, change, {"training": {"evaluations": 2}})
    model = train_model(titles, titles[:30], tmp_path, config=config, trackers=[])
    first, last = (entry["eval_tag_f1"] for entry in model.metrics["history"])
    assert last > first
    assert model.metrics["validation"]["tag"]["f1"] > 0.5


@pytest.mark.parametrize(
    ("scheme", "moved"),
    [
        ({"scheme": "fixed"}, {"tir", "decoder"}),
        ({"scheme": "partial", "text_layers": 1}, {"tir", "decoder", "text.layers.1"}),
        ({"scheme": "partial", "text_layers": 0, "image_trainable": True}, {"tir", "decoder", "image"}),
        ({"scheme": "uls"}, {"tir", "decoder", "text.embeddings", "text.layers.0", "text.layers.1", "image"}),
    ],
    ids=["fixed", "partial", "partial-image", "uls"],
)
def test_a_scheme_trains_only_its_part(
    few: list[Product], tiny: Config, tmp_path: Path, scheme: dict[str, Any], moved: set[str], monkeypatch: Any
) -> None:
    before: dict[str, torch.Tensor] = {}

    def remember(self: AttrexTrainer, checkpoint: Path | None = None) -> None:
        before.update({k: v.clone() for k, v in self.model.named_parameters()})
        original(self, checkpoint)

    original = AttrexTrainer.run
    monkeypatch.setattr(AttrexTrainer, "run", remember)
    config = having(tiny, {"image": {"size": 32, "dropout": 0.0}, "training": {"epochs": 0.5} | scheme})
    after = dict(run(few, tmp_path, config).network.named_parameters())
    changed = {k for k in before if not torch.equal(before[k], after[k].cpu())}
    parts = ("tir", "decoder", "text.embeddings", "text.layers.0", "text.layers.1", "image")
    assert {p for p in parts if any(k.startswith(p) for k in changed)} == moved


def test_only_the_range_is_learned_at_first(few: list[Product], tiny: Config, tmp_path: Path) -> None:
    config = having(tiny, {"image": {"size": 32}, "range": {"only_epochs": 1}, "training": {"epochs": 1}})
    trained = run(few, tmp_path / "range", config).network.decoder.output.weight
    config = having(config, {"training": {"learning_rate": 1e-9, "head_learning_rate": 1e-9}})
    untouched = run(few, tmp_path / "still", config).network.decoder.output.weight
    assert torch.allclose(trained, untouched, atol=1e-6)


def test_threshold_is_tuned_on_validation(few: list[Product], tiny: Config, tmp_path: Path) -> None:
    model = run(few, tmp_path, having(tiny, TEXT_ONLY, {"range": {"tune_threshold": True}}))
    curve = model.metrics["threshold_curve"]
    assert model.thresholds["range"] in curve
    assert curve[model.thresholds["range"]] == max(curve.values())
    assert Extractor.load(tmp_path).model.thresholds == model.thresholds


# --- killed and resumed -----------------------------------------------------------------------------------------------


class Killed(BaseException):
    """Stands for `kill -9`: nothing in the library catches it."""


def kill(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, call: int) -> None:
    """Die in the ``call``-th call of a method."""
    original: Callable[..., Any] = getattr(owner, name)
    calls = iter(range(1, 1000))

    def dying(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == call:
            raise Killed
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, dying)


def outcome(model: Model) -> dict[str, Any]:
    """All metrics but times."""
    metrics = json.loads(json.dumps(model.metrics))
    metrics.pop("minutes")
    for entry in metrics["history"]:
        for key in ("eval_seconds", "eval_minutes"):
            entry.pop(key)
    return metrics


def assert_same(one: Model, other: Model) -> None:
    assert outcome(one) == outcome(other)
    weights = other.network.state_dict()
    assert all(torch.equal(v, weights[k]) for k, v in one.network.state_dict().items())


@pytest.fixture(scope="module")
def uninterrupted(few: list[Product], tiny: Config, tmp_path_factory: pytest.TempPathFactory) -> Model:
    return run(few, tmp_path_factory.mktemp("whole"), having(tiny, NOISY))


@pytest.mark.parametrize(
    ("owner", "name", "call"),
    [
        (AttrexTrainer, "training_step", 2),  # before the first checkpoint
        (AttrexTrainer, "training_step", 6),  # in the middle of the second epoch
        (AttrexTrainer, "training_step", 7),  # right after an epoch
        (AttrexTrainer, "_save", 3),  # while writing weights
        (Trainer, "_save_rng_state", 4),  # weights and optimiser are written, the state is not
        (AttrexTrainer, "evaluate", 2),  # while validating
        (Model, "save", 1),  # before the directory is written
        (checkpoint, "save_file", 1),  # while it is written
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_killed_and_resumed_ends_the_same(
    few: list[Product],
    tiny: Config,
    tmp_path: Path,
    uninterrupted: Model,
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    call: int,
) -> None:
    with monkeypatch.context() as patch:
        kill(patch, owner, name, call)
        with pytest.raises(Killed):
            run(few, tmp_path, having(tiny, NOISY))
    assert not (tmp_path / "attrex.json").exists()
    torch.manual_seed(12345)  # a new process starts with other random numbers
    assert_same(run(few, tmp_path, having(tiny, NOISY), resume=True), uninterrupted)
    assert (tmp_path / "attrex.json").exists()
    assert not (tmp_path / "checkpoints").exists()


CHILD = """
import os, signal, sys
from itertools import islice
from pathlib import Path
from dataclasses import replace
from attrex.config import Config
from attrex.demo.catalogue import draw_catalogue
from attrex.training.train import train_model
from attrex.training.trainer import AttrexTrainer

config, out = sys.argv[1:]
step = AttrexTrainer.training_step

def dying(self, *args):
    if self.state.global_step == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, *args)

AttrexTrainer.training_step = dying
products = [d.product for d in islice(draw_catalogue(60, seed=7, image_size=32), 24)]
few = [
    replace(p, fields={"title": p.fields["title"]}, spans=tuple(s for s in p.spans or () if s.field == "title"))
    for p in products
]
train_model(few, few[:6], out, config=Config.load(config), trackers=[])
"""


def test_kill_9_in_a_process_of_its_own(few: list[Product], tiny: Config, tmp_path: Path, uninterrupted: Model) -> None:
    (tmp_path / "c.yaml").write_text(having(tiny, NOISY).to_yaml())
    out = tmp_path / "model"
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path / "c.yaml"), str(out)], capture_output=True, text=True, check=False
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    assert_same(run(few, out, having(tiny, NOISY), resume=True), uninterrupted)


def test_early_stopping_is_the_same_after_a_kill(
    few: list[Product], tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Rates too low to learn: the second and third validation bring nothing better, and training stops there.
    slow = {"epochs": 3, "evaluations": 9, "patience": 2, "learning_rate": 1e-9, "head_learning_rate": 1e-9}
    config = having(tiny, TEXT_ONLY, {"training": slow})
    whole = run(few, tmp_path / "whole", config)
    assert [entry["step"] for entry in whole.metrics["history"]] == [1, 2, 3]
    with monkeypatch.context() as patch:
        kill(patch, AttrexTrainer, "_load_best", 1)
        with pytest.raises(Killed):
            run(few, tmp_path / "killed", config)
    assert_same(run(few, tmp_path / "killed", config, resume=True), whole)


def test_a_run_may_be_moved_and_resumed(
    few: list[Product], tiny: Config, tmp_path: Path, uninterrupted: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        kill(patch, AttrexTrainer, "_load_best", 1)
        with pytest.raises(Killed):
            run(few, tmp_path / "here", having(tiny, NOISY))
    (tmp_path / "here").rename(tmp_path / "there")
    assert_same(run(few, tmp_path / "there", having(tiny, NOISY), resume=True), uninterrupted)


def test_pickled_states_are_never_executed(
    few: list[Product], tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        kill(patch, AttrexTrainer, "training_step", 6)
        with pytest.raises(Killed):
            run(few, tmp_path, having(tiny, NOISY))
    asked: list[Any] = []
    load = torch.load

    def noting(*args: Any, **kwargs: Any) -> Any:
        asked.append(kwargs.get("weights_only"))
        return load(*args, **kwargs)

    monkeypatch.setattr(torch, "load", noting)
    run(few, tmp_path, having(tiny, NOISY), resume=True)
    assert len(asked) == 3  # optimiser, schedule, random numbers
    assert all(asked)


# --- the directory ----------------------------------------------------------------------------------------------------


def test_what_is_kept_of_a_run(uninterrupted: Model) -> None:
    assert set(uninterrupted.metrics) == {
        "validation",
        "threshold_curve",
        "history",
        "training_products",
        "steps",
        "minutes",
        "seed",
        "calibration",
        "cells",
        "supervision",
        "pseudo_labels",
        "left_open",
        "repeated_validation",
    }
    assert uninterrupted.metrics["steps"] == 9
    assert uninterrupted.metrics["training_products"] == 24
    assert sum(uninterrupted.metrics["cells"]["Color"].values()) == 24


def test_confidences_are_calibrated_on_the_validation_products(
    few: list[Product], tiny: Config, tmp_path: Path
) -> None:
    said: list[str] = []
    config = having(tiny, TEXT_ONLY)
    model = run(few, tmp_path / "run", config, progress=messages(said))
    told = model.metrics["calibration"]
    filled = {(p.id, a) for p in few[:6] for a, values in p.table.items() if values}
    assert 0 < told["cells"] <= len(filled)
    assert sum(line.startswith(f"confidences calibrated on {told['cells']} filled cells: ") for line in said) == 1
    loaded = load_model(tmp_path / "run")
    assert loaded.calibration.to_json() == model.calibration.to_json()

    bare = [replace(p, table={}) for p in few[:6]]
    without = train_model(few, bare, tmp_path / "bare", config=config, trackers=[], progress=messages(said))
    assert (without.calibration, without.metrics["calibration"]) == (None, None)
    assert said[-1].startswith(
        "confidences are not calibrated: a calibration needs filled cells of the model's attributes"
    )
    assert not (tmp_path / "bare" / "calibration.json").exists()


def test_files_of_a_finished_run(few: list[Product], tiny: Config, tmp_path: Path) -> None:
    run(few, tmp_path, having(tiny, TEXT_ONLY))
    assert {p.name for p in tmp_path.iterdir()} == {
        "README.md",
        "architecture.json",
        "attrex.json",
        "calibration.json",
        "calibration.svg",
        "config.yaml",
        "image.json",
        "metrics.json",
        "model.safetensors",
        "normalizer.json",
        "run.json",
        "shop.yaml",
        "thresholds.json",
        "tokenizer",
    }
    suffixes = {p.suffix for p in tmp_path.rglob("*") if p.is_file()}
    assert suffixes <= {".json", ".yaml", ".md", ".safetensors", ".svg", ".txt"}


def test_a_model_knows_what_its_shop_calls_the_values(few: list[Product], tiny: Config, tmp_path: Path) -> None:
    labelled = [replace(p, spans=tuple(replace(s, value=f"the {s.text}") for s in p.spans or ())) for p in few]
    train_model(labelled, few, tmp_path, config=having(tiny, TEXT_ONLY), shop=Shop(aliases={"crimson": ("scarlet",)}))
    saved = json.loads((tmp_path / "normalizer.json").read_text())
    span = next(s for p in labelled for s in p.spans or ())
    assert any(span.value in values for values in saved["attributes"][span.attribute]["labels"].values())
    assert saved["aliases"] == {"crimson": ["scarlet"]}
    assert checkpoint.load_model(tmp_path).normalizer.to_json() == saved


def test_photos_that_cannot_be_read_are_told_as_they_are_named(
    few: list[Product], tiny: Config, tmp_path: Path
) -> None:
    """An id may look like markup, which would end the training at its very end."""
    products = [replace(few[0], id="<b>1</b>[/i]", images=(tmp_path / "[red]none.png",)), *few[1:]]
    said: list[str] = []
    train_model(products, few[:6], tmp_path / "run", config=having(tiny, NOISY), trackers=[], progress=messages(said))
    assert "1 products had photos that cannot be read; <b>1</b>[/i]: " in "\n".join(said)
    assert "[red]none.png" in "\n".join(said)


def test_resuming_a_finished_run_returns_at_once(
    few: list[Product], tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = having(tiny, TEXT_ONLY)
    first = run(few, tmp_path, config)
    monkeypatch.setattr(AttrexTrainer, "run", None)  # would fail if it were called
    said: list[str] = []
    again = train_model(few, few[:6], tmp_path, config=config, resume=True, trackers=[], progress=messages(said))
    assert "is finished already: nothing left to do" in "\n".join(said)
    assert_same(again, first)


def test_another_run_in_the_directory_is_refused(
    few: list[Product], tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = having(tiny, NOISY)
    with monkeypatch.context() as patch:
        kill(patch, AttrexTrainer, "training_step", 6)
        with pytest.raises(Killed):
            run(few, tmp_path, config)
    with pytest.raises(
        ConfigError, match="holds an unfinished run; continue it with resume=True, or choose another directory"
    ):
        run(few, tmp_path, config)
    with pytest.raises(ConfigError, match=r"another run: training\.seed was 0 and is now 1\. Resume it with the same"):
        run(few, tmp_path, having(config, {"training": {"seed": 1}}), resume=True)
    with pytest.raises(ConfigError, match="another run: its products are other ones"):
        run(few[:-1], tmp_path, config, shop=Shop(schema=Schema.learn(few)), resume=True)
    with pytest.raises(ConfigError, match="its shop is another one; its products are other ones"):
        run(few[:8], tmp_path, config, resume=True)
    (tmp_path / "checkpoints" / "checkpoint-4" / "optimizer.pt").unlink()  # damaged: the one before is taken
    run(few, tmp_path, config, resume=True)
    with pytest.raises(ConfigError, match="holds a finished model; choose another directory"):
        run(few, tmp_path, config)


def test_best_state_that_cannot_be_read(
    few: list[Product], tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = having(tiny, TEXT_ONLY)
    kill(monkeypatch, AttrexTrainer, "_load_best", 1)
    with pytest.raises(Killed):
        run(few, tmp_path, config)
    (tmp_path / "checkpoints" / "checkpoint-3" / "model.safetensors").write_bytes(b"half")
    with pytest.raises(CheckpointError, match=r"the best state of this run, .*cannot be read: .*and train again"):
        run(few, tmp_path, config, resume=True)


# --- a partly filled table --------------------------------------------------------------------------------------------


def test_a_partly_filled_table_is_learned_from(
    few: list[Product], tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses: list[torch.Tensor] = []
    seen: list[int] = []
    forward = Network.forward

    def watched(self: Network, **tensors: torch.Tensor) -> Any:
        seen.append(int((tensors["pair_tags"] == UNKNOWN).sum()))
        out = forward(self, **tensors)
        losses.append(out.loss.detach())
        return out

    monkeypatch.setattr(Network, "forward", watched)
    blank = partly_filled(few)
    model = run(blank, tmp_path, having(tiny, TEXT_ONLY, {"range": {"unknown": "masked"}}))
    found = model.metrics["supervision"]
    assert found["table"] == "partly filled"
    assert found["cells"]["blank_mentioned"] > 0
    assert sum(seen) > 0
    assert all(loss.isfinite() for loss in losses)
    assert model.network.drop_uncertain == found["mostly_in_doubt"]


def test_a_state_is_not_the_better_one_for_missing_what_the_table_misses(
    few: list[Product], tiny: Config, tmp_path: Path
) -> None:
    blank = partly_filled(few)
    model = run(blank, tmp_path, having(tiny, TEXT_ONLY, {"range": {"unknown": "masked", "tune_threshold": False}}))
    found = list(Extractor(model, device="cpu").extract(blank[:6], evidence=False))
    mentions = UnlabelledMentions.learn(blank, model.schema, min_share=model.config.range.mention_share)
    known = score(blank[:6], without_unknown(blank[:6], found, mentions), bootstrap=0).to_json()
    assert model.metrics["validation"]["tag"]["f1"] == known["tag"]["f1"]
    assert model.metrics["validation"]["cls"]["f1"] == known["cls"]["f1"]
    assert known["cls"] != score(blank[:6], found, bootstrap=0).to_json()["cls"]


def partly_filled(products: list[Product]) -> list[Product]:
    """Every other product has lost half of its labels, as if its shop had left those cells blank."""
    return [
        replace(p, complete=False, table={}, spans=p.spans[:: 1 + i % 2] if p.spans else p.spans)
        for i, p in enumerate(products)
    ]


def test_with_complete_products_nothing_changes(few: list[Product], tiny: Config, tmp_path: Path) -> None:
    complete = [replace(p, complete=True) for p in few]
    plain = run(complete, tmp_path / "plain", having(tiny, TEXT_ONLY))
    config = having(tiny, TEXT_ONLY, {"range": {"unknown": "masked"}})
    said: list[str] = []
    careful = train_model(
        complete, complete[:6], tmp_path / "careful", config=config, trackers=[], progress=messages(said)
    )
    assert_same(plain, careful)
    assert "all 24 products are marked complete" in "\n".join(said)
    assert "all training products are marked complete" in (tmp_path / "careful" / "README.md").read_text()


# --- bad input --------------------------------------------------------------------------------------------------------


def test_products_without_labels(few: list[Product], tiny: Config, tmp_path: Path) -> None:
    bare = [replace(p, spans=None) for p in few]
    with pytest.raises(DataError, match=r"none of the 24 training products has labelled spans.*attrex locate TABLE"):
        train_model(bare, few, tmp_path, config=tiny, shop=Shop(schema=Schema.learn(few)))
    with pytest.raises(DataError, match="none of the 24 validation products"):
        train_model(few, bare, tmp_path, config=tiny)
    with pytest.raises(DataError, match="none of the 24 training products"):
        train_model([replace(p, error="unreadable") for p in few], few, tmp_path, config=tiny)
    assert not list(tmp_path.iterdir())


def test_rows_without_text_are_left_out_and_counted(few: list[Product], tiny: Config, tmp_path: Path) -> None:
    said: list[str] = []
    rows = [*few, Product("empty", {"title": "  "}), Product("bad", {}, error="unreadable")]
    train_model(rows, few[:6], tmp_path, config=having(tiny, TEXT_ONLY), trackers=[], progress=messages(said))
    assert "2 of 26 training rows have no readable text and are left out" in "\n".join(said)


def test_validation_products_without_labels_are_told_of_before_the_first_step(
    few: list[Product], tiny: Config, tmp_path: Path
) -> None:
    bare = replace(few[3], spans=None)
    with pytest.raises(DataError, match=f"validation product '{bare.id}' has no labels to score against"):
        train_model(few, [*few[:3], bare], tmp_path / "out", config=having(tiny, TEXT_ONLY), trackers=[])
    assert not (tmp_path / "out").exists()
