"""A job: files that are whole, shards that are run once, and what is refused."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import attrex
from attrex.errors import ConfigError, DataError
from attrex.io.predictions import read_predictions
from attrex.jobs.job import JobResult, parse_share
from attrex.jobs.task import ShardRunner, Task
from attrex.pipeline import run_stream
from attrex.shop.schema import Schema
from attrex.types import Prediction

pytestmark = pytest.mark.usefixtures("quick_to_load")
OPTIONS: dict[str, Any] = {"workers": 0, "shard_rows": 5, "photos": False, "min_confidence": 0.0}


def run(model: Path, data: Path | str, out: Path, **options: Any) -> JobResult:
    return attrex.run(model, data, out, **OPTIONS | options)


def files_of(folder: Path) -> dict[str, bytes]:
    """The results; the manifest has times in it."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("part-*")}


@pytest.fixture(scope="module")
def done_once(model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {}


@pytest.fixture
def finished(done_once: dict[str, Path], model_dir: Path, catalogue: Path, tmp_path: Path) -> Path:
    """The folder of a finished job; it is run once for all tests, and each gets a copy."""
    if not done_once:
        run(model_dir, catalogue, tmp_path / "first")
        done_once["out"] = tmp_path / "first"
    return shutil.copytree(done_once["out"], tmp_path / "out")


def test_a_job_finds_what_extract_finds_and_fills_blank_cells(model_dir: Path, catalogue: Path, tmp_path: Path) -> None:
    result = run(model_dir, catalogue, tmp_path / "out")
    assert (result.shards, result.skipped, result.rows, result.tally.unreadable) == (3, 0, 12, 1)
    parts = sorted((tmp_path / "out").glob("part-*.jsonl"))
    assert [p.name for p in parts] == ["part-000000.jsonl", "part-000001.jsonl", "part-000002.jsonl"]
    found = [p for part in parts for p in read_predictions(part)]
    alone = attrex.extract(model_dir, catalogue, photos=False, evidence=False)
    assert [(p.id, p.error, p.spans) for p in found] == [(p.id, p.error, p.spans) for p in alone]
    given = [json.loads(line) for line in catalogue.read_text().splitlines() if line != "{broken"]
    rows = [row for part in parts for row in map(json.loads, part.read_text().splitlines()) if not row["error"]]
    for before, row in zip(given, rows, strict=True):
        filled = {c["attribute"] for c in row["changes"] if c["outcome"] == "filled"}
        cells = {a: v for a, v in before["attributes"].items() if v}
        assert {a: row["table"][a] for a in cells} == cells  # a filled cell never changes
        assert filled == set(row["table"]) - set(before["attributes"])
    assert result.filled == sum(c["outcome"] == "filled" for row in rows for c in row["changes"]) > 0


def test_the_manifest_says_what_each_shard_is(finished: Path) -> None:
    entries = [json.loads(line) for line in (finished / "manifest.jsonl").read_text().splitlines()]
    assert [(e["shard"], e["file"], e["input"], e["rows"], e["bad_rows"]) for e in entries] == [
        (0, "part-000000.jsonl", "catalogue.jsonl", 5, 0),
        (1, "part-000001.jsonl", "catalogue.jsonl", 5, 1),
        (2, "part-000002.jsonl", "catalogue.jsonl", 2, 0),
    ]
    assert {"content", "model", "options", "seconds", "begin", "end", "hash"} <= set(entries[0])
    (error,) = map(json.loads, (finished / "errors" / "part-000001.jsonl").read_text().splitlines())
    assert (error["shard"], error["source"], error["row"]) == (1, "catalogue.jsonl", 8)
    assert "catalogue.jsonl line 8: expected one JSON object" in error["reason"]


def test_what_is_finished_is_not_run_again(
    finished: Path, model_dir: Path, catalogue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files_of(finished)
    (finished / "part-000001.jsonl").unlink()
    (finished / "part-000002.jsonl.4711.part").write_text("left by a process that was killed")
    with (finished / "manifest.jsonl").open("a") as file:
        file.write('{"shard": 2, "fi')  # and a line that was cut off
    result = run(model_dir, catalogue, finished)
    assert (result.skipped, result.rows, result.tally.unreadable) == (2, 12, 1)
    assert files_of(finished) == before
    monkeypatch.setattr(Task, "load", lambda task, check: pytest.fail("the model is not loaded"))
    assert run(model_dir, catalogue, finished).skipped == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"min_confidence": 0.9}, r"min_confidence is 0\.9, it was 0\.0"),
        ({"shard_rows": 6}, "shard_rows is 6, it was 5"),
    ],
)
def test_other_options_are_refused_or_done_again(
    finished: Path, model_dir: Path, catalogue: Path, change: dict[str, Any], said: str
) -> None:
    with pytest.raises(DataError, match=rf"3 shards of .* are finished, but of something else: {said}.*\(redo=True\)"):
        run(model_dir, catalogue, finished, **change)
    result = run(model_dir, catalogue, finished, redo=True, **change)
    assert (result.skipped, result.rows) == (0, 12)
    assert len(files_of(finished)) == result.shards + 1  # and one of errors


