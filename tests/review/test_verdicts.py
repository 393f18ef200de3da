"""What people decided, as a file, and in tables and labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from attrex.errors import DataError
from attrex.labels.mentions import UnlabelledMentions
from attrex.labels.pseudo_labels import Teacher
from attrex.pipeline.given import verdicts_of
from attrex.pipeline.review import review_export, review_import, tell_verdicts
from attrex.pipeline.training import _labelled
from attrex.progress import silent
from attrex.review.cells import ProposedCell, Verdict
from attrex.review.exchange import import_verdicts
from attrex.review.store import ReviewStore
from attrex.review.verdicts import CellVerdict, Verdicts, read_verdicts
from attrex.shop.schema import Attribute, Schema
from attrex.shop.shop import DEFAULT_SHOP
from attrex.types import CellState, Prediction, Product, Span, Value
from attrex.vocabulary.lexicon import NOTHING_MINED

Make = Callable[..., ProposedCell]
CREW = Span("Neck", 0, 8, "crewneck", "text")


def shirt(name: str = "a", spans: tuple[Span, ...] | None = (), **table: tuple[str, ...]) -> Product:
    return Product(name, {"text": "crewneck shirt, no V Neck"}, table=table, spans=spans)


def said(verdict: str, *values: str, source: Span | None = CREW, product: str = "a") -> CellVerdict:
    known = verdict in ("accept", "correct", "does_not_apply")
    return CellVerdict(product, "Neck", Verdict(verdict), values if known else None, ("Round Neck",), source=source)


def given(product: Product, *verdicts: CellVerdict) -> Product:
    (found,) = Verdicts(verdicts).applied([product])
    return found


# --- in tables and labels ---------------------------------------------------------------------------------------------


def test_an_accepted_value_fills_the_cell_and_labels_its_words() -> None:
    found = given(shirt(), said("accept", "Round Neck"))
    assert found.table == {"Neck": ("Round Neck",)}
    assert found.spans == (Span("Neck", 0, 8, "crewneck", "text", "Round Neck"),)
    assert found.reviewed == {"Neck"}
    assert found.cell_state("Neck") == CellState.LOCATED


def test_a_correction_takes_the_place_of_the_cell_and_of_its_labels() -> None:
    labelled = shirt(spans=(Span("Neck", 19, 25, "V Neck", "text", "V Neck"),), Neck=("V Neck",))
    found = given(labelled, said("correct", "Boat Neck"))
    assert (found.table, found.spans) == ({"Neck": ("Boat Neck",)}, ())
    assert given(labelled, said("correct", "v-neck")).spans == labelled.spans  # two spellings are one value


def test_words_that_were_decided_for_all_cells_are_a_label_of_the_correction(proposed: Make, tmp_path: Path) -> None:
    with ReviewStore(tmp_path / "r.db") as store:
        store.add([proposed("a", value="Crew"), proposed("b", value="Crew"), proposed("c", value="Crew")])
        store.decide(1, "ann", "correct", ["Round Neck"], also=[2])
        store.decide(3, "ann", "correct", ["Round Neck"])
        bulk, _, single = (CellVerdict.of(cell) for cell in store.decided())
    title = {"title": "crewneck shirt"}
    assert [(s.text, s.value) for s in given(Product("a", title, spans=()), bulk).spans or ()] == [
        ("crewneck", "Round Neck")
    ]
    assert given(Product("c", title, spans=()), single).spans == ()


def test_a_product_without_the_attribute_has_no_value_and_no_label() -> None:
    found = given(shirt(spans=(CREW,), Neck=("Round Neck",)), said("does_not_apply"))
    assert (found.table, found.spans, found.cell_state("Neck")) == ({"Neck": ()}, (), CellState.ABSENT)


def test_a_rejected_proposal_loses_its_label_and_says_nothing_else() -> None:
    label = Span("Neck", 0, 8, "crewneck", "text", "Round Neck")
    found = given(shirt(spans=(label,), Neck=("V Neck",)), said("reject"))
    assert (found.table, found.spans, found.reviewed) == ({"Neck": ("V Neck",)}, (), frozenset())
    unsure = shirt(spans=(label,), Neck=("V Neck",))
    assert given(unsure, said("unsure")) == unsure


def test_the_last_of_several_verdicts_counts_and_other_products_stay() -> None:
    found = given(shirt(), said("accept", "Round Neck"), said("does_not_apply"))
    assert found.table == {"Neck": ()}
    other, broken = shirt("b"), Product("a", {}, error="line 3")
    assert list(Verdicts([said("does_not_apply")]).applied([other, broken])) == [other, broken]


def test_words_that_the_text_no_longer_says_are_no_label() -> None:
    changed = Product("a", {"text": "Shirt"}, spans=())
    assert given(changed, said("accept", "Round Neck")).spans == ()


def test_labels_that_are_located_afterwards_are_settled_too() -> None:
    verdicts = Verdicts([said("accept", "Round Neck")])
    before = list(verdicts.applied([shirt(spans=None, Neck=("V Neck",)), shirt("b", spans=None, Neck=("V Neck",))]))
    located, _ = _labelled(before, DEFAULT_SHOP, NOTHING_MINED, silent)
    first, second = verdicts.applied(located)
    assert [(s.text, s.value) for s in first.spans or ()] == [("crewneck", "Round Neck")]
    assert second == located[1]


def test_a_decided_cell_is_complete() -> None:
    """Its words are no longer in doubt, and no teacher says what it has."""
    schema = Schema((Attribute("Neck", options=("V Neck", "Round Neck")),))
    mentions = UnlabelledMentions.learn([shirt(Neck=("V Neck",))], schema, min_share=0)
    taught = Prediction("a", (Value.from_span(Span("Neck", 19, 25, "V Neck", "text"), 0.99),), {"Neck": 0.9})
    teacher = Teacher([taught], schema, high=0.8, low=0.2)
    labelled = Product("a", {"text": "crewneck shirt, a V Neck"}, spans=())
    taught = Prediction("a", (Value.from_span(Span("Neck", 18, 24, "V Neck", "text"), 0.99),), {"Neck": 0.9})
    teacher = Teacher([taught], schema, high=0.8, low=0.2)
    assert [s.text for s in mentions.unknown(labelled)] == ["V Neck"]
    assert teacher.pseudo_label(labelled, []).labels != []
    decided = given(labelled, said("accept", "Round Neck"))
    assert mentions.unknown(decided) == []
    assert teacher.pseudo_label(decided, []) == ([], [], {}, {})


def test_verdicts_of_other_products_are_an_error_and_of_some_a_note() -> None:
    notes: list[str] = []
    verdicts = Verdicts([said("accept", "Round Neck"), said("reject", product="gone")])
    tell_verdicts(verdicts, [shirt()], lambda event: notes.append(event.message or ""))
    assert notes == [
        "verdicts: 1 cells have what people decided (0 of them no value), 0 proposals are rejected, 0 unsure; 1 are of "
        "products that are not here, such as 'gone'"
    ]
    with pytest.raises(DataError, match=r"verdicts: expected some of these 1 products, .* such as 'a'; give the prod"):
        tell_verdicts(verdicts, [shirt("b")], silent)


# --- in files ---------------------------------------------------------------------------------------------------------


def test_verdicts_of_a_store_are_those_of_its_file_and_go_into_another_store(proposed: Make, tmp_path: Path) -> None:
    run = [proposed(name) for name in "abcdef"]
    with ReviewStore(tmp_path / "r.db", clock=lambda: 1e9) as store:
        store.add(run)
        answers = (("accept", ()), ("correct", ("V", "U")), ("reject", ()), ("does_not_apply", ()), ("unsure", ()))
        for i, (verdict, values) in enumerate(answers, 1):
            store.decide(i, "ann", verdict, values)
        assert review_export(store, tmp_path / "v.jsonl") == 5
    found = read_verdicts(tmp_path / "v.jsonl")
    assert [v.values for v in found] == [("Round Neck",), ("V", "U"), None, (), None]
    assert json.loads((tmp_path / "v.jsonl").read_text().splitlines()[0]) == {
        "product": "a",
        "attribute": "Neck",
        "verdict": "accept",
        "values": ["Round Neck"],
        "proposal": ["Round Neck"],
        "cell": None,
        "kind": "doubtful",
        "confidence": 0.4,
        "source": {"field": "title", "start": 0, "end": 8, "text": "crewneck"},
        "reviewer": "ann",
        "time": "2001-09-09T01:46:40+00:00",
        "same_words": False,
    }
    with ReviewStore(tmp_path / "other.db") as other:
        other.add([proposed(name) for name in "abcd"])
        other.decide(1, "bob", "accept")
        other.decide(2, "bob", "reject")
        counts = review_import(other, tmp_path / "v.jsonl", reviewer="import")
        assert (counts.decided, counts.same, len(counts.left), counts.unknown) == (2, 1, 1, 1)
        assert [(c.verdict, c.reviewer) for c in other.cells(decided=True)] == [
            ("accept", "bob"),
            ("reject", "bob"),
            ("reject", "ann"),
            ("does_not_apply", "ann"),
        ]
        again = review_import(other, tmp_path / "v.jsonl", reviewer="import")
        assert (again.decided, again.same) == (0, 3)


def test_a_verdict_that_the_store_does_not_take_keeps_no_other_from_it(tmp_path: Path, proposed: Make) -> None:
    said = [
        CellVerdict("a", "Neck", Verdict.CORRECT, ("n/a",)),  # a marker of blank cells
        CellVerdict("b", "Neck", Verdict.ACCEPT, ("V Neck",)),  # of another proposal
        CellVerdict("c", "Neck", Verdict.CORRECT, ("Round Neck",)),  # which is proposed
    ]
    with ReviewStore(tmp_path / "review.db") as store:
        store.add([proposed(name) for name in "abc"])
        counts = import_verdicts(store, said, "ann")
        assert (counts.decided, len(counts.left)) == (2, 1)
        assert "no marker of blank cells, got 'n/a'" in counts.left[0]
        assert [(c.verdict, c.values) for c in store.cells(decided=True)] == [
            ("correct", ("V Neck",)),
            ("accept", ("Round Neck",)),
        ]
        counts = import_verdicts(store, said, "bob")
        assert (counts.decided, counts.same) == (0, 2)


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        ([], "expected an object with named columns, got a list"),
        ({"product": "a", "verdict": "accept", "values": ["x"]}, "attribute should be text, got None"),
        ({"verdict": "ok"}, "verdict or kind: 'ok' is not a valid Verdict"),
        ({"verdict": "accept", "values": []}, "values should be one or more with verdict accept, got \\[\\]"),
        ({"verdict": "does_not_apply", "values": ["x"]}, "values should be none, an empty list, with verdict does_no"),
        ({"verdict": "correct", "values": [1]}, "values should be a list of texts, or null, got \\[1\\]"),
        ({"verdict": "reject", "source": {"field": "t"}}, "source should be an object with field, start, end and text"),
        ({"verdict": "reject", "confidence": "high"}, "confidence should be a number, got 'high'"),
    ],
)
def test_a_row_that_is_no_verdict_names_its_line(tmp_path: Path, row: object, wrong: str) -> None:
    whole = {"product": "a", "attribute": "Neck"} | row if isinstance(row, dict) and "product" not in row else row
    good = {"product": "a", "attribute": "Neck", "verdict": "unsure"}
    (tmp_path / "v.jsonl").write_text(json.dumps(good) + "\n" + json.dumps(whole) + "\n")
    with pytest.raises(DataError, match=f"v.jsonl line 2 .*{wrong}"):
        verdicts_of(tmp_path / "v.jsonl")


def test_a_file_that_is_not_there_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected a file of verdicts, \.jsonl or \.jsonl\.gz; attrex review export"):
        verdicts_of(tmp_path / "v.jsonl")


# --- annotation tools -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tool", ["label-studio", "argilla"])
def test_cells_that_nobody_marked_in_a_tool_come_back_undecided(proposed: Make, tmp_path: Path, tool: str) -> None:
    with ReviewStore(tmp_path / "r.db") as store:
        store.add([proposed("a"), proposed("b", "vneck")])
        store.decide(2, "ann", "accept")
        assert review_export(store, tmp_path / "out.json", to=tool) == 1
        counts = review_import(store, tmp_path / "out.json", reviewer="ann", kind=tool)
        assert counts.decided == 0
        assert store.stats().open == 1


def test_what_people_marked_in_label_studio_decides_cells(proposed: Make, tmp_path: Path) -> None:
    def task(name: str, *marks: tuple[int, int, str]) -> dict[str, object]:
        title = "crewneck shirt"
        values = [{"start": s, "end": e, "text": title[s:e], "labels": [a]} for s, e, a in marks]
        results = [{"from_name": "labels", "to_name": "title", "type": "labels", "value": value} for value in values]
        return {"id": 1, "data": {"product": name, "title": title}, "annotations": [{"result": results}]}

    tasks = [task("kept", (0, 8, "Neck")), task("moved", (9, 14, "Neck")), task("gone", (9, 14, "Type"))]
    (tmp_path / "ls.json").write_text(json.dumps([*tasks, task("unknown")]))
    with ReviewStore(tmp_path / "r.db") as store:
        store.add([proposed(name) for name in ("kept", "moved", "gone", "other")])
        counts = review_import(store, tmp_path / "ls.json", reviewer="ann")
        assert (counts.decided, counts.left) == (3, [])
        assert [(c.verdict, c.values) for c in store.cells()] == [
            ("accept", ("Round Neck",)),
            ("correct", ("shirt",)),
            ("reject", None),
            (None, None),
        ]
