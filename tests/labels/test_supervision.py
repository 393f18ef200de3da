"""What the cells of a table are taken for."""

from __future__ import annotations

from dataclasses import replace

from attrex.labels.mentions import UnlabelledMentions
from attrex.labels.supervision import Supervision, supervision
from attrex.shop.schema import Attribute, Schema
from attrex.types import CellState, Product, Span

SCHEMA = Schema(
    (Attribute("Color", options=("Red", "Blue")), Attribute("Neckline", options=("Round Neck",))),
    categories={"Bags": ("Color",)},
)


def product(text: str, *said: tuple[str, str], **more: object) -> Product:
    spans = tuple(Span(a, text.index(w), text.index(w) + len(w), w) for a, w in said)
    return Product("p", {"text": text}, spans=spans, **more)  # type: ignore[arg-type]


ROWS = [
    product("red shirt", ("Color", "red")),
    product("blue shirt", table={"Color": ("Scarlet",)}),  # filled, and the text names another value
    product("shirt", table={"Color": ("Scarlet",)}),
    product("blue round neck"),  # both blank, both named
    product("blue bag", category="Bags"),  # bags have no neckline
    product("bag", category="Bags", table={"Color": ()}),
    product("blue shirt", complete=True),
    replace(product("red"), error="unreadable"),
]


def count(*rows: Product) -> Supervision:
    return supervision(rows, SCHEMA, UnlabelledMentions.learn([], SCHEMA))


def test_every_cell_is_counted_once_by_what_is_known_of_it() -> None:
    found = count(*ROWS)
    assert (found.products, found.complete, found.table) == (7, 1, "partly filled")
    assert found.located == {"Color": 1}
    assert found.not_located == {"Color": 2}
    assert found.absent == {"Color": 2, "Neckline": 1}
    assert found.ruled_out == {"Neckline": 2}
    assert +found.blank == {"Color": 2, "Neckline": 4}
    assert +found.blank_mentioned == {"Color": 2, "Neckline": 1}
    assert +found.not_located_mentioned == {"Color": 1}
    totals = found.totals()
    assert sum(totals[k] for k in ("located", "not_located", "absent", "ruled_out", "blank")) == 7 * 2


def test_states_are_those_of_the_products_one_by_one(products: list[Product], schema: Schema) -> None:
    rows = [replace(p, complete=i % 5 == 0) for i, p in enumerate(products)]
    found = supervision(rows, schema, None)
    for name in schema.names:
        states = [schema.cell_state(p, name) for p in rows]
        assert found.located[name] == states.count(CellState.LOCATED)
        assert found.not_located[name] == states.count(CellState.NOT_LOCATED)
        assert found.absent[name] + found.ruled_out[name] == states.count(CellState.ABSENT)
        assert found.blank[name] == states.count(CellState.BLANK)
    assert not found.blank_mentioned


def test_it_is_told_when_more_cells_are_in_doubt_than_located() -> None:
    assert count(*ROWS).mostly_in_doubt  # four of one
    assert count(*ROWS).to_json()["mostly_in_doubt"] is True
    assert not count(*ROWS[:2]).mostly_in_doubt  # one of each
    assert not count(ROWS[0]).mostly_in_doubt  # none in doubt


def test_complete_products_are_recognised() -> None:
    found = count(*(replace(p, complete=True) for p in ROWS))
    assert found.table == "complete"
    assert found.to_json()["cells"]["blank"] == 0
    assert found.render() == "all 7 products are marked complete: what is not labelled is absent"


def test_one_line_tells_a_person() -> None:
    assert count(*ROWS).render() == (
        "the table is partly filled: 43% of the cells are blank and unknown; the texts of 3 of them name a known "
        "value, as do those of 1 cells that are filled with another one; these are more than the located ones"
    )
    assert count(*ROWS[:2]).render().endswith("filled with another one")


def test_each_attributes_cells_are_told_with_what_the_category_rules_out_as_absent() -> None:
    readable = ROWS[:-1]
    states = {"located": CellState.LOCATED, "not_located": CellState.NOT_LOCATED}
    states |= {"absent": CellState.ABSENT, "blank": CellState.BLANK}
    expected = {
        name: {key: sum(SCHEMA.cell_state(p, name) == state for p in readable) for key, state in states.items()}
        for name in SCHEMA.names
    }
    assert count(*ROWS).by_attribute(SCHEMA.names) == expected
    assert expected["Neckline"]["absent"] == 3  # two bags, and one that is complete
