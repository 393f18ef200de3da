"""A run's cells go into a store, and what people decided reaches training and calibration."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import attrex
from attrex.review.cells import Kind, Verdict
from attrex.review.store import ReviewStore
from attrex.review.verdicts import CellVerdict
from attrex.types import Prediction, Product, Span, Value

WORDS = Span("Neck", 0, 8, "crewneck", "title")
DECIDED = [
    CellVerdict("p0", "Neck", Verdict.ACCEPT, ("Round Neck",), source=WORDS),
    CellVerdict("p1", "Neck", Verdict.DOES_NOT_APPLY, ()),
]


def shirts(number: int) -> list[Product]:
    return [Product(f"p{n}", {"title": f"crewneck shirt {n}"}, table={"Neck": ("V Neck",)}) for n in range(number)]


def test_a_table_is_read_as_it_is_filled(tmp_path: Path) -> None:
    """Its column is spelt otherwise than the attribute; a cell that cannot be read is nobody's question."""
    table = tmp_path / "table.csv"
    table.write_text("id,title,neck\np0,crewneck shirt,V Neck\np1,crewneck shirt,\np2,crewneck shirt,N/A\n")
    finds = [Prediction(f"p{n}", (Value("Neck", "Round Neck", 0.8 - 0.4 * (n > 0), WORDS),)) for n in range(3)]
    shop = attrex.Shop(columns=attrex.ColumnMapping(texts=("title",), attributes=("neck",)))
    added, collected = attrex.review_add(tmp_path / "r.db", table, finds, shop=shop)
    assert (added.new, collected.population.size) == (2, 0)
    with ReviewStore(tmp_path / "r.db") as store:
        told = [(c.proposed.product, c.proposed.kind, c.proposed.cell) for c in store.cells()]
    assert told == [("p0", Kind.CONFLICT, ("V Neck",)), ("p1", Kind.DOUBTFUL, None)]
    assert table.read_text().startswith("id,title,neck\np0,crewneck shirt,V Neck\np1,crewneck shirt,\n")


def test_what_people_decided_is_filled_in(tmp_path: Path) -> None:
    """Whatever the confidence, in their own words; what they rejected is not, and no filled cell changes."""
    table = tmp_path / "table.csv"
    table.write_text("id,title,Neck\n" + "".join(f"p{n},crewneck shirt,{'V Neck' * (n == 4)}\n" for n in range(6)))
    finds = [Prediction(f"p{n}", (Value("Neck", "Round Neck", 0.2 + 0.7 * (n > 1), WORDS),)) for n in range(6)]
    words = [("accept", ("Round Neck",)), ("correct", ("Polo",)), ("does_not_apply", ()), ("reject", None)]
    said = [CellVerdict(f"p{n}", "Neck", Verdict(v), x, ("Round Neck",)) for n, (v, x) in enumerate(words)]
    said.append(CellVerdict("p4", "Neck", Verdict.ACCEPT, ("Round Neck",)))
    shop = attrex.Shop(columns=attrex.ColumnMapping(texts=("title",), attributes=("Neck",)))
    attrex.fill(table, finds, tmp_path / "out.csv", shop=shop, verdicts=said, known_only=True)
    filled = [line.split(",")[2] for line in (tmp_path / "out.csv").read_text().splitlines()[1:]]
    assert filled == ["Round Neck", "Polo", "", "", "V Neck", "Round Neck"]


def test_training_learns_from_verdicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Sequence[Product]] = []
    monkeypatch.setattr("attrex.training.train.train_model", lambda *sets, **how: seen.extend(sets[:2]))
    (tmp_path / "v.jsonl").write_text("".join(json.dumps(v.to_json()) + "\n" for v in DECIDED))
    settings = ["image.model=null", "fusion.kind=none"]
    attrex.train(shirts(4), directory=tmp_path / "m", settings=settings, verdicts=tmp_path / "v.jsonl")
    learned = {p.id: p for p in (*seen[0], *seen[1])}
    assert [learned[f"p{n}"].table["Neck"] for n in range(3)] == [("Round Neck",), (), ("V Neck",)]
    assert [(s.text, s.value) for s in learned["p0"].spans or ()] == [("crewneck", "Round Neck")]
    assert [learned[f"p{n}"].reviewed for n in range(3)] == [{"Neck"}, {"Neck"}, set()]


def test_calibration_asks_what_people_decided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Product] = []
    calibration = SimpleNamespace(to_json=dict)
    extractor = SimpleNamespace(chooses_values=True, model=SimpleNamespace(calibration=calibration))
    monkeypatch.setattr("attrex.pipeline.measuring.extractor_of", lambda *model, **how: extractor)

    def calibrate(extractor: Any, products: Sequence[Product], **how: Any) -> None:
        seen.extend(products)

    monkeypatch.setattr("attrex.evaluation.calibrating.calibrate_extractor", calibrate)
    attrex.calibrate(tmp_path, shirts(3), shop=attrex.Shop(), verdicts=DECIDED)
    assert [p.table["Neck"] for p in seen] == [("Round Neck",), (), ("V Neck",)]
