"""A review on the command line, from a run's values to verdicts."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from attrex.cli import app
from attrex.review.store import ReviewStore
from attrex.types import Prediction, Span, Value

COMMANDS = typer.main.get_command(app).commands["review"].commands  # type: ignore[attr-defined]


def attrex(*arguments: object, code: int = 0, **how: str) -> str:
    result = CliRunner().invoke(app, ["review", *map(str, arguments)], **how)  # type: ignore[arg-type]
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A table of five products with what was found in them, and a store with its cells."""
    products, finds = [], []
    for n, (confidence, neck) in enumerate([(0.4, ""), (0.3, ""), (0.9, ""), (0.8, "V Neck"), (0.6, "Round Neck")]):
        products.append({"id": f"p{n}", "title": "crewneck shirt", "Neck": neck})
        source = Span("Neck", 0, 8, "crewneck", "title")
        value = Value("Neck", "Round Neck", confidence, source)
        finds.append(Prediction(f"p{n}", (value,)).to_json())
    (tmp_path / "table.jsonl").write_text("\n".join(map(json.dumps, products)))
    (tmp_path / "values.jsonl").write_text("\n".join(map(json.dumps, finds)) + "\n")
    (tmp_path / "shop.yaml").write_text("columns: {texts: [title], attributes: [Neck]}\n")
    said = attrex("add", *(tmp_path / n for n in ("r.db", "table.jsonl", "values.jsonl")), *shop(tmp_path))
    assert "4 cells of 5 products (2 doubtful, 0 differs, 1 conflict, 1 sure): 4 are new, 0 have" in said
    return tmp_path


def shop(home: Path) -> tuple[object, ...]:
    return ("--shop", home / "shop.yaml")


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_a_help_with_an_example_that_parses(name: str) -> None:
    shown = " ".join(attrex(name, "--help").replace("│", " ").split())
    example = re.search(r"Example: \[bold\](attrex .+)\[/\]", COMMANDS[name].help)
    assert example is not None
    assert example[1] in shown
    _, group, command, *arguments = shlex.split(example[1])
    assert (group, command) == ("review", name)
    with COMMANDS[name].make_context(name, arguments):
        pass


def test_a_review_from_its_cells_to_verdicts(home: Path) -> None:
    store = home / "r.db"
    shown = attrex("next", store, "--as", "ann", "--kind", "doubtful")
    assert "p0, Neck (doubtful; a decision on its words settles 2)" in shown
    assert "proposal: Round Neck (40%, the text says 'crewneck')" in shown
    number = re.search(r"cell (\d+):", shown)[1]  # type: ignore[index]
    said = attrex("decide", store, number, "accept", "--as", "ann", "--same-words", input="n\n")
    assert "1 other cells say 'crewneck':" in said
    assert "nothing is decided" in said
    said = attrex("decide", store, number, "accept", "--as", "ann", "--same-words", input="y\n")
    assert "decision 1: 2 cells" in said
    assert "decision 1: 2 cells are open again, 0 were touched" in attrex("undo", store, "--as", "bob", "1")
    attrex("decide", store, number, "correct", "Crew Neck", "Henley", "--as", "ann")
    history = attrex("history", store, number)
    assert "decided: correct Crew Neck, Henley, by ann (decision 2)" in history
    assert [word for word in ("added", "decided", "undone") if word not in history] == []
    sure = re.search(r"cell (\d+):", attrex("next", store, "--as", "ann", "--kind", "sure"))[1]  # type: ignore[index]
    attrex("decide", store, sure, "accept", "--as", "ann")
    told = " ".join(attrex("stats", store, "--json", home / "s.json").split())
    assert "2 of 4 cells are decided (50%), 0 are in somebody's hands." in told
    assert "Of 1 sure cells 1 of the sample count: 100.0% are right (95% interval 100.0% to 100.0%" in told
    assert json.loads((home / "s.json").read_text())["verdicts"]["correct"] == 1
    assert "2 verdicts" in attrex("export", store, home / "v.jsonl")
    assert "0 cells decided; 2 were so already" in attrex("import", store, home / "v.jsonl", "--as", "bob")
    said = attrex("add", store, home / "table.jsonl", home / "values.jsonl", *shop(home))
    assert "2 cells of 5 products (1 doubtful, 0 differs, 1 conflict, 0 sure): 0 are new, 0 have" in said


def test_errors_say_what_to_do(home: Path) -> None:
    store = home / "r.db"
    assert "there is no cell 99 in the review store" in attrex("decide", store, 99, "accept", "--as", "ann", code=2)
    assert "did you mean 'accept'" in attrex("decide", store, 1, "acept", "--as", "ann", code=2)
    assert "'ann' has no decision to take back; name one" in attrex("undo", store, "--as", "ann", code=2)
    assert "out should end in .jsonl" in attrex("export", store, home / "v.csv", code=2)
    assert "--to should be one of label-studio, argilla" in attrex("export", store, home / "v", "--to", "brat", code=2)
    assert "no directory around it" in attrex("stats", home / "none" / "r.db", code=2)


def test_photos_outside_of_the_tables_folder_are_not_kept(home: Path) -> None:
    named = ["in.png", "../out.png", str(home.parent / "out.png")]
    row = {"id": "p0", "title": "crewneck shirt", "Neck": "", "image": named}
    (home / "table.jsonl").write_text(json.dumps(row))
    given = [home / n for n in ("q.db", "table.jsonl", "values.jsonl")]
    attrex("add", *given, *shop(home), "--limit", 1)
    with ReviewStore(home / "q.db") as store:
        assert [cell.proposed.images for cell in store.cells()] == [(str(home / "in.png"),)]
    attrex("add", home / "all.db", *given[1:], *shop(home), "--limit", 1, "--allow-outside")
    with ReviewStore(home / "all.db") as store:
        assert len(store.cells()[0].proposed.images) == 3
