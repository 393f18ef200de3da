"""The screen of `attrex benchmark`."""

from __future__ import annotations

from typing import Any

from rich.console import Group
from rich.text import Text

from attrex.cli.screens.figures import Figures

STAGES = {
    "tokenise": "tokenise",
    "decode photos": "decode\nphotos",
    "collate": "collate",
    "network and decoding": "network",
    "of which: text encoder": "text\nencoder",
    "of which: image encoder": "image\nencoder",
}
"""Stage -> heading."""


def speed_screen(found: dict[str, Any]) -> Group:
    """Which way is the fastest, the speed of every way, then where the time goes; ``found``: of a benchmark."""
    ways = found["ways"]
    names = list(dict.fromkeys(stage for way in ways.values() for stage in way["stages_ms"]))
    speed = [
        [
            name,
            f"{way['products_per_second']:,.1f}",
            *(f"{way[key]:,.1f}" for key in ("p50_ms", "p99_ms")),
            f"{way['peak_mb']:,.0f}",
            *(f"{way[key]:,.1f}" for key in ("lowest", "highest")),
        ]
        for name, way in ways.items()
    ]
    stages = [
        [
            name,
            *(f"{way['stages_ms'][stage]:.2f}" if stage in way["stages_ms"] else "" for stage in names),
            f"{way['text_encoder_gflops']:,.0f}" if "text_encoder_gflops" in way else "",
        ]
        for name, way in ways.items()
    ]
    headings = ("way", "products/s", "p50 ms", "p99 ms", "peak MB", "lowest", "highest")
    title = f"{found['products']:,} products, median of {found['rounds']:,} rounds; p50 and p99: of single products"
    rates = ", ".join(f"{name} {rate:,.0f}" for name, rate in found["matrix_gflops"].items())
    return Group(
        Text(_fastest(ways)),
        Figures(title, headings, speed, everything=True),
        Figures(
            "Milliseconds per product, each stage by itself; text and image encoder are parts of the network",
            ["way", *(STAGES.get(name, name) for name in names), "GFLOP/s"],
            stages,
            everything=True,
        ),
        Text(f"GFLOP/s: of the text encoder; large matrices reach {rates} here.", "dim"),
    )


def _fastest(ways: dict[str, Any]) -> str:
    """Of the ways that read photos, if there are any."""
    with_photos = {name: way for name, way in ways.items() if name.endswith("photo")} or ways
    best = max(with_photos, key=lambda name: with_photos[name]["products_per_second"])
    kind = best.split(",")[0]
    how = {
        "onnx": "attrex export MODEL --out DIR makes it",
        "onnx int8": "attrex export MODEL --out DIR --int8 makes it",
        "torch bf16": "attrex extract --precision bf16 runs it",
    }.get(kind, "attrex extract runs it")
    return f"Fastest: {best}, {with_photos[best]['products_per_second']:,.1f} products/s; {how}."
