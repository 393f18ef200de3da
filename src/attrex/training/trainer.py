"""The Hugging Face Trainer, told what is special here: learning rates per part, length buckets, TAG-F1 as its measure.

Checkpointing, resuming, mixed precision, gradient accumulation, multi-GPU and experiment trackers are the Trainer's own.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from safetensors.torch import save_file
from torch.utils.data import DataLoader
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    ProgressCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.integrations import is_tensorboard_available

from attrex.config import Config, TrainingConfig
from attrex.data.batching import BucketSampler, Collator, LabelledProducts
from attrex.model.network import Network

METRIC = "eval_tag_f1"


class AttrexTrainer(Trainer):
    """Trains a :class:`Network`; ``measure`` scores it on the validation set and returns metrics with ``tag_f1``."""

    def __init__(
        self,
        network: Network,
        config: Config,
        train: LabelledProducts,
        collator: Collator,
        measure: Callable[[], dict[str, float]],
        directory: Path,
        *,
        trackers: list[str] | None = None,
        console: Console | None = None,
    ) -> None:
        settings = config.training
        callbacks: list[TrainerCallback] = [RangeOnlyPhase(config.range.only_epochs), HumanProgress(console)]
        if settings.patience:
            callbacks.append(EarlyStoppingCallback(settings.patience))
        steps = -(-len(train) // (settings.batch_size * settings.accumulation))
        super().__init__(
            model=network,
            args=training_arguments(settings, directory, steps, trackers),
            train_dataset=train,
            eval_dataset=train,  # the Trainer wants one; `evaluate` measures on the validation set itself
            data_collator=collator,
            callbacks=callbacks,
        )
        self.config, self.measure = config, measure
        for callback in (PrinterCallback, ProgressCallback):
            self.remove_callback(callback)

    def get_train_dataloader(self) -> DataLoader:
        settings = self.config.training
        sampler = BucketSampler(self.train_dataset.lengths(), settings.batch_size, settings.seed)
        loader = DataLoader(self.train_dataset, batch_sampler=sampler, collate_fn=self.data_collator)
        return self.accelerator.prepare(loader)

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        if self.optimizer is None:
            self.optimizer = torch.optim.AdamW(
                parameter_groups(self.model, self.config.training), lr=self.config.training.learning_rate
            )
        return self.optimizer

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        losses = model(**inputs)
        # With gradient accumulation the Trainer divides by itself; a mean per step is what the papers use.
        return (losses.loss, losses) if return_outputs else losses.loss

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Score the validation set, log it, tell the callbacks: the Trainer picks the best checkpoint by ``eval_tag_f1``."""
        started = time.perf_counter()
        metrics = {f"eval_{k}": v for k, v in self.measure().items()}
        metrics["eval_seconds"] = time.perf_counter() - started
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        """Weights only: what else a model needs is written once, at the end. No pickled arguments."""
        directory = Path(output_dir or self.args.output_dir)
        directory.mkdir(parents=True, exist_ok=True)
        weights = {k: v.contiguous() for k, v in (state_dict or self.model.state_dict()).items()}
        save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})


class RangeOnlyPhase(TrainerCallback):
    """During the first ``range.only_epochs`` only the attribute range is learned."""

    def __init__(self, epochs: float) -> None:
        self.epochs = epochs

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **kwargs: Any
    ) -> None:
        network = getattr(model, "module", model)
        network.range_only = (state.epoch or 0.0) < self.epochs


