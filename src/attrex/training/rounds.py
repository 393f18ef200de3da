"""Teacher and student: each round also learns from what the one before read in the cells that the table leaves unknown.

`rounds/1`, `rounds/2` ... of a run's directory are model directories of their own, with what their model read beside
them. A killed run goes on in the round it was killed in; what is finished is read back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from attrex.config import Config
from attrex.inference.checkpoint import Model
from attrex.inference.directory import read_json, write_json
from attrex.inference.extractor import CHUNK, Extractor
from attrex.io.predictions import PredictionFile, read_predictions
from attrex.tools.memory import peak_mb
from attrex.types import Prediction, Product


def train_rounds(
    products: Sequence[Product],
    validation: Sequence[Product],
    directory: Path,
    config: Config,
    fit: Callable[[Path, list[Prediction] | None], Model],
    console: Console,
) -> Model:
    """The model of the last round, with a record of all rounds in its metrics; it is not saved yet.

    ``fit`` trains in a directory, or goes on there. Needs no gold: the rounds end when two in a row find the same in
    the validation products (`training.round_agreement`), or after `training.rounds`.
    """
    settings = config.training
    teacher: list[Prediction] | None = None
    before: list[Prediction] | None = None
    record: list[dict[str, Any]] = []
    for number in range(1, settings.rounds + 1):
        home = directory / "rounds" / str(number)
        model = fit(home, teacher)
        found = _read_or_predict(model, validation, home / "validation.jsonl")
        agreed = None if before is None else exact_span_f1(before, found)
        last = number == settings.rounds or (agreed is not None and agreed >= settings.round_agreement)
        started = time.monotonic()
        if not last:
            teacher = _read_or_predict(model, products, home / "training.jsonl", threshold=settings.teacher_low)
        record.append(_record(home, number, model, found, agreed, time.monotonic() - started))
        console.print(_round_sentence(record[-1], settings.rounds), soft_wrap=True, highlight=False)
        if last:
            break
        before = found
    minutes = round(sum(r["minutes"] + r["reading_minutes"] for r in record), 2)
    return replace(model, config=config, metrics=model.metrics | {"rounds": record, "minutes": minutes})


def exact_span_f1(one: Iterable[Prediction], other: Iterable[Prediction]) -> float:
    """F1 of the exact spans of two readings of the same products; 1 where both find nothing."""
    ours, theirs = ({(p.id, *v.key) for p in reading for v in p.values} for reading in (one, other))
    return 2 * len(ours & theirs) / (len(ours) + len(theirs)) if ours or theirs else 1.0


def _read_or_predict(
    model: Model, products: Sequence[Product], path: Path, threshold: float | None = None
) -> list[Prediction]:
    """What a model reads, kept in a file; a half-written one is gone on with."""
    target = PredictionFile(path, resume=True)
    if not target.finished:
        step = model.config.training.eval_batch_size * CHUNK
        target.write(Extractor(model).extract(target.left(products, step), threshold=threshold, evidence=False))
    return list(read_predictions(path))


def _record(
    home: Path, number: int, model: Model, found: Sequence[Prediction], agreed: float | None, seconds: float
) -> dict[str, Any]:
    """What a round cost and found, kept beside it: a resumed run tells the same of the rounds before the kill."""
    path = home / "round.json"
    if path.exists():
        return read_json(path)
    record = {
        "round": number,
        "minutes": model.metrics["minutes"],
        "reading_minutes": round(seconds / 60, 2),
        "peak_mb": round(peak_mb()),  # of the process, up to now
        "validation_tag_f1": model.metrics["validation"]["tag"]["f1"],
        "finds": sum(len(p.values) for p in found),
        "agreement": agreed,
    }
    write_json(path, record)
    return record


def _round_sentence(record: dict[str, Any], rounds: int) -> str:
    agreed = "" if record["agreement"] is None else f", {record['agreement']:.1%} as in the round before"
    return (
        f"round {record['round']} of at most {rounds}: {record['finds']:,} finds in the validation products{agreed}; "
        f"{record['minutes']:.1f} minutes, {record['peak_mb']:,} MB at most"
    )
