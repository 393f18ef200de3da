"""What a job of many rows costs, and whether it survives: rates, memory, kills, engines, a table to plan by.

    python benchmarks/scale.py --rows 1000000            # all of it, for hours
    python benchmarks/scale.py --few 100 --only kills equal

Products are drawn: 5 KB of text and a photo's path each. The model is a tiny one, trained in seconds, so that what is
measured is the job and not the model. Printed are the tables of docs/scale.md.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

import attrex
from attrex.config import Config
from attrex.demo.catalogue import draw_catalogue
from attrex.jobs.folder import LocalFolder
from attrex.jobs.manifest import Manifest

CHARACTERS = 5000  #: of a description
PHOTOS = 200  #: different ones
CORES = 16  #: of a machine in the table to plan by
PARTS = ("rates", "workers", "overhead", "equal", "kills")
TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}


# --- what is run: a tiny model, a drawn catalogue -------------------------------------------------------------------


def tiny_model(folder: Path) -> Path:
    """A model of 2 layers of 32 numbers and of photos of 32 pixels, trained on 400 drawn products."""
    from transformers import BertConfig, BertModel, BertTokenizerFast, ResNetConfig, ResNetModel, set_seed

    out = folder / "model"
    if (out / "attrex.json").exists():
        return out
    products = [d.product for d in islice(draw_catalogue(400, seed=7, image_size=32), 400)]
    words = Counter(w for p in products for t in p.fields.values() for w in re.findall(r"\w+|[^\w\s]", t.lower()))
    characters = sorted({c for w in words for c in w} | set("abcdefghijklmnopqrstuvwxyz0123456789-.,%"))
    frequent = [w for w, n in sorted(words.items()) if n > 2]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters, *(f"##{c}" for c in characters), *frequent]
    text, image = folder / "text", folder / "image"
    text.mkdir(parents=True, exist_ok=True)
    (text / "vocab.txt").write_text("\n".join(dict.fromkeys(pieces)), encoding="utf-8")
    tokenizer = BertTokenizerFast(vocab=str(text / "vocab.txt"))
    tokenizer.save_pretrained(text)
    set_seed(0)
    BertModel(BertConfig(vocab_size=len(tokenizer), max_position_embeddings=512, **TINY)).save_pretrained(text)
    sizes = {"embedding_size": 16, "hidden_sizes": [16, 16, 16, 24], "depths": [1, 1, 1, 1], "layer_type": "basic"}
    ResNetModel(ResNetConfig(**sizes)).save_pretrained(image)
    settings = {"text.model": text, "text.max_tokens": 128, "text.overlap": 16, "image.model": image, "image.size": 32}
    settings |= {"fusion.width": 16, "decoder.hidden": 16, "training.batch_size": 8, "training.precision": "fp32"}
    settings |= {"training.epochs": 3, "training.learning_rate": 2e-3, "training.head_learning_rate": 5e-3}
    config = Config.load("small", [f"{name}={value}" for name, value in settings.items()])
    attrex.train(products, directory=out, config=config)
    return out


def draw(folder: Path, rows: int) -> Path:
    """JSON lines, whose descriptions are put together from drawn ones."""
    path, photos = folder / f"catalogue-{rows}.jsonl", folder / "photos"
    if not photos.exists():
        photos.mkdir(parents=True)
        for n, drawn in enumerate(islice(draw_catalogue(PHOTOS, seed=1, image_size=64), PHOTOS)):
            photo = drawn.product.images[0]
            (photos / f"{n}.png").write_bytes(photo if isinstance(photo, bytes) else photo.read_bytes())
    if path.exists():
        return path
    products = [d.product for d in islice(draw_catalogue(500, seed=2, images=False), 500)]
    texts = [" ".join(p.fields.values()) for p in products]
    with path.with_suffix(".part").open("w", encoding="utf-8") as file:
        for n in range(rows):
            chance, product, text = random.Random(n), products[n % len(products)], ""
            while len(text) < CHARACTERS:
                text += chance.choice(texts) + " "
            row = {"id": f"p{n}", **product.fields, "description": text, "image": f"photos/{n % PHOTOS}.png"}
            table = {a: v for a, v in product.table.items() if chance.random() < 0.5}
            file.write(json.dumps({**row, "attributes": table}, ensure_ascii=False) + "\n")
    path.with_suffix(".part").rename(path)
    return path


# --- one run, in a process of its own -------------------------------------------------------------------------------


def child(what: dict[str, Any]) -> dict[str, float]:
    """Run what is asked for; seconds of the clock and of processors, and the highest memory of a process."""
    kind, model, data, out = what["kind"], what["model"], what["data"], what["out"]
    if kind in ("extract", "run"):  # warm: what both load is loaded
        attrex.extract(model, what["few"], evidence=False)
    began, used = time.perf_counter(), _processor_seconds()
    if kind == "extract":
        attrex.extract(model, data, out=out, evidence=False)
    elif kind == "spark":
        _spark(model, data, out)
    else:
        attrex.run(model, data, out, **what["options"])
    return {
        "seconds": time.perf_counter() - began,
        "processor": _processor_seconds() - used,
        "parent": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "worker": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
    }


def _processor_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def _spark(model: str, data: str, out: str) -> None:
    """The data as Parquet into Spark, with two cores."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyspark.sql import SparkSession

    from attrex.integrations.spark import extract

    table = Path(out).with_suffix(".in.parquet")
    rows = [json.loads(line) for line in Path(data).read_text(encoding="utf-8").splitlines()]
    for row in rows:
        row["attributes"] = json.dumps(row["attributes"])
    pq.write_table(pa.Table.from_pylist(rows), table, row_group_size=500)
    session = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    try:
        found = extract(session.read.parquet(str(table)), model, images=Path(data).parent)
        found.write.mode("overwrite").parquet(out)
    finally:
        session.stop()


