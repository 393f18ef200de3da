"""The teachers of a training: read, matched with its products, weighed by their filled cells, and told of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

from attrex.config import Config
from attrex.errors import ConfigError, DataError
from attrex.inference.selection import lower_bound
from attrex.io.finds import read_finds
from attrex.labels.pseudo_labels import Teacher, Teachers
from attrex.labels.teaching import Agreement, FindMatcher
from attrex.progress import Progress, note
from attrex.shop.shop import Shop
from attrex.types import Prediction, Product
from attrex.vocabulary.lexicon import Lexicon

TeacherSource = str | Path | Iterable[Prediction] | Sequence[str | Path]
"""Finds, a file of them, or several files, each of another teacher."""


def read_teachers(
    source: TeacherSource,
    config: Config,
    shop: Shop,
    products: Sequence[Product],
    lexicon: Lexicon,
    validation: Sequence[Product],
    progress: Progress,
) -> Teachers:
    """Each teacher, weighed by how often filled cells of the products agree with it.

    :param products: to learn from, whose cells are compared.
    :param validation: matched, too, and not compared.

    Raises :class:`ConfigError` where the training cannot learn from any, :class:`DataError` for finds of others.
    """
    if config.range.kind == "none" or config.range.unknown == "negative":
        raise ConfigError(
            "a teacher needs range.kind=predicted and cells that are unknown (range.unknown=masked); this "
            f"configuration has range.kind={config.range.kind} and range.unknown={config.range.unknown}"
        )
    matcher = FindMatcher(shop, (p for p in products if p.error is None), lexicon)
    by_id = {p.id: p for p in (*validation, *products) if p.error is None}
    teachers = []
    for name, finds in _sources(source):
        matched = [matcher.match(by_id[f.id], f) if f.id in by_id else f for f in finds]
        times = Counter(f.id for f in matched if f.error is None)
        once = {f.id: f for f in matched if f.error is None and times[f.id] == 1}
        if not any(p.id in once for p in products):
            first = next((f.error for f in matched if f.error), None)
            raise DataError(
                f"the teacher has no prediction for any of the {len(products):,} training products, which are matched "
                "by id; extract from the file that you train on" + (f" (first marked row: {first})" if first else "")
            )
        agreement = matcher.agreement(products, once, config.training.teacher_high)
        weights = {attribute: one.weight for attribute, one in agreement.items()}
        muted = [a for a, weight in weights.items() if weight < config.training.teacher_agreement]
        high, low = config.training.teacher_high, config.training.teacher_low
        teachers.append(Teacher(matched, shop.schema, high=high, low=low, weights=weights, muted=muted))
        found = {v.attribute for f in once.values() for v in f.values}
        rows = {attribute: one for attribute, one in agreement.items() if attribute in found}
        note(progress, _table(name, rows, muted))
        teachers[-1].record = {"agreement": {a: _record(one, a in muted) for a, one in rows.items()}}
    return Teachers(teachers)


def tell_teachers(teachers: Teachers, products: Sequence[Product], progress: Progress) -> dict[str, Any]:
    """Say what each brings to the products; all of it for the model's metrics."""
    records = []
    for teacher in teachers.teachers:
        counts = teacher.count(products)
        note(progress, counts.render())
        records.append(counts.to_json() | teacher.record)
    return records[0] if len(records) == 1 else {"teachers": records}


def _sources(source: TeacherSource) -> list[tuple[str, Iterable[Prediction]]]:
    if isinstance(source, str | Path):
        return [(str(source), read_finds(source))]
    items = list(source)
    if items and all(isinstance(item, str | Path) for item in items):
        return [(str(path), read_finds(cast("str | Path", path))) for path in items]
    return [("the teacher", cast("list[Prediction]", items))]


def _record(one: Agreement, muted: bool) -> dict[str, Any]:
    return {"compared": one.compared, "right": one.right, "weight": round(one.weight, 4), "muted": muted}


def _table(name: str, agreement: dict[str, Agreement], muted: Sequence[str]) -> str:
    """A line per attribute: finds compared with filled cells, right ones with their bounds, weight, muted or not."""
    rows = [("attribute", "compared", "right", "between", "weight", "")]
    for attribute, one in agreement.items():
        n, right = one.compared, one.right
        between = f"{lower_bound(right, n):.2f}-{1 - lower_bound(n - right, n):.2f}" if n else "-"
        shown = (attribute, f"{n:,}", f"{right:,}", between, f"{one.weight:.2f}", "muted" if attribute in muted else "")
        rows.append(shown)
    widths = [max(len(row[i]) for row in rows) for i in range(6)]
    lines = ("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return f"agreement of {name} with filled cells:\n" + "\n".join(f"  {line}" for line in lines)
