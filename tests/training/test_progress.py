"""What a person sees of a training, on a terminal and in a log file."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console
from transformers import TrainerControl, TrainerState, TrainingArguments

from attrex.training.progress import HumanProgress, duration

VALIDATION = {
    "eval_tag_f1": 0.9123,
    "eval_tag_precision": 0.95,
    "eval_tag_recall": 0.88,
    "eval_cls_f1": 0.97,
    "eval_macro_f1": 0.8,
    "eval_accuracy": 0.9,
    "eval_seconds": 12.0,
}


def shown(tmp_path: Any, *, terminal: bool, first: int = 0, steps: int = 200) -> str:
    """All that is written while a run of 200 steps logs every second step, and validates at the end."""
    out = io.StringIO()
    progress = HumanProgress(Console(file=out, force_terminal=terminal, width=120))
    state = TrainerState(max_steps=200, global_step=first, is_world_process_zero=True)
    args, control = TrainingArguments(output_dir=str(tmp_path), num_train_epochs=4, report_to="none"), TrainerControl()
    progress.on_train_begin(args, state, control)
    for step in range(first + 1, steps + 1):
        state.global_step, state.epoch = step, step / 50
        progress.on_step_end(args, state, control)
        if step % 2 == 0:
            progress.on_log(args, state, control, logs={"loss": 1.5, "epoch": state.epoch})
    progress.on_log(args, state, control, logs=VALIDATION)
    progress.on_train_end(args, state, control)
    return out.getvalue()


def test_a_log_file_gets_a_line_every_twentieth_and_one_per_validation(tmp_path: Any) -> None:
    *steps, last = shown(tmp_path, terminal=False).splitlines()
    assert len(steps) == 20
    assert steps[0] == "step 10 of 200 (5%) · epoch 0.2 of 4 · loss 1.500 · 0 s, 0 s left"
    assert last == ("epoch 4.00: validation TAG-F1 0.9123 (P 0.9500, R 0.8800), CLS-F1 0.9700, macro-F1 0.8000 in 12 s")


def test_a_resumed_run_says_where_it_goes_on(tmp_path: Any) -> None:
    lines = shown(tmp_path, terminal=False, first=150).splitlines()
    assert lines[0] == "going on from step 150 of 200"
    assert lines[1].startswith("step 160 of 200 (80%)")


def test_a_terminal_gets_a_bar(tmp_path: Any) -> None:
    out = shown(tmp_path, terminal=True)
    assert "200/200" in out
    assert "validation TAG-F1 0.9123" in out
    assert "step 10 of 200" not in out
    assert out.rstrip().endswith("\x1b[?25h")  # the cursor is back


def test_other_processes_are_silent(tmp_path: Any) -> None:
    out = io.StringIO()
    progress = HumanProgress(Console(file=out))
    state = TrainerState(max_steps=10, is_world_process_zero=False)
    args = TrainingArguments(output_dir=str(tmp_path), report_to="none")
    progress.on_train_begin(args, state, TrainerControl())
    progress.on_log(args, state, TrainerControl(), logs=VALIDATION)
    assert not out.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (99, "99 s"), (100, "2 min"), (3600, "60 min"), (7500, "2 h 05 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
