"""Model directories as attackers and broken copies make them: read, or refused with what is wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from attrex.errors import AttrexError
from attrex.inference.directory import model_shop
from attrex.inference.extractor import Extractor
from attrex.types import Product
from attrex.vocabulary.normalizer import ValueNormalizer

from .conftest import Tally, tries
from .test_files import YAML, spoilt
from .test_outside import trick_model

JSON = [
    "",
    "[]",
    "5",
    "null",
    "[" * 100_000,
    '{"a": ' * 100_000,
    '{"format": ' + "9" * 5000 + "}",
    '{"format": 1e999}',
    '{"\\ud83d": 1}',
    "\ufeff{}",
    "{}",
]
ODD: list[Any] = [
    None,
    True,
    -1,
    0,
    2**70,
    1e999,
    float("nan"),
    "x" * 100_000,
    "../..",
    [],
    {},
    [[[]]],
    "\x1b[31m",
    ["a"],
]


def edited(random: Random, content: Any, depth: int = 0) -> Any:
    """One value somewhere in it becomes an odd one."""
    if isinstance(content, dict) and content and (depth == 0 or random.random() < 0.7):
        key = random.choice(list(content))
        return content | {key: edited(random, content[key], depth + 1)}
    if isinstance(content, list) and content and random.random() < 0.7:
        at = random.randrange(len(content))
        return [*content[:at], edited(random, content[at], depth + 1), *content[at + 1 :]]
    return random.choice(ODD)


def spoil(random: Random, model: Path, number: int) -> str:
    """Do one thing to a model directory; says what."""
    files = sorted(p for p in model.rglob("*") if p.is_file() and p.suffix in (".json", ".yaml", ".safetensors"))
    path = files[number % len(files)]
    texts = YAML if path.suffix == ".yaml" else JSON
    match number // len(files) % 4:
        case 0 if path.suffix == ".json":
            path.write_text(json.dumps(edited(random, json.loads(path.read_text()))))
        case 1:
            path.write_text(random.choice(texts), encoding="utf-8", errors="surrogatepass")
        case 2:
            path.unlink()
        case _:
            path.write_bytes(spoilt(random, path.read_bytes()))
    return path.name


def test_model_directories(shop: Path, tmp_path: Path, tally: Tally, random: Random, canary: Path) -> None:
    product = Product("1", {"title": "Blue suede shoe", "description": "A shoe of suede."})
    for number in range(tries(60)):
        model = tmp_path / f"model-{number}"
        shutil.copytree(shop / "model", model, ignore=shutil.ignore_patterns("logs"))
        trick_model(model)
        what = spoil(random, model, number)
        uses: list[Callable[[], object]] = [
            lambda model=model: list(Extractor.load(model).extract([product])),
            lambda model=model: model_shop(model),
            lambda model=model: ValueNormalizer.load(model / "normalizer.json"),
        ]

        def use_all(uses: list[Callable[[], object]] = uses) -> None:
            refused: list[AttrexError] = []
            for use in uses:
                try:
                    use()
                except AttrexError as exc:
                    refused.append(exc)
            if refused:
                raise max(refused, key=lambda exc: len(str(exc)))

        tally.try_one(f"{number} {what}", use_all)
        assert not list(tmp_path.rglob("ran.canary"))
        shutil.rmtree(model)
    tally.check()


def test_exports(shop: Path, tmp_path: Path, tally: Tally, random: Random, canary: Path) -> None:
    """As models; their graphs, too."""
    from .processes import run

    ended = run(shop, ["--quiet", *f"export model --out {tmp_path}/whole --sample labelled.jsonl --limit 12".split()])
    assert ended.code == 0, ended.said
    product = Product("1", {"title": "Blue suede shoe", "description": "A shoe of suede."})
    files = sorted(p.relative_to(tmp_path / "whole") for p in (tmp_path / "whole").rglob("*") if p.is_file())
    for number in range(tries(40)):
        export = tmp_path / f"export-{number}"
        shutil.copytree(tmp_path / "whole", export)
        path = export / files[number % len(files)]
        if path.suffix == ".json" and random.random() < 0.5:
            path.write_text(json.dumps(edited(random, json.loads(path.read_text()))))
        else:
            path.write_bytes(spoilt(random, path.read_bytes()))
        tally.try_one(f"{number} {path.name}", lambda export=export: list(Extractor.load(export).extract([product])))
        shutil.rmtree(export)
    tally.check()
