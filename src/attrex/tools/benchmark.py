"""How fast a model is on this machine: products per second, single products, memory, and where the time goes.

Every way of running it (torch, bf16, ONNX, int8) is measured in a process of its own, in turn, several rounds: on a
machine that others use, too, times drift, and only what was measured side by side can be compared.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

from attrex.encoding.batching import Arrays, BatchItem, collate, load_photos
from attrex.errors import ConfigError, DataError
from attrex.inference.directory import locate_model, read_json
from attrex.inference.engine import Engine
from attrex.inference.extractor import Extractor
from attrex.tools.memory import peak_mb
from attrex.types import Product

_TEXT, _OPERATIONS = "of which: text encoder", "operations of the text encoder"
SINGLE = 100
"""Products that are extracted one by one for the latency."""


@dataclass(frozen=True, slots=True)
class Backend:
    """One way to run a model."""

    name: str
    source: str  #: directory of a model or an export
    photos: bool
    precision: str | None = None  #: of torch; an export has its own


def benchmark(
    source: str | Path,
    products: Sequence[Product],
    work: Path,
    *,
    rounds: int = 3,
    batch_size: int | None = None,
    progress: Callable[[str], None] = lambda what: None,
) -> dict[str, Any]:
    """Measure a model, or an export, on ``products``; a model is also exported into ``work`` to measure that.

    Speed counts from the products in memory to the predictions, photos decoded anew; loading the model is not counted.
    Returns ``{"machine", "matrix_gflops", "products", "ways": {name: {"products_per_second", "lowest", "highest",
    "p50_ms", "p99_ms", "peak_mb", "stages_ms"}}}``; ``stages_ms`` are milliseconds per product, ``matrix_gflops`` how
    fast large matrices are multiplied here, beside which stands what torch's text encoder reaches,
    ``text_encoder_gflops``. Raises :class:`DataError` without products.
    """
    products = [p for p in products if p.error is None]
    if not products:
        raise DataError("a benchmark needs products: none could be read")
    ways = list(_ways(source, any(p.images for p in products), work, progress))
    runs: dict[str, list[dict[str, Any]]] = {way.name: [] for way in ways}
    for number in range(rounds):
        for way in ways:
            progress(f"round {number + 1} of {rounds}: {way.name}")
            runs[way.name].append(in_own_process(measure_backend, way, products, batch_size))
    return {
        "machine": machine(),
        "matrix_gflops": in_own_process(matrix_gflops),
        "products": len(products),
        "rounds": rounds,
        "ways": {name: _summarise(found) for name, found in runs.items()},
    }


def _ways(source: str | Path, photos: bool, work: Path, progress: Callable[[str], None]) -> Iterator[Backend]:
    directory = locate_model(source)
    if (directory / "export.json").exists():
        int8 = read_json(directory / "export.json").get("weights") == "int8"
        sources = {"onnx int8" if int8 else "onnx": directory}
    else:
        sources = {"torch": directory} | ({"torch bf16": directory} if has_bf16() else {})
        for name, int8 in (("onnx", False), ("onnx int8", True)):
            progress(f"exporting: {name}")
            try:
                sources[name] = in_own_process(_export_model, directory, work / name.replace(" ", "-"), int8)
            except ConfigError as exc:  # torch is worth measuring alone
                progress(f"{name} is left out: {exc}")
    with_photos = photos and (directory / "image.json").read_text(encoding="utf-8").strip() != "{}"
    for name, at in sources.items():
        precision = {"torch": "fp32", "torch bf16": "bf16"}.get(name)
        yield Backend(f"{name}, text", str(at), False, precision)
        if with_photos:
            yield Backend(f"{name}, text + photo", str(at), True, precision)


def _export_model(source: Path, out: Path, int8: bool) -> Path:
    from attrex.inference.checkpoint import load_model
    from attrex.inference.export import write_export

    return write_export(load_model(source), out, int8=int8)


def measure_backend(way: Backend, products: Sequence[Product], batch_size: int | None) -> dict[str, Any]:
    """One round of one way, in this process."""
    extractor, options = _warm(way, products)
    seconds = _seconds(lambda: list(extractor.extract(products, batch_size=batch_size, **options)))
    one = iter(products)
    single = sorted(_seconds(lambda: list(extractor.extract([next(one)], **options))) for _ in products[:SINGLE])
    stages = _stages(way, products, batch_size)
    operations = stages.pop(_OPERATIONS, 0.0)
    found = {
        "products_per_second": len(products) / seconds,
        "p50_ms": 1e3 * single[len(single) // 2],
        "p99_ms": 1e3 * single[min(len(single) - 1, int(0.99 * len(single)))],
        "peak_mb": peak_mb(),
        "stages_ms": {k: 1e3 * v / len(products) for k, v in stages.items()},
    }
    if operations:
        found["text_encoder_gflops"] = operations / stages[_TEXT] / 1e9
    return found


def speed(way: Backend, products: Sequence[Product]) -> float:
    """Products per second, from the products in memory to the predictions, in this process.

    Photos are decoded anew, as for a catalogue that comes for the first time; loading the model and a first batch are
    not counted.
    """
    extractor, options = _warm(way, products)
    return len(products) / _seconds(lambda: list(extractor.extract(products, **options)))


def _warm(way: Backend, products: Sequence[Product]) -> tuple[Extractor, dict[str, Any]]:
    extractor = Extractor.load(way.source, precision=way.precision)
    options: dict[str, Any] = {"photos": way.photos, "evidence": way.photos}
    list(extractor.extract(products[:8], **options))
    return extractor, options


def _stages(way: Backend, products: Sequence[Product], batch_size: int | None) -> dict[str, float]:
    """Seconds for each stage over all products, each stage by itself."""
    extractor = Extractor.load(way.source, precision=way.precision)
    config = extractor.model.config
    found: dict[str, float] = {}
    with _timed(found, "tokenise"):
        encoded = [extractor.encoder.encode(p) for p in products]
    with _timed(found, "decode photos"):
        loader = extractor.loader if way.photos else None
        photos = [load_photos(p, loader, config.image.max_images)[0] for p in products]
    rows = [
        BatchItem(i, window, tuple(photos[i]), tuple(photos[i].values()))
        for i, e in enumerate(encoded)
        for window in e.windows
    ]
    rows.sort(key=lambda row: -len(row.window.ids))
    size = batch_size or config.training.eval_batch_size
    with _timed(found, "collate"):
        batches = [collate(rows[at : at + size], extractor.encoder.pad) for at in range(0, len(rows), size)]
    threshold = extractor.model.thresholds.get("range")  # as extraction does
    engine = extractor.engine
    with _timed(found, "network and decoding"):
        _each(engine, batches, partial(engine.run, threshold=threshold, region_weights=way.photos))
    if engine.name == "torch":
        found |= _bare_encoders(engine, batches)
    return found


def _bare_encoders(engine: Any, batches: Sequence[Arrays]) -> dict[str, float]:
    """The two encoders alone on the same batches: what nothing can be faster than without changing the model."""
    from attrex.model.batch import Inputs

    def text(arrays: Arrays) -> None:
        with engine.using() as network:
            inputs = Inputs.from_arrays(arrays)
            network.text.encode(network.text.embed(inputs.input_ids), inputs.token_mask)

    def image(arrays: Arrays) -> None:
        with engine.using() as network:
            network.encode_images(Inputs.from_arrays(arrays).pixels)

    found: dict[str, float] = {}
    if engine.network.text is not None:
        with _timed(found, _TEXT):
            _each(engine, batches, text)
        found[_OPERATIONS] = sum(_operations(engine.network.text, *arrays["input_ids"].shape) for arrays in batches)
    with _timed(found, "of which: image encoder"):
        _each(engine, [arrays for arrays in batches if "pixels" in arrays], image)
    return found


def _operations(encoder: Any, rows: int, tokens: int) -> float:
    """Multiplications and additions of the layers of a BERT-like encoder over rows x tokens, padding included."""
    weights = sum(p.numel() for layer in encoder.layers for p in layer.parameters() if p.ndim == 2)
    attention = 2 * tokens * encoder.width * len(encoder.layers)  # Q K^T and its product with V, per token
    return 2.0 * rows * tokens * (weights + attention)


def matrix_gflops() -> dict[str, float]:
    """Billions of operations per second in products of large matrices, of all cores together."""
    import torch

    rates = {}
    for name in ("float32", "bfloat16") if has_bf16() else ("float32",):
        one, other = (torch.randn(2048, 2048, dtype=getattr(torch, name)) for _ in range(2))
        seconds = [_seconds(lambda one=one, other=other: one @ other) for _ in range(12)]  # type: ignore[misc]
        rates[name] = round(2 * 2048**3 / median(seconds[2:]) / 1e9, 1)
    return rates


def _each(engine: Engine, batches: Sequence[Arrays], work: Callable[[Arrays], Any]) -> None:
    """Batch by batch, as many at once as extraction runs."""
    with engine.parallel(len(batches)) as at_once, ThreadPoolExecutor(at_once) as pool:
        list(pool.map(work, batches) if at_once > 1 else map(work, batches))


def _summarise(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Medians over the rounds, and the range of the speeds."""
    speeds = [run["products_per_second"] for run in runs]
    stages = {name: median(run["stages_ms"][name] for run in runs) for name in runs[0]["stages_ms"]}
    gflops = [run["text_encoder_gflops"] for run in runs if "text_encoder_gflops" in run]
    return {
        "products_per_second": round(median(speeds), 2),
        "lowest": round(min(speeds), 2),
        "highest": round(max(speeds), 2),
        **{name: round(median(run[name] for run in runs), 2) for name in ("p50_ms", "p99_ms", "peak_mb")},
        "stages_ms": {name: round(value, 3) for name, value in stages.items()},
    } | ({"text_encoder_gflops": round(median(gflops), 1)} if gflops else {})


# ---- shared with benchmarks/ --------------------------------------------------------------------------------------


def in_own_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function of a module in a fresh process: its memory is its own, and nothing is warm from before."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def has_bf16() -> bool:
    """Whether this processor multiplies bf16 natively; emulated it is many times slower than fp32."""
    info = Path("/proc/cpuinfo")
    return info.exists() and any(flag in info.read_text() for flag in ("avx512_bf16", "amx_bf16"))


def machine() -> dict[str, Any]:
    """What figures depend on: processor, cores in use, versions."""
    import os
    from importlib.metadata import version

    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = {name: version(name) for name in ("torch", "transformers", "numpy")}
    return {"processor": names[0] if names else sys.platform, "cores": cores, **versions}


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


@contextmanager
def _timed(into: dict[str, float], name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    into[name] = time.perf_counter() - started
