"""Catalogues that outgrow one process: extract, name, calibrate and fill in one pass, shard by shard."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from attrex import __version__
from attrex.errors import ConfigError, short
from attrex.io.remote import PACKAGES, is_remote
from attrex.pipeline.given import shop_of
from attrex.pipeline.use import limits_of
from attrex.progress import Progress, note, silent, track
from attrex.shop.shop import Shop

if TYPE_CHECKING:
    from attrex.jobs.job import JobResult
    from attrex.jobs.merging import Merged
    from attrex.jobs.task import How

FORMS = ("rows", "long", "wide")
ENGINES = ("local", "ray")


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(
    model: str | Path,
    data: str | Path,
    out: str | Path,
    *,
    shop: Shop | str | Path | None = None,
    images: str | Path | None = None,
    allow_outside: bool = False,
    dialect: str | None = None,
    split: str | None = None,
    workers: int | None = None,
    shard: str | None = None,
    shard_rows: int | None = None,
    redo: bool = False,
    form: str = "rows",
    min_confidence: float | None = None,
    fill_precision: float | None = None,
    pool: bool = False,
    known_only: bool = False,
    threshold: float | None = None,
    photos: bool = True,
    evidence: bool = False,
    backend: str = "auto",
    precision: str | None = None,
    batch_size: int | None = None,
    deterministic: bool = False,
    metrics: str | Path | None = None,
    engine: str = "local",
    address: str | None = None,
    allow_code: Iterable[str | type] = (),
    progress: Progress = silent,
) -> JobResult:
    """Extract, name and fill a catalogue, shard by shard, into files of a folder; started again it goes on.

    Each product is read once; the shop's words are those that the model knows from its training. The files' bytes do
    not hang on how many workers there are, nor on what was killed on the way.

    :param data: a file, a folder of files, a pattern (``shop/*.csv``), a name of a data set, or an address of the first
        three (``s3://shop/*.csv``).
    :param out: a folder or an address of one: ``part-000000.jsonl`` ..., ``errors/``, ``manifest.jsonl``.
    :param shop: None: the model's own.
    :param images: where photos are, a folder or an address; None: beside each file.
    :param workers: processes, each on one core; None: one for each core; 0: none, all is done in this process.
    :param shard: a share of the shards, ``2/4``: for schedulers that give them out themselves.
    :param shard_rows: rows of a shard; None: 2,048.
    :param redo: do again the shards whose input, model or options have changed; else they are refused.
    :param form: what a file holds: ``rows`` of JSON; Parquet with a row for each value (``long``), or with a column for
        each attribute (``wide``).
    :param min_confidence: values below it are listed and not filled in; None: 0.5.
    :param fill_precision: as ``precision`` of :func:`~attrex.pipeline.fill`, with ``pool``.
    :param known_only: fill with values that the model knows, and no others.
    :param evidence: keep the region weights of each value.
    :param metrics: a file of counts for Prometheus, written anew after each shard.
    :param engine: ``local``: processes of this machine; ``ray``: workers of a Ray cluster (extra ``ray``).
    :param address: of Ray's cluster, which finds model, data and out under the same names; None: one on this machine.

    The other arguments are those of :func:`~attrex.pipeline.extract`.

    Raises :class:`DataError` for an input that cannot be read, and for finished shards of something else.
    """
    from attrex.filling.columns import check_columns
    from attrex.inference.directory import locate_model
    from attrex.io.content import model_hash
    from attrex.io.readers import Products
    from attrex.io.sharding import SHARD_ROWS, Shard, ShardedSource, sources_of
    from attrex.jobs.folder import folder_of
    from attrex.jobs.job import Job, Run, parse_share
    from attrex.jobs.local import LocalWorkers, run_here
    from attrex.jobs.ray import RayWorkers
    from attrex.jobs.task import How, Task

    share, size = parse_share(shard), SHARD_ROWS if shard_rows is None else shard_rows
    for name, number, least in (("workers", workers, 0), ("shard_rows", shard_rows, 1)):
        if number is not None and number < least:
            raise ConfigError(f"{name} should be at least {least}, got {number}")
    if engine not in ENGINES or (address is not None and engine != "ray"):
        raise ConfigError(f"engine should be {' or '.join(ENGINES)}, an address is one of ray, got {engine!r}")
    if form not in FORMS:
        raise ConfigError(f"form should be one of {', '.join(FORMS)}, got {form!r}")
    how = How(
        backend=backend,
        precision=precision,
        deterministic=deterministic,
        batch_size=batch_size,
        threshold=threshold,
        photos=photos,
        evidence=evidence,
        known_only=known_only,
        form=form,
        **limits_of(min_confidence, fill_precision, pool, None, model),
    )
    _check_images(images)
    folder = folder_of(out)
    asked = shop_of(shop, model)
    known = known_attributes(model)
    names, sources, shards = sources_of(data, folder.name), list[ShardedSource](), list[Shard]()
    for number, name in enumerate(track(names, "reading", progress)):
        products = Products(name, shop=asked, images=images, split=split, dialect=dialect, allow_outside=allow_outside)
        with ShardedSource.planned(products, photos) as source:
            check_columns(name, source.unread_columns(), known)
            shards += source.shards(number, size)
        sources.append(source)
    note(progress, f"{len(names):,} files, {sum(s.rows for s in shards):,} products, {len(shards):,} shards")
    of_model = model_hash(locate_model(model))
    task = Task(str(model), sources, folder, how, of_model, tuple(allow_code))
    options = _options(how, asked) | {
        "shard_rows": size,
        "images": None if images is None else str(images),
        "allow_outside": allow_outside,
        "dialect": dialect,
        "split": split,
        "version": __version__,
    }
    job = Job(task, names, shards, of_model, options, share, Path(metrics) if metrics else None)
    count = cores() if workers is None else workers
    run_pieces: Run = LocalWorkers(task, count).run if count else lambda pieces: run_here(task, pieces)
    if engine == "ray":
        run_pieces = RayWorkers(task, workers or None, address).run
    return job.run(run_pieces, redo=redo, progress=progress)


def known_attributes(model: str | Path) -> set[str]:
    """The attributes that a model's finds are written to, and those that it was trained on."""
    from attrex.inference.directory import locate_model
    from attrex.vocabulary.normalizer import NORMALIZER_FILE, ValueNormalizer

    normalizer = ValueNormalizer.load(locate_model(model) / NORMALIZER_FILE)
    return {*normalizer.attributes, *shop_of(None, model).schema.names}


def run_stream(
    model: str | Path,
    read: BinaryIO,
    write: BinaryIO,
    *,
    shop: Shop | str | Path | None = None,
    images: str | Path | None = None,
    allow_outside: bool = False,
    min_confidence: float | None = None,
    fill_precision: float | None = None,
    pool: bool = False,
    allow_code: Iterable[str | type] = (),
    **how: Any,
) -> JobResult:
    """The same for a pipe: JSON lines of products in, a row of JSON for each out, as they come.

    :param how: further fields of :class:`~attrex.jobs.task.How`.
    """
    from attrex.jobs.folder import LocalFolder
    from attrex.jobs.job import JobResult
    from attrex.jobs.pipe import INPUT, run_pipe
    from attrex.jobs.task import How, Task

    how |= limits_of(min_confidence, fill_precision, pool, None, model)
    task = Task(str(model), (), LocalFolder(Path()), How(**how), allow_code=tuple(allow_code))
    _check_images(images)
    tally = run_pipe(task, shop_of(shop, model), read, write, images=images, allow_outside=allow_outside)
    return JobResult("", rows=tally.rows, source=INPUT, tally=tally)


def merge(
    directory: str | Path, out: str | Path, *, errors: str | Path | None = None, progress: Progress = silent
) -> Merged:
    """Put a finished job's files together into one, with proof that none is missing or double.

    :param directory: what :func:`run` wrote.
    :param out: a file of the same kind: .jsonl, which :func:`~attrex.pipeline.fill` reads, or .parquet.
    :param errors: where the rows that could not be read go, .jsonl.
    """
    from attrex.io.outputs import check_out
    from attrex.jobs.merging import merge as merge_shards

    if not is_remote(out):
        check_out(out, (), errors)
    if not is_remote(errors):
        check_out(errors, (".jsonl",), option="errors")
    return merge_shards(directory, out, errors=errors, progress=progress)


def _check_images(images: str | Path | None) -> None:
    if images is not None and not is_remote(images) and not Path(images).is_dir():
        raise ConfigError(
            f"images should be a directory, or an address ({', '.join(f'{s}://' for s in PACKAGES)}), got "
            f"{short(str(images))}; check the path"
        )


def _options(how: How, shop: Shop) -> dict[str, Any]:
    """What the results depend on, as plain values that the manifest can hold."""
    found = {name: value for name, value in asdict(replace(how, cutoffs=None)).items() if name != "cutoffs"}
    found["cutoffs"] = None if how.cutoffs is None else _hash(repr(sorted(how.cutoffs.items())))
    return found | {"shop": _hash(shop.to_yaml())}


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=8).hexdigest()
