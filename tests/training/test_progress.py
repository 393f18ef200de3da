"""What a training reports, from the Trainer's callbacks."""

from __future__ import annotations

from typing import Any

from transformers import TrainerControl, TrainerState, TrainingArguments

from attrex.progress import ProgressEvent
from attrex.training.progress import ProgressReporter

VALIDATION = {
    "eval_tag_f1": 0.9123,
    "eval_tag_precision": 0.95,
    "eval_tag_recall": 0.88,
    "eval_cls_f1": 0.97,
    "eval_macro_f1": 0.8,
    "eval_accuracy": 0.9,
    "eval_seconds": 12.0,
}


def reported(tmp_path: Any, *, first: int = 0, main_process: bool = True) -> list[ProgressEvent]:
    """The events of a run of 20 steps that logs every second step, and validates at the end."""
    events: list[ProgressEvent] = []
    reporter = ProgressReporter(events.append)
    state = TrainerState(max_steps=20, global_step=first, is_world_process_zero=main_process)
    args, control = TrainingArguments(output_dir=str(tmp_path), num_train_epochs=4, report_to="none"), TrainerControl()
    reporter.on_train_begin(args, state, control)
    for step in range(first + 1, 21):
        state.global_step, state.epoch = step, step / 5
        reporter.on_step_end(args, state, control)
        if step % 2 == 0:
            reporter.on_log(args, state, control, logs={"loss": 1.5, "epoch": state.epoch})
    reporter.on_log(args, state, control, logs=VALIDATION)
    reporter.on_train_end(args, state, control)
    reporter.close()
    return events


def test_every_step_is_an_event_with_what_is_known(tmp_path: Any) -> None:
    events = reported(tmp_path)
    assert [e.done for e in events if e.task and not e.finished][-1] == 20
    assert events[-3].facts == "epoch 4.0 of 4 · loss 1.500"
    message = "epoch 4.00: validation TAG-F1 0.9123 (P 0.9500, R 0.8800), CLS-F1 0.9700, macro-F1 0.8000 in 12 s"
    assert events[-2].message == message
    assert [e.finished for e in events].count(True) == 1


def test_a_resumed_run_says_where_it_resumes(tmp_path: Any) -> None:
    assert reported(tmp_path, first=10)[0].message == "resumed at step 10 of 20"


def test_other_processes_report_nothing(tmp_path: Any) -> None:
    assert reported(tmp_path, main_process=False) == []
