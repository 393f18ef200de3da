"""The review store, in SQLite and in PostgreSQL alike."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from attrex.errors import ConfigError, DataError, ReviewError, StoreUnavailableError, UnknownCellError
from attrex.review.cells import Act, Added, Kind, Population, ProposedCell, ReviewCell, Verdict
from attrex.review.store import ReviewStore
from attrex.review.tables import writing

from .conftest import Clock

Make = Callable[..., ProposedCell]


def names(cells: list[ReviewCell]) -> list[str]:
    return [cell.proposed.product for cell in cells]


# --- order and claims -------------------------------------------------------------------------------------------------


def test_cells_come_in_order_of_what_a_decision_is_worth(store: ReviewStore, proposed: Make) -> None:
    many = [proposed(f"many {n}", "crewneck", risk=0.3) for n in range(4)]  # 4 x 0.3
    store.add([proposed("sure", "vneck", risk=0.9), proposed("photo", None, risk=0.95), *many])
    assert names(store.claim("ann", count=6)) == ["many 0", "many 1", "many 2", "many 3", "photo", "sure"]


def test_what_is_left_of_a_group_is_worth_less(store: ReviewStore, proposed: Make) -> None:
    store.add([proposed(f"many {n}", risk=0.3) for n in range(4)] + [proposed("one", "vneck", risk=0.9)])
    assert [cell.same for cell in store.claim("ann", count=2)] == [4, 4]
    for cell in store.claim("ann", count=2):
        store.decide(cell.id, "ann", Verdict.REJECT)
    assert names(store.claim("ann", count=3)) == ["one", "many 2", "many 3"]  # 0.9 is more than 2 x 0.3


def test_cells_of_one_product(store: ReviewStore, proposed: Make) -> None:
    store.add([proposed("a", risk=0.9), proposed("b", risk=0.8), proposed("b", attribute="Fit", risk=0.7)])
    assert names(store.claim("ann", product="b", count=5)) == ["b", "b"]
    assert store.claim("bob", product="b") == store.claim("bob", product="none of them") == []
    assert names(store.claim("bob", count=5)) == ["a"]


def test_a_cell_is_one_reviewers_until_the_time_is_over(store: ReviewStore, proposed: Make, clock: Clock) -> None:
    store.add([proposed("a", risk=0.9), proposed("b", risk=0.8)])
    (first,) = store.claim("ann", minutes=10)
    assert names(store.claim("bob", count=5, minutes=10)) == ["b"]
    with pytest.raises(ReviewError, match="cell 1 is in the hands of 'ann'; take the next one"):
        store.decide(first.id, "bob", "accept")
    clock.now += 10 * 60
    assert names(store.claim("bob", count=5)) == ["a", "b"]
    with pytest.raises(ReviewError, match="in the hands of 'bob'"):
        store.decide(first.id, "ann", "accept")


def test_who_loads_the_page_again_gets_the_same_cells(sqlite_store: ReviewStore, proposed: Make, clock: Clock) -> None:
    sqlite_store.add([proposed(name, risk=risk) for name, risk in (("a", 0.9), ("b", 0.8), ("c", 0.7))])
    assert names(sqlite_store.claim("ann", count=2)) == ["a", "b"]
    clock.now += 60
    assert names(sqlite_store.claim("ann", count=2)) == ["a", "b"]
    assert names(sqlite_store.claim("ann", count=3)) == ["a", "b", "c"]
    assert sqlite_store.release("ann", [2]) == 1
    assert names(sqlite_store.claim("bob")) == ["b"]
    assert sqlite_store.release("ann") == 2


def test_any_number_of_cells_can_be_given_back(store: ReviewStore, proposed: Make) -> None:
    """PostgreSQL takes 65,535 parameters of a statement."""
    store.add([proposed("a"), proposed("b")])
    store.claim("ann", count=2)
    assert store.release("ann", range(2, 70_000)) == 1


def test_claims_can_be_of_one_attribute_or_kind(sqlite_store: ReviewStore, proposed: Make) -> None:
    sqlite_store.add(
        [proposed("a"), proposed("b", attribute="Color"), proposed("c", kind=Kind.CONFLICT, cell=("V Neck",))]
    )
    assert names(sqlite_store.claim("ann", count=5, attribute="Color")) == ["b"]
    assert names(sqlite_store.claim("ann", count=5, kind="conflict")) == ["c"]
    with pytest.raises(ConfigError, match=r"kind should be one of doubtful, .*; did you mean 'conflict'"):
        sqlite_store.claim("ann", kind="conflicts")


def test_one_in_five_is_of_the_sample(where: str, proposed: Make) -> None:
    draws = iter([0.19, 0.2, 0.99, 0.0])
    with ReviewStore(where, draw=lambda: next(draws)) as store:
        sample = [proposed(f"s{n}", kind=Kind.SURE) for n in range(2)]
        store.add([proposed("a"), *sample, proposed("b")], Population(9, "run"))
        kinds = [cell.proposed.kind.value for cell in store.claim("ann", count=4)]
    assert kinds == ["sure", "doubtful", "doubtful", "sure"]


# --- two at once ------------------------------------------------------------------------------------------------------


def test_reviewers_at_once_never_get_the_same_cell(where: str, proposed: Make) -> None:
    with ReviewStore(where) as first, ReviewStore(where) as second:
        first.add(proposed(f"p{n}", f"words {n}") for n in range(16))
        got: dict[str, list[int]] = {"ann": [], "bob": []}
        begin = threading.Barrier(2)

        def work(store: ReviewStore, who: str) -> None:
            begin.wait()
            while cells := store.claim(who):
                got[who].append(cells[0].id)
                store.decide(cells[0].id, who, "accept")

        threads = [threading.Thread(target=work, args=(s, w)) for s, w in ((first, "ann"), (second, "bob"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(got["ann"] + got["bob"]) == list(range(1, 17))
        assert first.stats().verdicts["accept"] == 16


def test_a_claim_waits_for_a_writer_and_goes_by_what_it_wrote(where: str, proposed: Make) -> None:
    """With SKIP LOCKED alone, PostgreSQL hands out the row whose priority was lowered meanwhile."""
    with ReviewStore(where, draw=lambda: 1.0) as store, ReviewStore(where, draw=lambda: 1.0) as other:
        store.add([proposed("first", "one", risk=0.9), proposed("second", "two", risk=0.5)])
        got: list[ReviewCell] = []
        claiming = threading.Thread(target=lambda: got.extend(other.claim("bob")))
        with writing(store._engine) as connection:
            claiming.start()
            claiming.join(0.3)
            assert claiming.is_alive()
            connection.execute(text("UPDATE review_cells SET priority = 0.1 WHERE priority > 0.8"))
        claiming.join(60)
        assert names(got) == ["second"]


def test_one_of_two_decisions_at_once_counts(where: str, proposed: Make) -> None:
    with ReviewStore(where) as first, ReviewStore(where) as second:
        first.add([proposed("a")])
        begin, said = threading.Barrier(2), []

        def work(store: ReviewStore, who: str) -> None:
            begin.wait()
            try:
                said.append(store.decide(1, who, "accept").reviewer)
            except ReviewError as exc:
                said.append(str(exc))

        threads = [threading.Thread(target=work, args=(s, w)) for s, w in ((first, "ann"), (second, "bob"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sum("is decided already" in one for one in said) == 1
        assert first.cell(1).reviewer in said


def test_a_store_opened_by_several_at_once_is_made_once(where: str) -> None:
    begin, failed = threading.Barrier(4), []

    def work() -> None:
        begin.wait()
        try:
            ReviewStore(where).close()
        except Exception as exc:
            failed.append(exc)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []


def test_a_store_outlives_a_restart_of_its_server(postgresql: str, proposed: Make) -> None:
    with ReviewStore(postgresql) as store, ReviewStore(postgresql) as other:
        store.claim("ann")
        with writing(other._engine) as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE pid != pg_backend_pid() AND backend_type = 'client backend'"
                )
            )
        assert store.claim("ann") == store.claim("ann")


def test_a_database_that_does_not_answer_is_told_as_such(sqlite_store: ReviewStore) -> None:
    with (
        pytest.raises(StoreUnavailableError, match="does not answer: no such table: gone; try again"),
        writing(sqlite_store._engine) as connection,
    ):
        connection.execute(text("SELECT 1 FROM gone"))


# --- verdicts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "values", "known"),
    [
        ("accept", (), ("Round Neck",)),
        ("correct", ("V Neck", " Boat\u200b Neck\n"), ("V Neck", "Boat Neck")),
        ("reject", (), None),
        ("does_not_apply", (), ()),
        ("unsure", (), None),
    ],
)
def test_a_verdict_says_what_the_cell_has(
    sqlite_store: ReviewStore,
    proposed: Make,
    clock: Clock,
    verdict: str,
    values: tuple[str, ...],
    known: tuple[str, ...],
) -> None:
    sqlite_store.add([proposed("a")])
    decision = sqlite_store.decide(1, "ann", verdict, values)
    cell = sqlite_store.cell(1)
    assert (cell.verdict, cell.values, cell.reviewer, cell.decided_at) == (verdict, known, "ann", clock.now)
    assert (decision.id, decision.cells, decision.values) == (cell.decision, 1, known)
    assert sqlite_store.claim("bob") == []


def test_a_correction_to_what_is_proposed_accepts_it(sqlite_store: ReviewStore, proposed: Make) -> None:
    sqlite_store.add([proposed("a")])
    assert sqlite_store.decide(1, "ann", "correct", ["Round  Neck".replace("  ", " ")]).verdict == Verdict.ACCEPT


@pytest.mark.parametrize(
    ("verdict", "values", "said"),
    [
        ("correct", (), "the verdict correct needs 1 to 100 values, got 0; if the product has none"),
        ("correct", ("n/a",), "no marker of blank cells, got 'n/a'"),
        ("correct", ("\u200b ",), "a value should be text of 1 to 1000 characters"),
        ("correct", ("x" * 1001,), "a value should be text of 1 to 1000 characters"),
        ("correct", "V Neck", "values should be a list of texts, got the text 'V Neck'"),
        ("correct", (5,), "a value should be text, got 5"),
        ("accept", ("V Neck",), "values go with the verdict correct"),
    ],
)
def test_values_that_do_not_go_with_the_verdict_are_an_error(
    sqlite_store: ReviewStore, proposed: Make, verdict: str, values: Any, said: str
) -> None:
    sqlite_store.add([proposed("a")])
    with pytest.raises(DataError, match=said):
        sqlite_store.decide(1, "ann", verdict, values)
    assert sqlite_store.cell(1).verdict is None


def test_names_and_numbers_that_do_not_exist_are_an_error(sqlite_store: ReviewStore, proposed: Make) -> None:
    sqlite_store.add([proposed("a")])
    with pytest.raises(ConfigError, match=r"verdict should be one of accept, .*, got 'acept'; did you mean 'accept'"):
        sqlite_store.decide(1, "ann", "acept")
    with pytest.raises(DataError, match="reviewer should be a name of 1 to 200 characters, got ' '"):
        sqlite_store.claim(" ")
    for ask in (sqlite_store.cell, sqlite_store.history, lambda n: sqlite_store.decide(n, "ann", "accept")):
        with pytest.raises(UnknownCellError, match="there is no cell 7 in the review store"):
            ask(7)
    with pytest.raises(UnknownCellError, match="there is no decision 7"):
        sqlite_store.undo(7, "ann")


def test_a_request_that_is_sent_again_is_one_decision(store: ReviewStore, proposed: Make) -> None:
    store.add([proposed("a")])
    first = store.decide(1, "ann", "correct", ["V Neck"])
    assert store.decide(1, "ann", "correct", ["V Neck"]) == first
    with pytest.raises(ReviewError, match=r"decided already, by 'ann': correct; take that back first \(decision 1\)"):
        store.decide(1, "ann", "accept")
    with pytest.raises(ReviewError, match="decided already"):
        store.decide(1, "bob", "correct", ["V Neck"])


# --- the same words ---------------------------------------------------------------------------------------------------


def test_one_decision_settles_the_cells_with_the_same_words_that_were_shown(store: ReviewStore, proposed: Make) -> None:
    store.add(
        [
            *(proposed(f"crew {n}") for n in range(3)),
            proposed("other value", value="Crew"),
            proposed("other words", "roundneck"),
            proposed("other attribute", attribute="Color"),
            proposed("shop says so", kind=Kind.CONFLICT, cell=("V Neck",)),
            proposed("sample", kind=Kind.SURE),
        ],
        Population(5, "run"),
    )
    shown = store.same_words(1, "ann", examples=2)
    assert shown is not None
    assert (shown.words, shown.ids) == ("crewneck", (2, 3, 4))
    assert names(list(shown.examples)) == ["crew 1", "crew 2"]
    decision = store.decide(1, "ann", "accept", also=shown.ids)
    assert (decision.cells, decision.left) == (4, 0)
    assert [(c.id, c.verdict, c.values) for c in store.cells(decided=True)] == [
        (1, "accept", ("Round Neck",)),
        (2, "accept", ("Round Neck",)),
        (3, "accept", ("Round Neck",)),
        (4, "correct", ("Round Neck",)),  # it had another proposal
    ]
    assert store.same_words(5, "ann") is None


def test_what_somebody_took_or_decided_since_it_was_shown_is_left(store: ReviewStore, proposed: Make) -> None:
    store.add([proposed(f"crew {n}") for n in range(4)])
    shown = store.same_words(1, "ann")
    assert shown is not None
    store.decide(2, "bob", "reject")
    assert [cell.id for cell in store.claim("bob")] == [1]
    store.release("bob", [1])
    assert [cell.id for cell in store.claim("bob", count=2)] == [1, 3]
    store.release("bob", [1])
    decision = store.decide(1, "ann", "accept", also=shown.ids)
    assert (decision.cells, decision.left) == (2, 2)
    assert [cell.verdict for cell in store.cells()] == ["accept", "reject", None, "accept"]


def test_cells_of_other_words_cannot_be_settled_beside(sqlite_store: ReviewStore, proposed: Make) -> None:
    sqlite_store.add([proposed("a"), proposed("b", "vneck"), proposed("c", None)])
    with pytest.raises(ReviewError, match="cell 2 does not have the words of cell 1; give the cells that same_words"):
        sqlite_store.decide(1, "ann", "accept", also=[2])
    with pytest.raises(ReviewError, match="unsure says nothing of other cells"):
        sqlite_store.decide(1, "ann", "unsure", also=[2])
    assert sqlite_store.stats().open == 3


# --- undo -------------------------------------------------------------------------------------------------------------


def test_a_decision_is_taken_back_in_the_cells_that_nobody_touched_since(store: ReviewStore, proposed: Make) -> None:
    store.add([proposed(f"crew {n}") for n in range(4)])
    bulk = store.decide(1, "ann", "accept", also=[2, 3, 4])
    one = store.undo(bulk.id, "ann", only=[2])
    assert (one.cells, one.touched) == (1, 0)
    again = store.decide(2, "bob", "reject")
    rest = store.undo(bulk.id, "ann")
    assert (rest.cells, rest.touched) == (3, 1)
    assert [cell.verdict for cell in store.cells()] == [None, "reject", None, None]
    assert store.last_decision("ann") is None
    assert store.last_decision("bob") == again
    assert store.undo(bulk.id, "ann").cells == 0
    assert [cell.same for cell in store.cells(decided=False)] == [3, 3, 3]


def test_the_history_of_a_cell_has_every_decision(store: ReviewStore, proposed: Make, clock: Clock) -> None:
    store.add([proposed("a")])
    clock.now += 5
    first = store.decide(1, "ann", "correct", ["V Neck"])
    store.undo(first.id, "bob")
    store.decide(1, "bob", "reject")
    told = [(e.time - 1_000_000, e.act, e.reviewer, e.verdict, e.values, e.decision) for e in store.history(1)]
    assert told == [
        (0, Act.ADDED, None, None, None, None),
        (5, Act.DECIDED, "ann", "correct", ("V Neck",), 1),
        (5, Act.UNDONE, "bob", None, None, 1),
        (5, Act.DECIDED, "bob", "reject", None, 2),
    ]


# --- runs -------------------------------------------------------------------------------------------------------------


def test_the_same_run_added_again_changes_nothing(store: ReviewStore, proposed: Make) -> None:
    run = [proposed("a"), proposed("b", kind=Kind.SURE)]
    assert store.add(run, Population(2, "run"), ["a", "b"]) == Added(new=2)
    assert store.add(run, Population(2, "run"), ["a", "b"]) == Added(kept=2)
    assert [event.act for event in store.history(1)] == [Act.ADDED]


def test_a_later_run_replaces_what_nobody_decided(store: ReviewStore, proposed: Make) -> None:
    store.add([proposed(name) for name in ("decided", "claimed", "open", "gone")])
    store.decide(1, "ann", "accept")
    assert names(store.claim("ann")) == ["claimed"]
    run = [proposed(name, value="Crew") for name in ("decided", "claimed", "open", "new")]
    added = store.add(run, run=["decided", "claimed", "open", "gone", "new"])
    assert added == Added(new=1, updated=1, kept=2, withdrawn=1)
    assert [cell.proposed.proposal for cell in store.cells(decided=False)] == [("Round Neck",), ("Crew",), ("Crew",)]
    assert store.stats().cells == 4
    assert store.add([proposed("gone")]) == Added(updated=1)
    assert [event.act for event in store.history(4)] == [Act.ADDED, Act.WITHDRAWN, Act.UPDATED]


def test_texts_of_any_characters_come_back_as_they_were(store: ReviewStore, proposed: Make) -> None:
    odd = "a\x00b\\0000 \ud83d \U0001f455 \\"
    store.add([proposed(odd, odd, value=odd, attribute=odd, category=odd, images=(odd,))])
    (cell,) = store.cells(product=odd, attribute=odd)
    p = cell.proposed
    assert {p.product, p.attribute, p.words, p.category, *p.proposal, *p.images} == {odd}
    assert p.found is not None
    assert p.found.value == odd
    assert store.decided_cells() == set()
    store.decide(1, odd.replace("\x00", ""), "accept")
    assert store.decided_cells() == {(odd, odd)}


# --- progress ---------------------------------------------------------------------------------------------------------


def test_the_sure_cells_are_judged_by_the_beginning_of_the_sample(store: ReviewStore, proposed: Make) -> None:
    store.add([proposed(f"p{n}", kind=Kind.SURE) for n in range(6)], Population(600, "run"))
    order = [cell.id for cell in store.claim("ann", count=6)]
    for i, verdict in zip([*order[:3], order[4]], ["accept", "does_not_apply", "unsure", "accept"], strict=True):
        store.decide(i, "ann", verdict)
    sure = store.stats().sure
    assert sure is not None
    assert (sure.population, sure.right, sure.wrong, sure.unsure) == (600, 1, 1, 1)  # the fourth is still open
    store.decide(order[3], "ann", "accept")
    sure = store.stats().sure
    assert sure is not None
    assert (sure.right, sure.value) == (3, 0.75)


def test_progress_is_counted(store: ReviewStore, proposed: Make, clock: Clock) -> None:
    store.add([proposed("a"), proposed("b", attribute="Color"), proposed("c")])
    store.decide(1, "ann", "accept")
    clock.now += 2 * 3600
    store.decide(2, "bob", "unsure")
    store.claim("ann")
    told = store.stats().to_json()
    assert told == {
        "cells": 3,
        "open": 1,
        "claimed": 1,
        "decided": 2,
        "verdicts": {"accept": 1, "correct": 0, "reject": 0, "does_not_apply": 0, "unsure": 1},
        "kinds": {"doubtful": {"cells": 3, "decided": 2}},
        "attributes": {"Color": {"cells": 1, "decided": 1}, "Neck": {"cells": 2, "decided": 1}},
        "reviewers": {"ann": {"decisions": 1, "last_hour": 0}, "bob": {"decisions": 1, "last_hour": 1}},
        "sure": None,
    }


# --- what is no store -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (
            "nowhere/review.db",
            "a review store is a file, such as review.db, got .*, with no directory around it",
        ),
        (".", "with a directory"),
        ("mysql://root:secret@host/db", "SQLite .* or PostgreSQL .*, got 'mysql'"),
        ("://user:secret@", r"expected the address of a database, postgresql://user@host/name"),
        ("sqlite://", "SQLite .* or PostgreSQL"),
        ("http://host/db", "SQLite .* or PostgreSQL .*, got 'http'"),
    ],
)
def test_an_address_that_is_none_is_an_error(where: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as raised:
        ReviewStore(where)
    assert "secret" not in str(raised.value)


def test_a_file_that_is_something_else_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("some words, and more than that\n" * 100)
    with pytest.raises(DataError, match=r"notes.txt cannot be opened as a review store: file is not a database"):
        ReviewStore(tmp_path / "notes.txt")
    with pytest.raises(DataError, match=r"ann:\*\*\*@localhost:1/x cannot be opened as a review store") as r:
        ReviewStore("postgresql://ann:secret@localhost:1/x")
    assert "secret" not in str(r.value)


def test_a_store_of_another_version_is_refused(tmp_path: Path) -> None:
    with ReviewStore(tmp_path / "r.db") as store, writing(store._engine) as connection:
        connection.execute(text("UPDATE review_settings SET value = '9'"))
    with pytest.raises(DataError, match="expected a review store of format 1, got 9; it was made by another version"):
        ReviewStore(tmp_path / "r.db")
