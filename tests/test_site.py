"""The documentation site: pages that are generated or included, and what stands around the code."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer
import yaml

import attrex
from attrex.cli import app
from attrex.io.readers import read_products

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def site() -> ModuleType:
    """MkDocs' hook."""
    spec = importlib.util.spec_from_file_location("site_hook", ROOT / "docs" / "site.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _pages(nav: Any) -> list[str]:
    match nav:
        case str():
            return [nav]
        case dict():
            return [page for part in nav.values() for page in _pages(part)]
        case _:
            return [page for part in nav for page in _pages(part)]


def test_every_page_stands_in_the_navigation_and_there_is_a_page_for_every_entry(site: ModuleType):
    nav = _pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])
    written = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert sorted(nav) == sorted({*written, *site.INCLUDED.values()})


def test_the_page_of_commands_has_every_command_with_its_arguments_and_options(site: ModuleType):
    parts = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", site.commands(), re.MULTILINE | re.DOTALL))
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert list(parts) == list(commands)
    for name, command in commands.items():
        options = [p.opts[0] for p in command.params if p.param_type_name == "option" and not p.hidden]
        assert [option for option in options if f"| `{option}`" not in parts[name]] == []
        assert "[bold]" not in parts[name]
    assert "attrex check FILE... [OPTIONS]" in parts["check"]
    assert "### review add\n" in parts["review"]
    assert "attrex review add STORE TABLE VALUES [OPTIONS]" in parts["review"]
    assert "`--out`, required" in parts["locate"]


def test_the_page_of_names_has_every_public_name(site: ModuleType):
    assert sorted(re.findall(r"^::: attrex\.(\w+)$", site.names(), re.MULTILINE)) == sorted(attrex.__all__)


@pytest.mark.parametrize(
    ("page", "link", "on_the_site"),
    [
        ("README.md", "[data](docs/data.md#photos)", "[data](data.md#photos)"),
        ("README.md", "![a](docs/images/report.png)", "![a](images/report.png)"),
        ("README.md", "[it](CONTRIBUTING.md)", "[it](contributing.md)"),
        ("README.md", "[it](mkdocs.yml)", "[it](repository/mkdocs.yml)"),
        ("README.md", "[here](docs) or [there](#how-good)", "here or [there](#how-good)"),
        ("README.md", "[far](https://example.org/docs/data.md)", "[far](https://example.org/docs/data.md)"),
        ("docs/how-to/fill.md", "[a](../data.md), [b](../../CHANGELOG.md)", "[a](../data.md), [b](../changelog.md)"),
        ("docs/data.md", "[gone](gone.md)", "[gone](gone.md)"),  # for MkDocs to complain about
        ("docs/data.md", "```\n[not](a/link)\n```", "```\n[not](a/link)\n```"),
    ],
)
def test_links_lead_to_the_same_place_on_the_site(site: ModuleType, page: str, link: str, on_the_site: str):
    assert site.site_links(link, page) == on_the_site


def test_files_that_pages_link_to_are_copied_beside_them(site: ModuleType, tmp_path: Path):
    (tmp_path / "page.md").write_text("[a](../pyproject.toml) [b](data.md) [c](../src) [d](../README.md)")
    assert list(site.linked_files(tmp_path / "page.md", "docs/page.md")) == ["pyproject.toml"]


def test_the_guides_shop_file_can_be_read(tmp_path: Path):
    page = (ROOT / "docs" / "guide" / "shop.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "shop.yaml").write_text(block, encoding="utf-8")
    row = {"sku": "7", "name": "Red shoe", "long_text": "<b>Laced</b>", "Colour": "Red", "Fabric": "n/a"}
    row |= {"photo": "", "Closure": ""}
    (product,) = read_products([row], shop=tmp_path / "shop.yaml")
    assert product.id == "7"
    assert product.table == {"Color": ("Red",)}


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == attrex.__version__
    assert citation["references"][0]["title"] in (ROOT / "README.md").read_text(encoding="utf-8")


def test_hooks_before_a_commit_fetch_nothing():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repository["repo"] for repository in hooks["repos"]] == ["local"]
    assert all(hook["entry"].startswith(".venv/bin/") for hook in hooks["repos"][0]["hooks"])
