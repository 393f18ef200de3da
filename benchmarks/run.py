"""Attrex beside the tools a shop could use instead: same machine, same products, in turn, ratios with their spread.

    python benchmarks/run.py MODEL --data test.jsonl --out benchmarks/results

MODEL is a trained text + photo model; it is exported for the ONNX rows. `--fast DIR` adds the export of a student of it
(`attrex export MODEL --fast FILE --out DIR`) and may be repeated. The peers (peers.py) run with the same text encoder
and the model's own attributes. Figures go to OUT.json, the ratios also as a plot to OUT.svg.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from peers import PEERS
from rich.console import Console
from rich.table import Table

from attrex.io.atomic import write_json
from attrex.io.readers import read_products
from attrex.tools.benchmark import Backend, has_bf16, in_own_process, machine, speed


def main() -> None:
    options = _parse()
    products = [p for p in read_products(options.data, limit=options.limit) if p.error is None]
    texts = ["\n".join(p.fields.values()) for p in products]
    console = Console(stderr=True)
    with TemporaryDirectory() as work:
        ways = [
            Backend(f"{name}, {what}", options.model, what != "text", precision)
            for name, precision in [("torch", "fp32"), *([("torch bf16", "bf16")] if has_bf16() else [])]
            for what in ("text", "text + photo")
        ]
        for name in ("onnx", "onnx int8"):
            at = in_own_process(_exported, options.model, Path(work) / name.replace(" ", "-"), name.endswith("int8"))
            ways += _both(name, at)
        for at in options.fast:
            ways += _both(f"onnx student {at.name}" if len(options.fast) > 1 else "onnx student", at)
        runs: dict[str, list[float]] = {}
        for number in range(options.rounds):
            for way in ways:
                console.print(f"round {number + 1} of {options.rounds}: {way.name}")
                runs.setdefault(way.name, []).append(in_own_process(speed, way, products))
            for peer, variants in PEERS.items():
                console.print(f"round {number + 1} of {options.rounds}: {peer}")
                for measure, variant in variants:
                    try:
                        rate = in_own_process(measure, texts, options.attributes, variant)
                    except ImportError as exc:
                        console.print(f"{peer} is left out: {exc}")
                        break
                    runs.setdefault(f"{peer}, {variant}", []).append(rate)
    best = {}
    for peer in PEERS:
        if own := [name for name in runs if name.startswith(f"{peer}, ")]:
            best[peer] = max(own, key=lambda name: median(runs[name]))
            runs[peer] = runs[best[peer]]
    result = {
        "machine": machine(),
        "data": Path(options.data).name,
        "products": len(products),
        "best": best,
        "products_per_second": runs,
        "ratios": {f"{name} / {peer}": _ratio(runs[name], runs[peer]) for name, peer in _comparisons(runs)},
    }
    write_json(options.out.with_suffix(".json"), result)
    _plot(result, options.out.with_suffix(".svg"))
    Console(width=150).print(_table(result))
    print(f"figures: {options.out.with_suffix('.json')}, plot: {options.out.with_suffix('.svg')}")


def _plot(result: dict[str, Any], path: Path) -> None:
    """Bars of products per second with their spread; lines where the peers are."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "attrex"}  # text as text, the same file each time
    from matplotlib import pyplot

    speeds = result["products_per_second"]
    ours = [name for name in speeds if name.startswith(("torch", "onnx"))]
    shown = [*sorted(ours, key=lambda name: median(speeds[name])), *result["best"]]
    middles = [median(speeds[name]) for name in shown]
    spread = [
        [m - min(speeds[name]) for name, m in zip(shown, middles, strict=True)],
        [max(speeds[name]) - m for name, m in zip(shown, middles, strict=True)],
    ]
    figure, axes = pyplot.subplots(figsize=(8, 0.42 * len(shown) + 1.2), layout="constrained")
    colors = ["#2b6cb0" if name in ours else "#a0aec0" for name in shown]
    bars = axes.barh(shown, middles, xerr=spread, color=colors, error_kw={"ecolor": "#4a5568", "capsize": 3})
    axes.bar_label(bars, fmt="%.0f", padding=6)
    for peer, style in zip(("stock pipeline", "hand-batched loop"), ("--", ":"), strict=True):
        axes.axvline(median(speeds[peer]), color="#718096", linestyle=style, linewidth=1)
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(f"products per second, {result['machine']['cores']} cores ({result['data']}, median and range)")
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def _both(name: str, at: Path) -> list[Backend]:
    return [Backend(f"{name}, text", str(at), False), Backend(f"{name}, text + photo", str(at), True)]


def _exported(model: str, out: Path, int8: bool) -> Path:
    from attrex.inference.checkpoint import load_model
    from attrex.inference.export import write_export

    return write_export(load_model(model), out, int8=int8)


def _comparisons(runs: dict[str, list[float]]) -> list[tuple[str, str]]:
    ours = [name for name in runs if name.startswith(("torch", "onnx"))]
    return [(name, peer) for name in ours for peer in PEERS if peer in runs]


def _ratio(ours: list[float], theirs: list[float]) -> dict[str, float]:
    """Round by round, so that what slows the machine for a while slows both."""
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    return {"median": round(median(ratios), 2), "lowest": round(min(ratios), 2), "highest": round(max(ratios), 2)}


def _table(result: dict[str, Any]) -> Table:
    table = Table("way", title=f"{result['products']:,} products of {result['data']}", title_justify="left")
    table.add_column("products/s", justify="right")
    peers = list(result["best"])
    for peer in peers:
        table.add_column(f"x {peer}", justify="right")
    for name, speeds in result["products_per_second"].items():
        cells = [f"{median(speeds):.1f} ({min(speeds):.1f} - {max(speeds):.1f})"]
        for peer in peers:
            ratio = result["ratios"].get(f"{name} / {peer}")
            cells.append(f"{ratio['median']:.2f} ({ratio['lowest']:.2f} - {ratio['highest']:.2f})" if ratio else "")
        table.add_row(name, *cells)
    return table


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="directory of a trained text + photo model")
    parser.add_argument("--data", required=True, help="products, e.g. test.jsonl")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="without ending")
    parser.add_argument("--fast", type=Path, action="append", default=[], help="directory of a student's export")
    parser.add_argument("--limit", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    schema = Path(options.model) / "metrics.json"
    if not schema.exists():
        sys.exit(f"{options.model} is no model directory: expected what `attrex train --out DIR` writes")
    for at in options.fast:
        if not (at / "export.json").exists():
            sys.exit(f"{at} is no export: expected what `attrex export --out DIR` writes")
    cells = json.loads(schema.read_text(encoding="utf-8"))["cells"]
    options.attributes = list(cells)
    return options


if __name__ == "__main__":
    main()
