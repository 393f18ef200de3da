"""Progress of a training that a person understands: a live bar on a terminal, plain lines in a log file."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

METRIC = "eval_tag_f1"
LINES = 20
"""Lines in a log file, besides one per validation: one every 5 % of the steps."""


class HumanProgress(TrainerCallback):
    """Epoch, loss, best TAG-F1 so far and the time left; one line per validation that stays."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self.bar: Progress | None = None
        self.active = False

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.active = state.is_world_process_zero
        if not self.active:
            return
        self.started, self.first, self.said = time.monotonic(), state.global_step, state.global_step
        if state.global_step:
            self._say(f"going on from step {state.global_step:,} of {state.max_steps:,}")
        if self.console.is_terminal:
            self.bar = Progress(
                TextColumn("[bold]training[/]"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[facts]}"),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                console=self.console,
            )
            self.bar.start()
            self.task = self.bar.add_task("train", total=state.max_steps, completed=state.global_step, facts="")

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self.bar:
            self.bar.update(self.task, completed=state.global_step)

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
            facts = f"epoch {state.epoch or 0:.1f} of {args.num_train_epochs:g} · loss {logs['loss']:.3f}{best}"
            self._step(state, facts)
        if METRIC in logs:
            macro = f", macro-F1 {logs['eval_macro_f1']:.4f}" if "eval_macro_f1" in logs else ""
            self._say(
                f"epoch {state.epoch or 0:.2f}: validation TAG-F1 {logs[METRIC]:.4f}"
                f" (P {logs['eval_tag_precision']:.4f}, R {logs['eval_tag_recall']:.4f}),"
                f" CLS-F1 {logs['eval_cls_f1']:.4f}{macro} in {duration(logs['eval_seconds'])}"
            )

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the terminal back; also after an error or an interrupt."""
        if self.bar:
            self.bar.stop()
            self.bar = None

    def _step(self, state: TrainerState, facts: str) -> None:
        if self.bar:
            self.bar.update(self.task, facts=facts)
        elif state.global_step - self.said >= state.max_steps / LINES:
            self.said = state.global_step
            passed = time.monotonic() - self.started
            left = passed / (state.global_step - self.first) * (state.max_steps - state.global_step)
            self._say(
                f"step {state.global_step:,} of {state.max_steps:,} ({state.global_step / state.max_steps:.0%})"
                f" · {facts} · {duration(passed)}, {duration(left)} left"
            )

    def _say(self, line: str) -> None:
        self.console.print(line, soft_wrap=True, highlight=False)


def duration(seconds: float) -> str:
    """`45 s`, `12 min` or `1 h 05 min`."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
