"""Readers, shop files and values files, by hypothesis; by atheris where it is installed (``fuzz_bytes.py``)."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from .conftest import Tally, tries
from .targets import TARGETS, try_bytes

SETTINGS = settings(
    max_examples=tries(300),
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
TEXTS = st.one_of(
    st.sampled_from(["Blue", "Blue suede shoe", "title", "Color", "id", "1", "38", "true", "null", "*", "[", "", "–"]),
    st.sampled_from(["\x00", "\x1b[2J", "\u202e", "=1+1", "\ufeff", "\u0130", "100 %", "1e400", "9" * 400, "|", ";"]),
    st.text(max_size=20),
)
NUMBERS = st.one_of(st.integers(-(10**20), 10**20), st.floats(), st.sampled_from([10**400, -0.0, 1e308]))
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=8,
)


def often(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """What is right nearly always: one fault at a time goes deeper."""
    return st.integers(0, 24).flatmap(lambda n: usual if n else ANYTHING)


def part(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return often(st.fixed_dictionaries({}, optional={name: often(value) for name, value in keys.items()}))


NAMES = st.lists(TEXTS, max_size=3)
WORDS = st.dictionaries(TEXTS, often(NAMES), max_size=3)
COLUMNS = part(
    id=TEXTS,
    texts=NAMES,
    html=NAMES,
    images=NAMES,
    category=TEXTS,
    attributes=st.one_of(TEXTS, NAMES),
    spans=TEXTS,
    group=TEXTS,
    complete=st.booleans(),
)
CELLS = part(blank=NAMES, absent=NAMES, separator=TEXTS, other_columns=st.sampled_from(["keep", "drop"]))
ATTRIBUTES = st.dictionaries(TEXTS, part(columns=NAMES, options=NAMES, aliases=WORDS), max_size=3)
SHOPS = part(
    columns=COLUMNS,
    cells=CELLS,
    labels=part(priority=NAMES, trust=st.floats(), negation=st.booleans()),
    languages=NAMES,
    word_forms=st.dictionaries(TEXTS, TEXTS, max_size=3),
    aliases=WORDS,
    attributes=ATTRIBUTES,
    categories=WORDS,
)
COUNTS = st.one_of(st.integers(0, 10**6), st.floats(), NAMES, st.lists(NUMBERS, max_size=6))
FORMS = st.dictionaries(TEXTS, st.dictionaries(TEXTS, often(COUNTS), max_size=3), max_size=3)
LEXICONS = st.dictionaries(TEXTS, part(accepted=FORMS, suggested=FORMS, modifiers=FORMS, phrases=FORMS), max_size=3)

SAID = st.just({"field": "title", "start": 0, "end": 4, "text": "Blue"})
PLACE = st.one_of(
    *[SAID] * 6,
    part(field=TEXTS, start=NUMBERS, end=NUMBERS, text=TEXTS),
    st.none(),
)
REGIONS = st.lists(part(image=NUMBERS, weights=st.lists(st.lists(NUMBERS, max_size=3), max_size=3)), max_size=2)
VALUE = st.fixed_dictionaries(
    {"attribute": often(TEXTS), "value": often(TEXTS), "confidence": often(st.floats(0, 1)), "source": often(PLACE)},
    optional={
        "regions": often(REGIONS),
        "decided_by": often(st.sampled_from(["text", "photo", "both"])),
        "words": often(st.lists(PLACE, max_size=2)),
    },
)
FOUND = st.fixed_dictionaries(
    {"id": often(TEXTS), "values": often(st.lists(often(VALUE), max_size=3))},
    optional={
        "range": often(st.dictionaries(TEXTS, often(st.floats(0, 1)), max_size=3)),
        "coverage": often(st.floats(0, 1)),
        "warnings": often(NAMES),
        "error": often(TEXTS),
        "content": often(TEXTS),
    },
)
KEYS = "id title description text fields image images attributes spans category group complete warnings error Color"
ROWS = st.lists(
    st.dictionaries(st.one_of(st.sampled_from(KEYS.split()), TEXTS), st.one_of(TEXTS, ANYTHING), max_size=8), max_size=5
)


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")


def as_jsonl(rows: list[Any]) -> bytes:
    return b"".join(as_json(row) + b"\n" for row in rows)


def as_yaml(value: Any) -> bytes:
    return yaml.safe_dump(value, allow_unicode=True).encode("utf-8", "surrogatepass")


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    out = io.StringIO()
    names = dict.fromkeys(["id", "title", *(key for row in rows for key in row)])
    csv.writer(out).writerows([list(names), *([row.get(name, "") for name in names] for row in rows)])
    return out.getvalue().encode("utf-8", "surrogatepass")


def as_parquet(rows: list[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    try:
        table = pa.Table.from_pylist(rows)
    except (pa.ArrowException, UnicodeError, OverflowError, TypeError):  # columns of several types: as texts
        names = dict.fromkeys(key for row in rows for key in row)
        texts = {clean(n): [clean(str(row.get(n, ""))) for row in rows] for n in names}
        table = pa.table(texts)
    try:
        pq.write_table(table, out)
    except pa.ArrowException:  # a struct without fields
        pq.write_table(pa.table({"title": ["Blue"]}), out)
    return out.getvalue()


def clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def as_sheet(rows: list[dict[str, Any]]) -> bytes:
    book, out = Workbook(), io.BytesIO()
    names = dict.fromkeys(["id", "title", *(key for row in rows for key in row)])
    for row in [list(names), *([row.get(name) for name in names] for row in rows)]:
        book.active.append([_cell(value) for value in row])
    book.save(out)
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, bool | int | float) and abs(value) < 1e300:
        return value
    text = clean(value if isinstance(value, str) else json.dumps(value))[:1000]
    return "".join(c for c in text if c.isprintable())


def tried(name: str, folder: Path, tally: Tally) -> Callable[[bytes], None]:
    """What tries one content and counts it; a find goes to hypothesis, which makes it smaller."""

    def one(content: bytes) -> None:
        tally.counts["tried"] += 1
        try:
            tally.counts["refused"] += not try_bytes(name, content, folder)
        except BaseException:
            tally.counts["lost"] = 1
            raise
        tally.counts["survived"] += 1

    return one


KINDS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "table.jsonl": as_jsonl,
    "table.json": as_json,
    "table.csv": as_csv,
    "table.parquet": as_parquet,
    "table.xlsx": as_sheet,
}


@pytest.mark.parametrize("name", KINDS)
def test_fuzzed_tables(name: str, tmp_path: Path, tally: Tally, canary: Path) -> None:
    one = tried(name, tmp_path, tally)

    @SETTINGS
    @given(ROWS)
    def fuzz(rows: list[dict[str, Any]]) -> None:
        one(KINDS[name](rows))

    fuzz()


@pytest.mark.parametrize("name", ["shop", "lexicon"])
def test_fuzzed_mappings(name: str, tmp_path: Path, tally: Tally, canary: Path) -> None:
    one = tried(name, tmp_path, tally)

    @SETTINGS
    @given(SHOPS if name == "shop" else LEXICONS)
    def fuzz(content: Any) -> None:
        one(as_yaml(content))

    fuzz()


def test_fuzzed_values(tmp_path: Path, tally: Tally, canary: Path) -> None:
    one = tried("values", tmp_path, tally)

    @SETTINGS
    @given(st.lists(FOUND, max_size=3))
    def fuzz(rows: list[Any]) -> None:
        one(as_jsonl(rows))

    fuzz()


CHANGE = st.fixed_dictionaries(
    {
        "id": often(st.sampled_from(["1", "2"])),
        "outcome": often(st.sampled_from(["filled", "column added", "cell written", "differs"])),
        "file": often(st.just("table.csv")),
        "row": often(st.sampled_from(["2", "3", 2])),
        "id_column": often(st.sampled_from(["id", ""])),
        "column": often(st.sampled_from(["Color", "Material", "Size"])),
        "before": often(st.just("")),
        "written": often(st.sampled_from(["Red", "Suede", "38"])),
    }
)


def test_fuzzed_changes(tmp_path: Path, tally: Tally, canary: Path) -> None:
    lines, table = tried("changes.jsonl", tmp_path, tally), tried("changes.csv", tmp_path, tally)

    @SETTINGS
    @given(st.lists(CHANGE, max_size=4))
    def fuzz(rows: list[dict[str, Any]]) -> None:
        lines(as_jsonl(rows))
        table(as_csv(rows))

    fuzz()


@pytest.mark.parametrize("name", TARGETS)
def test_fuzzed_bytes(name: str, tmp_path: Path) -> None:
    """Bytes of all kinds, led by what code they reach."""
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not installed: pip install atheris")
    seconds = tries(60)
    command = [sys.executable, "-m", "tests.robustness.fuzz_bytes", name, f"-max_total_time={seconds}"]
    done = subprocess.run(
        command,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        check=False,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")[-3000:]
