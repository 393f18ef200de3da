"""The example that does the whole job in Python runs, and what it ends with is there."""

from __future__ import annotations

import csv
import runpy
from pathlib import Path

import pytest

from attrex.config import Config
from attrex.io.predictions import read_predictions
from attrex.io.readers import read_products

NOTEBOOK = Path(__file__).parent.parent / "examples" / "notebook.py"


def test_the_notebook_does_the_whole_job(
    tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    code = NOTEBOOK.read_text(encoding="utf-8")
    (tmp_path / "tiny.yaml").write_text(tiny.to_yaml(), encoding="utf-8")
    for given, quick in (('PRESET = "small"', 'PRESET = "tiny.yaml"'), ("train=120", "train=40")):
        assert code.count(given) == 1
        code = code.replace(given, quick)
    (tmp_path / "notebook.py").write_text(code, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    names = runpy.run_path("notebook.py")

    written = Path("notebook")
    test = list(read_products(written / "data" / "test.jsonl", shop=written / "data" / "shop.yaml"))
    assert len(test) == 12
    assert [p.id for p in read_predictions(written / "values.jsonl")] == [p.id for p in test]
    with (written / "filled.csv").open(encoding="utf-8", newline="") as stream:
        assert [row["id"] for row in csv.DictReader(stream)] == [p.id for p in test]
    assert (written / "changes.csv").is_file()
    assert "<html" in (written / "report.html").read_text(encoding="utf-8")
    assert names["texts"]._repr_html_() == (written / "texts.html").read_text(encoding="utf-8") != ""
    assert 0 <= names["evaluation"].scores.tag.f1 <= 1
    printed = capsys.readouterr().out
    assert "validation TAG-F1" in printed  # the progress callback
    assert str(written / "report.html") in printed
