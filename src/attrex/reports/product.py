"""One product: its photos, its texts with the values marked, heat-maps, and the table of values."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from attrex.reports.content import SIGNS, Page, ValueRow, value_rows, words_for
from attrex.reports.markup import ORDINALS, Html, bar, bdi, counted, cut, el
from attrex.reports.outcomes import Filled, decision_of, outcome_cell
from attrex.reports.photos import evidence, grid_fault, heatmap_tiles, photos
from attrex.review.cells import Kind
from attrex.types import Prediction, Product, WordWeight

MAX_TEXT = 4_000  #: characters of one text field that are shown
LONG_TEXT = 1_200  #: characters from which on a text scrolls in a box of its own
MAX_ROWS = 200  #: values of one product that are shown
MAX_CHIPS = 40  #: attributes of a range, or cells of the shop's table, that are shown


def anchor(number: int) -> str:
    """Where the ``number``-th product is on the page."""
    return f"product-{number}"


def product_article(
    page: Page, number: int, product: Product, predictions: Sequence[Prediction], filled: Filled | None = None
) -> Html:
    """The ``number``-th product of the page with one prediction per model; ``filled``: what became of the first's."""
    rows = value_rows(product, predictions)
    error = product.error if product.error not in {p.error for p in predictions} else None
    warnings = [w for w in product.warnings if not any(w in p.warnings for p in predictions)]
    cells = [(a, ", ".join(values) if values else "none") for a, values in product.table.items()]
    chips = [el("span", page.label(a), el("small", bdi(v)), cls="chip") for a, v in cells]
    marked = bool(product.error or warnings or any(p.error or p.warnings or p.coverage < 1 for p in predictions))
    slips = sum(r.mistake for r in rows)
    head = [
        el("span", f"{number:,}", cls="number"),
        el("h2", bdi(product.id)),
        product.category is not None and el("span", bdi(product.category), cls="badge"),
        slips and el("span", counted(slips, "mistake"), cls="badge wrong"),
        page.two and any(r.differs for r in rows) and el("span", "≠ they differ", cls="badge differ"),
        product.spans is None and filled is None and el("span", "no labels", cls="badge"),
        filled is not None and filled.attributes > 0 and el("span", filled.share, cls="badge"),
    ]
    return el(
        "article",
        el("header", *(h for h in head if h)),
        photos(page, product),
        el(
            "div",
            *_alerts("error", [error] if error else []),
            *_alerts("warning", [*warnings, *_product_faults(product, rows)]),
            *(_reading(page, product, p, rows, m) for m, p in enumerate(predictions)),
            heatmap_tiles(page, product, rows[:MAX_ROWS]),
            _value_table(page, product, rows, filled),
            _chips("shop's table", chips),
            cls="body",
        ),
        id=anchor(number),
        tabindex=-1,
        data_marked=marked,
    )


def _product_faults(product: Product, rows: Sequence[ValueRow]) -> list[str]:
    """What is wrong with the predictions themselves: said on the page, beside the product."""
    faults = []
    for row in rows:
        name = f"{cut(row.attribute)} {cut(row.text)!r}"
        if not row.fits:
            faults.append(f"{name} is not what the text says at {_where(row)}, so it is not marked there")
        grids = [r for v in row.found if v for r in v.regions]
        faults += [f"{name}: {fault}" for fault in sorted({grid_fault(product, r) or "" for r in grids}) if fault]
    return faults


def _chips(title: str, chips: Sequence[Html]) -> Html | None:
    if not chips:
        return None
    more = len(chips) > MAX_CHIPS and el("span", f"and {len(chips) - MAX_CHIPS:,} more", cls="note")
    return el("p", el("span", title, cls="key"), *chips[:MAX_CHIPS], more, cls="chips")


def _alerts(kind: str, messages: Sequence[str]) -> list[Html]:
    sign = "Not read: " if kind == "error" else "Warning: "
    more = [f"{len(messages) - MAX_CHIPS:,} more of these"] if len(messages) > MAX_CHIPS else []
    return [el("p", el("b", sign), cut(m, 600), cls=f"alert {kind}") for m in [*messages[:MAX_CHIPS], *more]]


def _reading(page: Page, product: Product, prediction: Prediction, rows: Sequence[ValueRow], model: int) -> Html:
    """What one model made of the texts."""
    scores = sorted(prediction.range.items(), key=lambda item: -item[1])
    texts = []
    for name, text in product.fields.items():
        said = [(i, r) for i, r in enumerate(rows) if r.field == name]
        words = [(i, word) for i, r in enumerate(rows) for word in words_for(r.found[model]) if word.field == name]
        spoke = [(i, word) for i, word in words if text[word.start : word.end] == word.text]
        marked = _marked_text(page, text, said, spoke, model)
        texts += [len(product.fields) > 1 and el("p", bdi(name), cls="key"), marked]
    return el(
        "section",
        page.two and el("h3", page.name(model)),
        *_alerts("error", [prediction.error] if prediction.error else []),
        *_alerts("warning", prediction.warnings),
        prediction.coverage < 1
        and el("p", el("b", "Coverage: "), f"{prediction.coverage:.1%} of the text was read", cls="alert warning"),
        *texts,
        _chips("range", [el("span", page.label(a), el("small", f"{s:.2f}"), cls="chip") for a, s in scores]),
        cls="reading",
    )


