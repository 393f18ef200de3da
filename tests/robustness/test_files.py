"""Tables, YAML files and files of values as attackers and accidents make them."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq

from attrex.config import Config
from attrex.io.predictions import read_predictions
from attrex.io.readers import read_products
from attrex.shop.shop import Shop
from attrex.vocabulary.lexicon import Lexicon

from .conftest import Tally, tries

ODD = [
    "",
    "\x00",
    "\x1b[31m",
    "\u202e",
    "\ud83d",
    "=cmd|' /C calc'!A0",
    "x" * 100_000,
    "../../../../etc/passwd",
    "/etc/hostname",
    "http://localhost:9/a.jpg",
    "file:///etc/hostname",
    10**400,
    -0.0,
    float("nan"),
    True,
    None,
    [],
    {},
    [[[[]]]],
    {"bytes": "!!"},
    {"path": "/etc/hostname"},
    {"bytes": None, "path": "../outside/canary.png"},
]
COLUMNS = (
    "id",
    "title",
    "image",
    "images",
    "attributes",
    "spans",
    "category",
    "complete",
    "group",
    "warnings",
    "error",
)


def odd_row(random: Random, canary: Path) -> dict:
    row = {"id": random.randrange(5), "title": "Blue suede shoe", "image": random.choice([None, str(canary), "a.png"])}
    for _ in range(random.randrange(4)):
        row[random.choice(COLUMNS)] = random.choice(ODD)
    return row


def spoilt(random: Random, data: bytes) -> bytes:
    """Cut, bytes changed, taken out, doubled, or left alone."""
    content = bytearray(data)
    for _ in range(random.randrange(4)):
        at, length = random.randrange(len(content) + 1), random.randrange(1, 50)
        match random.randrange(5):
            case 0:
                del content[at:]
            case 1:
                del content[at : at + length]
            case 2:
                content[at:at] = random.randbytes(length)
            case 3:
                content[at:at] = content[at : at + length] * 3
            case 4:
                content[at:at] = random.choice([b'"', b"\n", b"[", b"{", b"\xff", b"\x00", b",", b";"]) * length
    return bytes(content)


def as_jsonl(rows: list[dict]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def as_csv(rows: list[dict]) -> bytes:
    out = io.StringIO()
    table = csv.DictWriter(out, COLUMNS)
    table.writeheader()
    table.writerows(rows)
    return out.getvalue().encode("utf-8", "surrogatepass")


def as_parquet(rows: list[dict]) -> bytes:
    texts = {c: [str(row.get(c, "")).encode("utf-8", "replace").decode() for row in rows] for c in COLUMNS}
    out = io.BytesIO()
    pq.write_table(pa.table(texts), out, row_group_size=5)
    return out.getvalue()


KINDS: dict[str, Callable[[list[dict]], bytes]] = {
    "jsonl": as_jsonl,
    "json": lambda rows: json.dumps(rows, indent=1).encode(),
    "csv": as_csv,
    "tsv": lambda rows: as_csv(rows).replace(b",", b"\t"),
    "jsonl.gz": lambda rows: gzip.compress(as_jsonl(rows)),
    "csv.gz": lambda rows: gzip.compress(as_csv(rows)),
    "parquet": as_parquet,
}


def test_tables(tmp_path: Path, tally: Tally, random: Random, canary: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    for number in range(tries(700)):
        kind = list(KINDS)[number % len(KINDS)]
        path = folder / f"{number}.{kind}"
        path.write_bytes(spoilt(random, KINDS[kind]([odd_row(random, canary) for _ in range(20)])))

        def read(path: Path = path) -> None:
            products = list(read_products(path))
            assert not [i for p in products for i in p.images if isinstance(i, Path) and i.name == canary.name]

        tally.try_one(path.name, read)
        path.unlink()
    tally.check()


def bomb(levels: int, words: int = 9) -> str:
    lines = ["a0: &a0 [lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * words)}]" for n in range(1, levels)]
    return "\n".join(lines)


YAML = [
    *(bomb(levels) for levels in (3, 8, 20, 100)),
    "a: &a [*a]",
    "a: &a {b: *a}",
    *(opening * n for n in (10, 60, 100_000) for opening in ("[", "{a: ", "- ", "a:\n ")),
    "!!python/object/apply:os.system [true]",
    "!!python/name:os.system",
    "!!binary abc",
    "columns: {id: !!int 5}",
    "columns: " + "9" * 5000,
    "cells: 2001-99-99",
    "<<: [*a, *a]",
    "a: &a {x: 1}\n<<: [" + ", ".join(["*a"] * 1000) + "]",
    "\x00",
    "\ufeffcolumns: {}",
    '"\\ud83d": 1',
    "? [a, b]\n: c",
    "? {a: b}\n: c",
    "- a",
    "a",
    "",
    "---\na: 1\n---\nb: 2",
    "%YAML 9.9\n---\na: 1",
    "columns: {texts: {a: [b]}}",
    "attributes: {Color: {options: {a: b}}}",
    "attributes: [[a]]",
    "cells: {separator: '['}",
    "labels: {trust: '['}",
    "labels: {trust: .nan}",
    "text: {model: [a]}",
    "training: {epochs: " + "9" * 5000 + "}",
    "base: base.yaml",
    "accepted: {Color: {red: 5}}",
    "Color: {accepted: {red: {crimson: [1, 2, 3, 4, 5, 6]}}}",
    "Color: {accepted: " + "x" * 100_000 + "}",
]


def test_yaml_files(tmp_path: Path, tally: Tally, random: Random, canary: Path) -> None:
    path = tmp_path / "a.yaml"
    texts = [text.encode("utf-8", "surrogatepass") for text in YAML]
    texts += [spoilt(random, random.choice(texts[25:])) for _ in range(tries(60))]
    for number, text in enumerate(texts):
        path.write_bytes(text)
        for load in (Shop.load, Lexicon.load, Config.load):
            tally.try_one(f"YAML {number} {load.__self__.__name__} {text[:60]!r}", lambda load=load: load(path))
    tally.check()


SOURCE = {"field": "title", "start": 0, "end": 4, "text": "Blue"}
VALUE = {"attribute": "Color", "value": "Blue", "confidence": 0.9, "source": SOURCE, "regions": []}
FOUND = {"id": "1", "values": [VALUE], "range": {"Color": 0.9}, "coverage": 1.0, "warnings": [], "error": None}


def test_values_files(tmp_path: Path, tally: Tally, random: Random, canary: Path) -> None:
    path = tmp_path / "a.jsonl"
    whole = as_jsonl([FOUND | {"id": str(n)} for n in range(20)])
    for number in range(tries(200)):
        row = json.loads(json.dumps(FOUND))
        inner = random.choice([row, row["values"][0], row["values"][0]["source"]])
        inner[random.choice(list(inner))] = random.choice(ODD)
        text = json.dumps(row)
        if number % 3 == 0:
            text = text.replace("0.9", random.choice(["9" * 5000, "[" * 100_000, "NaN", "1e999"]), 1)
        path.write_bytes(spoilt(random, whole + text.encode() + b"\n"))
        tally.try_one(f"values {number} {text[:200]}", lambda: list(read_predictions(path)))
    tally.check()
