"""The pages in Chromium, of a service of an untrained tiny model with a review store."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")
pytest.importorskip("sqlalchemy")

import uvicorn
from starlette.testclient import TestClient

from attrex.review.cells import Kind, Option, ProposedCell
from attrex.review.store import ReviewStore
from attrex.server.app import create_app
from attrex.server.service import Loaded, Service
from attrex.server.settings import ServerSettings
from attrex.types import RegionWeights, Span, Value, WordWeight

TEXT = "Shirt with a crewneck 👕 and long sleeves"
COUNTS = {"products": 40, "filled": 4, "errors": 0, "expected": None}
SLEEVES = {"before": 30, "after": 34, "filled": 4, "blank": 10, "left": 60, "conflicts": 1, "agreement": 0.9}
FOUND = [
    {"id": f"p{n}", "attribute": "Sleeves", "outcome": "below", "cell": [], "value": "Long", "known": True,
     "confidence": 0.3, "text": None, "decided_by": "photo"}
    for n in range(60)
]  # fmt: skip
FOUND.append({**FOUND[0], "id": "s0", "outcome": "differs", "cell": ["Short"]})
CORNER = RegionWeights(0, ((1.0, 0.0), (0.0, 0.0)))


def cells(photo: Path) -> Iterator[ProposedCell]:
    """An attribute for each test, so that none sees what another has decided."""
    start = TEXT.index("crewneck")
    place = Span("Neckline", start, start + len("crewneck"), "crewneck", "title")
    found = Value("Neckline", "Round Neck", 0.4, place, (CORNER,), "both")
    options = (Option("V Neck", 0.2), Option("Polo", 0.0))

    def doubtful(attribute: str, number: int, words: str | None = None) -> ProposedCell:
        return ProposedCell(
            f"p{number}", attribute, Kind.DOUBTFUL, ("Round Neck",), None, 0.4, 0.4, found, options, {"title": TEXT},
            (str(photo),), "Topwear", words,
        )  # fmt: skip

    for attribute, number in (("Neckline", 14), ("Undone", 3), ("Shared", 6), ("Late", 2), ("Written", 2)):
        yield from (doubtful(attribute, n) for n in range(number))
    yield from (doubtful("Collar", n, "crewneck") for n in range(4))
    spoke = (WordWeight("title", 0, 5, "Shirt", 0.7),)
    head = Value("Sleeves", "Long", 0.9, None, (), "text", spoke)
    gone = (str(photo.with_name("gone.png")),)
    yield ProposedCell(
        "s0", "Sleeves", Kind.CONFLICT, ("Long",), ("Short",), 0.9, 0.1, head, (), {"title": TEXT}, gone
    )  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, photo: bytes) -> Iterator[ReviewStore]:
    home = tmp_path_factory.mktemp("review")
    (home / "photo.png").write_bytes(photo)
    with ReviewStore(home / "review.db") as store:
        store.path = home / "review.db"  # type: ignore[attr-defined]
        store.add(cells(home / "photo.png"))
        yield store


@pytest.fixture(scope="module")
def address(client: TestClient, store: ReviewStore, model_directory: Path) -> Iterator[str]:
    """A service that listens."""
    loaded: Loaded = client.service.loaded  # type: ignore[attr-defined]
    home = store.path.parent  # type: ignore[attr-defined]
    (home / "report.json").write_text(json.dumps({**COUNTS, "attributes": {"Sleeves": SLEEVES}}))
    (home / "changes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in FOUND))
    settings = ServerSettings(reviews=str(store.path), catalogue=home)  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Loaded, "load", lambda *arguments: loaded)
        app = create_app(Service(model_directory, settings))
    server = uvicorn.Server(uvicorn.Config(app, ws="none", log_config=None))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture
def review(address: str, page: Any) -> Callable[..., Any]:
    """``review("ann")``: the page of a reviewer who has begun."""

    def begin(name: str, query: str = "", of: Any = None) -> Any:
        of = of or page
        of.goto(f"{address}/review{query}")
        of.fill("#who input", name)
        of.keyboard.press("Enter")
        of.wait_for_selector(".choice")
        return of

    return begin


def press(page: Any, key: str) -> int:
    """Decide by a key, and wait for the next cell; returns the one that was decided."""
    before = page.get_attribute("#cell", "data-cell")
    page.keyboard.press(key)
    settled(page, before)
    return int(before)


def settled(page: Any, before: str | None) -> None:
    script = "id => document.querySelector('#cell').dataset.cell !== id && !document.querySelector('.busy')"
    page.wait_for_function(script, arg=before)


def test_a_value_in_focus_lights_its_words_and_its_heat_map(address: str, page: Any, photo: bytes) -> None:
    page.goto(address)
    page.wait_for_selector("#texts textarea")
    page.fill("#texts textarea", "navy blue cotton shirt with long sleeves")
    page.set_input_files("#files", {"name": "shirt.png", "mimeType": "image/png", "buffer": photo})
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".photo.lit")
    shown = []
    for _ in page.query_selector_all("#answer .values button"):
        words = " ".join(page.locator("mark.lit").all_inner_texts())
        heat = page.evaluate("document.querySelector('.photo.lit canvas')?.toDataURL()")
        shown.append((words, heat))
        page.keyboard.press("ArrowDown")
    assert len({words for words, _ in shown}) > 1
    assert len({heat for _, heat in shown if heat}) > 1


def test_ten_cells_by_keyboard(review: Callable[..., Any], store: ReviewStore) -> None:
    page = review("ann", "?attribute=Neckline")
    assert page.inner_text("mark.lit") == "crewneck"
    page.wait_for_selector(".photo.lit")
    page.focus(".choices li:nth-child(2) button")
    assert page.query_selector(".lit") is None  # there is no heat-map of another value
    keys = ["a", "1", "2", "x", "n", "s", "a", "a", "1", "a"]
    decided = [store.cell(press(page, key)) for key in keys]
    assert [cell.verdict for cell in decided] == [
        "accept", "correct", "correct", "reject", "does_not_apply", "unsure", "accept", "accept", "correct", "accept",
    ]  # fmt: skip
    assert [cell.values for cell in decided[:5]] == [("Round Neck",), ("V Neck",), ("Polo",), None, ()]
    assert "10 decisions by you at" in page.inner_text("#filters")


def test_a_decision_is_taken_back(review: Callable[..., Any], store: ReviewStore) -> None:
    page = review("ann", "?attribute=Undone")
    first = press(page, "x")
    assert store.cell(first).verdict == "reject"
    second = page.get_attribute("#cell", "data-cell")
    page.keyboard.press("u")
    settled(page, second)
    assert int(page.get_attribute("#cell", "data-cell")) == first
    assert (store.cell(first).verdict, store.cell(first).claimed_by) == (None, "ann")
    assert press(page, "a") == first
    assert page.get_attribute("#cell", "data-cell") == second


def test_cells_with_the_same_words_are_shown_and_decided_at_once(
    review: Callable[..., Any], store: ReviewStore
) -> None:
    page = review("ann", "?attribute=Collar")
    assert page.inner_text(".many").startswith("3 more with the same words")
    page.keyboard.press("m")
    page.wait_for_selector(".same li")
    assert page.locator(".same mark").all_inner_texts() == ["crewneck"] * 3
    assert [cell.verdict for cell in store.cells(attribute="Collar")] == [None] * 4
    press(page, "1")
    assert [cell.values for cell in store.cells(attribute="Collar")] == [("V Neck",)] * 4
    assert "Collar corrected: V Neck in 4 products" in page.inner_text("#told")
    page.keyboard.press("u")
    page.wait_for_selector(".many")
    assert [cell.verdict for cell in store.cells(attribute="Collar")] == [None] * 4


def test_two_people_never_get_one_cell(review: Callable[..., Any], store: ReviewStore, page: Any, browser: Any) -> None:
    other = browser.new_context().new_page()
    people = [review("ann", "?attribute=Shared"), review("bob", "?attribute=Shared", other)]
    decided: list[tuple[str, int]] = []
    for name, of in [("ann", people[0]), ("bob", people[1])] * 3:
        assert people[0].get_attribute("#cell", "data-cell") != people[1].get_attribute("#cell", "data-cell")
        if of.query_selector(".choice"):
            before = of.get_attribute("#cell", "data-cell")
            of.keyboard.press("a")
            of.wait_for_function(
                "id => (!document.querySelector('.choice') || document.querySelector('#cell').dataset.cell !== id)"
                " && !document.querySelector('.busy')",
                arg=before,
            )
            decided.append((name, int(before)))
    other.context.close()
    assert len({cell for _, cell in decided}) == len(decided) == 6
    assert {(cell.reviewer, cell.id) for cell in store.cells(attribute="Shared")} == set(decided)


def test_a_cell_that_somebody_else_has_decided_is_left_to_them(review: Callable[..., Any], store: ReviewStore) -> None:
    page = review("ann", "?attribute=Late")
    cell = int(page.get_attribute("#cell", "data-cell"))
    store.release("ann", [cell])
    store.decide(cell, "bob", "reject")
    press(page, "a")
    assert "decided already, by 'bob': reject" in page.inner_text("#alerts")
    assert store.cell(cell).reviewer == "bob"


def test_other_words_are_written(review: Callable[..., Any], store: ReviewStore) -> None:
    page = review("ann", "?attribute=Written")
    page.keyboard.press("e")
    page.keyboard.type("Boat Neck")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("a 1")
    cell = press(page, "Enter")
    assert store.cell(cell).values == ("Boat Neck", "a 1")


def test_what_speaks_for_a_value_and_what_the_shop_has_are_shown(review: Callable[..., Any]) -> None:
    page = review("ann", "?attribute=Sleeves")
    assert page.inner_text(".shop").lower() == "the shop's cell short"
    assert page.locator(".spoke").all_inner_texts() == ["Shirt"]
    assert "from the text" in page.inner_text(".choice")
    page.wait_for_selector(".placeholder")  # its photo is gone
    assert "/" not in page.inner_text(".placeholder")
    page.keyboard.press("?")
    assert "undo the last decision" in page.inner_text("dialog[open]")


def test_filters_choose_what_comes(review: Callable[..., Any]) -> None:
    page = review("dan")
    page.select_option("#filters [name=attribute]", "Sleeves")
    page.wait_for_selector("#attribute:has-text('Sleeves')")
    page.select_option("#filters [name=kind]", "doubtful")
    page.wait_for_selector("text=No open cell fits these filters")


def test_figures_of_the_catalogue_lead_to_cells_and_on_to_their_review(address: str, page: Any) -> None:
    page.goto(f"{address}/catalogue")
    page.click("tbody .left button")
    page.wait_for_function("() => document.querySelectorAll('.cells li').length === 50")
    page.click("text='Show more of 60'")
    page.wait_for_function("() => document.querySelectorAll('.cells li').length === 60")
    assert page.locator(".cells li").first.inner_text().split() == [
        "p0",
        "Long",
        "0.30",
        "from",
        "the",
        "photo",
        "decide",
    ]
    page.click("tbody .conflicts button")
    page.click("a[aria-label='decide Sleeves of s0']")
    page.fill("#who input", "fay")
    page.keyboard.press("Enter")
    page.wait_for_selector("#attribute:has-text('Sleeves')")
    assert page.input_value("#filters [name=product]") == "s0"


@pytest.mark.parametrize("path", ["/", "/review", "/catalogue", "/model"])
def test_pages_are_for_everybody(path: str, address: str, page: Any, axe: Callable[[Any], list[str]]) -> None:
    page.goto(address + path)
    if path == "/review":
        page.fill("#who input", "eve")
        page.keyboard.press("Enter")
        page.wait_for_selector(".choice")
    page.wait_for_load_state("networkidle")
    assert axe(page) == []