class HumanProgress(TrainerCallback):
    """A bar with the epoch, the loss and the best TAG-F1 so far; one line per validation that stays."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self.progress: Progress | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if not state.is_world_process_zero:
            return
        self.progress = Progress(
            TextColumn("[bold]training[/]"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[facts]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
        )
        self.progress.start()
        self.task = self.progress.add_task("train", total=state.max_steps, completed=state.global_step, facts="")

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self.progress:
            self.progress.update(self.task, completed=state.global_step)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        if not self.progress or not logs:
            return
        if "loss" in logs:
            best = f" · best TAG-F1 {state.best_metric:.4f}" if state.best_metric is not None else ""
            self.progress.update(
                self.task,
                facts=f"epoch {state.epoch or 0:.1f} of {args.num_train_epochs:g} · loss {logs['loss']:.3f}{best}",
            )
        if METRIC in logs:
            self.progress.console.print(
                f"epoch {state.epoch or 0:.2f}: validation TAG-F1 {logs[METRIC]:.4f}"
                f" (P {logs['eval_tag_precision']:.4f}, R {logs['eval_tag_recall']:.4f}), CLS-F1 {logs['eval_cls_f1']:.4f},"
                f" macro-F1 {logs['eval_macro_f1']:.4f} in {logs['eval_seconds']:.0f} s"
            )

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self.progress:
            self.progress.stop()
            self.progress = None


def training_arguments(
    settings: TrainingConfig, directory: Path, steps_per_epoch: int, trackers: list[str] | None
) -> TrainingArguments:
    """Our settings in the Trainer's words. ``steps_per_epoch`` counts optimiser steps."""
    total = max(1, round(settings.epochs * steps_per_epoch))
    every = max(1, total // settings.evaluations) if settings.evaluations else steps_per_epoch
    schedule = "constant_with_warmup" if settings.schedule == "constant" else settings.schedule
    if trackers is None:
        trackers = ["tensorboard"] if is_tensorboard_available() else []
    # The Trainer takes the directory of TensorBoard's files from the environment.
    os.environ.setdefault("TENSORBOARD_LOGGING_DIR", str(directory / "logs"))
    return TrainingArguments(
        output_dir=str(directory / "checkpoints"),
        per_device_train_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.accumulation,
        num_train_epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=schedule,
        warmup_steps=round(settings.warmup * total),
        max_grad_norm=settings.max_grad_norm,
        bf16=use_bf16(settings.precision),
        eval_strategy="steps",
        eval_steps=every,
        save_strategy="steps",
        save_steps=settings.save_every or every,
        save_total_limit=2,
        load_best_model_at_end=not settings.save_every
        or settings.save_every % every == 0
        or every % settings.save_every == 0,
        metric_for_best_model=METRIC,
        greater_is_better=True,
        logging_steps=max(1, min(20, total // 20)),
        seed=settings.seed,
        data_seed=settings.seed,
        disable_tqdm=True,
        remove_unused_columns=False,
        report_to=trackers or "none",
        log_level="error",
        dataloader_pin_memory=torch.cuda.is_available(),
        ddp_find_unused_parameters=True,  # a batch without photos leaves the image encoder out
    )


def use_bf16(precision: str) -> bool:
    """`auto`: bf16 where the processor multiplies it natively; emulated it is many times slower than fp32."""
    if precision != "auto":
        return precision == "bf16"
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported()
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def freeze(network: Network, settings: TrainingConfig) -> None:
    """Switch gradients off as the scheme says: `fixed` freezes both encoders, `partial` all but the last text layers."""
    if settings.scheme == "uls":
        return
    network.text.requires_grad_(False)
    if settings.scheme == "partial" and settings.text_layers:
        for layer in network.text.layers[-settings.text_layers :]:
            layer.requires_grad_(True)
    if network.image is not None:
        network.image.requires_grad_(settings.scheme == "partial" and settings.image_trainable)


def parameter_groups(network: Network, settings: TrainingConfig) -> list[dict[str, Any]]:
    """Image encoder, text encoder, new layers: each with its learning rate; no decay on biases and normalisation."""
    pretrained = {name for name, _ in network.pretrained_parameters()}
    groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        if name.startswith("image."):
            rate = settings.image_learning_rate
        elif name in pretrained or settings.head_learning_rate is None:
            rate = settings.learning_rate
        else:
            rate = settings.head_learning_rate
        decay = settings.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return [{"params": params, "lr": rate, "weight_decay": decay} for (rate, decay), params in groups.items()]


def last_complete(directory: Path) -> Path | None:
    """The newest resumable checkpoint; half-written ones (a kill while saving) are removed."""
    found = []
    for path in (directory / "checkpoints").glob("checkpoint-*"):
        try:
            step = json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))["global_step"]
            found.append((step, path))
        except (OSError, ValueError, KeyError):
            shutil.rmtree(path, ignore_errors=True)
    return max(found)[1] if found else None
