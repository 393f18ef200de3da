"""The commands from start to end on a small drawn catalogue, and what they say when something is wrong."""

from __future__ import annotations

import errno
import gzip
import json
import os
import re
import shlex
import shutil
import signal
from collections.abc import Iterator
from dataclasses import fields, replace
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
import yaml
from click.testing import Result
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console
from typer.testing import CliRunner

from attrex.cli import app, main, with_options
from attrex.config import Config
from attrex.demo.catalogue import write_catalogue
from attrex.inference.checkpoint import load_model, load_tokenizer
from attrex.inference.export import write_export
from attrex.inference.selection import HeldOut
from attrex.io import ocr, readers
from attrex.io.predictions import PredictionFile, read_predictions
from attrex.shop.cells import Cells
from attrex.shop.mapping import ColumnMapping
from attrex.shop.shop import Shop
from attrex.systems import known_systems
from attrex.types import Prediction, Product, Span, Value
from attrex.vocabulary.lexicon import Lexicon

LEARNS_QUICKLY = (
    "training.batch_size=4",
    "training.epochs=5",
    "training.evaluations=1",
    "training.head_learning_rate=2e-2",
    "training.schedule=constant",
    "training.warmup=0",
    "text.hidden_dropout=0",
    "decoder.dropout=0",
    "range.tune_threshold=false",
    "values.loss_weight=0.3",  # in so few steps, more is lost in tagging
)
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def attrex(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def error(*arguments: object) -> str:
    """What a command that must fail says: one line, no traceback, exit code 2."""
    said = attrex(*arguments, code=2).output
    assert "Traceback" not in said
    return re.search(r"^error: .*", said, re.MULTILINE | re.DOTALL)[0]  # type: ignore[index]


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_catalogue(tmp_path_factory.mktemp("data"), train=48, valid=12, test=20, seed=5, image_size=32)


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory, tiny: Config) -> Path:
    path = tmp_path_factory.mktemp("preset") / "tiny.yaml"
    path.write_text(tiny.to_yaml(), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, data: Path, preset: Path) -> Path:
    """A tiny model, trained from the shop's table alone: locate, then train."""
    home = tmp_path_factory.mktemp("model")
    attrex("locate", data / "catalog.jsonl", "--out", home / "located.jsonl", "--images", data)
    options = ["--preset", preset, "--seed", 2, "--out", home / "shop"]
    for setting in LEARNS_QUICKLY:
        options += ["--set", setting]
    photos = ["--images", data]  # the labels are in another folder
    files = ["--train", home / "located.jsonl", "--valid", data / "valid.jsonl"]
    said = attrex("train", *files, *photos, *options).output
    assert "ULS-DRAM: validation TAG-F1" in said
    assert "next: attrex evaluate" in said
    return home / "shop"


# --- help ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_example_in_each_help_is_a_command_that_parses(name: str) -> None:
    shown = " ".join(attrex(name, "--help").output.replace("│", " ").split())
    example = re.search(r"Example: \[bold\](attrex .+)\[/\]", COMMANDS[name].help)
    assert example is not None
    assert example[1] in shown
    program, command, *arguments = shlex.split(example[1])
    assert (program, command) == ("attrex", name)
    with COMMANDS[name].make_context(name, arguments):
        pass


@pytest.mark.parametrize("name", ["", *sorted(COMMANDS)])
def test_help_fits_80_columns_in_plain_words(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 80)
    shown = attrex(*([name] if name else []), "--help").output
    assert all(len(line) <= 80 for line in shown.splitlines())
    inside = ("<", "{", "range]", "S_thr", "TEXT ", "None", "…")
    assert not [word for word in inside if word in shown.replace("[0<=x<=1]", "")]
    first = (COMMANDS[name].help if name else "").split("\n")[0]
    assert len(first) < 64  # one line in the list of commands


def test_without_a_command_the_commands_are_listed_in_groups() -> None:
    shown = attrex(code=2).output
    assert all(f" {name} " in shown for name in COMMANDS)
    groups = [shown.index(f"─ {heading} ─") for heading in ("Label and check", "Train", "Use", "Measure", "Look up")]
    assert groups == sorted(groups)


def test_errors_of_the_library_name_options_on_the_command_line() -> None:
    said = with_options("min_confidence should be 0..1; `out` is there: continue with resume=True", COMMANDS["extract"])
    assert said == "--min-confidence should be 0..1; --out is there: continue with --resume"
    assert with_options("no `shape`, no max_tokens, min_confidence=2", COMMANDS["check"]) == (
        "no `shape`, no max_tokens, min_confidence=2"  # what is no option stays
    )


def test_messages_are_json_lines_and_results_stay_as_they_are(data: Path, tmp_path: Path) -> None:
    plain = attrex("locate", data / "catalog.jsonl", "--out", tmp_path / "a.jsonl")
    said = attrex("--log-format", "json", "locate", data / "catalog.jsonl", "--out", tmp_path / "b.jsonl")
    assert said.stdout == plain.stdout
    assert said.stdout.startswith("Located in the text of 48 products")
    messages = [json.loads(line) for line in said.stderr.splitlines()]
    assert {"message": f"48 labelled products: {tmp_path / 'b.jsonl'}"} in messages
    failed = attrex("--log-format", "json", "check", tmp_path / "none.jsonl", code=2)
    assert failed.stdout == ""
    assert "found nothing there" in json.loads(failed.stderr)["error"]
    assert attrex("check", tmp_path / "none.jsonl", code=2).stderr.startswith(
        "error:"
    )  # the next command is plain again


def test_the_entry_point_ends_with_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["settings", "--preset", "smal"])
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("error: no preset or file 'smal'; presets:")


