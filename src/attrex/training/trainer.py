"""The Hugging Face Trainer, told what is special here: learning rates per part, length buckets, TAG-F1 as its measure.

Resuming, mixed precision, gradient accumulation, multi-GPU and experiment trackers are the Trainer's own. When to
validate, save and stop is decided here from the Trainer's saved state alone, so that a resumed run decides as the
killed one would have.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch.utils.data import DataLoader
from transformers import (
    PrinterCallback,
    ProgressCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.integrations import INTEGRATION_TO_CALLBACK, TensorBoardCallback, is_tensorboard_available

from attrex.config import Config, TrainingConfig
from attrex.encoding.dataset import BucketSampler, Collator, LabelledProducts
from attrex.errors import CheckpointError, ConfigError, did_you_mean
from attrex.model.precision import use_bf16
from attrex.model.system import System
from attrex.progress import Progress, silent
from attrex.tools.memory import give_back
from attrex.training.progress import METRIC, ProgressReporter
from attrex.training.resuming import STATE

PATIENCE = 20  # steps without a finite gradient that are borne
GIVE_BACK_EVERY = 20  # steps; it takes some milliseconds


class AttrexTrainer(Trainer):
    """Trains a :class:`System`; ``measure`` scores it on the validation set and returns metrics with ``tag_f1``."""

    optimizer: torch.optim.Optimizer | None
    control: TrainerControl

    def __init__(
        self,
        network: System,
        config: Config,
        train: LabelledProducts,
        collator: Collator,
        measure: Callable[[], dict[str, float]],
        directory: Path,
        *,
        trackers: Sequence[str] | None = None,
        progress: Progress = silent,
    ) -> None:
        self.config, self.measure = config, measure
        self.progress = ProgressReporter(progress)
        trackers = known_trackers(trackers)
        phase = RangeOnlyPhase(config.range.only_epochs)
        callbacks = [Milestones(config.training), phase, FreedMemory(), self.progress]
        if "tensorboard" in trackers:
            board = TensorBoardCallback()
            board.logging_dir = str(directory / "logs")
            callbacks.append(board)
        super().__init__(
            model=network,
            args=training_arguments(config.training, directory, [t for t in trackers if t != "tensorboard"]),
            train_dataset=train,
            data_collator=collator,
            callbacks=callbacks,
        )
        for callback in (PrinterCallback, ProgressCallback):
            self.remove_callback(callback)
        self.skipped = 0  # steps in a row without a finite gradient
        self.spent = 0.0  # minutes before this process, when resuming

    def run(self, checkpoint: Path | None = None) -> None:
        """Train, or go on from ``checkpoint``; the network then has the weights of its best validation.

        A run that was killed after its last step only gets those weights.
        """
        self.started = time.monotonic()
        state = TrainerState.load_from_json(str(checkpoint / STATE)) if checkpoint else None
        if state is not None:
            self.spent = max((entry.get("eval_minutes", 0.0) for entry in state.log_history), default=0.0)
        if state is not None and is_over(state, self.config.training.patience):
            self.state = state
        else:
            try:
                self.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
            finally:
                self.progress.close()
        self._load_best()
        if not all(parameter.isfinite().all() for parameter in self.model.parameters()):
            raise _diverged("weights that are not finite", self.state.global_step)

    @property
    def minutes(self) -> float:
        """Spent on this run so far, before and after a kill."""
        return self.spent + (time.monotonic() - self.started) / 60

    @property
    def validations(self) -> list[dict[str, float]]:
        """Metrics of every validation, in order."""
        return [entry for entry in self.state.log_history if METRIC in entry]

    def get_train_dataloader(self) -> DataLoader:
        settings = self.config.training
        sampler = BucketSampler(self.train_dataset.lengths(), settings.batch_size, settings.seed)
        loader = DataLoader(self.train_dataset, batch_sampler=sampler, collate_fn=self.data_collator)
        return self.accelerator.prepare(loader)

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        if self.optimizer is None:
            self.optimizer = torch.optim.AdamW(
                parameter_groups(self.model, self.config.training),
                lr=self.config.training.learning_rate,
                betas=(0.9, self.config.training.adam_beta2),
                fused=self.args.device.type in ("cpu", "cuda"),
            )
        return self.optimizer

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        losses = model(**inputs)
        # With gradient accumulation the Trainer divides by itself; a mean per step is what the papers use.
        return (losses.loss, losses) if return_outputs else losses.loss

    def _clip_grad_norm(self, model: torch.nn.Module) -> Any:
        """As the Trainer does, but a gradient that is not finite is skipped: applied, it would spoil every weight."""
        norm = super()._clip_grad_norm(model)
        self.skipped = 0 if math.isfinite(norm) else self.skipped + 1
        if self.skipped:
            model.zero_grad()
        if self.skipped == PATIENCE:
            raise _diverged(f"no finite gradient in {PATIENCE} steps", self.state.global_step)
        return norm

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Score the validation set, log it and tell the callbacks; the Trainer remembers the best ``eval_tag_f1``."""
        started = time.monotonic()
        metrics = {f"eval_{k}": v for k, v in self.measure().items()}
        metrics["eval_seconds"] = round(time.monotonic() - started, 2)
        metrics["eval_minutes"] = round(self.minutes, 3)
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        """Weights only: what else a model needs is written once, at the end. No pickled arguments."""
        save_weights(self.model, Path(output_dir or self.args.output_dir), state_dict)

    def _load_best(self) -> None:
        """By step, not by the path that the Trainer noted: the directory may have been moved between two runs."""
        path = Path(self.args.output_dir) / f"checkpoint-{self.state.best_global_step}" / "model.safetensors"
        try:
            self.model.load_state_dict(load_file(path))
        except (OSError, SafetensorError) as exc:
            raise CheckpointError(
                f"the best state of this run, {path}, cannot be read: {exc}; "
                f"delete {Path(self.args.output_dir).parent} and train again"
            ) from exc


