"""Tries by the hundred, outside of the fast suite: ``pytest -m robustness tests/robustness``.

``ATTREX_TRIES`` is the share of the tries that are made (1: all), ``ATTREX_TABLE`` a file that gets the table of what
became of them.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from openpyxl import Workbook

from attrex.config import Config
from attrex.demo.catalogue import write_catalogue
from attrex.errors import AttrexError

from .processes import run

ATTRIBUTES = ("Color", "Material", "Pattern", "Fit", "Season")
_tables: dict[str, Counter[str]] = {}
_opened: list[str] | None = None
_CONNECTING = ("socket.connect", "socket.getaddrinfo", "socket.bind", "subprocess.Popen", "os.exec", "os.system")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("robustness")


def tries(most: int) -> int:
    """How many tries of a kind are made."""
    return max(1, round(most * float(os.environ.get("ATTREX_TRIES", "1"))))


class Tally:
    """What became of the tries of one kind: read, marked or refused is survived; anything else is lost."""

    def __init__(self, kind: str) -> None:
        self.counts = _tables.setdefault(kind, Counter())
        self.faults: list[str] = []

    def try_one(self, name: str, run: Callable[[], Any]) -> None:
        """``run`` may give a result or raise an :class:`AttrexError` of a length that a person reads."""
        self.counts["tried"] += 1
        try:
            run()
        except AttrexError as exc:
            if len(str(exc)) > 8100:
                self.lose(f"{name}: a message of {len(str(exc)):,} characters")
                return
            self.counts["refused"] += 1
        except Exception as exc:
            self.lose(f"{name}: {type(exc).__name__}: {str(exc)[:200]}")
            return
        self.counts["survived"] += 1

    def lose(self, what: str) -> None:
        self.counts["lost"] += 1
        self.faults.append(what)

    def check(self) -> None:
        assert not self.faults, "\n".join(self.faults[:20])


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Tally:
    """Of the kind that the test's marker or name says."""
    return Tally(request.node.name.removeprefix("test_").replace("_", " "))


@pytest.fixture
def random(request: pytest.FixtureRequest) -> Random:
    return Random(request.node.name)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory, tiny: Config) -> Path:
    """A drawn shop and its table in files of several kinds, a model that learned from it, and what it finds.

    ``ATTREX_SHOP`` is a folder that keeps it for the next time.
    """
    folder = Path(os.environ.get("ATTREX_SHOP") or tmp_path_factory.mktemp("drawn") / "shop")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tiny.yaml").write_text(tiny.to_yaml(), encoding="utf-8")  # it names encoders of this session
    if (folder / "changes.csv").exists():
        return folder
    write_catalogue(folder, train=70, valid=1, test=1, image_size=32)
    write_tables(folder)
    for arguments in (
        "locate catalog.jsonl --shop shop.yaml --out labelled.jsonl --mine lexicon.yaml",
        "train --train labelled.jsonl --preset tiny.yaml --set training.epochs=1 --out model",
        "extract model catalog.jsonl --out values.jsonl",
        "fill table.csv values.jsonl --model model --min-confidence 0 --out filled.csv --changes changes.csv",
    ):
        ended = run(folder, arguments.split())
        assert ended.code == 0, ended.said
    return folder


def write_tables(folder: Path) -> None:
    """The catalogue as a shop's table, half of whose cells are blank: ``table.csv``, ``.xlsx`` and ``.parquet``."""
    rows = [["sku", "title", "description", "image", *ATTRIBUTES]]
    for line in (folder / "catalog.jsonl").read_text(encoding="utf-8").splitlines():
        product = json.loads(line)
        fields, cells = product["fields"], product["attributes"]
        values = ["|".join(v if isinstance(v := cells.get(a) or "", list) else [v]) for a in ATTRIBUTES]
        texts = [fields.get("title", ""), fields.get("description", "")]
        rows.append([product["id"], *texts, Path(product["image"]).name, *values])
    with (folder / "table.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    book = Workbook()
    for row in rows:
        book.active.append(row)
    book.save(folder / "table.xlsx")
    columns = {name: [row[at] for row in rows[1:]] for at, name in enumerate(["id", *rows[0][1:]])}
    pq.write_table(pa.table(columns), folder / "table.parquet")


def _watch(event: str, arguments: Any) -> None:
    if _opened is None:
        return
    if event in _CONNECTING:
        _opened.append(f"{event} {str(arguments)[:100]}")
    elif event == "open" and "canary" in str(arguments[0]):
        _opened.append(f"open {arguments[0]}")


@pytest.fixture(scope="session")
def _hook() -> None:
    sys.addaudithook(_watch)


@pytest.fixture
def canary(_hook: None, tmp_path: Path) -> Iterator[Path]:
    """A file outside of the folder of the data, which no try may open; none may connect or start a process either."""
    with _watched() as seen:
        outside = tmp_path / "outside"
        outside.mkdir()
        path = outside / "canary.png"
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        seen.clear()
        yield path
    assert seen == []


@contextmanager
def _watched() -> Iterator[list[str]]:
    global _opened  # noqa: PLW0603
    _opened = seen = []
    try:
        yield seen
    finally:
        _opened = None


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not _tables:
        return
    columns = ("tried", "survived", "refused", "lost")
    lines = ["| kind | tried | survived | of them refused with a message | lost |", "|---|---|---|---|---|"]
    lines += [f"| {kind} | {' | '.join(f'{counts[c]:,}' for c in columns)} |" for kind, counts in _tables.items()]
    for line in lines:
        terminalreporter.write_line(line)
    if out := os.environ.get("ATTREX_TABLE"):
        Path(out).write_text("\n".join(lines) + "\n", encoding="utf-8")
