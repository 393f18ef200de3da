"""Names, ids and file names are somebody else's: none of them may reach the terminal raw."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from rich.table import Table
from typer.testing import CliRunner

from attrex.cli import app
from attrex.cli.console import Console, ConsoleProgress, guard_terminal
from attrex.progress import ProgressEvent

EVIL = "\x1b]0;owned\x9b31m\u202eabc"
SHOWN = r"\u001b]0;owned\u009b31m\u202eabc"


def printed(*what: object, **options: object) -> str:
    out = io.StringIO()
    Console(file=out, width=120, **options).print(*what)
    return out.getvalue()


def test_text_tables_and_titles_are_escaped_also_on_a_terminal() -> None:
    table = Table(EVIL, title=EVIL)
    table.add_row(EVIL)
    for shown in (printed(EVIL, markup=False), printed(table), printed(table, force_terminal=True)):
        assert SHOWN in shown
        assert not [character for character in ("\x1b]", "\x9b", "\u202e") if character in shown]


def printed_by(progress: ConsoleProgress, out: io.StringIO) -> str:
    progress(ProgressEvent(message=EVIL))
    progress(ProgressEvent(task=EVIL, done=0, total=10))
    progress(ProgressEvent(task=EVIL, done=10, total=10, facts=EVIL))
    progress.close()
    return out.getvalue()


@pytest.mark.parametrize("options", [{}, {"json_lines": True}])
def test_messages_and_progress_are_escaped(options: dict[str, bool]) -> None:
    out = io.StringIO()
    shown = printed_by(ConsoleProgress(Console(file=out, width=200), **options), out)
    assert not set(shown) & set("\x1b\x9b\u202e")
    if options:
        assert json.loads(shown.splitlines()[0])["message"] == EVIL


def test_a_file_s_name_in_an_argument_is_escaped(tmp_path: Path) -> None:
    name = tmp_path / "a\x1b[31m.jsonl"
    name.write_text('{"id": "1", "texte": "a"}\n')
    for arguments in (["check", str(name)], ["fill", "a", "b", "c", str(name), "--out", "x.csv"], [str(name)]):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 2
        assert "\x1b[31m.jsonl" not in result.output
        assert "\x1b" not in result.output


def test_logs_and_tracebacks_are_escaped(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    guard_terminal()
    try:
        logging.getLogger("attrex.io").warning("%s lacks columns", EVIL)
        sys.excepthook(ValueError, ValueError(EVIL), None)
    finally:
        logging.captureWarnings(False)
    shown = capsys.readouterr().err
    assert shown.count(SHOWN) == 2
    assert not set(shown) & set("\x1b\x9b\u202e")


def test_importing_the_package_leaves_the_program_s_logging_alone() -> None:
    code = "import attrex, attrex.cli, logging, sys; print(logging.root.handlers, sys.excepthook is sys.__excepthook__)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert found.stdout == "[] True\n"
