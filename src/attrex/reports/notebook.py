"""Products, predictions and tables as small HTML that a notebook shows beneath a cell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from attrex.reports.markup import Html, bdi, cut, el
from attrex.types import Prediction, Product, Span

MAX_NOTEBOOK_TEXT = 2_000
"""Characters of a text that are shown."""
_INKS = ("#fde68a", "#bfdbfe", "#bbf7d0", "#fbcfe8", "#ddd6fe", "#fed7aa", "#a5f3fc", "#e7e5e4")
_MARK = "background:{};color:#111;border-radius:3px;padding:0 2px"


def product_html(product: Product) -> str:
    """A product's texts with its labels marked, and the shop's table."""
    spans = product.spans or ()
    inks = _inks([s.attribute for s in spans])
    texts = []
    for name, text in product.fields.items():
        marked = _marked(text, [s for s in spans if s.field == name], inks)
        texts.append(el("p", el("b", bdi(name), ": "), *marked, style="margin:2px 0"))
    facts = [product.category, product.images and f"{len(product.images)} photos"]
    shown = [[bdi(a), bdi(", ".join(values) or "none")] for a, values in product.table.items()]
    head = el("p", el("b", bdi(product.id)), *(f" · {cut(fact)}" for fact in facts if fact), style="margin:2px 0")
    return el(
        "div", head, *_alerts(product.error, product.warnings), *texts, table_html(("", ""), shown) if shown else None
    )


def prediction_html(prediction: Prediction) -> str:
    """What was found in one product: each value with its words in the text and its confidence."""
    inks = _inks([v.attribute for v in prediction.values])
    rows: list[list[object]] = []
    for value in prediction.values:
        source = value.source
        said = el("mark", cut(source.text), style=_MARK.format(inks[value.attribute])) if source else "not in the text"
        where = f"{cut(source.field)} {source.start}–{source.end}" if source else ""
        rows.append([bdi(value.attribute), bdi(value.value), f"{value.confidence:.2f}", said, where])
    heads = ("attribute", "value", "confidence", "text", "where")
    body = table_html(heads, rows) if rows else el("p", "no value found", style="margin:2px 0")
    head = el("p", el("b", bdi(prediction.id)), style="margin:2px 0")
    return el("div", head, *_alerts(prediction.error, prediction.warnings), body)


def table_html(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Html:
    """Rows of cells, which are escaped unless they are HTML."""
    body = [el("tr", *(el("td", cell, style="text-align:left") for cell in row)) for row in rows]
    head = any(heads) and el("thead", el("tr", *(el("th", h, style="text-align:left") for h in heads)))
    return el("table", head, el("tbody", *body))


def _alerts(error: str | None, warnings: Sequence[str]) -> list[Html]:
    notes = [f"Not read: {error}"] if error else []
    return [el("p", cut(note), style="margin:2px 0;color:#b91c1c") for note in (*notes, *warnings)]


def _inks(attributes: Iterable[str]) -> Mapping[str, str]:
    return {name: _INKS[i % len(_INKS)] for i, name in enumerate(dict.fromkeys(attributes))}


def _marked(text: str, spans: Sequence[Span], inks: Mapping[str, str]) -> list[object]:
    """The text, cut where spans begin and end; where several overlap, the first one's colour and all names."""
    cuts = sorted(
        {
            0,
            min(len(text), MAX_NOTEBOOK_TEXT),
            *(at for s in spans for at in (s.start, s.end) if at < MAX_NOTEBOOK_TEXT),
        }
    )
    parts: list[object] = []
    for start, end in pairwise(cuts):
        here = [s for s in spans if s.start < end and start < s.end]
        names = ", ".join(cut(s.attribute) for s in here)
        part = text[start:end]
        parts.append(el("mark", part, title=names, style=_MARK.format(inks[here[0].attribute])) if here else part)
    return (
        [*parts, f" … {MAX_NOTEBOOK_TEXT:,} of {len(text):,} characters shown"]
        if len(text) > MAX_NOTEBOOK_TEXT
        else parts
    )