def _diverged(how: str, step: int) -> ConfigError:
    return ConfigError(
        f"training has diverged: {how} up to step {step}; lower training.learning_rate and "
        "training.head_learning_rate, or add training.warmup"
    )


def save_weights(model: torch.nn.Module, directory: Path, state: Mapping[str, Any] | None = None) -> None:
    """The weights of a checkpoint, ``state`` where the Trainer has gathered them."""
    directory.mkdir(parents=True, exist_ok=True)
    weights = {k: v.contiguous() for k, v in (state or model.state_dict()).items()}
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})


class Milestones(TrainerCallback):
    """Validates as often as configured, the last time at the end; saves then, and every ``save_every`` steps.

    What was validated is always saved, so the best state is there to go back to.
    """

    def __init__(self, settings: TrainingConfig) -> None:
        self.settings = settings
        self.steps: set[int] = set()

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        train_dataloader: Any = None,
        **kwargs: Any,
    ) -> None:
        per_epoch = -(-len(train_dataloader) // args.gradient_accumulation_steps)
        self.steps = validation_steps(state.max_steps, per_epoch, self.settings.evaluations)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        every = self.settings.save_every
        if state.global_step in self.steps:
            control.should_evaluate = control.should_save = True
        elif every and state.global_step % every == 0:
            control.should_save = True

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if is_over(state, self.settings.patience):
            control.should_training_stop = True


class FreedMemory(TrainerCallback):
    """Gives freed memory back to the system: batches and validations of other lengths leave it in pieces."""

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if state.global_step % GIVE_BACK_EVERY == 0:
            give_back()

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        give_back()


class RangeOnlyPhase(TrainerCallback):
    """During the first ``range.only_epochs`` only the attribute range is learned."""

    def __init__(self, epochs: float) -> None:
        self.epochs = epochs

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **kwargs: Any
    ) -> None:
        network = getattr(model, "module", model)
        network.range_only = (state.epoch or 0.0) < self.epochs


def validation_steps(total: int, per_epoch: int, evaluations: int) -> set[int]:
    """The optimiser steps after which to validate: at the end of each epoch, or ``evaluations`` times evenly."""
    if evaluations:
        return {max(1, math.ceil(total * i / evaluations)) for i in range(1, evaluations + 1)}
    return {*range(per_epoch, total, per_epoch), total}