def test_of_a_changed_input_only_the_changed_shards_are_done_again(
    finished: Path, model_dir: Path, catalogue: Path
) -> None:
    lines = catalogue.read_text().splitlines()
    lines[7] = lines[8].replace('"id": "', '"id": "new-')
    catalogue.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=r"shard 1 of .* is finished, but of something else: the input has changed"):
        run(model_dir, catalogue, finished)
    result = run(model_dir, catalogue, finished, redo=True)
    assert (result.skipped, result.rows, result.tally.unreadable) == (2, 12, 0)
    assert not list((finished / "errors").iterdir())


def test_a_shorter_input_takes_its_shards_away(finished: Path, model_dir: Path, catalogue: Path) -> None:
    catalogue.write_text("\n".join(catalogue.read_text().splitlines()[:5]) + "\n")
    with pytest.raises(DataError, match="the input has fewer rows"):
        run(model_dir, catalogue, finished)
    assert run(model_dir, catalogue, finished, redo=True).skipped == 1
    assert list(files_of(finished)) == ["part-000000.jsonl"]
    assert attrex.merge(finished, finished / "all.jsonl").rows == 5


def test_shares_are_run_apart_and_merged(finished: Path, model_dir: Path, catalogue: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    assert run(model_dir, catalogue, shared, shard="2/2").rows == 5
    with pytest.raises(DataError, match="expected 3 finished shards, but 2 are missing, the first is shard 0"):
        attrex.merge(shared, tmp_path / "all.jsonl")
    assert run(model_dir, catalogue, shared, shard="1/2").rows == 7
    assert files_of(shared) == files_of(finished)
    merged = attrex.merge(shared, tmp_path / "all.jsonl", errors=tmp_path / "errors.jsonl")
    assert (merged.shards, merged.rows, merged.bad_rows) == (3, 12, 1)
    names = sorted(n for n in files_of(finished) if n.startswith("part"))
    assert (tmp_path / "all.jsonl").read_bytes() == b"".join(files_of(finished)[n] for n in names)
    assert len((tmp_path / "errors.jsonl").read_text().splitlines()) == 1
    assert len(list(read_predictions(tmp_path / "all.jsonl"))) == 12


def test_a_merge_proves_what_it_says(finished: Path, tmp_path: Path) -> None:
    def refused(spoil: Any) -> str:
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(finished, copy)
        spoil(copy)
        with pytest.raises(DataError) as raised:
            attrex.merge(copy, tmp_path / "all.jsonl")
        assert not (tmp_path / "all.jsonl").exists()
        return str(raised.value)

    def edit(folder: Path, old: str, new: str, times: int = -1) -> None:
        path = folder / "manifest.jsonl"
        path.write_text(path.read_text().replace(old, new, times))

    row = (finished / "part-000002.jsonl").read_text().splitlines()[0]
    part = "part-000002.jsonl"
    assert "is not the file that the manifest says" in refused(lambda f: (f / part).write_text(row + "\n"))
    assert "but 1 are missing, the first is shard 2" in refused(lambda f: (f / part).unlink())
    assert "part-000003.jsonl, too; take it away" in refused(lambda f: shutil.copy(f / part, f / "part-000003.jsonl"))
    assert "expected 3 rows, got 2" in refused(lambda f: edit(f, '"rows": 2', '"rows": 3'))
    assert "is of another input, model, or" in refused(lambda f: edit(f, '"photos": false', '"photos": true', 1))
    assert "with a job.json; name what `attrex run" in refused(lambda f: (f / "job.json").unlink())
    assert "line 1: expected a finished shard of a manifest" in refused(
        lambda f: edit(f, '{"shard": 0', '{"shard": "0"')
    )


def test_a_product_that_raises_an_error_costs_nothing_but_itself(
    model_dir: Path, catalogue: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [json.loads(line) for line in (finished / "part-000000.jsonl").read_text().splitlines()]
    filled = ShardRunner._filled

    def fails_at_the_third(runner: ShardRunner, products: Any) -> Any:
        for triple in filled(runner, products):
            if triple[0].id == before[2]["id"] and triple[0].error is None:
                raise ValueError("a photo of no kind")
            yield triple

    monkeypatch.setattr(ShardRunner, "_filled", fails_at_the_third)
    result = run(model_dir, catalogue, tmp_path / "again")
    assert result.tally.unreadable == 2
    rows = [json.loads(line) for line in (tmp_path / "again" / "part-000000.jsonl").read_text().splitlines()]
    assert rows[2]["error"] == "the product cannot be read: ValueError: a photo of no kind"
    assert rows[2]["table"] == {a: v for a, v in before[2]["table"].items() if a in rows[2]["table"]}
    assert [r["id"] for r in rows] == [r["id"] for r in before]
    assert [r["values"] for r in rows[:2]] == [r["values"] for r in before[:2]]


def test_a_stopped_job_keeps_what_is_finished(model_dir: Path, catalogue: Path, finished: Path, tmp_path: Path) -> None:
    def stop(event: Any) -> None:
        if event.task == "extracting" and event.done >= 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(model_dir, catalogue, tmp_path / "again", progress=stop)
    assert not list((tmp_path / "again").glob("*.lock"))
    assert run(model_dir, catalogue, tmp_path / "again").skipped in (0, 1)
    assert files_of(tmp_path / "again") == files_of(finished)


def test_a_file_that_was_cut_off_is_told_of(model_dir: Path, catalogue: Path, tmp_path: Path) -> None:
    catalogue.write_text(catalogue.read_text()[:-20])
    result = run(model_dir, catalogue, tmp_path / "out")
    assert (result.tally.unreadable, result.tally.damaged) == (2, 1)


def test_metrics_are_in_the_text_format_of_prometheus(model_dir: Path, catalogue: Path, tmp_path: Path) -> None:
    run(model_dir, catalogue, tmp_path / "out", metrics=tmp_path / "attrex.prom")
    lines = (tmp_path / "attrex.prom").read_text().splitlines()
    assert "# TYPE attrex_rows_total counter" in lines
    assert {"attrex_rows_total 12", "attrex_bad_rows_total 1", "attrex_shards 3", "attrex_running 0"} <= set(lines)


def test_a_pipe_gives_a_row_for_each_line(model_dir: Path, catalogue: Path, finished: Path) -> None:
    out = io.BytesIO()
    with catalogue.open("rb") as lines:
        result = run_stream(model_dir, lines, out, photos=False, min_confidence=0.0)
    assert (result.rows, result.tally.unreadable, result.source) == (12, 1, "standard input")
    rows = [json.loads(line) for line in out.getvalue().splitlines()]
    of_files = [json.loads(s) for p in sorted(finished.glob("part-*")) for s in p.read_text().splitlines()]
    assert [(r["id"], r["table"]) for r in rows] == [(r["id"], r["table"]) for r in of_files]
    assert "standard input line 8: expected one JSON object" in rows[7]["error"]
    assert Prediction.from_json(rows[0]).id == rows[0]["id"]


@pytest.mark.parametrize("text", ["0/2", "3/2", "2", "a/b", "1/0", "-1/2"])
def test_a_share_that_there_is_not(text: str) -> None:
    with pytest.raises(ConfigError, match=f"shard should be a share such as 2/4, .* got '{text}'"):
        parse_share(text)


def test_columns_of_attributes_that_nobody_mapped_are_refused(model_dir: Path, tmp_path: Path, schema: Any) -> None:
    path = tmp_path / "shop.jsonl"
    path.write_text(json.dumps({"id": 1, "title": "cap", schema.names[0]: "Red"}) + "\n")
    with pytest.raises(DataError, match="has columns of attributes that the shop does not read"):
        run(model_dir, path, tmp_path / "out", dialect="none")


def test_one_process_at_a_time_runs_a_share(model_dir: Path, catalogue: Path, tmp_path: Path) -> None:
    def again(event: Any) -> None:
        if event.task == "extracting":
            with pytest.raises(DataError, match="another process is writing"):
                run(model_dir, catalogue, tmp_path / "out")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(model_dir, catalogue, tmp_path / "out", progress=again)


@pytest.mark.parametrize("form", ["long", "wide"])
def test_tables_for_sql_hold_the_cells_in_columns_that_are_always_the_same(
    finished: Path, model_dir: Path, catalogue: Path, tmp_path: Path, schema: Schema, form: str
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = tmp_path / form
    run(model_dir, catalogue, out, form=form)
    parts = sorted(out.glob("part-*.parquet"))
    assert len(parts) == 3
    assert len({str(pq.read_schema(part)) for part in parts}) == 1
    kinds = {field.type for field in pq.read_schema(parts[0])}
    assert kinds <= {pa.string(), pa.float64(), pa.int64(), pa.list_(pa.string())}
    assert pq.read_schema(parts[0]).metadata[b"attrex.schema"] == f"{form}/1".encode()
    merged = attrex.merge(out, tmp_path / "all.parquet")
    table = pq.read_table(tmp_path / "all.parquet").to_pylist()
    rows = [json.loads(s) for p in sorted(finished.glob("part-*")) for s in p.read_text().splitlines()]
    assert merged.rows == 12
    if form == "wide":
        name = schema.names[0]
        cells = [r[name] if isinstance(r[name], list) else [r[name]] for r in table if r[name] is not None]
        assert cells == [r["table"][name] for r in rows if name in r["table"]]
        assert [r["id"] for r in table] == [r["id"] for r in rows]
    else:
        of_table = [(r["id"], r["attribute"], r["value"]) for r in table if r["outcome"] in ("table", "filled")]
        cells = [(r["id"], a, v) for r in rows for a, values in r["table"].items() for v in values]
        assert sorted(of_table) == sorted(cells)
        assert [r["id"] for r in table if r["outcome"] == "error"] == ["row-8"]
        assert {r["source"] for r in table if r["outcome"] == "filled"} <= {"text", "photo", "both"}
