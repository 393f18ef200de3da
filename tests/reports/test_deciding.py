"""What fill makes of a page's values, and cells that a person decides in the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from attrex.filling.fill import fill_table
from attrex.reports.html import write_report
from attrex.reports.outcomes import Filled, filled_products
from attrex.review.verdicts import CellVerdict, Verdicts, read_verdicts
from attrex.types import Prediction, Product, Span, Value
from attrex.vocabulary.normalizer import ValueNormalizer

SHELF = [
    Product("sure", {"title": "Navy shirt"}, table={"Color": ("Navy",), "Fit": ("Slim",)}, category="Tops"),
    Product("doubtful", {"title": "Navy 👕 long"}, table={"Color": ("Red",)}, category="Tops"),
]
FOUND = [
    Prediction("sure", (Value("Color", "Navy", 0.9, Span("Color", 0, 4, "Navy", "title")),)),
    Prediction(
        "doubtful",
        (
            Value("Color", "Navy", 0.8, Span("Color", 0, 4, "Navy", "title")),
            Value("Fit", "Loose", 0.4, decided_by="text"),
            Value("Size", "</script>Long", 0.9),
        ),
    ),
]


@pytest.fixture(scope="module")
def filled() -> list[Filled]:
    normalizer = ValueNormalizer.fit(SHELF)
    return filled_products(SHELF, list(fill_table(SHELF, FOUND, normalizer)), lambda text: normalizer.folded[text])


@pytest.fixture(scope="module")
def path(filled: list[Filled], tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("page")
    return write_report(home / "r.html", SHELF, FOUND, title="Shelf", model_name="m", filled=filled)


def test_how_full_a_product_is_is_told_in_words(filled: list[Filled]) -> None:
    assert [one.share for one in filled] == ["2 of 3 cells filled", "2 of 3 cells filled, 1 of them now"]


def test_what_became_of_a_value_stands_beside_it_and_the_doubtful_come_first(path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    assert page.index('id="product-2"') < page.index('id="product-1"')
    told = ["the shop says otherwise", "not sure enough", "fills a blank cell", "as the shop says"]
    places = [page.index(f">{words}") for words in told]
    assert places == sorted(places)
    assert "Not sure enough" in page
    assert "Attributes looked for" not in page
    assert page.count("<script>") == 1


def rows(page: Any, attribute: str) -> Any:
    return page.locator(f"tr[data-attribute='{attribute}'][data-cell]")


@pytest.fixture
def opened(path: Path, page: Any) -> Any:
    page.goto(path.as_uri())
    return page


def saved(page: Any, path: Path) -> list[CellVerdict]:
    with page.expect_download() as download:
        page.click(".save")
    assert download.value.suggested_filename == "corrections.jsonl"
    download.value.save_as(path)
    return read_verdicts(path)


def test_cells_are_decided_by_keys_and_come_back_as_verdicts(opened: Any, tmp_path: Path) -> None:
    opened.keyboard.press("d")
    opened.keyboard.press("a")  # of Color, the most doubtful
    opened.keyboard.press("e")  # of Fit, the next
    opened.keyboard.type("Boot Cut")
    opened.keyboard.press("Enter")
    rows(opened, "Size").locator("[data-verdict=does_not_apply]").click()
    opened.reload()  # what was decided is still there
    color, fit, size = saved(opened, tmp_path / "corrections.jsonl")
    assert (color.product, color.verdict, color.values, color.cell) == ("doubtful", "accept", ("Navy",), ("Red",))
    assert color.source == Span("Color", 0, 4, "Navy", "title")
    assert (color.kind, color.confidence) == ("conflict", 0.8)
    assert (fit.verdict, fit.values, fit.kind, fit.proposal) == ("correct", ("Boot Cut",), "doubtful", ("Loose",))
    assert (size.verdict, size.values, size.proposal) == ("does_not_apply", (), ("</script>Long",))

    _, product = Verdicts.load(tmp_path / "corrections.jsonl").applied(SHELF)
    assert product.table == {"Color": ("Navy",), "Fit": ("Boot Cut",), "Size": ()}
    opened.click(".forget")
    assert opened.is_hidden(".corrections")


def test_a_decision_is_taken_back_by_the_same_button(opened: Any) -> None:
    wrong = rows(opened, "Fit").locator("[data-verdict=reject]")
    wrong.click()
    assert opened.inner_text(".corrections [role=status]") == "1 cell decided"
    wrong.click()
    assert opened.is_hidden(".corrections")


def test_corrections_go_into_a_review_store(opened: Any, tmp_path: Path, filled: list[Filled]) -> None:
    pytest.importorskip("sqlalchemy")
    from attrex.pipeline.review import review_import
    from attrex.review.store import ReviewStore

    rows(opened, "Fit").locator("[data-verdict=reject]").click()
    saved(opened, tmp_path / "corrections.jsonl")
    with ReviewStore(tmp_path / "review.db") as store:
        store.add([cell for one in filled for cell in one.cells])
        assert review_import(store, tmp_path / "corrections.jsonl", reviewer="ann").decided == 1
        (cell,) = store.cells(attribute="Fit", decided=True)
        assert (cell.proposed.product, cell.verdict, cell.reviewer) == ("doubtful", "reject", "ann")


def test_the_page_is_for_everybody(opened: Any, axe: Callable[[Any], list[str]]) -> None:
    rows(opened, "Fit").locator("[data-verdict=correct]").click()
    rows(opened, "Color").locator("[data-verdict=accept]").click()
    # one fault that is put in shows that faults are found
    opened.evaluate("() => document.querySelector('main').append(document.createElement('button'))")
    assert axe(opened) == ["light: button-name: <button></button>"]
