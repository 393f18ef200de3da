"""What a run of fill made of a table, as the page on the catalogue gets it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from attrex.errors import AttrexError
from attrex.inference.selection import HeldOut
from attrex.server.catalogue import Catalogue, Cells, Changes, _bought
from attrex.server.settings import ServerSettings

FIT = {"before": 2, "after": 4, "filled": 2, "blank": 3, "left": 1, "conflicts": 1, "agreement": 0.5}
REPORT = {"products": 5, "errors": 0, "filled": 2, "expected": 0.5, "attributes": {"Fit": FIT}}
CHANGES = """\
id,attribute,outcome,cell,value,known,confidence,text,field,start,end,decided_by
a,Fit,filled,,Slim,True,0.9,slim,title,0,4,text
a,Fit,below,,Loose,True,0.1,,,,,photo
b,Fit,filled,,Odd\ud800,False,0.7,,,,,both
c,Fit,below,,Slim,True,0.4,,,,,both
d,Fit,differs,Regular,Slim,True,0.8,slim,title,0,4,text
e,Fit,agrees,Slim,Slim,True,0.99,slim,title,0,4,text
e,Fit,below,Slim,Loose,True,0.2,,,,,text
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "report.json").write_text(json.dumps(REPORT))
    (tmp_path / "changes.csv").write_bytes(CHANGES.replace("\ud800", "\ufffd").encode())
    return tmp_path


def listed(changes: Changes, kind: Any) -> list[tuple[str, str, str]]:
    found = changes.listed(Cells(attribute="Fit", kind=kind))
    assert found["total"] == len(found["cells"])
    return [(row["product"], row["cell"], row["value"]) for row in found["cells"]]


def test_the_cells_behind_each_figure(run: Path) -> None:
    changes = Catalogue.load(run).changes
    assert changes is not None
    assert listed(changes, "filled") == [("b", "", "Odd\ufffd"), ("a", "", "Slim")]  # the least sure first
    assert listed(changes, "left") == [("c", "", "Slim")]  # of a cell its surest find alone
    assert listed(changes, "conflicts") == [("d", "Regular", "Slim")]
    assert listed(changes, "unknown") == []


def test_lists_in_json_lines_are_the_same(run: Path) -> None:
    (run / "changes.csv").unlink()
    row = {"id": "a", "attribute": "Fit", "outcome": "differs", "cell": ["Regular", "Slim"], "value": "Half \ud83d",
           "known": False, "confidence": 0.5, "text": None, "decided_by": None}  # fmt: skip
    (run / "changes.jsonl").write_text(json.dumps(row) + "\n")
    changes = Catalogue.load(run).changes
    assert changes is not None
    assert listed(changes, "conflicts") == [("a", "Regular, Slim", "Half \ufffd")]


def test_the_record_of_complete_is_read_and_a_report_alone(run: Path) -> None:
    (run / "report.json").rename(run / "mine.json")
    (run / "complete.json").write_text(json.dumps({"done": {"fill": {"cells": REPORT}}}))
    assert Catalogue.load(run).report == Catalogue.load(run / "mine.json").report
    (run / "changes.csv").unlink()
    assert Catalogue.load(run).changes is None


def test_what_a_precision_buys_is_counted_in_blank_cells(run: Path) -> None:
    changes = Catalogue.load(run).changes
    assert changes is not None
    # 200 held-out finds that are right from 0.5 on, and wrong below
    held_out = HeldOut.of([("Fit", 0.5, True)] * 200 + [("Fit", 0.4, False)] * 100)
    bought = list(_bought(held_out, changes.fillable()))
    assert [(step["precision"], step["filled"], step["left"]) for step in bought if step["precision"] > 0.9] == [
        (0.93, 2, 1), (0.95, 2, 1), (0.97, 2, 1), (0.98, 2, 1), (0.99, 0, 3),
    ]  # fmt: skip
    assert bought[-1]["attributes"] == {"Fit": {"limit": None, "filled": 0}}  # 0.99 takes 299 finds, all right


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("report.json", "{}", "no 'attributes' in it"),
        ("report.json", "[" * 5000, "got something else"),
        ("report.json", json.dumps(REPORT | {"filled": -1}), "should be 0 or more, got -1"),
        ("report.json", json.dumps(REPORT | {"expected": "all"}), "between 0 and 1"),
        ("changes.csv", "id,name\na,b\n", "line 2: expected what attrex fill --changes writes"),
        ("changes.csv", CHANGES.replace("0.9,", "much,"), "line 2: "),
    ],
)
def test_other_files_are_told(run: Path, name: str, content: str, told: str) -> None:
    (run / name).write_text(content.replace("\ud800", ""))
    with pytest.raises(AttrexError, match=told):
        Catalogue.load(run)


def test_a_folder_without_a_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(AttrexError, match=r"found neither"):
        Catalogue.load(tmp_path)


def test_it_is_served(run: Path, serving: Callable[[ServerSettings], TestClient]) -> None:
    client = serving(ServerSettings(catalogue=run))
    facts = client.get("/v1/catalogue").json()
    assert facts["attributes"] == [{"attribute": "Fit", **FIT}]
    assert (facts["listed"], facts["review"], facts["dial"]) == (True, False, None)  # the model has no held-out cells
    asked = {"attribute": "Fit", "kind": "filled", "offset": 1}
    found = client.post("/v1/catalogue/cells", json=asked).json()
    assert (found["total"], [cell["product"] for cell in found["cells"]]) == (2, ["a"])
    assert client.post("/v1/catalogue/cells", json={"attribute": "Fit", "kind": "all"}).status_code == 422
    assert client.post("/v1/catalogue/cells", json=asked | {"offset": -1}).status_code == 422


def test_without_a_run_there_is_no_catalogue(client: TestClient) -> None:
    assert client.get("/v1/catalogue").status_code == 404