def command(what: dict[str, Any]) -> list[str]:
    return [sys.executable, __file__, "--child", json.dumps(what, default=str)]


def measured(
    kind: str, model: Path, data: Path, out: Path, few: Path | None = None, **options: Any
) -> dict[str, float]:
    shutil.rmtree(out, ignore_errors=True)
    what = {"kind": kind, "model": model, "data": data, "out": out, "few": few, "options": options}
    ended = subprocess.run(command(what), capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"{kind} of {data} ended with {ended.returncode}:\n{ended.stderr[-3000:]}")
    return dict(json.loads(ended.stdout.splitlines()[-1]))


def parts_of(out: Path) -> dict[str, bytes]:
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in sorted(out.rglob("part-*"))}


def steady(out: Path) -> float:
    """Rows a second of all workers, from the first shard that was finished to the last."""
    entries = sorted(Manifest(LocalFolder(out)).entries().values(), key=lambda entry: entry["at"])
    if len(entries) < 2:
        return 0.0
    return sum(e["rows"] for e in entries[1:]) / max(entries[-1]["at"] - entries[0]["at"], 1e-9)


# --- the parts ------------------------------------------------------------------------------------------------------


def rates(model: Path, folder: Path, rows: int) -> None:
    """Sizes one after the other; ended by Ctrl-C, those that are done count."""
    sizes = [n for n in (10_000, 100_000) if n < rows] + [rows]
    rate = memory = row = 0.0
    print(
        "\n| rows | hours | rows a second and core | first tenth / last tenth | rows a processor second | peak memory: "
        "parent, worker | a row out |\n|---|---|---|---|---|---|---|"
    )
    for size in sizes:
        out = folder / f"out-{size}"
        try:
            found = measured("rates", model, draw(folder, size), out, workers=2)
        except KeyboardInterrupt:
            break
        entries = sorted(Manifest(LocalFolder(out)).entries().values(), key=lambda entry: entry["at"])
        rate = sum(e["rows"] for e in entries) / sum(e["seconds"] for e in entries)
        tenth = max(1, len(entries) // 10)
        first, last = (
            sum(e["rows"] for e in some) / sum(e["seconds"] for e in some)
            for some in (entries[:tenth], entries[-tenth:])
        )
        memory, row = found["worker"], sum(e["bytes"] for e in entries) / size
        print(
            f"| {size:,} | {found['seconds'] / 3600:.2f} | {rate:.1f} | {first:.1f} / {last:.1f} | "
            f"{size / found['processor']:.1f} | {found['parent']:.0f} MB, {found['worker']:.0f} MB | "
            f"{row / 1024:.1f} KB |",
            flush=True,
        )
        shutil.rmtree(out)
    if rate:
        plan(rate, memory, row)


def plan(rate: float, memory: float, row: float) -> None:
    """Of the rate that was measured last."""
    print(
        f"\n| products | core-hours | hours on 1 machine of {CORES} cores | on 10 | memory of a machine | disk for the "
        "results |\n|---|---|---|---|---|---|"
    )
    for products in (10_000_000, 100_000_000):
        hours = products / rate / 3600
        print(
            f"| {products:,} | {hours:,.0f} | {hours / CORES:,.1f} | {hours / CORES / 10:,.1f} | "
            f"{memory * CORES / 1024:.0f} GB | {products * row / 2**30:,.0f} GB |"
        )


def workers(model: Path, folder: Path, rows: int) -> None:
    """Two workers against one, in turn."""
    data, ratios = draw(folder, rows), []
    for _ in range(3):
        found = []
        for count in (1, 2):
            measured("workers", model, data, folder / "out-workers", workers=count, shard_rows=rows // 16)
            found.append(steady(folder / "out-workers"))
        ratios.append(found[1] / found[0])
    print(
        f"\nTwo workers are {statistics.median(ratios):.2f} times as fast as one ({min(ratios):.2f} to "
        f"{max(ratios):.2f}, 3 rounds of {rows:,} rows).",
        flush=True,
    )


def overhead(model: Path, folder: Path, rows: int) -> None:
    """A job in one process on one core against `extract` on the same core, in turn."""
    data, few, ratios = draw(folder, rows), draw(folder, 64), []
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # processes that are started inherit it
    try:
        for _ in range(3):
            one = measured("extract", model, data, folder / "out.jsonl", few)
            (folder / "out.jsonl").unlink()
            job = measured("run", model, data, folder / "out-overhead", few, workers=0)
            ratios.append(job["processor"] / one["processor"])
    finally:
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
    print(
        f"\nA job takes {statistics.median(ratios):.3f} times the processor time of `extract` ({min(ratios):.3f} to "
        f"{max(ratios):.3f}, 3 rounds of {rows:,} rows); it also names values and fills cells.",
        flush=True,
    )


def equal(model: Path, folder: Path, rows: int) -> None:
    """The same files by whoever runs the shards, and the same rows by Spark."""
    data, how = draw(folder, rows), {"shard_rows": max(1, rows // 8), "form": "long"}
    measured("equal", model, data, folder / "one", workers=1, **how)
    one = parts_of(folder / "one")
    print(f"\n| {rows:,} rows | against one worker |\n|---|---|", flush=True)
    for name, options in (("two workers", {"workers": 2}), ("Ray, two workers", {"workers": 2, "engine": "ray"})):
        measured("equal", model, data, folder / "other", **options, **how)
        print(f"| {name} | {'equal bytes' if parts_of(folder / 'other') == one else 'OTHER BYTES'} |", flush=True)
    measured("spark", model, data, folder / "spark")
    here = _values(sorted((folder / "one").glob("part-*")))
    found = _values(sorted((folder / "spark").glob("part-*")))
    alike = sum((here & found).values())
    print(f"| Spark, two cores | {alike:,} of {here.total():,} rows equal, {found.total():,} found |", flush=True)


def _values(parts: list[Path]) -> Counter[str]:
    import pyarrow.parquet as pq

    return Counter(json.dumps(row) for part in parts for row in pq.read_table(part).to_pylist())


def kills(model: Path, folder: Path, rows: int, count: int) -> None:
    """A job that is killed again and again, a worker or the parent, at moments that are drawn."""
    data, out, chance = draw(folder, rows), folder / "out-kills", random.Random(0)
    options = {"workers": 2, "shard_rows": max(1, rows // 20)}
    whole = measured("kills", model, data, folder / "whole", **options)
    wanted, killed, compared = parts_of(folder / "whole"), Counter[str](), 0
    shutil.rmtree(out, ignore_errors=True)
    what = {"kind": "kills", "model": model, "data": data, "out": out, "options": options}
    running: subprocess.Popen[bytes] | None = None
    while killed.total() < count or running is not None:
        if running is None:
            running = subprocess.Popen(command(what), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        at = time.monotonic() + chance.uniform(0, whole["seconds"])
        while running.poll() is None and (time.monotonic() < at or killed.total() >= count):
            time.sleep(0.05)
        if running.poll() is not None:
            if running.returncode != 0:
                raise SystemExit(f"the job ended with {running.returncode}")
            if parts_of(out) != wanted:
                raise SystemExit(f"after {dict(killed)} the bytes are others: {out}")
            compared, running = compared + 1, None
            shutil.rmtree(out)
            continue
        victims = _workers_of(running.pid)
        if victims and chance.random() < 0.5:
            os.kill(chance.choice(victims), signal.SIGKILL)
            killed["worker"] += 1
        else:
            running.kill()
            running.wait()
            killed["parent"] += 1
            running = None
    print(
        f"\n{killed.total()} kills ({killed['worker']} of a worker, {killed['parent']} of the parent) in jobs of "
        f"{rows:,} rows, finished {compared} times: each time the bytes of a job that nobody killed.",
        flush=True,
    )


def _workers_of(parent: int) -> list[int]:
    """The worker processes, and not the one that multiprocessing starts for itself."""
    found = []
    for task in Path(f"/proc/{parent}/task").glob("*/children"):
        for pid in task.read_text().split():
            if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text():
                found.append(int(pid))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the largest job")
    parser.add_argument("--few", type=int, default=1000, help="of the jobs that are run several times")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--folder", type=Path, help="for data and results; default: one that is deleted afterwards")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(child(json.loads(given.child))))
        return
    with nullcontext(given.folder) if given.folder else tempfile.TemporaryDirectory() as where:
        folder = Path(where).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        model, few = tiny_model(folder), min(given.few, given.rows)
        if "equal" in given.only:
            equal(model, folder, few)
        if "kills" in given.only:
            kills(model, folder, few, given.kills)
        if "overhead" in given.only:
            overhead(model, folder, few)
        if "workers" in given.only:
            workers(model, folder, few)
        if "rates" in given.only:
            rates(model, folder, given.rows)


if __name__ == "__main__":
    main()
