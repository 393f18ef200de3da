"""The cells of the shop's own table that are probably wrong: each with its photo and what speaks against it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from attrex.filling.conflicts import Conflict
from attrex.reports.content import NumberedConflict, Page, ProductRun, words_for
from attrex.reports.markup import Html, bar, bdi, counted, cut, el, ordinal
from attrex.reports.photos import evidence, thumbnail
from attrex.reports.product import anchor
from attrex.types import Product, Value

CONTEXT = 50  #: characters around a word in an excerpt
THUMBNAIL = 128  #: pixels a side


def doubts(
    page: Page,
    products: Sequence[Product],
    predictions: ProductRun,
    listed: Sequence[NumberedConflict],
    total: int,
) -> Html | None:
    """The section of the page; nothing without conflicts.

    ``predictions``: of the model whose conflicts these are, with what speaks for its values. ``total``: how many
    conflicts there are, listed or not.
    """
    if not listed:
        return None
    items = [
        _item(page, i + 1, products[i], conflict, _with_evidence(conflict, predictions[i].values))
        for i, conflict in listed
    ]
    part = f"{len(listed):,} of {total:,}, " if len(listed) < total else ""
    more = ": `attrex fill --conflicts FILE` lists all" if part else ""
    title = el(
        "h2",
        "Cells that are probably wrong",
        page.two and ordinal(0),
        el("small", f"{part}most probably wrong first{more}"),
    )
    note = "Text or photo say something else than the shop's table, and nothing as sure says the same. Have a look."
    return el("section", title, el("p", note, cls="note"), el("ol", *items), cls="panel doubts")


def _with_evidence(conflict: Conflict, values: Iterable[Value]) -> Value:
    """The find of a conflict, with its regions."""
    found = conflict.found
    return next((v for v in values if replace(v, regions=(), words=found.words) == found), found)


def _item(page: Page, number: int, product: Product, conflict: Conflict, found: Value) -> Html:
    """One cell; ``number``: of the product on the page."""
    why = [evidence(product, found)]
    why += [f"{counted(conflict.others, 'other cell')} with the same two values"] if conflict.others else []
    why += [f"{conflict.own:.2f} for the table's value"] if conflict.own else []
    return el(
        "li",
        thumbnail(product, found, THUMBNAIL),
        el(
            "div",
            el("p", el("span", page.label(conflict.attribute)), bar(found.confidence), cls="cell"),
            el("p", _claim("table", bdi(", ".join(conflict.cell))), _claim("found", bdi(conflict.value)), cls="claim"),
            *_excerpts(page, product, found),
            el("p", " · ".join(filter(None, why)), cls="note"),
            el("a", f"Product {number:,}: ", bdi(product.id), href=f"#{anchor(number)}"),
        ),
    )


def _claim(who: str, value: Html) -> Html:
    return el("span", el("span", who, cls="key"), el("b", value))


def _excerpts(page: Page, product: Product, found: Value) -> Iterator[Html]:
    """What the text says of a value, by field: the value itself, or the words that spoke for it."""
    words = (found.source,) if found.source else words_for(found)
    ink = page.ink(found.attribute)
    for name, text in product.fields.items():
        places = [(w.start, w.end) for w in words if w.field == name and text[w.start : w.end] == w.text]
        if places:
            style = f"--ink:{ink};background-image:linear-gradient({ink} 0 0)"
            parts = [el("mark", part, style=style) if is_word else part for part, is_word in excerpt(text, places)]
            key = len(product.fields) > 1 and el("span", cut(name), cls="key")
            yield el("p", key, *parts, cls="excerpt", dir="auto")


def excerpt(text: str, places: Iterable[tuple[int, int]]) -> list[tuple[str, bool]]:
    """The words at some places of a text, as (part, whether it is such a word), in their context.

    More than :data:`CONTEXT` characters before, between and behind them are left out; an ellipsis stands for them.
    """
    parts: list[tuple[str, bool]] = []
    at = 0
    for start, end in sorted(places):
        begin = max(start, at)  # of two that overlap, what the first one leaves
        if begin < end:
            parts += [(_shortened(text[at:begin], before=bool(parts), behind=True), False), (text[begin:end], True)]
            at = end
    parts.append((_shortened(text[at:], before=True, behind=False), False))
    return [(part, is_word) for part, is_word in parts if part]


def _shortened(text: str, before: bool, behind: bool) -> str:
    """What stands between two words, or before or behind one, without what is far from them."""
    head, tail = CONTEXT * before, CONTEXT * behind
    if len(text) <= head + tail + len(" … "):
        return text
    kept = text[:head].rpartition(" ")[0] or text[:head], text[len(text) - tail :]
    return " … ".join((kept[0], kept[1].partition(" ")[2] or kept[1]))
