"""Predictions as files: .jsonl and .parquet hold the same, and a killed job goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attrex.errors import DataError
from attrex.io import predictions
from attrex.io.bounded import BoundedLines
from attrex.io.predictions import PredictionFile, read_predictions
from attrex.types import Prediction, Product, RegionWeights, Span, Value, WordWeight

REGIONS = (RegionWeights(0, ((0.0, 1.0), (0.25, 0.3333))),)
OLD_KEYS = ("attribute", "value", "confidence", "source", "regions")
RED = Value.from_span(Span("Color", 2, 8, "红 red\u2028", "title"), 0.9512, REGIONS)
WORD = WordWeight("title", 2, 8, "红 red\u2028", 0.4321)
PLAIN = Value("Pattern", "plain", 0.75, None, REGIONS, "both", (WORD,))
PREDICTIONS = [
    Prediction("1", (RED, PLAIN), {"Color": 0.97, "Pattern": 0.61}, 0.875),
    Prediction("2", warnings=("photo 1 left out: it is broken",)),
    Prediction("3", coverage=0.0, error="shop.jsonl line 3: expected one JSON object"),
]


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_what_is_written_is_read_back(tmp_path: Path, suffix: str) -> None:
    file = PredictionFile(tmp_path / "new" / f"values{suffix}")
    assert file.write(PREDICTIONS) == 3
    assert list(read_predictions(file.path)) == PREDICTIONS
    assert (file.counts.values, file.counts.warnings, file.counts.errors) == (2, 1, 1)
    assert [p.name for p in file.path.parent.iterdir()] == [f"values{suffix}"]  # nothing is left lying about


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_values_of_a_model_without_a_value_head_are_read_back(tmp_path: Path, suffix: str) -> None:
    plain = [Prediction("1", (RED, Value("Pattern", "plain", 0.75)))]
    PredictionFile(tmp_path / f"v{suffix}").write(plain)
    assert list(read_predictions(tmp_path / f"v{suffix}")) == plain
    assert "decided_by" not in plain[0].values[0].to_json()  # files are as before


def test_parquet_from_before_value_heads_is_read(tmp_path: Path) -> None:
    PredictionFile(tmp_path / "v.parquet").write(PREDICTIONS)
    table = pq.read_table(tmp_path / "v.parquet")
    rows = [r | {"values": [{k: v[k] for k in OLD_KEYS} for v in r["values"]]} for r in table.to_pylist()]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "old.parquet")
    found = list(read_predictions(tmp_path / "old.parquet"))
    assert found[0].values == (RED, replace(PLAIN, decided_by=None, words=()))


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_a_file_of_no_products(tmp_path: Path, suffix: str) -> None:
    file = PredictionFile(tmp_path / f"values{suffix}")
    assert file.write([]) == 0
    assert file.path.exists()
    assert list(read_predictions(file.path)) == []


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_half_a_character_does_not_cost_the_file(tmp_path: Path, suffix: str) -> None:
    PredictionFile(tmp_path / f"v{suffix}").write([Prediction("cut \ud83d emoji"), Prediction("whole \U0001f460")])
    assert [p.id for p in read_predictions(tmp_path / f"v{suffix}")] == ["cut \ufffd emoji", "whole \U0001f460"]


def test_an_extraction_is_not_gone_on_with_otherwise(tmp_path: Path) -> None:
    def cut() -> Iterator[Prediction]:
        yield PREDICTIONS[0]
        raise KeyboardInterrupt

    how = {"--threshold": 0.3, "--no-photos": False}
    with pytest.raises(KeyboardInterrupt):
        PredictionFile(tmp_path / "v.jsonl", options=how).write(cut())
    with pytest.raises(DataError, match=r"was made with --threshold 0\.3, not 0\.9; resume with the same, or delete"):
        PredictionFile(tmp_path / "v.jsonl", resume=True, options=how | {"--threshold": 0.9})
    file = PredictionFile(tmp_path / "v.jsonl", resume=True, options=how)
    list(file.remaining(products("1")))
    file.write(PREDICTIONS[1:])
    assert list(read_predictions(file.path)) == PREDICTIONS
    assert [p.name for p in tmp_path.iterdir()] == ["v.jsonl"]


def products(*ids: str) -> list[Product]:
    return [Product(i, {"title": "red"}) for i in ids]


def unfinished(tmp_path: Path, tail: str = "") -> Path:
    lines = "".join(json.dumps(p.to_json(), ensure_ascii=False) + "\n" for p in PREDICTIONS)
    (tmp_path / "v.jsonl.part").write_text(lines + tail, encoding="utf-8")
    return tmp_path / "v.jsonl"


def test_resuming_keeps_whole_rows_and_cuts_half_of_one(tmp_path: Path) -> None:
    file = PredictionFile(unfinished(tmp_path, '{"id": "4", "val'), resume=True)
    assert not file.finished
    left = file.remaining(products("1", "2", "3", "4"))
    assert [p.id for p in left] == ["4"]
    assert (file.counts.rows, file.counts.values) == (3, 2)  # the summary at the end counts the earlier rows too
    assert file.write([Prediction("4")]) == 4
    assert list(read_predictions(file.path)) == [*PREDICTIONS, Prediction("4")]


def test_rows_that_were_computed_together_are_kept_together(tmp_path: Path) -> None:
    file = PredictionFile(unfinished(tmp_path), resume=True)
    assert [p.id for p in file.remaining(products("1", "2", "3", "4"), step=2)] == ["3", "4"]
    assert len(file.part.read_bytes().splitlines()) == 2


def test_a_kill_between_the_last_row_and_the_end(tmp_path: Path) -> None:
    file = PredictionFile(unfinished(tmp_path), resume=True)
    assert file.write(file.remaining(products("1", "2", "3")) and ()) == 3
    assert list(read_predictions(file.path)) == PREDICTIONS


def test_a_finished_file_is_known_when_resuming_only(tmp_path: Path) -> None:
    PredictionFile(tmp_path / "v.jsonl").write(PREDICTIONS)
    assert PredictionFile(tmp_path / "v.jsonl", resume=True).finished
    assert not PredictionFile(tmp_path / "v.jsonl").finished  # without --resume it is made again
    assert not PredictionFile(tmp_path / "other.jsonl", resume=True).finished


def test_what_a_kill_behind_the_last_renaming_leaves_is_tidied_up(tmp_path: Path) -> None:
    (tmp_path / "v.jsonl").write_text("")
    (tmp_path / "v.jsonl.part.options").write_text("{}")
    assert PredictionFile(tmp_path / "v.jsonl", resume=True).finished
    assert [path.name for path in tmp_path.iterdir()] == ["v.jsonl"]


def test_only_one_process_at_a_time_is_at_work_on_a_file(tmp_path: Path) -> None:
    first, second = (PredictionFile(unfinished(tmp_path), resume=True) for _ in range(2))
    with first.open():
        with pytest.raises(DataError, match=r"another process is writing .*v\.jsonl just now"), second.open():
            pass
        first.write(first.remaining(products("1", "2", "3")) and ())
    assert [p.name for p in tmp_path.iterdir()] == ["v.jsonl"]
    assert list(read_predictions(first.path)) == PREDICTIONS


def test_rows_of_other_products_are_refused(tmp_path: Path) -> None:
    file = PredictionFile(unfinished(tmp_path), resume=True)
    with pytest.raises(DataError, match="its row 2 is '2', but the input has product 'x' there; resume with the same"):
        file.remaining(products("1", "x", "3"))
    with pytest.raises(DataError, match="its row 3 is '3', but the input has the end there"):
        file.remaining(products("1", "2"))


def test_an_unfinished_file_is_not_written_over(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"v.jsonl.part is an unfinished extraction; resume it, or delete it"):
        PredictionFile(unfinished(tmp_path))


def test_names_that_cannot_be_an_output(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a file of predictions should end in .jsonl or .parquet, got 'values.csv'"):
        PredictionFile(tmp_path / "values.csv")
    (tmp_path / "v.jsonl").mkdir()
    with pytest.raises(DataError, match=r"expected a file to write, got a directory; name a file in it"):
        PredictionFile(tmp_path / "v.jsonl")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"cannot make the directory .*file: File exists; choose another place"):
        PredictionFile(tmp_path / "file" / "v.jsonl")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"{broken", "line 2 is not JSON: .*; name a file that `attrex extract` wrote, or extract again"),
        (b'{"id": "\xff"}', "line 2 is not UTF-8: it has the byte 0xff; name a file that `attrex extract` wrote"),
        (b"[1]", r"line 2 is not a prediction row: expected an object with 'id', got \[1\]; name a file that"),
        (b'{"id": "x"}', r"line 2 is not a prediction row: key 'values' is missing, found \['id'\]; name a file that"),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: bytes, words: str) -> None:
    path = tmp_path / "v.jsonl"
    path.write_bytes(json.dumps(PREDICTIONS[1].to_json()).encode() + b"\n" + line + b"\n")
    with pytest.raises(DataError, match=rf"v\.jsonl {words}"):
        list(read_predictions(path))
    path.rename(tmp_path / "v.jsonl.part")
    with pytest.raises(DataError, match=r"v\.jsonl\.part line 2: expected a row of an unfinished extraction, with the"):
        list(PredictionFile(path, resume=True).remaining(products("2", "3")))


def test_parquet_that_is_damaged_or_holds_something_else(tmp_path: Path) -> None:
    path = tmp_path / "v.parquet"
    advice = "name a file that `attrex extract` wrote, or extract again"
    path.write_bytes(b"no parquet")
    with pytest.raises(DataError, match=rf"v\.parquet cannot be read as Parquet: .*; {advice}"):
        list(read_predictions(path))
    pq.write_table(pa.table({"id": ["1"], "title": ["red"]}), path)
    with pytest.raises(DataError, match=r"row 1 is not a prediction row: key 'values' is missing.*; " + advice):
        list(read_predictions(path))
    pq.write_table(pa.table({"id": ["1"], "values": [[]], "range": [5]}), path)
    with pytest.raises(DataError, match=r"row 1 is not a prediction row: 'range' should be an object, got 5; name"):
        list(read_predictions(path))
    PredictionFile(path).write(PREDICTIONS)
    content = path.read_bytes()
    path.write_bytes(content[:4] + b"\xff" * 200 + content[204:])  # the end, which says what is where, is whole
    with pytest.raises(DataError, match=rf"v\.parquet cannot be read as Parquet: .*; {advice}"):
        list(read_predictions(path))


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_row_of_values_that_unpacks_to_more_than_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = tmp_path / f"v.{kind}"
    found = PREDICTIONS[1].to_json() | {"warnings": ["x" * 5000]}
    if kind == "jsonl":
        path.write_text(json.dumps(found) + "\n")
    else:  # a text that a page holds once, and a row a thousand times
        pq.write_table(pa.Table.from_pylist([found | {"range": [], "warnings": ["x" * 50] * 1000}]), path)
    assert len(list(read_predictions(path))) == 1
    monkeypatch.setattr(predictions, "MAX_ROW", 4000)
    monkeypatch.setattr(BoundedLines.__init__, "__defaults__", (None, 4000))
    with pytest.raises(DataError, match=r"v\.\w+( line 1)?: expected a row of at most .* bytes, got more"):
        list(read_predictions(path))


OLD = {"attribute": "Color", "text": "red", "field": "title", "start": 2, "end": 5, "confidence": 0.9, "evidence": []}


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet", ".jsonl.part"])
def test_a_file_of_an_earlier_version_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"v{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.table({"id": ["1"], "values": [[OLD]]}), path)
    else:
        path.write_text(json.dumps({"id": "1", "values": [OLD]}) + "\n")
    read = read_predictions(path)
    if suffix == ".jsonl.part":
        read = (p for _ in "1" for p in PredictionFile(tmp_path / "v.jsonl", resume=True).remaining(products("1", "2")))
    with pytest.raises(DataError, match=rf"v{suffix} (line|row) 1 is a prediction row of an earlier version of Attrex"):
        list(read)