@pytest.mark.parametrize(
    ("command", "way_on"),
    [
        ("locate", "run the same command to start again"),
        ("ocr", "finished work is kept: run the same command with --resume"),
        ("photos", "finished work is kept: run the same command to continue"),
    ],
)
def test_sigterm_ends_a_command_like_ctrl_c(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, way_on: str
) -> None:
    def terminate(*arguments: Any, **options: Any) -> Iterator[Product]:
        os.kill(os.getpid(), signal.SIGTERM)
        yield from ()

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(readers, "row_products", terminate)
    said = attrex(command, data / "catalog.jsonl", "--out", tmp_path / "o.jsonl", code=143).output
    assert f"terminated; {way_on}" in said
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_full_disk_names_the_file_and_the_way_on(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any, **options: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")  # writing names no file

    out = tmp_path / "o.jsonl"
    monkeypatch.setattr("attrex.io.products.json", SimpleNamespace(dumps=full))
    said = error("locate", data / "catalog.jsonl", "--out", out)
    way_on = "run the same command to start again"
    assert said.strip() == f"error: No space left on device: {out}; free some space there; {way_on}"
    monkeypatch.setattr("attrex.io.resumable.json", SimpleNamespace(dumps=full))
    said = error("ocr", data / "catalog.jsonl", "--out", out)
    way_on = "finished work is kept: run the same command with --resume to continue"
    assert said.strip() == f"error: No space left on device: {out}; free some space there; {way_on}"


def test_a_full_disk_is_seen_where_torch_and_safetensors_tell_of_it(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any, **options: Any) -> None:
        raise RuntimeError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("attrex.pipeline.train", full)
    said = error("train", "--train", data / "train.jsonl", "--out", tmp_path / "m")
    assert said.startswith("error: no space left to write a model: I/O error: No space left on device (os error 28); ")
    assert said.strip().endswith("finished work is kept: run the same command with --resume to continue")


# --- check ---------------------------------------------------------------------------------------------------------


def test_check_ends_with_0_when_there_is_only_advice(data: Path, preset: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "report.json"
    said = attrex("check", data / "train.jsonl", data / "valid.jsonl", "--preset", preset, "--json", target).output
    assert "train.jsonl" in said
    assert "warning" in said  # 48 products are few: attributes are rare
    report = json.loads(target.read_text())
    assert report["ok"] is True
    assert report["splits"]["train.jsonl"]["products"] == 48
    read = load_tokenizer(Config.load(str(preset)).text.model)
    texts = [list(p.fields.values()) for n in ("train", "valid") for p in readers.read_products(data / f"{n}.jsonl")]
    tokens = [sum(len(read(t, add_special_tokens=False).input_ids) for t in ts) + len(ts) - 1 for ts in texts]
    assert report["lengths"]["tokens"]["longest"] == max(tokens)
    assert report["lengths"]["tokens"]["mean"] == pytest.approx(sum(tokens) / len(tokens), abs=0.01)


def test_check_ends_with_1_when_a_product_is_in_two_splits(data: Path, preset: Path, tmp_path: Path) -> None:
    (tmp_path / "again.jsonl").write_bytes((data / "valid.jsonl").read_bytes())
    files = [data / "valid.jsonl", tmp_path / "again.jsonl"]
    said = attrex("check", *files, "--preset", preset, "--no-photos", code=1).output
    assert "error products share their id with a product of an earlier split" in " ".join(said.split())


def test_check_wants_names_that_tell_the_splits_apart(data: Path, preset: Path, tmp_path: Path) -> None:
    (tmp_path / "valid.jsonl").write_bytes((data / "valid.jsonl").read_bytes())
    said = error("check", data / "valid.jsonl", tmp_path / "valid.jsonl", "--preset", preset)
    assert "the data files need different names to tell the splits apart" in said


# --- locate --------------------------------------------------------------------------------------------------------


def test_locate_labels_a_table_and_says_what_became_of_it(data: Path, tmp_path: Path) -> None:
    out, report = tmp_path / "located.jsonl", tmp_path / "report.json"
    said = attrex("locate", data / "catalog.jsonl", "--out", out, "--report", report, "--images", data).output
    assert "Located in the text of 48 products:" in said
    assert "48 labelled products" in said
    located = rows(out)
    assert len(located) == 48
    assert all(row["fields"][s["field"]][s["start"] : s["end"]] == s["text"] for row in located for s in row["spans"])
    counts = json.loads(report.read_text())["attributes"]
    assert 0 < counts["Color"]["located"] <= counts["Color"]["cells"]


def test_the_version_is_told() -> None:
    assert attrex("--version").output == f"attrex {version('attrex')}\n"


def test_locate_mines_a_lexicon_and_goes_by_an_edited_one(data: Path, tmp_path: Path) -> None:
    out, lexicon = tmp_path / "located.jsonl", tmp_path / "new" / "lexicon.yaml"
    attrex("locate", data / "catalog.jsonl", "--out", tmp_path / "plain.jsonl")
    said = attrex("locate", data / "catalog.jsonl", "--out", out, "--mine", lexicon).output
    assert f"lexicon: {lexicon}" in said
    spans = sum(len(row["spans"]) for row in rows(out))
    assert spans > sum(len(row["spans"]) for row in rows(tmp_path / "plain.jsonl"))
    attrex("locate", data / "catalog.jsonl", "--out", tmp_path / "again.jsonl", "--lexicon", lexicon)
    assert (tmp_path / "again.jsonl").read_text() == out.read_text()
    lexicon.write_text("{}")
    attrex("locate", data / "catalog.jsonl", "--out", tmp_path / "edited.jsonl", "--lexicon", lexicon)
    assert (tmp_path / "edited.jsonl").read_text() == (tmp_path / "plain.jsonl").read_text()


def test_a_model_is_asked_about_a_lexicon(data: Path, tmp_path: Path) -> None:
    table, found = tmp_path / "table.jsonl", tmp_path / "found.jsonl"
    lexicon, out = tmp_path / "lexicon.yaml", tmp_path / "new" / "reviewed.yaml"
    products = [{"id": str(i), "text": "crimson shoe", "attributes": {"Color": ["Red"]}} for i in range(10)]
    source = {"field": "text", "start": 0, "end": 7, "text": "crimson"}
    find = {"attribute": "Color", "value": "crimson", "confidence": 0.9, "source": source}
    table.write_text("\n".join(map(json.dumps, products)))
    found.write_text("\n".join(json.dumps({"id": p["id"], "values": [find]}) for p in products))
    lexicon.write_text("Color: {suggested: {Red: {crimson: [10, 0.6]}}}")
    said = attrex("lexicon", lexicon, table, found, "--out", out).output
    assert "1 forms were judged" in said
    assert re.search(r"Color +Red +crimson +accepted +60% +100%", said)
    assert f"lexicon: {out}" in said
    assert Lexicon.load(out).attributes["Color"].accepted == {"Red": {"crimson": (10, 0.6, None, 1.0)}}
    (tmp_path / "damaged.jsonl").write_text('{"id": "0", "values": [5]}')
    said = error("lexicon", lexicon, table, tmp_path / "damaged.jsonl", "--out", tmp_path / "x.yaml")
    assert "damaged.jsonl line 1 is not a prediction row: expected an object with 'attribute', got 5" in said
    assert "give the file that `attrex extract` wrote" in error(
        "lexicon", lexicon, data / "valid.jsonl", found, "--out", tmp_path / "x.yaml"
    )


def test_a_table_is_filled_with_what_was_found(tmp_path: Path) -> None:
    table, found = tmp_path / "table.csv", tmp_path / "found.jsonl"
    table.write_text("sku,title,Color\na,crimson shoe,\nb,red shoe,Blue\nc,,n/a\n", encoding="utf-8")
    (tmp_path / "shop.yaml").write_text("columns: {id: sku, attributes: [Color]}\n")
    (tmp_path / "lexicon.yaml").write_text("Color: {accepted: {Red: {crimson: [10, 0.9]}}}")
    finds = [Value.from_span(Span("Color", 0, len(word), word, "title"), 0.9) for word in ("crimson", "red")]
    PredictionFile(found).write([Prediction("a", (finds[0],)), Prediction("b", (finds[1],)), Prediction("c")])
    names = ("filled.csv", "changes.csv", "conflicts.jsonl", "report.json")
    out, changes, conflicts, report = (tmp_path / "new" / name for name in names)
    files = ["--out", out, "--changes", changes, "--conflicts", conflicts, "--report", report]
    more = ["--shop", tmp_path / "shop.yaml", "--lexicon", tmp_path / "lexicon.yaml"]
    said = attrex("fill", table, found, *files, *more).output
    assert out.read_text() == "sku,title,Color\na,crimson shoe,Red\nb,red shoe,Blue\nc,,n/a\n"
    assert changes.read_text().splitlines()[1:] == [
        "a,Color,filled,,Red,True,0.9,crimson,title,0,7,,filled.csv,2,sku,Color,,Red",
        "b,Color,differs,Blue,Red,True,0.9,red,title,0,3,,,,,,,",
    ]
    found_place = {"text": "red", "field": "title", "start": 0, "end": 3, "decided_by": None}
    differing = {"id": "b", "attribute": "Color", "cell": ["Blue"], "value": "Red", "confidence": 0.9}
    assert rows(conflicts) == [differing | {"own": 0.0, "others": 0} | found_place]
    assert json.loads(report.read_text())["attributes"]["Color"]["filled"] == 1
    assert re.search(r"Color +1 +0% +33% +67% +1\n", said)  # filled, agreement, before, now, differs
    assert re.search(r"Color +1 +1\n", said)  # blank, filled: a marker is somebody's, and no blank cell
    assert f"changes: {changes}\nconflicts: {conflicts}\ntable: {out}" in said


def test_a_table_is_filled_in_the_words_of_another_catalog_or_not_at_all(tmp_path: Path) -> None:
    table, found, catalog = (tmp_path / f"{name}.jsonl" for name in ("table", "found", "catalog"))
    table.write_text('{"id": "1", "text": "RED shoe"}')
    catalog.write_text('{"id": "7", "text": "shoe", "attributes": {"Color": "Red"}}')
    source = {"field": "text", "start": 0, "end": 3, "text": "RED"}
    find = {"attribute": "Color", "value": "RED", "confidence": 0.9, "source": source}
    found.write_text(json.dumps({"id": "1", "values": [find]}))
    out = tmp_path / "filled.jsonl"
    for options, cells in [
        ([], {"Color": "RED"}),
        (["--known-only"], {}),
        (["--catalog", catalog], {"Color": "Red"}),
    ]:
        attrex("fill", table, found, "--out", out, *options, "--new-columns")
        assert rows(out) == [{"id": "1", "text": "RED shoe", **cells}]
    assert "or ask for new columns (--new-columns)" in error("fill", table, found, "--out", out)
    assert "would be written over" in error("fill", table, found, "--out", table)
    for option in ("--changes", "--conflicts"):
        assert f"{option} should end in .csv or .jsonl" in error("fill", table, found, "--out", out, option, "c.txt")
    assert "expected finds for the products of the table" in error("fill", catalog, found, "--out", out)


def test_a_precision_gives_each_attribute_the_limit_that_reaches_it(model: Path, tmp_path: Path) -> None:
    table, found, out, report = (tmp_path / n for n in ("t.jsonl", "found.jsonl", "filled.jsonl", "report.json"))
    table.write_text("".join(f'{{"id": "{i}", "title": "red shoe"}}\n' for i in range(3)), encoding="utf-8")
    sure = (0.95, 0.85, 0.4)
    PredictionFile(found).write(Prediction(str(i), (Value("Color", "red", c),)) for i, c in enumerate(sure))
    fill = ("fill", table, found, "--out", out, "--report", report, "--new-columns")
    bare = tmp_path / "bare"
    shutil.copytree(model, bare)
    (bare / "calibration.json").unlink()
    said = error(*fill, "--model", bare, "--precision", 0.98)
    assert "has no held-out cells to choose limits on (there is no calibration.json): train again, or" in said
    assert f"attrex calibrate {bare} DATA" in said
    assert "--precision needs --model: limits are chosen on held-out cells" in error(*fill, "--precision", 0.98)
    of_both = error(*fill, "--model", model, "--precision", 0.98, "--min-confidence", 0.5)
    assert "--precision chooses a limit for each attribute, --min-confidence is one for all of them" in of_both
    assert "--pool puts attributes together to reach a --precision" in error(*fill, "--pool")
    calibrated = tmp_path / "model"
    shutil.copytree(model, calibrated)
    held = HeldOut.of([("Color", 0.9, True)] * 200 + [("Color", 0.8, False)] * 50 + [("Fit", 0.9, True)] * 100)
    (calibrated / "calibration.json").write_text(json.dumps({"held_out": held.to_json()}))
    assert "no number of cells proves that all" in error(*fill, "--model", calibrated, "--precision", 1)
    said = " ".join(attrex(*fill, "--model", calibrated, "--precision", 0.98).output.split())
    assert [row.get("Color") for row in rows(out)] == ["Red", None, None]
    assert "2 of 3 finds are below the limits and were not filled in: 2 blank cells are left to people" in said
    assert "Fit (49)" in said
    color = json.loads(report.read_text())["attributes"]["Color"]
    assert (color["cutoff"]["threshold"], color["cutoff"]["share_of_finds"], color["left"]) == (0.9, 0.8, 2)


def test_a_shops_columns_go_with_its_table_and_with_what_was_located_in_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table, shop, labelled, found = (tmp_path / n for n in ("t.csv", "shop.yaml", "labelled.jsonl", "found.jsonl"))
    table.write_text("sku,name,Colour\na,red shoe,Red\nb,crimson hat,\n", encoding="utf-8")
    shop.write_text(
        "columns: {id: sku, texts: [name], attributes: [Colour]}\nattributes: {Tint: {columns: [Colour]}}\n"
    )
    attrex("locate", table, "--shop", shop, "--out", labelled)
    source = {"field": "name", "start": 0, "end": 3, "text": "red"}
    find = {"attribute": "Tint", "value": "red", "confidence": 0.9, "source": source}
    hat = find | {"value": "crimson", "source": source | {"end": 7, "text": "crimson"}}
    found.write_text("\n".join(json.dumps({"id": i, "values": [v]}) for i, v in (("a", find), ("b", hat))))
    out = tmp_path / "filled.csv"
    with caplog.at_level("WARNING"):
        attrex("fill", table, found, "--shop", shop, "--catalog", labelled, "--out", out)
    assert "labelled.jsonl lacks the columns ['sku', 'Colour'], which the shop names" in caplog.text
    assert out.read_text() == "sku,name,Colour\na,red shoe,Red\nb,crimson hat,crimson\n"
    attrex("fill", table, found, "--shop", shop, "--limit", "1", "--out", out)
    assert out.read_text() == table.read_text()


def test_the_cells_of_a_row_whose_text_cannot_be_read_are_kept(tmp_path: Path) -> None:
    table, found, out = tmp_path / "t.jsonl", tmp_path / "found.jsonl", tmp_path / "filled.csv"
    cells = {"Color": "Green", "Material": "Suede"}
    table.write_text(json.dumps({"id": "1", "title": "a"}) + "\n" + json.dumps({"id": "2", "attributes": cells}))
    found.write_text("\n".join(json.dumps({"id": i, "values": []}) for i in "12"))
    said = attrex("fill", table, found, "--out", out, "--max-bad-rows", "1").output
    assert "Rows that could not be read: 1; their cells are as they were" in said
    assert out.read_text() == "id,Color,Material\n1,,\n2,Green,Suede\n"


def test_locate_labels_anew_on_request_but_not_what_is_complete(tmp_path: Path) -> None:
    row = {"id": "1", "text": "red shoe", "attributes": {"Color": ["red"]}, "spans": []}
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, (row, row | {"id": "2", "complete": True}))))
    attrex("locate", tmp_path / "t.jsonl", "--out", tmp_path / "kept.jsonl")
    attrex("locate", tmp_path / "t.jsonl", "--out", tmp_path / "l.jsonl", "--relabel")
    assert [len(row["spans"]) for row in rows(tmp_path / "kept.jsonl")] == [0, 0]
    assert [len(row["spans"]) for row in rows(tmp_path / "l.jsonl")] == [1, 0]


