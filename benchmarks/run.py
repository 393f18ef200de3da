"""Attrex beside the tools a shop could use instead: same machine, same products, in turn, ratios with their spread.

    python benchmarks/run.py MODEL --data test.jsonl --out benchmarks/results.json

MODEL is a trained text + photo model; it is exported for the ONNX rows. The peers run with the same text encoder and
the tags of the model's own attributes; how fast they are does not depend on what their last layer has learned:

- stock pipeline: `transformers.pipeline("token-classification")`, the best of several batch sizes;
- hand-batched loop: the same network, texts sorted by length, no post-processing at all, in bf16 where the processor
  has it: the bare encoder's own rate.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

from attrex.benchmark import Way, has_bf16, in_own_process, machine, speed
from attrex.data.readers import read_products
from attrex.inference.directory import write_json

PIPELINE_BATCHES = (1, 8, 32)
MAX_TOKENS = 160  # as preset `small`


def main() -> None:
    options = _parse()
    products = [p for p in read_products(options.data, limit=options.limit) if p.error is None]
    texts = ["\n".join(p.fields.values()) for p in products]
    console = Console(stderr=True)
    with TemporaryDirectory() as work:
        ways = [
            Way(f"{name}, {what}", options.model, what != "text", precision)
            for name, precision in [("torch", "fp32"), *([("torch bf16", "bf16")] if has_bf16() else [])]
            for what in ("text", "text + photo")
        ]
        for name in ("onnx", "onnx int8"):
            at = in_own_process(_exported, options.model, Path(work) / name.replace(" ", "-"), name.endswith("int8"))
            ways += [Way(f"{name}, text", str(at), False), Way(f"{name}, text + photo", str(at), True)]
        runs: dict[str, list[float]] = {}
        for number in range(options.rounds):
            for way in ways:
                console.print(f"round {number + 1} of {options.rounds}: {way.name}")
                runs.setdefault(way.name, []).append(in_own_process(speed, way, products))
            console.print(f"round {number + 1} of {options.rounds}: peers")
            for name, rate in in_own_process(_peers, texts, options.attributes).items():
                runs.setdefault(name, []).append(rate)
    best = {
        peer: max((n for n in runs if n.startswith(kind)), key=lambda n: median(runs[n]))
        for peer, kind in (("stock pipeline", "pipeline"), ("hand-batched loop", "loop"))
    }
    runs |= {peer: runs[name] for peer, name in best.items()}
    result = {
        "machine": machine(),
        "data": Path(options.data).name,
        "products": len(products),
        "best": best,
        "products_per_second": runs,
        "ratios": {f"{name} / {peer}": _ratio(runs[name], runs[peer]) for name, peer in _comparisons(runs)},
    }
    write_json(options.out, result)
    Console().print(_table(result))
    print(f"figures: {options.out}")


def _exported(model: str, out: Path, int8: bool) -> Path:
    from attrex.inference.checkpoint import load_model
    from attrex.inference.export import write_export

    return write_export(load_model(model), out, int8=int8)


def _peers(texts: list[str], attributes: int) -> dict[str, float]:
    """Products per second of Hugging Face token classification with the same encoder."""
    import time

    import torch
    from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

    from attrex.model.text_encoder import resolve_text_model

    source = resolve_text_model("minilm-l6")
    labels = ["O", *(f"{b}-{a}" for a in range(attributes) for b in "BI")]
    network = AutoModelForTokenClassification.from_pretrained(source, num_labels=len(labels)).eval()
    network.config.id2label = dict(enumerate(labels))
    with torch.no_grad():  # a trained tagger says O nearly everywhere; a random one would find a value in every word
        network.classifier.bias[0] = 100
    tokenizer = AutoTokenizer.from_pretrained(source, model_max_length=MAX_TOKENS)
    tagger = pipeline("token-classification", network, tokenizer=tokenizer, aggregation_strategy="simple", device="cpu")
    found = {}
    for size in PIPELINE_BATCHES:
        tagger(texts[:8], batch_size=size)
        started = time.perf_counter()
        tagger(texts, batch_size=size)
        found[f"pipeline, batch {size}"] = len(texts) / (time.perf_counter() - started)
    for precision in ("fp32", "bf16") if has_bf16() else ("fp32",):
        started = time.perf_counter()
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            encoded = tokenizer(texts, truncation=True, max_length=MAX_TOKENS)["input_ids"]
            order = sorted(range(len(encoded)), key=lambda i: len(encoded[i]))
            for at in range(0, len(order), 32):
                batch = tokenizer.pad({"input_ids": [encoded[i] for i in order[at : at + 32]]}, return_tensors="pt")
                network(**batch).logits.argmax(-1).tolist()
        found[f"loop, {precision}"] = len(texts) / (time.perf_counter() - started)
    return found


def _comparisons(runs: dict[str, list[float]]) -> list[tuple[str, str]]:
    ours = [name for name in runs if name.startswith(("torch", "onnx"))]
    return [(name, peer) for name in ours for peer in ("stock pipeline", "hand-batched loop")]


def _ratio(ours: list[float], theirs: list[float]) -> dict[str, float]:
    """Round by round, so that what slows the machine for a while slows both."""
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    return {"median": round(median(ratios), 2), "lowest": round(min(ratios), 2), "highest": round(max(ratios), 2)}


def _table(result: dict[str, Any]) -> Table:
    table = Table("way", title=f"{result['products']:,} products of {result['data']}", title_justify="left")
    for name in ("products/s", "x stock pipeline", "x hand-batched loop"):
        table.add_column(name, justify="right")
    for name, speeds in result["products_per_second"].items():
        cells = [f"{median(speeds):.1f} ({min(speeds):.1f} - {max(speeds):.1f})"]
        for peer in ("stock pipeline", "hand-batched loop"):
            ratio = result["ratios"].get(f"{name} / {peer}")
            cells.append(f"{ratio['median']:.2f} ({ratio['lowest']:.2f} - {ratio['highest']:.2f})" if ratio else "")
        table.add_row(name, *cells)
    return table


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="directory of a trained text + photo model")
    parser.add_argument("--data", required=True, help="products, e.g. test.jsonl")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results.json")
    parser.add_argument("--limit", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    schema = Path(options.model) / "metrics.json"
    if not schema.exists():
        sys.exit(f"{options.model} is no model directory: expected what `attrex train --out DIR` writes")
    cells = json.loads(schema.read_text(encoding="utf-8"))["cells"]
    options.attributes = len(cells)
    return options


if __name__ == "__main__":
    main()
