"""The Trainer's special parts: when to validate, what learns how fast, what is skipped, where logs go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerState

from attrex.config import Config, TrainingConfig
from attrex.encoding.dataset import Collator, LabelledProducts
from attrex.encoding.encoder import ProductEncoder
from attrex.encoding.targets import TargetEncoder
from attrex.errors import ConfigError
from attrex.inference.checkpoint import Model
from attrex.io.images import ImageLoader
from attrex.shop.schema import Schema
from attrex.shop.shop import Shop
from attrex.training import train, trainer
from attrex.training.train import new_model
from attrex.training.trainer import (
    AttrexTrainer,
    freeze,
    is_over,
    known_trackers,
    parameter_groups,
    training_arguments,
    use_bf16,
    validation_steps,
)
from attrex.types import Product


def having(config: Config, **changes: dict[str, Any]) -> Config:
    raw = config.model_dump()
    for section, values in changes.items():
        raw[section] |= values
    return Config.parse(raw)


@pytest.fixture
def model(tiny: Config, schema: Schema) -> Model:
    torch.manual_seed(0)
    return new_model(tiny, Shop(schema=schema))


def trainer_of(model: Model, products: list[Product], directory: Path, **options: Any) -> AttrexTrainer:
    """A trainer whose validation always finds the same."""
    encoder = ProductEncoder(model.tokenizer, model.config, model.schema)
    loader = ImageLoader(model.transform) if model.transform else None
    scores = dict.fromkeys(("tag_f1", "tag_precision", "tag_recall", "cls_f1", "macro_f1", "accuracy"), 0.5)
    options = {"trackers": []} | options
    data = LabelledProducts(products, encoder, TargetEncoder(model.schema))
    return AttrexTrainer(
        model.network, model.config, data, Collator(encoder, loader), lambda: dict(scores), directory, **options
    )


# --- when -------------------------------------------------------------------------------------------------------------


def test_validation_after_each_epoch_and_at_the_end() -> None:
    assert validation_steps(total=10, per_epoch=4, evaluations=0) == {4, 8, 10}
    assert validation_steps(total=8, per_epoch=4, evaluations=0) == {4, 8}
    assert validation_steps(total=3, per_epoch=8, evaluations=0) == {3}


def test_validations_are_spread_evenly_and_the_last_one_is_at_the_end() -> None:
    assert validation_steps(total=10, per_epoch=4, evaluations=1) == {10}
    assert validation_steps(total=10, per_epoch=4, evaluations=3) == {4, 7, 10}
    assert validation_steps(total=2, per_epoch=4, evaluations=5) == {1, 2}


@pytest.mark.parametrize(
    ("scores", "patience", "over"),
    [
        ([], 2, False),
        ([0.1, 0.2, 0.3], 2, False),
        ([0.3, 0.2, 0.1], 2, True),
        ([0.3, 0.2, 0.1], 0, False),
        ([0.3, 0.3, 0.3], 2, True),  # as good is not better
        ([0.3, 0.2, 0.4], 2, False),
    ],
)
def test_patience(scores: list[float], patience: int, over: bool) -> None:
    history = [{"eval_tag_f1": s} for s in scores] + [{"loss": 1.0}]
    assert is_over(TrainerState(global_step=5, max_steps=9, log_history=history), patience) is over
    assert is_over(TrainerState(global_step=9, max_steps=9, log_history=history), patience) is True


def test_steps_saves_and_validations_of_a_run(model: Model, products: list[Product], tmp_path: Path) -> None:
    model.config = having(
        model.config, training={"accumulation": 2, "batch_size": 4, "evaluations": 2, "save_every": 1}
    )
    trainer = trainer_of(model, products[:18], tmp_path)  # 5 batches: 3 steps, the last of a single batch
    seen: list[int] = []
    step = trainer.training_step
    trainer.training_step = lambda *args: seen.append(trainer.state.global_step) or step(*args)  # type: ignore
    trainer.run()
    assert seen == [0, 0, 1, 1, 2]
    assert [(v["step"], v["epoch"]) for v in trainer.validations] == [(2, pytest.approx(0.8)), (3, 1.0)]
    assert {p.name for p in (tmp_path / "checkpoints").iterdir()} == {"checkpoint-2", "checkpoint-3"}
    assert trainer.state.best_global_step == 2


def test_accumulated_gradients_are_the_mean_of_the_batches(
    model: Model, products: list[Product], tmp_path: Path
) -> None:
    model.config = having(
        model.config, image={"dropout": 0.0}, training={"accumulation": 2, "batch_size": 4, "max_grad_norm": 1e9}
    )
    model.network.settings = model.config
    trainer = trainer_of(model, products[:8], tmp_path)
    model.network.train()
    for module in model.network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    batches = list(trainer.get_train_dataloader())
    weight = model.network.decoder.output.weight
    expected = sum(torch.autograd.grad(model.network(**b).loss, weight)[0] for b in batches) / 2
    found: list[torch.Tensor] = []
    clip = trainer._clip_grad_norm
    trainer._clip_grad_norm = lambda m: found.append(weight.grad.clone()) or clip(m)  # type: ignore
    trainer.run()
    assert len(found) == 1
    assert torch.allclose(found[0], expected, atol=1e-5)


def test_training_goes_on_after_a_gradient_that_is_not_finite(
    model: Model, products: list[Product], tmp_path: Path
) -> None:
    trainer = trainer_of(model, products[:24], tmp_path)  # 3 steps
    loss = trainer.compute_loss
    trainer.compute_loss = lambda *a, **k: (
        loss(*a, **k)
        * (  # type: ignore[method-assign]
            float("nan") if trainer.state.global_step == 1 else 1.0
        )
    )
    before = model.network.decoder.output.weight.clone()
    trainer.run()
    assert all(p.isfinite().all() for p in model.network.parameters())
    assert not torch.equal(model.network.decoder.output.weight, before)


def test_a_diverged_training_stops(
    model: Model, products: list[Product], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attrex.training.trainer.PATIENCE", 2)
    trainer = trainer_of(model, products[:24], tmp_path)
    loss = trainer.compute_loss
    trainer.compute_loss = lambda *a, **k: loss(*a, **k) * float("inf")  # type: ignore[method-assign]
    with pytest.raises(ConfigError, match=r"diverged: no finite gradient in 2 steps up to step 1; lower training\.lea"):
        trainer.run()


def test_weights_that_are_not_finite_are_no_model(
    model: Model, products: list[Product], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = trainer_of(model, products[:24], tmp_path)
    step = trainer.training_step

    def spoil(network: Any, *args: Any, **more: Any) -> Any:
        network.decoder.output.weight.data.fill_(float("nan"))
        return step(network, *args, **more)

    monkeypatch.setattr(trainer, "training_step", spoil)
    with pytest.raises(ConfigError, match=r"diverged: weights that are not finite up to step 4; lower training\.learn"):
        trainer.run()


# --- what learns how fast ---------------------------------------------------------------------------------------------


def rates(model: Model, settings: TrainingConfig) -> dict[str, set[tuple[float, float]]]:
    """Part of the network -> its (learning rate, weight decay)."""
    names = {id(p): n for n, p in model.network.named_parameters()}
    out: dict[str, set[tuple[float, float]]] = {}
    for group in parameter_groups(model.network, settings):
        for parameter in group["params"]:
            part = names[id(parameter)].split(".")[0]
            out.setdefault(part, set()).add((group["lr"], group["weight_decay"]))
    return out


def test_two_learning_rates_as_in_the_paper(model: Model) -> None:
    found = rates(model, TrainingConfig(learning_rate=1e-4, image_learning_rate=1e-5))
    assert found.pop("image") == {(1e-5, 0.0)}
    assert set(found) == {"text", "tir", "classifier", "guidance", "decoder", "crf", "values", "value_range"}
    assert all(value == {(1e-4, 0.0)} for value in found.values())


def test_a_third_rate_for_new_layers_and_no_decay_of_biases(model: Model) -> None:
    found = rates(
        model,
        TrainingConfig(learning_rate=1e-4, image_learning_rate=1e-5, head_learning_rate=1e-3, weight_decay=0.01),
    )
    assert found["image"] == {(1e-5, 0.01), (1e-5, 0.0)}
    assert found["text"] == {(1e-4, 0.01), (1e-4, 0.0)}
    assert found["decoder"] == {(1e-3, 0.01), (1e-3, 0.0)}
    matrices = [g for g in parameter_groups(model.network, TrainingConfig(weight_decay=0.1)) if g["weight_decay"]]
    assert all(p.ndim > 1 for g in matrices for p in g["params"])


def test_fusion_may_have_its_own_rate(model: Model) -> None:
    settings = TrainingConfig(learning_rate=1e-4, head_learning_rate=1e-3)
    assert rates(model, settings)["tir"] == {(1e-4, 0.0)}
    settings = TrainingConfig(learning_rate=1e-4, head_learning_rate=1e-3, fusion_learning_rate=1e-2)
    found = rates(model, settings)
    assert (found["tir"], found["text"], found["decoder"]) == ({(1e-2, 0.0)}, {(1e-4, 0.0)}, {(1e-3, 0.0)})


def test_all_parameters_are_in_exactly_one_group(model: Model) -> None:
    groups = parameter_groups(model.network, TrainingConfig(head_learning_rate=1e-3, weight_decay=0.01))
    listed = [id(p) for g in groups for p in g["params"]]
    assert sorted(listed) == sorted(id(p) for p in model.network.parameters())


def test_frozen_parameters_are_in_no_group(model: Model) -> None:
    settings = TrainingConfig(scheme="fixed")
    freeze(model.network, settings)
    assert not {"text", "image"} & set(rates(model, settings))


# --- precision, trackers, arguments -----------------------------------------------------------------------------------


def test_bf16_is_chosen_only_where_it_is_native(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert (use_bf16("auto"), use_bf16("bf16"), use_bf16("fp32")) == (False, True, False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    assert use_bf16("auto")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    assert not use_bf16("auto")


def test_trains_in_bf16(model: Model, products: list[Product], tmp_path: Path) -> None:
    model.config = having(model.config, training={"precision": "bf16"})
    trainer = trainer_of(model, products[:8], tmp_path)
    kinds: list[torch.dtype] = []
    model.network.tir.register_forward_hook(lambda *_: kinds.append(torch.get_autocast_dtype("cpu")))
    assert trainer.args.bf16
    trainer.run()
    assert kinds[0] == torch.bfloat16
    assert all(p.dtype == torch.float32 and p.isfinite().all() for p in model.network.parameters())


def test_warmup_is_a_share_of_all_steps(tmp_path: Path) -> None:
    arguments = training_arguments(TrainingConfig(warmup=0.1), tmp_path, [])
    assert arguments.get_warmup_steps(200) == 20


def test_trackers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert known_trackers([]) == []
    assert known_trackers(["wandb"]) == ["wandb"]
    with pytest.raises(ConfigError, match=r"no tracker 'tensorbord'; did you mean 'tensorboard'\?; known: .*wandb"):
        known_trackers(["tensorbord"])
    monkeypatch.setattr("attrex.training.trainer.is_tensorboard_available", lambda: False)
    assert known_trackers(None) == []
    with pytest.raises(ConfigError, match=r"tensorboard is not installed; `pip install 'attrex\[tensorboard\]'`"):
        known_trackers(["tensorboard"])


def test_tensorboard_writes_beside_its_own_model(model: Model, products: list[Product], tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    for name in ("first", "second"):
        trainer_of(model, products[:8], tmp_path / name, trackers=["tensorboard"]).run()
        assert list((tmp_path / name / "logs").iterdir())


# --- memory -----------------------------------------------------------------------------------------------------------


def test_freed_memory_is_given_back_now_and_then_and_after_a_validation(
    model: Model, products: list[Product], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    monkeypatch.setattr(trainer, "GIVE_BACK_EVERY", 4)
    monkeypatch.setattr(trainer, "give_back", lambda: told.append(training.state.global_step))
    training = trainer_of(model, products[:40], tmp_path)  # six steps, and a validation
    training.run()
    assert told == [4, 6]


def test_a_training_keeps_some_photos_in_memory(model: Model, products: list[Product], monkeypatch: Any) -> None:
    monkeypatch.setattr(train, "PHOTOS_KEPT", 3 * 64 * 64 * 3)
    loader = train.training_extractor(model).loader
    for product in products[:8]:
        loader.load(product.images[0])
    assert len(loader._memory._entries) == 3