def test_located_labels_do_not_depend_on_which_row_comes_first(tmp_path: Path) -> None:
    bare = {"id": "1", "text": "Fit: Regular", "attributes": {}}
    filled = {"id": "2", "text": "Dress", "attributes": {"Fit": "Slim"}}
    for name, table in (("a", (bare, filled)), ("b", (filled, bare))):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, table)))
        attrex("locate", tmp_path / f"{name}.jsonl", "--out", tmp_path / f"{name}-out.jsonl")
    spans = [{row["id"]: row["spans"] for row in rows(tmp_path / f"{name}-out.jsonl")} for name in "ab"]
    assert spans[0] == spans[1]
    assert [s["text"] for s in spans[0]["1"]] == ["Regular"]


def test_locate_compares_with_labels_by_hand(data: Path, tmp_path: Path) -> None:
    reference, report = data / "train.jsonl", tmp_path / "report.json"
    options = ["--out", tmp_path / "l.jsonl", "--compare", reference, "--compare", data / "test.jsonl"]
    said = attrex("locate", data / "catalog.jsonl", *options, "--report", report).output
    assert "Agreement with the labels of 48 products" in said  # test.jsonl has none of the table's products
    found = json.loads(report.read_text())["agreement"]
    gold = sum(len(row["spans"]) for row in rows(reference))
    assert found["reference"] == gold
    assert found["precision"] > found["recall"] > 0.2  # a table that is half blank locates half of the values


