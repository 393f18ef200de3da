"""From a shop's export to an export that it can import again: label, check, train, extract, fill, report."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from attrex.errors import ConfigError, DataError
from attrex.io.atomic import exclusive_lock, write_json, write_text
from attrex.io.bad_rows import RowTally
from attrex.io.outputs import check_out
from attrex.io.readers import Products, export_of
from attrex.pipeline import TRAINING_MINUTES
from attrex.pipeline.given import shop_of
from attrex.pipeline.labels import MINE, check, locate
from attrex.pipeline.training import HELD_OUT, train
from attrex.pipeline.use import extract, fill, report
from attrex.progress import Progress, duration, note, silent
from attrex.shop.shop import Shop
from attrex.types import Product
from attrex.vocabulary.lexicon import LEXICON_FILE

LEAST_LABELLED = 50
"""Products with a label that it takes to learn anything."""
LEAST_STEPS = 150
"""Steps of a training: a small shop's products are gone through more often than the preset says. `attrex demo` makes
do with as many."""
LEAST_EPOCHS = 0.1
"""Passes over the products. A model that has seen fewer of them is of no use."""
STEPS = ("label", "check", "train", "extract", "fill", "report")
RECORD = "complete.json"
SAVE_SECONDS = 120
"""Training that a kill may lose, about."""


@dataclass(frozen=True)
class Completion:
    """A completed export, and what became of its cells."""

    filled: Path  #: the export with its blank cells filled
    work: Path  #: the directory of what was made on the way
    minutes: Mapping[str, float]  #: step -> how long it took, all tries that finished together
    cells: Mapping[str, Any]  #: what :meth:`FillReport.to_json` says
    held_out: Mapping[str, Any]  #: the same of the products that the model was not trained on

    @property
    def changes(self) -> Path:
        """Every value and what became of it; :func:`undo_fill` reads it."""
        return self.work / "changes.csv"

    @property
    def report(self) -> Path:
        """The page to look at."""
        return self.work / "report.html"

    @property
    def values(self) -> Path:
        """What was found, for :func:`fill` with other options."""
        return self.work / "values.jsonl"

    @property
    def model(self) -> Path:
        """The model directory, for products to come."""
        return self.work / "model"

    def agreement(self, attribute: str) -> float | None:
        """Share of the held-out products' filled cells with a find that say the same, 0..1; None: there are none.

        Of the products that the model learned from, it would tell what was learned by heart.
        """
        found: Mapping[str, Any] = self.held_out["attributes"].get(attribute, {})
        return found.get("agreement")


@dataclass
class _Work:
    """The directory of a run, and which of its steps are finished."""

    directory: Path
    made_of: Mapping[str, Any]  #: what all steps depend on, by name
    done: dict[str, dict[str, Any]]  #: step -> what is to be known of it

    @classmethod
    def open(cls, directory: Path, made_of: Mapping[str, Any]) -> _Work:
        """Raises :class:`ConfigError` where the directory holds another run, or something else."""
        path = directory / RECORD
        if not path.is_file():
            ours = ("run.lock", f"{RECORD}.part", f"{RECORD}.lock")  # a kill may have left them
            if any(child.name not in ours for child in directory.iterdir()):
                raise ConfigError(
                    f"{directory} is not empty and holds no run of `complete` (it has no {RECORD}); name another "
                    "directory as `work`"
                )
            write_json(path, {"made of": made_of, "done": {}})
            return cls(directory, made_of, {})
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            before, done = dict(found["made of"]), dict(found["done"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as exc:
            raise ConfigError(f"{path}: expected the record of a run, got: {exc}; delete {directory}") from exc
        changed = [
            f"{name} was {before.get(name)!r} and is now {value!r}" if name != "export" else "the export has changed"
            for name, value in made_of.items()
            if before.get(name) != value
        ]
        if changed:
            raise ConfigError(
                f"{directory} holds a run of something else: {'; '.join(changed)}. Start again with the same export "
                "and options to continue it, name another directory as `work`, or delete this one"
            )
        return cls(directory, made_of, done)

    def path(self, name: str) -> Path:
        return self.directory / name

    @contextmanager
    def step(self, name: str, progress: Progress, says: str) -> Iterator[dict[str, Any]]:
        """Around the work of a step, which is finished where no error ends it; the dict is kept with it."""
        note(progress, f"{STEPS.index(name) + 1}/{len(STEPS)} {says}")
        started, facts = time.monotonic(), dict[str, Any]()
        yield facts
        before = self.done.get(name, {}).get("minutes", 0.0)
        facts["minutes"] = round(before + (time.monotonic() - started) / 60, 2)
        self.keep(name, facts)

    def keep(self, name: str, facts: Mapping[str, Any]) -> None:
        """Note a step as finished."""
        self.done[name] = dict(facts)
        write_json(self.path(RECORD), {"made of": self.made_of, "done": self.done})


def complete(
    export: str | Path | Products,
    out: str | Path,
    *,
    photos: str | Path | None = None,
    shop: Shop | str | Path | None = None,
    dialect: str | None = None,
    minutes: float = TRAINING_MINUTES,
    precision: float | None = None,
    work: str | Path | None = None,
    config: str | Path = "small",
    settings: Sequence[str] = (),
    progress: Progress = silent,
) -> Completion:
    """Fill the blank cells of a shop's export, from a model that learns from the filled ones.

    Everything on the way is kept in a directory. Called again, it goes on behind the last finished step, and in a
    training at its last checkpoint; a changed export or option is refused, another ``precision`` fills anew.

    :param export: a file, best of a kind that :func:`fill` gives back; or :class:`Products` of it, with how to read it.
    :param out: the export with blank cells filled.
    :param photos: the directory that photos are in; None: the export's.
    :param dialect: the platform whose export it is; None: the one that its header shows.
    :param minutes: for the training, which does as many passes as fit in, by a few steps that are timed before it; at
        most those of ``config``, or 150 steps.
    :param precision: the share of what is filled in that has to be right (:func:`fill`).
    :param work: the directory; None: beside ``out``.
    :param config: the name of a preset, or a YAML file; ``settings`` such as ``training.batch_size=8`` change it.

    Raises :class:`DataError` for a shop with fewer than 50 products to learn from.
    """
    from attrex.config import Config
    from attrex.io.editable import same_kind
    from attrex.io.tables import TABLE_SUFFIXES

    if isinstance(export, Products):
        if photos is not None or shop is not None or dialect is not None:
            raise ConfigError("photos, shop and dialect go into Products with the export; leave them out here")
        products = export
    else:
        products = Products(export, shop_of(shop), photos, dialect=dialect)
    if not isinstance(products.source, str | Path) or not Path(products.source).is_file():
        raise DataError(f"expected the file of an export, got {products.source!r}; name one file")
    path, out = Path(products.source), Path(out)
    check_out(out, () if same_kind(path, out) else TABLE_SUFFIXES, path)
    if products.images is not None and not Path(products.images).is_dir():
        raise ConfigError(f"photos should be a directory, found none at {products.images}; check the path")
    if not minutes > 0:
        raise ConfigError(f"minutes should be more than 0, got {minutes:g}")
    if precision is not None and not 0 < precision < 1:
        raise ConfigError(f"precision should be between 0 and 1, got {precision:g}")
    directory = Path(work) if work is not None else out.with_name(f"{out.name}.work")
    if directory.exists() and not directory.is_dir():
        raise ConfigError(f"{directory}: expected a directory, got a file; name another one as `work`")
    shop = shop_of(products.shop)
    known = export_of(path, shop, products.dialect)
    if known is not None and known.read_only and same_kind(path, out):
        raise DataError(
            f"{path.name}: expected an export that values can be written to, got {known.title}: {known.read_only}. "
            "Give out a name in .jsonl, .csv or .parquet for a table of all products"
        )
    if known is not None and not isinstance(export, Products):
        note(progress, known.told())
    chosen = Config.load(config, settings)
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    made_of = {
        "export": content,
        "out": str(out.resolve()),
        "shop": shop.to_yaml(),
        "photos": None if products.images is None else str(Path(products.images).resolve()),
        "dialect": products.dialect,
        "limit": products.limit,
        "minutes": minutes,
        "configuration": chosen.model_dump(mode="json"),
    }
    directory.mkdir(parents=True, exist_ok=True)
    note(progress, f"everything is kept in {directory}")
    with exclusive_lock(directory, directory / "run.lock"):
        run = _Work.open(directory, made_of)
        if not run.path("config.yaml").exists():
            write_text(run.path("config.yaml"), chosen.to_yaml())
        fixed = any(setting.partition("=")[0].strip() == "training.epochs" for setting in settings)
        return _complete(run, products, shop, out, minutes, precision, fixed, progress)


def _complete(
    run: _Work,
    products: Products,
    shop: Shop,
    out: Path,
    minutes: float,
    precision: float | None,
    fixed_epochs: bool,
    progress: Progress,
) -> Completion:
    """The steps that are not finished yet."""
    model, values = run.path("model"), run.path("values.jsonl")
    labelled = _label(run, products, shop, progress)
    if "check" not in run.done:
        _check(run, labelled, shop, progress)
    learned, held_out = _split(labelled)
    if "train" not in run.done:
        settings = _plan(run, learned, held_out, shop, minutes, fixed_epochs, progress)
        with run.step("train", progress, f"training on {len(learned):,} products: {model}"):
            train(
                learned,
                held_out,
                model,
                shop=shop,
                config=run.path("config.yaml"),
                settings=settings,
                lexicon=run.path(LEXICON_FILE),
                resume=True,
                progress=progress,
            )
    read = replace(products, shop=shop_of(None, model))
    if "extract" not in run.done:
        with run.step("extract", progress, f"extracting values from all products: {values}"):
            extract(model, read, values, evidence=False, resume=True, progress=progress)
    done = run.done.get("fill", {})
    if done.get("precision") != precision or not out.is_file() or "cells" not in done:
        run.done.pop("report", None)  # it tells of what was filled
        with run.step("fill", progress, f"filling the blank cells: {out}") as facts:
            filling = fill(
                read,
                values,
                out,
                changes=run.path("changes.csv"),
                model=model,
                shop=shop_of(None, model),
                precision=precision,
                progress=progress,
            )
            facts |= {"precision": precision, "cells": filling.report.to_json()}
            facts["held_out"] = _held_out_cells(run, read, held_out, precision)
    if "report" not in run.done or not run.path("report.html").is_file():
        _report(run, read, progress)
    found = run.done["fill"]
    spent = {step: run.done[step]["minutes"] for step in STEPS}
    return Completion(out, run.directory, spent, found["cells"], found["held_out"])


def _label(run: _Work, products: Products, shop: Shop, progress: Progress) -> Products:
    """The products with labels, in a file; how many rows could not be read is told of ``products`` either way."""
    from attrex.filling.columns import check_columns

    labelled = run.path("labelled.jsonl")
    if "label" not in run.done:
        with run.step("label", progress, f"finding the table's values in the texts: {labelled}") as facts:
            found = locate(products, labelled, shop=shop, lexicon=MINE, progress=progress)
            found.lexicon.save(run.path(LEXICON_FILE))
            for remark in found.remarks:
                note(progress, remark)
            # told now and not after a training: columns of attributes that the shop does not read
            check_columns(Path(str(products.source)).name, found.report.columns.unread, found.report.attributes)
            note(progress, f"found in the texts: {found.report.summary()}")
            facts["rows"] = asdict(products.tally)
    else:
        products.passes.append(RowTally(**run.done["label"]["rows"]))
    return Products(labelled, allow_outside=True)  # it names the photos of the export, which were looked at


def _check(run: _Work, labelled: Products, shop: Shop, progress: Progress) -> None:
    """What to know before training: said, and kept."""
    with run.step("check", progress, f"checking the products: {run.path('check.json')}") as facts:
        # Rows that cannot be read are told of the export, at the end.
        found = check(labelled, shop=shop, preset=run.path("config.yaml"), max_bad_rows="100%", progress=progress)
        write_json(run.path("check.json"), found.to_json())
        said = [f for f in found.findings if f.severity in ("error", "warning")]
        for finding in said:
            note(progress, f"{finding.severity}: {finding.what}; {finding.advice}")
        facts["findings"] = len(said)


def _split(labelled: Products) -> tuple[list[Product], list[Product]]:
    """Products to learn from and held-out ones, by chance and by group.

    Raises :class:`DataError` where there are too few to learn from.
    """
    from attrex.io.splitting import split_by_group

    products = [p for p in labelled if p.error is None]
    having = sum(bool(p.spans) for p in products)
    if having < LEAST_LABELLED:
        raise DataError(
            f"expected at least {LEAST_LABELLED} products whose texts say a value of a filled cell, to learn from, got "
            f"{having} of {len(products):,}; fill more cells, export more products, say what the columns hold in a "
            "shop file (docs/data.md), or use a model of a larger shop: `attrex extract`, then `attrex fill`"
        )
    return split_by_group(products, HELD_OUT)


def _plan(
    run: _Work,
    learned: Sequence[Product],
    held_out: Sequence[Product],
    shop: Shop,
    minutes: float,
    fixed_epochs: bool,
    progress: Progress,
) -> list[str]:
    """The settings of a training that takes so many minutes; chosen once, for a resumed training has the same."""
    from attrex.config import EPOCHS, Config
    from attrex.training.pace import measure_pace

    if "plan" not in run.done:
        config = Config.load(run.path("config.yaml"))
        note(progress, "timing a few steps of the training")
        pace = measure_pace(learned, held_out, config=config, shop=shop)
        wanted, fitting = config.training.epochs or EPOCHS, pace.epochs(minutes)
        if not fixed_epochs:
            wanted = max(wanted, round(LEAST_STEPS / pace.steps, 2))
        epochs = min(wanted, fitting)
        if epochs < min(LEAST_EPOCHS, wanted):
            raise ConfigError(
                f"{minutes:g} minutes are enough for {fitting:g} passes over the {len(learned):,} products, which "
                f"teaches nothing; {wanted:g} take about {duration(60 * pace.minutes(wanted))}: give more `minutes`"
            )
        note(
            progress,
            f"{epochs:g} passes over the products, about {duration(60 * pace.minutes(epochs))}: a step takes "
            f"{pace.step:.2f} s" + (f"; {wanted:g} would take {pace.minutes(wanted):.0f} minutes" * (epochs < wanted)),
        )
        settings = [f"training.epochs={epochs:g}"]
        if not config.training.save_every:
            settings.append(f"training.save_every={max(10, round(SAVE_SECONDS / pace.step))}")
        run.keep("plan", {"settings": settings, "seconds per step": round(pace.step, 4)})
    return list(run.done["plan"]["settings"])


def _held_out_cells(
    run: _Work, products: Products, held_out: Sequence[Product], precision: float | None
) -> dict[str, Any]:
    """What became of the cells of products that the model was not trained on; nothing is written."""
    from attrex.io.predictions import read_predictions

    ids, values = {p.id for p in held_out}, read_predictions(run.path("values.jsonl"))
    pairs = [(p, found) for p, found in zip(products, values, strict=False) if p.id in ids]
    model = run.path("model")
    cells = fill([p for p, _ in pairs], [found for _, found in pairs], model=model, precision=precision).report
    return cells.to_json()


def _report(run: _Work, products: Products, progress: Progress) -> None:
    from attrex.io.predictions import read_predictions

    page, filled = run.path("report.html"), run.done["fill"]
    # Of the products that the model learned from, agreement would tell what was learned by heart.
    cells = {**filled["cells"], "expected": filled["held_out"]["expected"]}
    with run.step("report", progress, f"writing the report: {page}"):
        found = read_predictions(run.path("values.jsonl"))
        report(
            run.path("model"),
            products,
            page,
            title=f"{Path(str(products.source)).name}, completed",
            predictions=found,
            filled=cells,
            precision=filled["precision"],
        )