def _value_table(page: Page, product: Product, rows: Sequence[ValueRow], filled: Filled | None) -> Html:
    """``filled``: the doubtful values come first, each with what became of it and a place to decide."""
    if not rows:
        return el("p", "No value found.", cls="note")
    confidence = ORDINALS if page.two else ("Confidence",)
    titles = ("Attribute", "Value", *confidence, *(("Outcome", "Decide") if filled else ()), "Where", "Evidence")
    heads = [el("th", h, scope="col", cls=h.lower()) for h in titles]
    shown = list(enumerate(rows[:MAX_ROWS]))
    if filled:
        shown.sort(key=lambda numbered: -_risk(filled, numbered[1]))
    body = [_value_row(page, product, i, row, filled) for i, row in shown]
    more = len(rows) > MAX_ROWS and el("p", f"{MAX_ROWS} of {len(rows):,} values shown", cls="note")
    return el("div", el("table", el("thead", el("tr", *heads)), el("tbody", *body), cls="values"), more, cls="scroll")


def _risk(filled: Filled, row: ValueRow) -> float:
    cell = filled.asked(row.found[0])
    return cell.risk if cell and cell.kind != Kind.SURE else -1.0


def _value_row(page: Page, product: Product, index: int, row: ValueRow, filled: Filled | None) -> Html:
    said = [evidence(product, value) for value in row.found]
    unequal = row.differs and el("span", "≠", cls="unequal", title="they differ")
    words = [v.value for v in row.found if v and v.value.casefold() != " ".join(row.text.split()).casefold()]
    named = [el("small", " → ", bdi(word), cls="named") for word in dict.fromkeys(words)]
    asked = filled.asked(row.found[0]) if filled else None
    became = [outcome_cell(filled, row.found[0]), el("td", cls="decide")] if filled else []
    return el(
        "tr",
        el("th", page.label(row.attribute), scope="row"),
        el("td", bdi(row.text), *named, unequal),
        *(_confidence_cell(row, m) for m in range(len(row.found))),
        *became,
        el("td", _where(row), cls="where place"),
        el("td", " / ".join(filter(None, dict.fromkeys(said))) or "–", cls="where"),
        data_cell=decision_of(asked) if asked else None,
        data_doubtful=asked is not None and asked.kind != Kind.SURE,
        data_rows=index,
        data_attribute=cut(row.attribute),
        data_confidence=round(row.confidence, 4),
        data_mistake=row.mistake,
        data_differs=row.differs,
    )


def _where(row: ValueRow) -> str:
    return "not in the text" if row.field is None else f"{cut(row.field)}:{row.start}-{row.end}"


def _confidence_cell(row: ValueRow, model: int) -> Html:
    value, status = row.found[model], row.status(model)
    if value is None:
        return el("td", el("span", SIGNS[status], cls="sign") if status else "–", cls=status or "blank")
    return el("td", bar(value.confidence), el("span", SIGNS[status], cls="sign", title=status), cls=status)


# --- texts with marks -------------------------------------------------------------------------------------------------


def _marked_text(
    page: Page, text: str, rows: Sequence[tuple[int, ValueRow]], spoke: Sequence[tuple[int, WordWeight]], model: int
) -> Html:
    """A text with its values marked; each has an underline of its own, so that overlapping ones stay visible.

    ``spoke``: words that spoke for values which the text does not say; they show when one points at such a value.
    """
    marked = [(i, r) for i, r in rows if r.fits and r.status(model)]
    shown = [(i, r) for i, r in marked if r.start < MAX_TEXT]
    ends: list[int] = []  # of the last value over each underline
    lanes = []  # for each value the first underline that is free
    for _, row in shown:
        lane = next((k for k, end in enumerate(ends) if end <= row.start), len(ends))
        ends[lane : lane + 1] = [row.end]
        lanes.append(lane)
    depth = max(lanes, default=0) + 1
    edges = [0, len(text), *(r.start for _, r in shown), *(r.end for _, r in shown)]
    edges += [edge for _, word in spoke for edge in (word.start, word.end)]
    cuts = sorted({min(edge, MAX_TEXT) for edge in edges})
    parts: list[object] = []
    for start, end in pairwise(cuts):
        here = [(i, r, k) for (i, r), k in zip(shown, lanes, strict=True) if r.start < end and start < r.end]
        part: object = _mark(page, text[start:end], here, model, depth) if here else text[start:end]
        heard = [str(i) for i, word in spoke if word.start < end and start < word.end]
        parts.append(el("span", part, data_spoke=" ".join(heard)) if heard else part)
    if len(text) > MAX_TEXT:
        beyond = counted(sum(r.end > MAX_TEXT for _, r in marked), "value")
        note = f" … {MAX_TEXT:,} of {len(text):,} characters shown, {beyond} further on"
        parts.append(el("span", note, cls="note"))
    return el("p", *parts, cls="text long" if len(text) > LONG_TEXT else "text", dir="auto", style=f"--depth:{depth}")


def _mark(page: Page, text: str, here: Sequence[tuple[int, ValueRow, int]], model: int, depth: int) -> Html:
    statuses = [r.status(model) for _, r, _ in here]
    worst = next(s for s in ("wrong", "missed", "right", "found") if s in statuses)
    inks = [page.ink(r.attribute) for _, r, _ in here]
    said = []
    for (_, r, _), status in zip(here, statuses, strict=True):
        value = r.found[model]
        said.append(f"{cut(r.attribute)} {f'{value.confidence:.2f} ' if value else ''}{SIGNS[status]}".strip())
    lines = ",".join(f"linear-gradient({ink} 0 0)" for ink in inks)
    places = ",".join(f"0 calc(100% - {4 * (depth - 1 - lane)}px)" for *_, lane in here)
    return el(
        "mark",
        text,
        cls=f"{worst} differs" if any(r.differs for _, r, _ in here) else worst,
        tabindex=0,
        data_rows=" ".join(str(i) for i, _, _ in here),
        data_model=model,
        data_label=" · ".join(said),
        style=f"--ink:{inks[0]};background-image:{lines};background-position:{places}",
    )