def test_locate_compares_in_the_texts_of_the_reference(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("id,title,Color\n1,A shoe in the colour red,red\n2,no reference,red\n", encoding="utf-8")
    (tmp_path / "shop.yaml").write_text("columns: {attributes: [Color]}")
    span = {"attribute": "Color", "start": 4, "end": 7, "text": "Red"}
    (tmp_path / "gold.jsonl").write_text(json.dumps({"id": "1", "text": "The Red shoe", "spans": [span]}))
    options = ["--shop", tmp_path / "shop.yaml", "--report", tmp_path / "r.json"]
    attrex("locate", table, "--out", tmp_path / "l.jsonl", "--compare", tmp_path / "gold.jsonl", *options)
    found = json.loads((tmp_path / "r.json").read_text())["agreement"]
    assert (found["products"], found["f1"], found["differences"]) == (1, 1.0, {})


def test_a_comparison_with_other_products_is_refused(data: Path, tmp_path: Path) -> None:
    said = error("locate", data / "catalog.jsonl", "--out", tmp_path / "l.jsonl", "--compare", data / "test.jsonl")
    assert "none of the 20 labelled products to compare with is in the table" in said


def test_names_that_look_like_markup_are_printed_as_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "a[b]"
    folder.mkdir()
    (folder / "t.jsonl").write_text(json.dumps({"id": "1", "title": "red", "attributes": {"[/size] [cm]": "[/]"}}))
    said = attrex("locate", folder / "t.jsonl", "--out", folder / "[bold]l.jsonl").output
    assert "a[b]/[bold]l.jsonl" in said
    assert "[cm]" in said


def test_ocr_adds_what_photos_say(tmp_path: Path) -> None:
    image = Image.new("RGB", (300, 80), "white")
    ImageDraw.Draw(image).text((10, 20), "100% WOOL", fill="black", font=ImageFont.load_default(36))
    image.save(tmp_path / "label.png")
    table = tmp_path / "shop.csv"
    table.write_text("id,title,image\n1,A scarf,label.png\n2,A hat,\n", encoding="utf-8")
    said = attrex("ocr", table, "--out", tmp_path / "read.jsonl").output
    assert "2 products, 1 of which have text in their photos" in said
    one, other = rows(tmp_path / "read.jsonl")
    assert one["fields"] == {"title": "A scarf", "photo_text": "100% WOOL"}
    assert "photo_text" not in str(other)


@pytest.mark.parametrize("name", ["read.jsonl", "read.jsonl.gz"])
def test_ocr_keeps_what_it_has_read_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    shown: list[str] = []

    class Reader:
        """Finds each product's own number in its photos; interrupted at the third."""

        def __init__(self, **_: object) -> None:
            pass

        def read(self, product: Product) -> Product:
            shown.append(product.id)
            if shown == ["1", "2", "3"]:
                raise KeyboardInterrupt
            return replace(product, fields={**product.fields, "photo_text": product.id})

    monkeypatch.setattr(ocr, "PhotoReader", Reader)
    table, out = tmp_path / "shop.csv", tmp_path / name
    table.write_text("id,title,image\n1,a,1.png\n2,b,2.png\n3,c,\n4,d,\n", encoding="utf-8")
    assert (
        "finished work is kept: run the same command with --resume to continue"
        in attrex("ocr", table, "--out", out, code=130).output
    )
    assert [r["id"] for r in rows(tmp_path / f"{name}.part")] == ["1", "2"]
    assert "is an unfinished reading of photos; resume it, or delete it" in error("ocr", table, "--out", out)
    other = tmp_path / "other.csv"
    other.write_text("id,title,image\n1,a,1.png\n7,b,\n", encoding="utf-8")
    assert "its row 2 is '2', but the input has product '7' there" in error("ocr", other, "--out", out, "--resume")
    said = attrex("ocr", table, "--out", out, "--resume").output
    assert "4 products, 4 of which have text in their photos" in said
    assert shown == ["1", "2", "3", "3", "4"]
    assert "is finished already: nothing left to do" in attrex("ocr", table, "--out", out, "--resume").output
    said = error("ocr", table, "--limit", "3", "--out", out, "--resume")
    assert "is finished, but of other products: its row 4 is '4', but the input has the end there" in said
    whole = tmp_path / f"whole-{name}"
    attrex("ocr", table, "--out", whole)
    unpack = gzip.decompress if name.endswith(".gz") else bytes
    assert unpack(out.read_bytes()) == unpack(whole.read_bytes())


# --- train ---------------------------------------------------------------------------------------------------------


def test_train_without_valid_locates_a_table_and_splits_it_by_group(data: Path, preset: Path, tmp_path: Path) -> None:
    shop = tmp_path / "shop.jsonl"
    twice = [
        row | {"id": f"{row['id']}-{n}", "group": row["group"]} for row in rows(data / "catalog.jsonl") for n in "ab"
    ]
    shop.write_text("\n".join(map(json.dumps, twice)), encoding="utf-8")
    quick = ["--preset", preset, "--set", "training.epochs=0.1", "--limit", 60, "--images", data]
    said = attrex("train", "--train", shop, *quick, "--out", tmp_path / "model").output
    assert "60 of 60 products had no labels: the values of their table were located in their texts" in said
    held = int(re.search(r"validation: (\d+) of the products, by group, held out", said)[1])  # type: ignore[index]
    assert 0 < held < 20
    assert held % 2 == 0  # the two products of a group stay together
    assert (tmp_path / "model" / "attrex.json").exists()
    assert Lexicon.load(tmp_path / "model" / "lexicon.yaml")  # as mined, to be edited


def test_train_with_products_labelled_by_hand(data: Path, preset: Path, tmp_path: Path) -> None:
    """One set chooses the best state and S_thr, the other is learned from, as complete."""
    chosen, learned = tmp_path / "chosen.jsonl", tmp_path / "learned.jsonl"
    found = [row | {"id": f"gold-{row['id']}", "complete": False} for row in rows(data / "test.jsonl")]
    for path, part in ((chosen, found[:8]), (learned, found[8:14])):
        path.write_text("\n".join(map(json.dumps, part)), encoding="utf-8")
    arguments = ["train", "--train", data / "train.jsonl", "--gold", chosen, "--preset", preset, "--images", data]
    out = tmp_path / "model"
    attrex(*arguments, "--train-gold", learned, "--limit", 12, "--set", "training.epochs=0.1", "--out", out)
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["validation"]["products"] == 8
    assert metrics["threshold_curve"]
    assert metrics["training_products"] == 18
    assert metrics["supervision"]["complete_products"] >= 6
    assert "give one of them" in error(*arguments, "--valid", data / "valid.jsonl", "--out", tmp_path / "other")


def test_train_with_a_tracker_of_ones_choice(data: Path, preset: Path, tmp_path: Path) -> None:
    arguments = ("train", "--train", data / "train.jsonl", "--out", tmp_path / "shop", "--preset", preset)
    said = error(*arguments, "--tracker", "tensorbord")
    assert "no tracker 'tensorbord'; did you mean 'tensorboard'?" in said
    attrex(*arguments, "--tracker", "none", "--limit", 12)
    assert not (tmp_path / "shop" / "logs").exists()


def test_another_system_is_trained_scored_and_extracted_with_alike(data: Path, preset: Path, tmp_path: Path) -> None:
    options = ["--valid", data / "valid.jsonl", "--preset", preset, "--limit", 12, "--out", tmp_path / "shop"]
    said = attrex("train", "--train", data / "train.jsonl", "--system", "suopentag", *options).output
    assert "SUOpenTag: validation TAG-F1" in said
    attrex("evaluate", tmp_path / "shop", data / "test.jsonl", "--limit", 4, "--json", tmp_path / "all.json")
    attrex(
        "evaluate", tmp_path / "shop", data / "test.jsonl", "--limit", 4, "--given", "--json", tmp_path / "given.json"
    )
    everything, given = (json.loads((tmp_path / f"{n}.json").read_text()) for n in ("all", "given"))
    assert given["sequences_per_product"] < everything["sequences_per_product"]
    attrex("extract", tmp_path / "shop", data / "test.jsonl", "--limit", 4, "--out", tmp_path / "values.jsonl")
    assert len(rows(tmp_path / "values.jsonl")) == 4
    attrex("report", tmp_path / "shop", data / "test.jsonl", "--limit", 4, "--out", tmp_path / "report.html")
    assert "SUOpenTag (shop)" in (tmp_path / "report.html").read_text(encoding="utf-8")
    said = error("export", tmp_path / "shop", "--out", tmp_path / "onnx")
    assert "only ULS-DRAM and its variants are exported, not suopentag; run it with torch" in said
    said = error("train", "--train", data / "train.jsonl", "--system", "opentags", "--out", tmp_path / "other")
    assert "system: no system 'opentags'; did you mean 'opentag'?; known are uls-dram, " in said


def test_the_systems_are_listed_with_what_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attrex.cli.training.console", Console(width=80))
    shown = attrex("systems").stdout
    assert all(name in shown for name in known_systems())
    row = next(line for line in shown.splitlines() if "m-jave-bert" in line)
    assert "Zhu 2020" in row
    assert "encoder, photos*" in row
    assert row.rstrip().endswith("softmax")
    assert all(len(line) <= 80 and "…" not in line for line in shown.splitlines())
    assert "given" in next(line for line in shown.splitlines() if "suopentag" in line)


def test_pretrain_makes_an_encoder_to_train_with(data: Path, preset: Path, tmp_path: Path) -> None:
    options = ["--preset", preset, "--set", "training.epochs=0.1", "--limit", 24, "--valid", data / "valid.jsonl"]
    said = attrex("pretrain", data / "catalog.jsonl", *options, "--out", tmp_path / "encoder").output
    assert re.search(r"\d+ texts, [1-9]\d* known values, \d+ steps", said)  # the table's values were located
    assert "hidden words of the validation products guessed: 0." in said
    assert f"text.model={tmp_path / 'encoder'}" in said
    options = ["--preset", preset, "--system", "k-plug", "--limit", 12, "--set", "training.epochs=0.1"]
    options += ["--set", f"text.model={tmp_path / 'encoder'}", "--valid", data / "valid.jsonl"]
    attrex("train", "--train", data / "train.jsonl", *options, "--out", tmp_path / "shop")


def test_one_group_cannot_be_split(preset: Path, tmp_path: Path) -> None:
    same = [{"id": str(i), "title": "red shoe", "attributes": {"Color": "red"}} for i in range(9)]
    (tmp_path / "same.jsonl").write_text("\n".join(map(json.dumps, same)))
    said = error("train", "--train", tmp_path / "same.jsonl", "--preset", preset, "--out", tmp_path / "model")
    assert "the 9 products are 1 group" in said
    assert "give validation products of their own" in said


def test_a_directory_with_splits_is_trained_on_its_train_split(
    data: Path, preset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str | None] = []

    def read(source: str, **options: Any) -> Iterator[Product]:
        asked.append(options["split"])
        return iter(())

    monkeypatch.setattr(readers, "read_products", read)
    for source in ("hf:shop/products", str(data), str(data / "train.jsonl")):
        said = error("train", "--train", source, "--valid", source, "--preset", preset, "--out", tmp_path / "m")
        assert "none of the 0 training products has labelled spans" in said
    assert asked == ["train", "valid", "train", "valid", None, None]


# --- evaluate ------------------------------------------------------------------------------------------------------


def test_evaluate_writes_the_metrics_as_json(model: Path, data: Path, tmp_path: Path) -> None:
    said = attrex("evaluate", model, data / "test.jsonl", "--json", tmp_path / "m.json", "--threshold", 0.05).output
    assert "decoded sequences per product" in said
    metrics = json.loads((tmp_path / "m.json").read_text())
    assert metrics["products"] == 20
    for name in ("tag", "cls", "cls_with_none"):
        scores = metrics[name]
        low, high = scores["ci95"]
        assert {"precision", "recall", "f1"} <= scores.keys()
        assert 0 <= low <= scores["f1"] <= high <= 1
    assert 0 < metrics["tag"]["f1"] <= 1
    assert 0 <= metrics["accuracy"] <= 1
    assert 0 <= metrics["macro_f1"] <= 1
    assert {"precision", "recall", "f1"} <= metrics["per_attribute"]["Color"].keys()


def test_runs_are_compared(model: Path, data: Path, tmp_path: Path) -> None:
    files = [tmp_path / "all.json", tmp_path / "texts.json"]
    for file, options in zip(files, ([], ["--no-photos"]), strict=True):
        attrex("evaluate", model, data / "test.jsonl", "--json", file, *options)
    csv, plot = tmp_path / "runs.csv", tmp_path / "runs.svg"
    said = attrex("compare", *files, "--against", "texts", "--csv", csv, "--plot", plot)
    assert {line.split("|")[1].strip() for line in said.stdout.splitlines()[2:]} == {"all", "texts"}
    assert "minutes" not in said.stdout
    assert "sequences" in attrex("compare", *files, "--all").stdout
    assert csv.read_text().count("\n") == 3
    assert plot.read_text().startswith("<?xml")
    for mistake, words in (
        (["--metric", "tga"], "did you mean 'tag'"),
        (["--part", "golden"], "did you mean 'gold'"),
        (["--csv", "runs.txt"], "--csv should end in .csv"),
        (["--plot", "runs.txt"], "--plot should end in .svg or .png or .pdf"),
    ):
        assert words in error("compare", *files, *mistake)
    said = attrex("compare", files[0], files[0])
    assert "2 files were named, but only 1 different ones: each counts once" in said.stderr
    assert "| all | 1     |" in said.stdout
    many = tmp_path / "many.jsonl"
    many.write_text("".join(json.dumps({"run": f"r{i}", "test": {"tag": {"f1": i / 20}}}) + "\n" for i in range(17)))
    said = attrex("compare", many)
    assert said.stdout.count("\n") == 2 + 15
    assert "the 15 best of 17 rows; --all shows every row" in said.stderr
    assert attrex("compare", f"{many}::r1*").stdout.count("\n") == 2 + 8
    assert attrex("compare", many, "--all").stdout.count("\n") == 2 + 17
    (tmp_path / "b").mkdir()
    again = files[0].rename(tmp_path / "b" / "texts.json")
    assert f"texts: {files[1]}, {again} have no seed" in attrex("compare", files[1], again).stderr


def test_evaluate_gives_bounds_where_labels_are_missing_and_gold_beside(
    model: Path, data: Path, tmp_path: Path
) -> None:
    silver = tmp_path / "silver.jsonl"
    attrex("locate", data / "catalog.jsonl", "--out", silver, "--images", data)
    options = ["--gold", data / "test.jsonl", "--no-photos", "--threshold", 0.05, "--limit", 12]
    said = attrex("evaluate", model, silver, *options, "--json", tmp_path / "m.json").output
    assert "The labels are not complete." in said
    assert "Labelled by hand" in said
    metrics = json.loads((tmp_path / "m.json").read_text())
    found = metrics["incomplete"]
    assert found["recall"] == metrics["tag"]["recall"]
    assert metrics["tag"]["precision"] == found["precision_lower"] <= found["precision_upper"] <= 1
    assert found["finds_in_blank_cells"] > 0
    assert metrics["gold"]["products"] == 20  # all of them, whatever the limit of the others
    assert metrics["gold"]["tag"].keys() >= {"precision", "recall", "f1"}
    assert metrics["gold"]["overlap"]["f1"] >= metrics["gold"]["tag"]["f1"]
    assert "incomplete" not in metrics["gold"]


def test_evaluate_says_at_once_that_gold_has_no_labels(model: Path, data: Path) -> None:
    said = error("evaluate", model, data / "test.jsonl", "--gold", data / "catalog.jsonl")
    assert "has no spans, so that nobody seems to have labelled it" in said


def test_evaluate_only_some_attributes(model: Path, data: Path, tmp_path: Path) -> None:
    options = ["--attributes", "Color, Brand", "--no-photos", "--json", tmp_path / "m.json"]
    assert "note:" not in attrex("evaluate", model, data / "test.jsonl", *options).stderr
    assert set(json.loads((tmp_path / "m.json").read_text())["per_attribute"]) == {"Color", "Brand"}
    said = attrex("evaluate", model, data / "test.jsonl", "--attributes", "Color,Foo", "--no-photos").stderr
    assert "note: no product has a labelled span of ['Foo']" in said


def test_evaluate_says_before_it_extracts_that_there_is_nothing_to_score(model: Path, data: Path) -> None:
    assert "has no labels to score against" in error("evaluate", model, data / "catalog.jsonl")
    said = error("evaluate", model, data / "test.jsonl", "--attributes", "Colour")
    assert "none of the attributes to score (Colour) has a gold span" in said


def test_evaluate_on_rows_none_of_which_can_be_read(model: Path, tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{broken\n{"id": "2", "text": 5\n')
    said = error("evaluate", model, tmp_path / "t.jsonl")
    assert "none of the 2 products could be read, the first because of: t.jsonl line 1" in said


def test_evaluate_on_attributes_that_the_model_does_not_know(model: Path, tmp_path: Path) -> None:
    row = {"id": "1", "text": "red shoe", "spans": [{"attribute": "Farbe", "start": 0, "end": 3, "text": "red"}]}
    (tmp_path / "t.jsonl").write_text(json.dumps(row))
    said = attrex("evaluate", model, tmp_path / "t.jsonl").stderr
    assert "note: the model knows none of the labelled attributes, ['Farbe']" in said


def test_the_table_test_has_its_figures_for_three_kinds_of_photos(
    model: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attrex.cli.measuring.console", Console(width=80))
    options = ["--valid", data / "valid.jsonl", "--images", data, "--threshold", 0.05, "--json", tmp_path / "t.json"]
    said = attrex("evaluate", model, data / "catalog.jsonl", "--table", "--attributes", "Color, Brand", *options)
    assert all(len(line) <= 80 for line in said.stdout.splitlines())
    found = json.loads((tmp_path / "t.json").read_text())
    assert (found["products"], found["validation_products"]) == (48, 12)
    assert found["photos"].keys() == {"own", "none", "other"}
    for scores in found["photos"].values():
        assert scores["per_attribute"].keys() == {"Color", "Brand"}
        assert 0 <= scores["all"]["coverage@0.98"] <= scores["all"]["coverage@0.95"] <= scores["all"]["answered"]
        assert scores["all"]["unsaid"] is None  # nobody has looked for spans
    accuracy = found["photos"]["own"]["all"]["accuracy"]
    assert accuracy > 0
    assert f"{accuracy:.3f} (" in next(line for line in said.stdout.splitlines() if line.startswith("accuracy "))


def test_the_table_test_on_texts_alone_and_without_validation(model: Path, data: Path, tmp_path: Path) -> None:
    options = ["--table", "--attributes", "Color", "--no-photos", "--limit", 8, "--json", tmp_path / "t.json"]
    assert "Give --valid FILE" in attrex("evaluate", model, data / "test.jsonl", *options).stdout
    found = json.loads((tmp_path / "t.json").read_text())
    assert (found["products"], found["validation_products"], list(found["photos"])) == (8, None, ["none"])
    assert found["photos"]["none"]["all"].keys() >= {"accuracy", "unsaid", "ece", "reliability", "ci95"}
    assert "coverage@0.95" not in found["photos"]["none"]["all"]
    assert "t.json is no measured run" in error("compare", tmp_path / "t.json")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--table"], "expected attributes with at least 50 filled cells, got "),
        (["--table", "--attributes", "Colour"], "did you mean 'Color'"),
        (["--table", "--gold", "g.jsonl"], "takes no labels; leave out --gold and --given"),
        (["--table", "--given"], "takes no labels; leave out --gold and --given"),
        (["--valid", "v.jsonl"], "give --table, or leave it out"),
        (["--table", "--valid", "v.jsonl", "--json", "v.jsonl"], "--json v.jsonl is read or written already"),
    ],
)
def test_what_the_table_test_cannot_do(model: Path, data: Path, options: list[str], words: str) -> None:
    assert words in error("evaluate", model, data / "test.jsonl", *options)


# --- calibrate -----------------------------------------------------------------------------------------------------


@pytest.fixture(params=["model", "export"])
def calibrated(request: pytest.FixtureRequest, model: Path, tmp_path: Path) -> Path:
    """A model or an export whose calibration may be replaced."""
    directory = tmp_path / request.param
    if request.param == "model":
        return Path(shutil.copytree(model, directory))
    return write_export(load_model(model), directory)


def test_confidences_become_those_of_your_filled_cells(calibrated: Path, data: Path, tmp_path: Path) -> None:
    def extracted(name: str) -> list[Prediction]:
        out = tmp_path / name
        attrex("extract", calibrated, data / "test.jsonl", "--out", out, "--threshold", 0.05)
        return list(read_predictions(out))

    before, old = extracted("before.jsonl"), json.loads((calibrated / "calibration.json").read_text())
    said = attrex("calibrate", calibrated, data / "catalog.jsonl", "--limit", 30)
    assert re.search(
        r"^confidences calibrated on \d+ filled cells: [\d.]+% of the surest values are right, ", said.stdout
    )
    assert said.stderr.splitlines()[-1] == f"calibration: {calibrated / 'calibration.json'}"
    new = json.loads((calibrated / "calibration.json").read_text())
    assert new.keys() == old.keys()
    assert new["common"] != old["common"]
    after = extracted("after.jsonl")
    assert [p.spans for p in after] == [p.spans for p in before]  # what is tagged stays where it is
    assert [p.range for p in after] == [p.range for p in before]
    words = [[[(v.attribute, v.value) for v in p.values if v.source] for p in found] for found in (before, after)]
    assert words[0] == words[1]
    assert [v.confidence for p in after for v in p.values] != [v.confidence for p in before for v in p.values]


def test_calibrating_without_photos_and_with_too_few_cells(model: Path, data: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(model, tmp_path / "copy"))
    before = (copy / "calibration.json").read_text()
    said = error("calibrate", copy, data / "catalog.jsonl", "--limit", 1)
    assert "a calibration needs candidates that are right and ones that are wrong" in said
    (tmp_path / "texts.jsonl").write_text('{"id": "1", "text": "a red shirt"}\n')
    said = error("calibrate", copy, tmp_path / "texts.jsonl")
    assert (
        "needs filled cells of the model's attributes, got none in 1 products; give products with their table" in said
    )
    assert (copy / "calibration.json").read_text() == before
    attrex("calibrate", copy, data / "catalog.jsonl", "--no-photos", "--limit", 20)
    assert (copy / "calibration.json").read_text() != before


def test_a_model_without_a_value_head_is_not_calibrated(model: Path, data: Path, tmp_path: Path) -> None:
    plain = load_model(model)
    plain.network.values = plain.network.value_range = None
    plain.config = plain.config.model_copy(update={"values": plain.config.values.model_copy(update={"head": False})})
    plain.save(tmp_path / "plain")
    said = error("calibrate", tmp_path / "plain", data / "catalog.jsonl")
    assert f"{tmp_path / 'plain'} has no value head to calibrate; train it with values.head=true" in said
    assert "expected the directory of a model, whose calibration is replaced, got 'shop/model'" in error(
        "calibrate", "shop/model", data / "catalog.jsonl"
    )


# --- extract -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def extracted(model: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Values of the test products, in batches of one product."""
    out = tmp_path_factory.mktemp("out") / "values.jsonl"
    said = attrex(*extraction(model, data, out)).output
    assert re.search(r"20 products, [1-9]\d* values; 0 products with warnings, 0 rows", said)
    return out


def extraction(model: Path, data: Path, out: Path, *more: object) -> list[object]:
    return ["extract", model, data / "test.jsonl", "--out", out, "--threshold", 0.05, "--batch-size", 1, *more]


def test_extracted_values_are_in_the_texts_in_input_order(extracted: Path, model: Path, data: Path) -> None:
    products = list(readers.read_products(data / "test.jsonl"))
    predictions = list(read_predictions(extracted))
    assert [p.id for p in predictions] == [p.id for p in products]
    known = {(a.name, option) for a in Shop.load(model).schema.attributes for option in a.options}
    for product, prediction in zip(products, predictions, strict=True):
        assert prediction.coverage == 1
        for value in prediction.values:
            if value.source is None:  # chosen
                assert (value.attribute, value.value) in known
            else:
                assert product.fields[value.source.field][value.source.start : value.source.end] == value.source.text
                assert prediction.range[value.attribute] > 0.05
            assert 0 <= value.confidence <= 1
            assert len(value.regions) == 1  # one photo, seen in 2 x 2 regions
            assert [len(row) for row in value.regions[0].weights] == [2, 2]


def test_parquet_holds_what_jsonl_holds(extracted: Path, model: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "values.parquet"
    attrex(*extraction(model, data, out))
    assert list(read_predictions(out)) == list(read_predictions(extracted))
    assert pq.read_schema(out).names == ["id", "values", "range", "coverage", "warnings", "error", "content"]


def test_values_can_come_without_evidence_and_only_sure_ones(
    extracted: Path, model: Path, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "values.jsonl"
    everything = [v for p in read_predictions(extracted) for v in p.values]
    middle = sorted(v.confidence for v in everything)[len(everything) // 2]
    attrex(*extraction(model, data, out, "--no-evidence", "--min-confidence", middle))
    kept = [v for p in read_predictions(out) for v in p.values]
    assert 0 < len(kept) < len(everything)
    assert all(v.confidence >= middle and not v.regions for v in kept)


def test_rows_that_cannot_be_read_and_bad_photos_are_marked_in_the_output(model: Path, tmp_path: Path) -> None:
    good = {"id": "good", "title": "A red shoe", "image": "missing.jpg"}
    (tmp_path / "shop.jsonl").write_text(f"{json.dumps(good)}\n{{broken\n" + json.dumps({"id": "bare", "title": 3}))
    said = attrex("extract", model, tmp_path / "shop.jsonl", "--out", tmp_path / "v.jsonl", code=1).output
    assert "3 products" in said
    assert "1 products with warnings, 2 rows that could not be read (marked in the output)" in said
    first, second, third = rows(tmp_path / "v.jsonl")
    assert first["id"] == "good"
    assert "missing.jpg" in first["warnings"][0]
    assert (second["id"], second["values"]) == ("row-2", [])
    assert "shop.jsonl line 2: expected one JSON object" in second["error"]
    assert "expected text" in third["error"]


def test_every_command_that_reads_products_counts_the_rows_that_it_cannot_read() -> None:
    options = {name: {p.opts[0] for p in command.params} for name, command in COMMANDS.items()}
    reading = {name for name, known in options.items() if "--shop" in known}
    assert reading == {name for name, known in options.items() if "--max-bad-rows" in known}
    assert {"check", "locate", "train", "extract", "fill", "report", "evaluate", "photos"} <= reading
    assert error("locate", "t.jsonl", "--out", "o.jsonl", "--max-bad-rows", "many").startswith(
        "error: --max-bad-rows should be a number of rows such as 20, or a share such as 5%, got 'many'"
    )


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ((), 1, "error: 4 of 100 rows of {table} could not be read (more than 1 %); correct them, or set"),
        (("--max-bad-rows", "3"), 1, "error: 4 of 100 rows of {table} could not be read (more than 3); correct them"),
        (("--max-bad-rows", "4"), 0, "4 of 100 rows of {table} could not be read, which --max-bad-rows allows (4):"),
        (("--max-bad-rows", "5%"), 0, "4 of 100 rows of {table} could not be read, which --max-bad-rows allows (5 %):"),
    ],
)
def test_too_many_rows_that_cannot_be_read_end_a_command_with_1(
    tmp_path: Path, options: tuple[str, ...], code: int, said: str
) -> None:
    table, out = tmp_path / "t.jsonl", tmp_path / "located.jsonl"
    table.write_text(
        "".join("{\n" if n in (5, 6, 7, 8) else f'{{"id": "{n}", "title": "Boots"}}\n' for n in range(100))
    )
    shown = attrex("locate", table, "--out", out, *options, code=code).output
    message = shown[shown.index(said.format(table=table)) :].splitlines()
    assert [line.split(":")[0] for line in message[1:5]] == [*(f"  t.jsonl line {n}" for n in (6, 7, 8)), "  ..."]
    assert len(rows(out)) == 100  # what could be read is there


def test_check_ends_with_1_where_a_part_of_a_file_is_damaged(data: Path, preset: Path, tmp_path: Path) -> None:
    packed = gzip.compress((data / "train.jsonl").read_bytes())
    (tmp_path / "cut.jsonl.gz").write_bytes(packed[:-100])
    report = tmp_path / "report.json"
    said = attrex(
        "check", tmp_path / "cut.jsonl.gz", "--preset", preset, "--no-photos", "--json", report, code=1
    ).output
    assert "(a part of the file is damaged); make the file again:" in said
    found = json.loads(report.read_text())
    assert found["ok"] is False
    assert found["findings"][0]["check"] == "too-many-bad-rows"


def test_image_paths_start_from_the_data_file_or_from_images(
    model: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    beside = tmp_path / "beside.jsonl"
    attrex("extract", model, data / "test.jsonl", "--out", beside, "--limit", 2)
    assert all(not p.warnings for p in read_predictions(beside))
    moved = tmp_path / "elsewhere" / "moved.jsonl"
    moved.parent.mkdir()
    moved.write_bytes((data / "test.jsonl").read_bytes())
    attrex("extract", model, moved, "--out", tmp_path / "without.jsonl", "--limit", 2)
    assert all("photo 1 left out" in p.warnings[0] for p in read_predictions(tmp_path / "without.jsonl"))
    attrex("extract", model, moved, "--out", tmp_path / "with.jsonl", "--limit", 2, "--images", data)
    assert list(read_predictions(tmp_path / "with.jsonl")) == list(read_predictions(beside))


def test_a_table_in_csv_with_columns_of_its_own(model: Path, tmp_path: Path) -> None:
    (tmp_path / "shop.csv").write_text("sku;name;info\n7;Red shoe;Made of leather\n", encoding="utf-8")
    (tmp_path / "shop.yaml").write_text("columns: {id: sku, texts: [name, info]}\n")
    out = tmp_path / "v.jsonl"
    attrex("extract", model, tmp_path / "shop.csv", "--out", out, "--shop", tmp_path / "shop.yaml")
    assert rows(out)[0]["id"] == "7"
    attrex("extract", model, tmp_path / "shop.csv", "--out", out, "--texts", "name, info")
    assert rows(out)[0]["id"] == "row-2"  # no column `id`: the line stands in for it


def test_a_model_reads_the_files_of_its_own_shop(model: Path, tmp_path: Path) -> None:
    own = tmp_path / "model"
    shutil.copytree(model, own)
    shop = Shop.load(own)
    replace(shop, columns=ColumnMapping(id="sku", texts=("said",))).save(own / "shop.yaml")
    (tmp_path / "shop.csv").write_text("sku;said\n7;Red shoe\n", encoding="utf-8")
    attrex("extract", own, tmp_path / "shop.csv", "--out", tmp_path / "v.jsonl")
    assert rows(tmp_path / "v.jsonl")[0]["id"] == "7"
    said = error("extract", own, tmp_path / "shop.csv", "--out", tmp_path / "w.jsonl", "--shop", model)
    assert "expected a text column" in said


def interrupt_after(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    read = readers.read_products

    def interrupted(*arguments: Any, **options: Any) -> Iterator[Product]:
        yield from islice(read(*arguments, **options), number)
        raise KeyboardInterrupt

    monkeypatch.setattr(readers, "read_products", interrupted)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_an_interrupted_extraction_goes_on_to_the_same_file(
    extracted: Path, model: Path, data: Path, tmp_path: Path, suffix: str
) -> None:
    out, part = tmp_path / f"v{suffix}", tmp_path / f"v{suffix}.part"
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(patch, 18)
        said = attrex(*extraction(model, data, out), code=130).output
    assert "interrupted; finished work is kept: run the same command with --resume to continue" in said
    assert len(part.read_text().splitlines()) == 16  # computed 16 at a time
    assert not out.exists()
    with part.open("a") as stream:
        stream.write('{"id": "half a li')

    assert "is an unfinished extraction; resume it, or delete it" in error(*extraction(model, data, out))
    said = attrex(*extraction(model, data, out, "--resume")).output
    assert re.search(r"20 products, [1-9]\d* values", said)
    assert not part.exists()
    if suffix == ".jsonl":
        assert out.read_bytes() == extracted.read_bytes()
    assert list(read_predictions(out)) == list(read_predictions(extracted))

    before = out.read_bytes()
    assert "is finished already: nothing left to do" in attrex(*extraction(model, data, out, "--resume")).output
    assert out.read_bytes() == before


def test_an_extraction_interrupted_before_its_first_row_is_not_the_finished_one_before_it(
    extracted: Path, model: Path, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "v.jsonl"
    out.write_text("old\n")
    assert "no model directory" in error("extract", tmp_path / "gone", data / "test.jsonl", "--out", out)
    assert [p.name for p in tmp_path.iterdir()] == ["v.jsonl"]  # an error leaves nothing unfinished
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(patch, 0)
        attrex(*extraction(model, data, out, "--images", data), code=130)
    assert out.read_text() == "old\n"
    said = error(*extraction(model, data, out, "--resume"))
    assert f"was made with --images '{data.resolve()}', not None" in said
    attrex(*extraction(model, data, out, "--images", data, "--resume"))
    assert list(read_predictions(out)) == list(read_predictions(extracted))
    said = error(*extraction(model, data, out, "--images", data, "--resume", "--limit", "3"))
    assert "is finished, but of other products: its row 4 is" in said


def test_an_interrupted_locate_leaves_no_half_file(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt_after(monkeypatch, 5)
    said = attrex("locate", data / "test.jsonl", "--out", tmp_path / "l.jsonl", code=130).output
    assert said.strip().endswith("interrupted; run the same command to start again")
    assert list(tmp_path.iterdir()) == []


def test_an_extraction_is_not_resumed_with_other_products(
    extracted: Path, model: Path, data: Path, tmp_path: Path
) -> None:
    part = tmp_path / "v.jsonl.part"
    kept = extracted.read_text().splitlines(keepends=True)[:16]
    part.write_text("".join(reversed(kept)))
    said = error(*extraction(model, data, tmp_path / "v.jsonl", "--resume"))
    assert (
        "was made from other products: its row 1 is 'drawn-0000015', but the input has product 'drawn-0000000'" in said
    )
    assert "delete the file to start again" in said


# --- report --------------------------------------------------------------------------------------------------------


def test_report_of_one_and_of_two_models(model: Path, data: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one.html", tmp_path / "two.html"
    attrex("report", model, data / "test.jsonl", "--out", one, "--products", 3, "--limit", 6)
    attrex("report", model, model, data / "test.jsonl", "--out", two, "--limit", 3, "--no-photos")
    page = one.read_text(encoding="utf-8")
    assert "ULS-DRAM (shop)" in page
    assert "3 of 6 products are shown" in page
    assert f"ULS-DRAM ({model})" in two.read_text(encoding="utf-8")  # the same last name: told apart by the whole path


# --- export, settings ----------------------------------------------------------------------------------------------


def test_an_export_is_extracted_from_as_its_model_is(model: Path, extracted: Path, data: Path, tmp_path: Path) -> None:
    export, out = tmp_path / "onnx", tmp_path / "values.jsonl"
    sample = ("--sample", data / "valid.jsonl", "--limit", 5)
    said = attrex("export", model, "--out", export, *sample, "--tolerance", 1).output
    assert "5 products: agreement with the model F1" in said
    said = attrex("export", model, "--out", export, "--tolerance", 1).output  # in place of the first
    assert "no sample: compared on 100 drawn products" in said
    attrex("extract", export, data / "test.jsonl", "--out", out, "--backend", "onnx", "--threshold", 0.05)
    for one, other in zip(rows(out), rows(extracted), strict=True):
        assert one["id"] == other["id"]
        told = ("attribute", "value", "source", "decided_by")
        assert [[v[key] for key in told] for v in one["values"]] == [[v[key] for key in told] for v in other["values"]]


def test_settings_of_a_preset_with_a_change() -> None:
    said = attrex("settings", "--preset", "mae", "--set", "training.seed=7").output
    assert said.startswith("# Settings of `mae` (ULS-DRAM)\n")
    assert "| `training.seed` | `7` |" in said


# --- what goes wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("check {data}/tset.jsonl", "expected a file or directory, found nothing there; did you mean 'test.jsonl'?"),
        ("extract {model} {data}/test.jsonl --out v.jsonl --texts titel", "did you mean 'title'?"),
        ("train --train {data}/train.jsonl --out m --preset smal", "no preset or file 'smal'; presets: mae,"),
        ("train --train {data}/train.jsonl --out m --set trainng.epochs=2", "did you mean 'training'?"),
        ("train --train {data}/train.jsonl --out m --set training.epochs", "--set takes section.key=value"),
        ("evaluate {data}/nothing {data}/test.jsonl", "no model directory"),
        ("evaluate {data} {data}/test.jsonl", "is not an Attrex model"),
        (
            "extract {model} {data}/test.jsonl --out v.csv",
            "a file of predictions should end in .jsonl or .parquet, got 'v.csv'",
        ),
        (
            "extract {model} {data}/test.jsonl --out {data}/test.jsonl",
            "is read or written already",
        ),
        (
            "locate {data}/catalog.jsonl --out {data}/catalog.jsonl",
            "is read or written already",
        ),
        ("check {data}/train.jsonl --json {data}/train.jsonl", "train.jsonl is read or written already"),
        ("evaluate {model} {data}/test.jsonl --json {data}/test.jsonl", "is read or written already"),
        ("evaluate {model} {data}/test.jsonl --json {data}", "--json should be a file, but {data} is a directory"),
        ("benchmark {model} {data}/test.jsonl --json {data}/test.jsonl", "is read or written already"),
        ("evaluate {model} {data}/test.jsonl --json {model}/metrics.json", "is read or written already"),
        ("benchmark {model} {data}/test.jsonl --json {model}/image.json", "is read or written already"),
        ("check {data}/train.jsonl --shop c.yaml --json c.yaml", "is read or written already"),
        ("locate {data}/catalog.jsonl --out l.jsonl --report l.jsonl", "--report l.jsonl is read or written already"),
        ("locate {data}/catalog.jsonl --out l.jsonl --shop p.yaml --mine p.yaml", "--mine p.yaml is read or written"),
        (
            "train --train {data}/train.jsonl --out m --seed -1",
            "training.seed: Input should be greater than or equal to",
        ),
        ("train --train {data}/train.jsonl --out {data}/train.jsonl", "expected a directory, got a file"),
        ("extract {model} {data}/test.jsonl --out v.jsonl --cache {data}/test.jsonl", "should be a directory, but"),
        ("locate {data}/catalog.jsonl --out l.csv", "--out should end in .jsonl or .jsonl.gz, got 'l.csv'"),
        ("locate {data}/catalog.jsonl --out l.jsonl --shop {data}/none.yaml", "no shop file"),
        ("locate {data}/catalog.jsonl --out l.jsonl --lexicon {data}/none.yaml", "no lexicon"),
        ("locate {data}/catalog.jsonl --out l.jsonl --mine a.yaml --lexicon b.yaml", "give one of them"),
        ("locate {data}/catalog.jsonl --out l.jsonl --mine {model}/shop.yaml", "and may have been edited: use it"),
        ("locate {data}/catalog.jsonl --out l.jsonl --mine a.json", "--mine should end in .yaml or .yml, got 'a.json'"),
        ("report {model} {data}/test.jsonl --out r.pdf", "--out should end in .html or .htm, got 'r.pdf'"),
        ("report {model} a b {data}/test.jsonl --out r.html", "at most one more MODEL2, and DATA; got 4 arguments"),
        ("check {data}/train.jsonl --shop {data}/train.jsonl", "train.jsonl is not YAML"),
        ("push {data} shop/model", "is not an Attrex model"),
    ],
)
def test_mistakes_are_told_in_one_line(
    arguments: str, words: str, model: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = {path: path.read_bytes() for path in data.iterdir() if path.is_file()}
    assert words.format(data=data) in error(*shlex.split(arguments.format(data=data, model=model)))
    assert {path: path.read_bytes() for path in data.iterdir() if path.is_file()} == before


def test_an_output_that_is_a_directory_or_under_a_file(model: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").mkdir()
    (tmp_path / "file").touch()
    assert "is a directory; name a file in it" in error(*extraction(model, data, tmp_path / "d.jsonl"))
    assert "cannot make the directory" in error(*extraction(model, data, tmp_path / "file" / "v.jsonl"))
    said = error("locate", data / "catalog.jsonl", "--out", tmp_path / "file" / "l.jsonl")
    assert str(tmp_path / "file") in said


def test_unknown_options_are_told_by_name(data: Path) -> None:
    said = attrex("check", data / "train.jsonl", "--shops", "x.yaml", code=2).output
    assert "No such option" in said
    assert "--shop" in said
    assert "does not exist" in attrex("check", data / "train.jsonl", "--images", data / "none", code=2).output


def test_an_empty_file_of_products(model: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    said = error("extract", model, tmp_path / "empty.jsonl", "--out", tmp_path / "v.jsonl")
    assert "expected at least one product, got an empty file" in said
    assert not (tmp_path / "v.jsonl.part").exists()


def test_a_faulty_shop_file(data: Path, tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text("columns: {text: name}")
    said = error("locate", data / "catalog.jsonl", "--out", tmp_path / "l.jsonl", "--shop", tmp_path / "shop.yaml")
    assert "columns: unknown key 'text'; did you mean 'texts'?" in said


def test_every_key_of_columns_and_cells_can_be_set(tmp_path: Path) -> None:
    product = {
        "sku": "1",
        "name": "<b>Red</b> shoe",
        "pic": "x.jpg",
        "kind": "Shoes",
        "Color": "red / blue",
        "Fit": "no",
        "set": "g",
    }
    pq.write_table(pa.Table.from_pylist([product | {"Size": "-", "labels": None}]), tmp_path / "shop.parquet")
    columns = {
        "id": "sku", "texts": "name", "images": ["pic"], "category": "kind", "spans": "labels",
        "attributes": ["Color", "Fit", "Size"], "group": "set", "complete": False, "html": ["name"],
    }  # fmt: skip
    cells = {"blank": ["-"], "absent": ["no"], "separator": "/", "other_columns": "keep"}
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump({"columns": columns, "cells": cells}))
    assert set(columns) == {f.name for f in fields(ColumnMapping)}
    assert {*cells, "columns"} == {f.name for f in fields(Cells)}
    attrex("locate", tmp_path / "shop.parquet", "--out", tmp_path / "l.jsonl", "--shop", tmp_path / "shop.yaml")
    row = rows(tmp_path / "l.jsonl")[0]
    assert row["attributes"] == {"Color": ["red", "blue"], "Fit": []}
    assert [(s["text"], s["start"]) for s in row["spans"]] == [("Red", 3)]
    assert row["fields"] == {"name": "   Red     shoe"}
    assert (row["id"], row["category"], row["group"], row["images"]) == ("1", "Shoes", "g", ["x.jpg"])
