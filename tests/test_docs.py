"""What the documentation says is so: settings, commands, Python, links."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

import attrex
from attrex.cli import app
from attrex.config import Config
from attrex.shop.cells import BLANK_MARKERS
from attrex.shop.label_policy import LabelPolicy
from attrex.shop.mapping import ColumnMapping
from attrex.shop.shop import Shop

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "paper" / "recipes").glob("*.md")])
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def commands(page: Path) -> Iterator[str]:
    """The shell lines of a page's code blocks, without their comments."""
    for block in re.findall(r"```(?:bash|sh|console)\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if line.strip():
                yield line.strip()


SHOWN = sorted({line for page in PAGES for line in commands(page) if line.startswith("attrex ")})


def test_the_page_of_settings_is_what_the_command_prints() -> None:
    printed = CliRunner().invoke(app, ["settings"]).stdout
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert page == printed, "run `attrex settings > docs/configuration.md`"


def test_every_setting_has_a_meaning() -> None:
    sections = {n: f.annotation for n, f in Config.model_fields.items() if hasattr(f.annotation, "model_fields")}
    assert len(sections) > 5
    bare = [f"{n}.{k}" for n, s in sections.items() for k, f in s.model_fields.items() if not f.description]
    assert bare == []


@pytest.mark.parametrize("line", SHOWN)
def test_every_command_shown_is_one_that_parses(line: str) -> None:
    _, name, *arguments = shlex.split(line, comments=True)
    with COMMANDS[name].make_context(name, arguments):
        pass


def python_blocks(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


PYTHON = [(page, code) for page in PAGES for code in python_blocks(page)]


def test_the_pages_on_python_show_python() -> None:
    shown = {page.relative_to(ROOT).as_posix() for page, _ in PYTHON}
    assert {"README.md", "docs/how-to/python.md"} <= shown


@pytest.mark.parametrize(("page", "code"), PYTHON, ids=lambda part: part.name if isinstance(part, Path) else "")
def test_python_that_is_shown_uses_what_there_is(page: Path, code: str) -> None:
    """It compiles; what it imports of attrex exists; the library's functions take the arguments shown."""
    tree = ast.parse(code, filename=str(page))
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] == "attrex":
                assert [a.name for a in node.names if not hasattr(importlib.import_module(module), a.name)] == []
            case ast.Attribute(value=ast.Name(id="attrex"), attr=name):
                assert name in attrex.__all__
            case ast.Call(func=ast.Attribute(value=ast.Name(id="attrex"), attr=name)):
                function = getattr(attrex, name)
                inspect.signature(function).bind(*node.args, **{k.arg: k.value for k in node.keywords if k.arg})


def test_the_pages_show_the_main_commands() -> None:
    shown = {line.split()[1] for line in SHOWN}
    assert {"check", "locate", "train", "evaluate", "extract", "report"} <= shown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_scripts_and_make_targets_that_are_shown_exist(page: Path) -> None:
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for line in commands(page):
        program, *arguments = shlex.split(line, comments=True)
        if program == "make":
            assert set(arguments) <= set(targets), line
        if program == "python" and arguments[0].endswith(".py"):
            assert (ROOT / arguments[0]).is_file(), line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = [t for t in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in t]
    broken = [t for t in links if not (page.parent / t.split("#")[0]).exists()]
    assert broken == []


@pytest.mark.parametrize("kind", [ColumnMapping, LabelPolicy], ids=lambda kind: kind.__name__)
def test_the_page_on_data_tells_of_every_key(kind: type) -> None:
    page = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    assert [k for k in kind.__dataclass_fields__ if f"| `{k}` |" not in page] == []  # type: ignore[attr-defined]


def test_the_page_on_data_tells_of_every_key_of_a_shops_file(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    body = yaml.safe_load(Shop().to_yaml())
    assert [key for key in (*body, *body["cells"]) if f"| `{key}` |" not in page] == []
    (blank,) = re.findall(r"^\| `blank` \| empty, ([^|]*) \|", page, re.MULTILINE)
    assert {word.casefold() for word in re.findall(r"`([^`]*)`", blank)} == {*BLANK_MARKERS} - {""}


def test_the_yaml_on_the_page_on_data_can_be_loaded(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    (shop,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "shop.yaml").write_text(shop)
    (tmp_path / "shop.csv").write_text("sku,name,long_text,photo,Colour,Fabric,Fabric 2\n1,Red shoe,,,red,n/a,\n")
    options = ["--shop", str(tmp_path / "shop.yaml"), "--out", str(tmp_path / "l.jsonl")]
    result = CliRunner().invoke(app, ["locate", str(tmp_path / "shop.csv"), *options])
    assert result.exit_code == 0, result.output
    assert '"id": "1"' in (tmp_path / "l.jsonl").read_text()
    assert '"text": "Red"' in (tmp_path / "l.jsonl").read_text()


def test_the_results_open_with_seven_figures_and_lead_to_every_page() -> None:
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    _, table, *_ = page.split("\n\n")
    assert len(table.splitlines()) == 2 + 7
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs" / "results").glob("*.md")}
    assert pages <= set(re.findall(r"\]\(([^)]+)\)", page))
