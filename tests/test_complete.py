"""From an export to a filled one in one call, in steps that are not done twice."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

import attrex
from attrex.cli import app
from attrex.config import Config
from attrex.demo.catalogue import write_catalogue
from attrex.errors import ConfigError, DataError
from attrex.pipeline import Completion, completing
from attrex.progress import ProgressEvent
from attrex.training.pace import Pace

ATTRIBUTES = ("Color", "Material", "Pattern", "Fit", "Season")
Rows = list[list[str]]


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_catalogue(tmp_path_factory.mktemp("catalogue"), train=70, valid=1, test=1, image_size=32)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, tiny: Config) -> Path:
    """The tiny configuration as a file."""
    path = tmp_path_factory.mktemp("configuration") / "tiny.yaml"
    path.write_text(tiny.to_yaml(), encoding="utf-8")
    return path


def write(path: Path, rows: Rows) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def read(path: Path) -> Rows:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def as_table(catalogue: Path) -> Rows:
    rows: Rows = [["sku", "title", "description", "image", *ATTRIBUTES, "price"]]
    for number, product in enumerate(
        map(json.loads, (catalogue / "catalog.jsonl").read_text(encoding="utf-8").splitlines())
    ):
        fields, cells = product["fields"], product["attributes"]
        if number % 5:  # easily learned: it is always the same
            cells["Season"] = ["All year"]
        texts = [fields.get("title", ""), fields.get("description", "")]
        values = ["|".join(v if isinstance(v := cells.get(a) or "", list) else [v]) for a in ATTRIBUTES]
        rows.append([product["id"], *texts, Path(product["image"]).name, *values, "9.90"])
    return rows


def as_shopify(table: Rows) -> Rows:
    names = [f"{a} (product.metafields.custom.{a.lower().replace(' ', '_')})" for a in ATTRIBUTES]
    rows: Rows = [["Handle", "Title", "Body (HTML)", "Option1 Name", "Option1 Value", "Image Src", *names]]
    for sku, title, description, image, *cells in table[1:]:
        rows.append([sku, title, f"<p>{description}</p>", "Size", "S", image, *cells[:-1]])
        rows.append([sku, "", "", "", "M", "", *[""] * len(names)])
    return rows


def only_blank_cells_were_filled(before: Rows, after: Rows) -> int:
    """How many."""
    assert [len(row) for row in after] == [len(row) for row in before]
    pairs = [(b, a) for x, y in zip(before, after, strict=True) for b, a in zip(x, y, strict=True)]
    assert all(b in ("", a) for b, a in pairs)
    return sum(b != a for b, a in pairs)


def killed(*args: object, **options: object) -> None:
    raise KeyboardInterrupt


def never(*args: object, **options: object) -> None:
    raise AssertionError("this step was finished")


@pytest.fixture(scope="module")
def completed(
    catalogue: Path, small: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Completion, Callable[..., Completion], list[str]]:
    """The drawn catalogue as a CSV file, completed; killed before the extraction, and started again."""
    directory, said = tmp_path_factory.mktemp("shop"), list[str]()
    export = write(directory / "export.csv", as_table(catalogue))

    def run(**options: object) -> Completion:
        out = directory / "filled.csv"
        given = {
            "photos": catalogue / "images",
            "config": small,
            "settings": ["training.epochs=0.5"],
            "progress": lambda e: said.append(e.message),
        }
        return attrex.complete(export, out, **given | options)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(completing, "extract", killed)
        with pytest.raises(KeyboardInterrupt):
            run()
    assert not (directory / "filled.csv").exists()
    with pytest.MonkeyPatch.context() as patch:
        for step in ("locate", "check", "train"):
            patch.setattr(completing, step, never)
        found = run()
    return export, found, run, [s for s in said if s]


def test_an_export_comes_back_with_blank_cells_filled(completed: tuple[Path, Completion, object, list[str]]) -> None:
    export, found, _, said = completed
    filled = only_blank_cells_were_filled(read(export), read(found.filled))
    assert filled == found.cells["filled"] > 0
    assert found.work == export.parent / "filled.csv.work"
    assert f"everything is kept in {found.work}" in said
    assert [s[:3] for s in said if s[1:2] == "/"] == ["1/6", "2/6", "3/6", "4/6", "4/6", "5/6", "6/6"]
    assert any("export.csv is read as" in s for s in said)
    assert list(found.minutes) == ["label", "check", "train", "extract", "fill", "report"]
    for path in (found.changes, found.report, found.values, found.model / "attrex.json", found.work / "lexicon.yaml"):
        assert path.is_file()
    assert (found.model / "lexicon.yaml").is_file(), "the model knows what the texts call the values"
    photos = json.loads((found.work / "check.json").read_text())["images"]
    assert photos["readable"] == 70 if "readable" in photos else sum(photos.values()) >= 70


def test_the_model_is_judged_by_products_that_it_was_not_trained_on(
    completed: tuple[Path, Completion, object, list[str]],
) -> None:
    _, found, _, _ = completed
    learned = json.loads((found.model / "metrics.json").read_text())["training_products"]
    assert 0 < found.held_out["products"] < 20
    assert learned + found.held_out["products"] == 70


def test_the_fills_are_taken_back(completed: tuple[Path, Completion, object, list[str]], tmp_path: Path) -> None:
    export, found, _, _ = completed
    attrex.undo_fill(found.changes, out=tmp_path / "undone.csv")
    assert (tmp_path / "undone.csv").read_bytes() == export.read_bytes()


def test_what_is_finished_is_not_done_again(
    completed: tuple[Path, Completion, Callable[..., Completion], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, found, run, _ = completed
    before = found.filled.read_bytes()
    for step in ("locate", "check", "train", "extract"):
        monkeypatch.setattr(completing, step, never)
    with monkeypatch.context() as patch:
        patch.setattr(completing, "fill", never)
        patch.setattr(completing, "report", never)
        assert run() == found
    assert run(precision=0.999).cells["filled"] == 0, "so few held-out cells cannot reach it"
    assert run().cells == found.cells
    assert found.filled.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"minutes": 7}, r"holds a run of something else: minutes was 30.0 and is now 7\. .*`work`"),
        ({"settings": ["training.seed=5"]}, "configuration was"),
        ({"photos": "nowhere"}, "photos should be a directory, found none at nowhere; check the path"),
        ({"minutes": 0}, "minutes should be more than 0, got 0"),
        ({"precision": 1.5}, "precision should be between 0 and 1, got 1.5"),
    ],
)
def test_other_options_are_refused(
    completed: tuple[Path, Completion, Callable[..., Completion], list[str]], options: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        completed[2](**options)


def test_a_changed_export_is_refused(
    completed: tuple[Path, Completion, Callable[..., Completion], list[str]],
) -> None:
    export, _, run, _ = completed
    before = export.read_bytes()
    export.write_bytes(before + b"new,Cap,A blue cap,,,,,,,1\r\n")
    try:
        with pytest.raises(ConfigError, match="holds a run of something else: the export has changed"):
            run()
    finally:
        export.write_bytes(before)


def test_a_directory_of_something_else_is_left_alone(catalogue: Path, small: Path, tmp_path: Path) -> None:
    export = write(tmp_path / "export.csv", as_table(catalogue))
    with pytest.raises(ConfigError, match=r"is not empty and holds no run of `complete`"):
        attrex.complete(export, tmp_path / "filled.csv", work=catalogue, config=small)


def test_a_kill_at_the_first_write_of_the_record_is_no_other_run(tmp_path: Path) -> None:
    (tmp_path / "complete.json.part").write_text("{")
    assert completing._Work.open(tmp_path, {}).done == {}


def test_shopifys_export_is_completed_from_the_command_line(catalogue: Path, small: Path, tmp_path: Path) -> None:
    table = as_table(catalogue)
    export = write(tmp_path / "products.csv", as_shopify(table))
    with export.open("a", encoding="utf-8") as file:
        file.write("one,cell,too,many,of,them" + ",x" * 20 + "\n")
    out, work = tmp_path / "out.csv", tmp_path / "work"
    arguments = ["complete", str(export), "--photos", str(catalogue / "images"), "--out", str(out), "--work", str(work)]
    arguments += ["--preset", str(small), "--set", "training.epochs=0.5"]
    for _ in range(2):  # the second time nothing is left to do, and the row still is a bad one
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 1, result.output
        assert "1 of 71 rows of" in " ".join(result.output.split())
    screen = " ".join(result.stdout.split())
    filled = only_blank_cells_were_filled(read(export), read(out))
    assert filled > 0
    assert f"{filled:,} blank cells were filled in" in screen
    assert f"attrex fill --undo {work / 'changes.csv'}" in result.stdout
    variants = [row for row in read(out)[1:-1] if not row[1]]
    assert len(variants) == 70
    assert not any(cell for row in variants for cell in row[6:])
    result = CliRunner().invoke(app, [*arguments, "--max-bad-rows", "5%"])
    assert result.exit_code == 0, result.output


def test_an_export_that_nothing_can_be_written_to_is_refused_before_the_training(small: Path, tmp_path: Path) -> None:
    export = tmp_path / "sheets.xml"
    export.write_text('<ICECAT-interface><Product Code="1" ID="B" Title="Cap"/></ICECAT-interface>', encoding="utf-8")
    with pytest.raises(
        DataError, match=r"got Icecat's product XML: .* nothing imports it\. Give out a name in \.jsonl"
    ):
        attrex.complete(export, tmp_path / "filled.xml", config=small)
    with pytest.raises(DataError, match="at least 50 products"):  # a table is made of it
        attrex.complete(export, tmp_path / "filled.csv", config=small)
    shopify = tmp_path / "products.json"
    shopify.write_text('{"products": [{"handle": "a", "title": "A", "body_html": "", "variants": []}]}')
    with pytest.raises(DataError, match="options, which make variants"):
        attrex.complete(shopify, tmp_path / "filled.json", config=small)


def test_too_few_products_to_learn_from_are_told(catalogue: Path, small: Path, tmp_path: Path) -> None:
    export = write(tmp_path / "export.csv", as_table(catalogue)[:31])
    with pytest.raises(DataError, match=r"at least 50 products .*, to learn from, got \d+ of 30"):
        attrex.complete(export, tmp_path / "filled.csv", config=small, photos=catalogue / "images")


def test_as_many_passes_as_fit() -> None:
    # of steps of one second a pass takes 100 + 20, and the end another 40
    pace = Pace(step=1.0, steps=100, validation_steps=20)
    assert [pace.epochs(minutes) for minutes in (0.5, 1, 4)] == [0, 0.16, 1.66]
    assert pace.minutes(1) == pytest.approx(160 / 60)


@pytest.mark.parametrize(
    ("minutes", "fixed", "settings"),
    [
        (60, False, ["training.epochs=1.5", "training.save_every=120"]),  # 150 steps
        (60, True, ["training.epochs=1", "training.save_every=120"]),
        (2, False, ["training.epochs=0.66", "training.save_every=120"]),
    ],
)
def test_the_training_is_planned_once(
    tmp_path: Path, tiny: Config, monkeypatch: pytest.MonkeyPatch, minutes: float, fixed: bool, settings: Sequence[str]
) -> None:
    from attrex.training import pace

    (tmp_path / "config.yaml").write_text(tiny.to_yaml())
    run = completing._Work(tmp_path, {}, {})
    monkeypatch.setattr(pace, "measure_pace", lambda *args, **options: Pace(1.0, 100, 20))
    said: list[ProgressEvent] = []
    for _ in range(2):
        assert completing._plan(run, [], [], attrex.Shop(), minutes, fixed, said.append) == settings
        monkeypatch.setattr(pace, "measure_pace", never)
    monkeypatch.setattr(pace, "measure_pace", lambda *args, **options: Pace(1.0, 100, 20))
    fresh = completing._Work(tmp_path, {}, {})
    with pytest.raises(ConfigError, match=r"0.1 minutes are enough for 0 passes .*: give more `minutes`"):
        completing._plan(fresh, [], [], attrex.Shop(), 0.1, False, said.append)