def is_over(state: TrainerState, patience: int) -> bool:
    """Whether all steps are done, or ``patience`` validations brought no better TAG-F1 (0: never)."""
    scores = [entry[METRIC] for entry in state.log_history if METRIC in entry]
    stalled = bool(patience and scores) and len(scores) - 1 - scores.index(max(scores)) >= patience
    return stalled or state.global_step >= state.max_steps


def known_trackers(names: Sequence[str] | None) -> list[str]:
    """Names of experiment trackers; None: TensorBoard if it is installed. Raises :class:`ConfigError`."""
    if names is None:
        return ["tensorboard"] if is_tensorboard_available() else []
    for name in names:
        if name not in INTEGRATION_TO_CALLBACK:
            known = sorted(INTEGRATION_TO_CALLBACK)
            raise ConfigError(f"no tracker {name!r}{did_you_mean(name, known)}; known: {', '.join(known)}")
        if name == "tensorboard" and not is_tensorboard_available():
            raise ConfigError("the tracker tensorboard is not installed; `pip install 'attrex[tensorboard]'`")
    return list(names)


def training_arguments(settings: TrainingConfig, directory: Path, trackers: Sequence[str]) -> TrainingArguments:
    """Our settings in the Trainer's words; :class:`Milestones` says when to validate and save."""
    bf16 = use_bf16(settings.precision)
    return TrainingArguments(
        output_dir=str(directory / "checkpoints"),
        per_device_train_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.accumulation,
        num_train_epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="constant_with_warmup" if settings.schedule == "constant" else settings.schedule,
        warmup_steps=settings.warmup,  # below 1: a share of all steps
        max_grad_norm=settings.max_grad_norm,
        bf16=bf16,
        use_cpu=bf16 and not torch.cuda.is_available(),  # without it the Trainer takes bf16 for a GPU's business
        eval_strategy="no",
        save_strategy="steps",  # with `no` the Trainer would not track the best state
        save_steps=2**31,
        save_total_limit=2,
        metric_for_best_model=METRIC,
        greater_is_better=True,
        logging_steps=0.01,  # of all steps
        seed=settings.seed,
        data_seed=settings.seed,
        disable_tqdm=True,
        remove_unused_columns=False,
        report_to=list(trackers) or "none",
        log_level="error",
        dataloader_pin_memory=torch.cuda.is_available(),
        ddp_find_unused_parameters=True,  # a batch without photos leaves the image encoder out
    )


def freeze(network: System, settings: TrainingConfig) -> None:
    """Switch gradients off: `fixed` freezes both encoders, `partial` all but the last text layers."""
    if settings.scheme == "uls":
        return
    for encoder in network.text_encoders():
        encoder.requires_grad_(False)
        if settings.scheme == "partial" and settings.text_layers:
            for layer in encoder.layers[-settings.text_layers :]:
                layer.requires_grad_(True)
    if network.image is not None:
        network.image.requires_grad_(settings.scheme == "partial" and settings.image_trainable)


def parameter_groups(network: System, settings: TrainingConfig) -> list[dict[str, Any]]:
    """Image encoder, fusion, text encoder, new layers, each at its rate; no decay on biases and norms."""
    pretrained = {name for name, _ in network.pretrained_parameters()}

    def rate(name: str) -> float:
        if name.startswith("image."):
            return settings.image_learning_rate
        if name.split(".", maxsplit=1)[0] in network.fusion_parts:
            return settings.fusion_learning_rate or settings.learning_rate
        if name in pretrained or settings.head_learning_rate is None:
            return settings.learning_rate
        return settings.head_learning_rate

    named = ((parameter, rate(name)) for name, parameter in network.named_parameters())
    return grouped(named, settings.weight_decay)


def grouped(parameters: Iterable[tuple[torch.nn.Parameter, float]], decay: float) -> list[dict[str, Any]]:
    """Trained parameters with their rates as an optimiser's groups; no decay on biases and norms."""
    groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
    for parameter, rate in parameters:
        if parameter.requires_grad:
            groups.setdefault((rate, decay if parameter.ndim > 1 else 0.0), []).append(parameter)
    return [{"params": params, "lr": rate, "weight_decay": share} for (rate, share), params in groups.items()]
