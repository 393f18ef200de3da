"""Progress of a training, from the Hugging Face Trainer's callbacks to :mod:`attrex.progress` events."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from attrex.progress import Progress, ProgressEvent, duration, note

METRIC = "eval_tag_f1"
TASK = "training"


class ProgressReporter(TrainerCallback):
    """Reports every step with epoch, loss and best TAG-F1, and one message per validation."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.active = False
        self.facts = ""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.active = state.is_world_process_zero
        if self.active and state.global_step:
            note(self.progress, f"resumed at step {state.global_step:,} of {state.max_steps:,}")
        self._report(state)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self._report(state)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        if not self.active or not logs:
            return
        if "loss" in logs:
            best = f" · best TAG-F1 {state.best_metric:.4f}" if state.best_metric is not None else ""
            self.facts = f"epoch {state.epoch or 0:.1f} of {args.num_train_epochs:g} · loss {logs['loss']:.3f}{best}"
            self._report(state)
        if METRIC in logs:
            macro = f", macro-F1 {logs['eval_macro_f1']:.4f}" if "eval_macro_f1" in logs else ""
            note(
                self.progress,
                f"epoch {state.epoch or 0:.2f}: validation TAG-F1 {logs[METRIC]:.4f}"
                f" (P {logs['eval_tag_precision']:.4f}, R {logs['eval_tag_recall']:.4f}),"
                f" CLS-F1 {logs['eval_cls_f1']:.4f}{macro} in {duration(logs['eval_seconds'])}",
            )

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.close()

    def close(self) -> None:
        """Report the end; also after an error or an interrupt."""
        if self.active:
            self.progress(ProgressEvent(TASK, finished=True))
        self.active = False

    def _report(self, state: TrainerState) -> None:
        if self.active:
            self.progress(ProgressEvent(TASK, state.global_step, state.max_steps, facts=self.facts))
