"""One self-contained HTML page that shows what was extracted, from where in the text, and where in the photo.

The page needs no server, no network and no framework. Heat-maps travel as small grids of weights, which the page draws
over the photo (``assets/report.js``); all the rest is plain HTML that can be read without scripts.
"""

from __future__ import annotations

import base64
import hashlib
import io
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from itertools import pairwise
from pathlib import Path
from string import Template
from typing import Any

from PIL import Image

from attrex.errors import DataError
from attrex.types import Evidence, ExtractedValue, ImageSource, Prediction, Product

MAX_TEXT = 4_000  #: characters of one text field that are shown
LONG_TEXT = 1_200  #: characters from which on a text scrolls in a box of its own
MAX_LABEL = 160  #: characters of a name, a value or a message that are shown
MAX_ROWS = 200  #: values of one product that are shown
MAX_CHIPS = 40  #: attributes of a range, or cells of the shop's table, that are shown
MAX_BARS = 24  #: attributes in the chart before the rest is folded away

_ORDINALS = ("1st", "2nd")
_SIGNS = {"right": "✓", "wrong": "✗", "missed": "missed", "found": "", "": ""}

# --------------------------------------------------------------------------------------------------------------- markup


class Html(str):
    """Text that is HTML already. Every other string is escaped on its way into an element."""

    __slots__ = ()


def el(tag: str, /, *children: object, **attributes: object) -> Html:
    """One element. ``cls`` stands for ``class``, ``data_x`` for ``data-x``; None and False leave a part out."""
    head = tag
    for key, value in attributes.items():
        if value is not None and value is not False:
            head += f" {'class' if key == 'cls' else key.replace('_', '-')}"
            head += "" if value is True else f'="{escape(str(value))}"'
    return Html(f"<{head}>" if tag == "img" else f"<{head}>{_join(children)}</{tag}>")


def _join(children: Iterable[object]) -> Html:
    shown = (c for c in children if c is not None and c is not False)
    return Html("".join(c if isinstance(c, Html) else escape(str(c)) for c in shown))


def _cut(text: str, limit: int = MAX_LABEL) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"


def _bdi(text: str) -> Html:
    """A piece of data whose writing direction does not disturb what stands around it."""
    return el("bdi", _cut(text))


def _ordinal(model: int) -> Html:
    return el("b", _ORDINALS[model], cls="ordinal second" if model else "ordinal")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


# ------------------------------------------------------------------------------------------------ what there is to show


@dataclass(frozen=True, slots=True)
class _Row:
    """One (attribute, place) of a product: which model found it, and whether it is a label."""

    attribute: str
    field: str
    start: int
    end: int
    text: str
    gold: bool | None  #: None: the product has no labels
    found: tuple[ExtractedValue | None, ...]  #: one per model
    fits: bool  #: False: the product's text does not say this at this place

    def status(self, model: int) -> str:
        """``right``, ``wrong``, ``missed``, ``found`` (nothing to compare with), or empty."""
        if self.found[model] is None:
            return "missed" if self.gold else ""
        return "found" if self.gold is None else "right" if self.gold else "wrong"

    @property
    def mistake(self) -> bool:
        return any(self.status(m) in ("wrong", "missed") for m in range(len(self.found)))

    @property
    def differs(self) -> bool:
        return len({value is None for value in self.found}) > 1

    @property
    def confidence(self) -> float:
        """The lowest of any model; 1 where no model has found it."""
        return min((v.confidence for v in self.found if v), default=1.0)


def _rows(product: Product, predictions: Sequence[Prediction]) -> list[_Row]:
    """Every value of any model and every label, one row per place, in reading order."""
    found = [{v.key: v for v in p.values} for p in predictions]
    gold = None if product.spans is None else {s.key: s.text for s in product.spans}
    said = dict(gold or {})
    for values in found:
        said |= {key: v.text for key, v in values.items()}
    rows = []
    for key, text in said.items():
        attribute, field, start, end = key
        fits = 0 <= start < end and product.fields.get(field, "")[start:end] == text
        is_gold = None if gold is None else key in gold
        rows.append(_Row(attribute, field, start, end, text, is_gold, tuple(f.get(key) for f in found), fits))
    order = {field: i for i, field in enumerate(product.fields)}
    return sorted(rows, key=lambda r: (order.get(r.field, len(order)), r.start, r.end, r.attribute))


def sample(products: Sequence[Product], predictions: Sequence[Sequence[Prediction]], limit: int) -> list[int]:
    """Which products a page of at most ``limit`` shows, as indices in input order.

    ``predictions``: for each product one per model. With labels, products with mistakes come first, then those with the
    lowest confidence; without labels they are taken evenly over the input.
    """
    n = len(products)
    if n <= limit:
        return list(range(n))
    if all(p.spans is None for p in products):
        return [i * n // limit for i in range(limit)]

    def urgency(i: int) -> tuple[bool, float]:
        rows = _rows(products[i], predictions[i])
        return (not any(r.mistake for r in rows), min((r.confidence for r in rows), default=1.0))

    return sorted(sorted(range(n), key=urgency)[:limit])


@dataclass(frozen=True, slots=True)
class _Page:
    """What every part of the page needs to know."""

    models: tuple[str, ...]
    hues: Mapping[str, int]  #: attribute -> degrees on the colour circle
    image_size: int

    @property
    def two(self) -> bool:
        return len(self.models) > 1

    def name(self, model: int) -> Html:
        return _join([self.two and _ordinal(model), _bdi(self.models[model])])

    def ink(self, attribute: str) -> str:
        return f"hsl({self.hues.get(attribute, 0)} 70% 50%)"

    def label(self, attribute: str) -> Html:
        return _join([el("i", cls="dot", style=f"background:{self.ink(attribute)}"), _bdi(attribute)])


# ------------------------------------------------------------------------------------------------------ text with marks


def _text(page: _Page, text: str, rows: Sequence[tuple[int, _Row]], model: int) -> Html:
    """A text with its values marked; each has an underline of its own, so that overlapping ones stay visible."""
    marked = [(i, r) for i, r in rows if r.fits and r.status(model)]
    shown = [(i, r) for i, r in marked if r.start < MAX_TEXT]
    lanes = _lanes([r for _, r in shown])
    depth = max(lanes, default=0) + 1
    edges = [0, len(text), *(r.start for _, r in shown), *(r.end for _, r in shown)]
    cuts = sorted({min(edge, MAX_TEXT) for edge in edges})
    parts: list[object] = []
    for start, end in pairwise(cuts):
        here = [(i, r, k) for (i, r), k in zip(shown, lanes, strict=True) if r.start < end and start < r.end]
        parts.append(_mark(page, text[start:end], here, model, depth) if here else text[start:end])
    if len(text) > MAX_TEXT:
        beyond = _count(sum(r.end > MAX_TEXT for _, r in marked), "value")
        note = f" … {MAX_TEXT:,} of {len(text):,} characters shown, {beyond} further on"
        parts.append(el("span", note, cls="note"))
    return el("p", *parts, cls="text long" if len(text) > LONG_TEXT else "text", dir="auto", style=f"--depth:{depth}")


def _lanes(rows: Sequence[_Row]) -> list[int]:
    """For each row (sorted by start) the first underline that is free."""
    ends: list[int] = []
    lanes = []
    for row in rows:
        lane = next((k for k, end in enumerate(ends) if end <= row.start), len(ends))
        ends[lane : lane + 1] = [row.end]
        lanes.append(lane)
    return lanes


def _mark(page: _Page, text: str, here: Sequence[tuple[int, _Row, int]], model: int, depth: int) -> Html:
    statuses = [r.status(model) for _, r, _ in here]
    worst = next(s for s in ("wrong", "missed", "right", "found") if s in statuses)
    inks = [page.ink(r.attribute) for _, r, _ in here]
    said = []
    for (_, r, _), status in zip(here, statuses, strict=True):
        value = r.found[model]
        said.append(f"{_cut(r.attribute)} {f'{value.confidence:.2f} ' if value else ''}{_SIGNS[status]}".strip())
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


# ------------------------------------------------------------------------------------------------- photos and heat-maps


def _jpeg(source: ImageSource, size: int) -> bytes:
    """The photo in its own proportions, at most ``size`` pixels a side. Raises :class:`DataError`."""
    from attrex.data.images import decode

    pixels = decode(source, size)
    width, height = _proportions(source, size)
    longest = max(width, height)
    shape = (max(16, round(size * width / longest)), max(16, round(size * height / longest)))
    out = io.BytesIO()
    Image.fromarray(pixels).resize(shape).save(out, "JPEG", quality=82, optimize=True)
    return out.getvalue()


def _proportions(source: ImageSource, size: int) -> tuple[int, int]:
    """Width and height of a photo that can be decoded, upright; only their ratio is meant."""
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            image.draft("RGB", (size, size))
            image.load()  # a PNG may say at its end how it is turned, and Pillow turns a TIFF by itself
            width, height = image.size
            return (height, width) if image.getexif().get(0x0112, 1) >= 5 else (width, height)
    except Exception:  # damaged metadata: the photo is shown square
        return 1, 1


def _photos(page: _Page, product: Product) -> Html:
    if not product.images:
        blank = el("div", "No photo", el("small", "read from the text alone"), cls="placeholder")
        return el("div", blank, cls="photos")
    figures = []
    for i, source in enumerate(product.images):
        try:
            data = base64.b64encode(_jpeg(source, page.image_size)).decode()
        except DataError as exc:
            reason = el("small", _cut(str(exc), 2 * MAX_LABEL))
            figures.append(el("div", f"Photo {i + 1} could not be read", reason, cls="placeholder failed"))
            continue
        photo = el("img", src=f"data:image/jpeg;base64,{data}", alt=f"Photo {i + 1} of {_cut(product.id)}")
        figures.append(el("figure", photo, el("canvas", aria_hidden="true"), cls="photo", data_image=i))
    return el("div", *figures, el("p", cls="seen", aria_live="polite"), cls="photos")


def _grid_fault(product: Product, evidence: Evidence) -> str | None:
    if not 0 <= evidence.image < len(product.images):
        return f"its heat-map is for photo {evidence.image + 1}, the product has {len(product.images)}"
    if len({len(row) for row in evidence.weights}) != 1 or not evidence.weights[0]:
        return "its heat-map is not a grid of rows of equal length"
    if not all(math.isfinite(w) for row in evidence.weights for w in row):
        return "its heat-map has weights that are not finite numbers"
    return None


def _grids(product: Product, value: ExtractedValue | None) -> list[Evidence]:
    """Heat-maps that can be drawn, the strongest first."""
    usable = [e for e in value.evidence if not _grid_fault(product, e)] if value else []
    return sorted(usable, key=lambda e: -max(map(max, e.weights)))


def _packed(grids: Sequence[Evidence]) -> str:
    """``image:columns:hex`` per heat-map, two hexadecimal digits a weight, row by row."""
    return " ".join(
        f"{e.image}:{len(e.weights[0])}:{bytes(round(255 * min(max(w, 0), 1)) for r in e.weights for w in r).hex()}"
        for e in grids
    )


def _peak(evidence: Evidence) -> str:
    """Where a heat-map is warmest, in words."""
    _, y, x = max((w, -y, -x) for y, row in enumerate(evidence.weights) for x, w in enumerate(row))
    down = ("top", "", "bottom")[3 * (1 - 2 * y) // (2 * len(evidence.weights))]
    across = ("left", "", "right")[3 * (1 - 2 * x) // (2 * len(evidence.weights[0]))]
    return f"photo {evidence.image + 1}, {' '.join(filter(None, (down, across))) or 'centre'}"


def _heatmaps(page: _Page, product: Product, rows: Sequence[_Row]) -> Html | None:
    """Figure 6 and 7 of the paper: a column per value with its words on top, a row per model."""
    columns = [(i, r) for i, r in enumerate(rows) if any(_grids(product, v) for v in r.found)]
    if not columns:
        return None
    heads = [el("th", _bdi(r.text), el("small", page.label(r.attribute)), data_rows=i, scope="col") for i, r in columns]
    lines = [el("tr", page.two and el("td"), *heads)]
    for m in range(len(page.models)):
        tiles = [el("td", _tile(page, product, i, r, m)) for i, r in columns]
        lines.append(el("tr", page.two and el("th", _ordinal(m), scope="row"), *tiles))
    return el("div", el("table", *lines), cls="heatmaps", tabindex=0, role="group", aria_label="heat-maps")


def _tile(page: _Page, product: Product, index: int, row: _Row, model: int) -> Html:
    value, status = row.found[model], row.status(model)
    grids = _grids(product, value)
    if value is None or not grids:
        return el("div", "no heat-map" if value else status or "not found", cls=f"blank {status}")
    which = f"{_ORDINALS[model]} · " if page.two else ""
    label = f"{which}{_cut(row.attribute)}: {_cut(row.text)} ({value.confidence:.2f})"
    caption = el("small", f"{value.confidence:.2f} {_SIGNS[status]}")
    return el(
        "button",
        el("canvas", aria_hidden="true"),
        caption,
        cls=f"tile {status}",
        type="button",
        data_rows=index,
        data_model=model,
        data_heat=_packed(grids),
        data_label=label,
        aria_label=f"heat-map of {label}: {_peak(grids[0])}",
    )


# ---------------------------------------------------------------------------------------------------------- one product


def _faults(product: Product, rows: Sequence[_Row]) -> list[str]:
    """What is wrong with the predictions themselves: said on the page, beside the product."""
    faults = []
    for row in rows:
        name = f"{_cut(row.attribute)} {_cut(row.text)!r}"
        if not row.fits:
            where = f"{_cut(row.field)}:{row.start}-{row.end}"
            faults.append(f"{name} is not what the text says at {where}, so it is not marked there")
        evidence = [e for v in row.found if v for e in v.evidence]
        faults += [f"{name}: {fault}" for fault in sorted({_grid_fault(product, e) or "" for e in evidence}) if fault]
    return faults


def _chips(title: str, chips: Sequence[Html]) -> Html | None:
    if not chips:
        return None
    more = len(chips) > MAX_CHIPS and el("span", f"and {len(chips) - MAX_CHIPS:,} more", cls="note")
    return el("p", el("span", title, cls="key"), *chips[:MAX_CHIPS], more, cls="chips")


def _alerts(kind: str, messages: Sequence[str]) -> list[Html]:
    sign = "Not read: " if kind == "error" else "Warning: "
    more = [f"{len(messages) - MAX_CHIPS:,} more of these"] if len(messages) > MAX_CHIPS else []
    return [el("p", el("b", sign), _cut(m, 600), cls=f"alert {kind}") for m in [*messages[:MAX_CHIPS], *more]]


def _reading(page: _Page, product: Product, prediction: Prediction, rows: Sequence[_Row], model: int) -> Html:
    """What one model made of the texts."""
    scores = sorted(prediction.range.items(), key=lambda item: -item[1])
    texts = []
    for name, text in product.fields.items():
        inside = [(i, r) for i, r in enumerate(rows) if r.field == name]
        texts += [len(product.fields) > 1 and el("p", _bdi(name), cls="key"), _text(page, text, inside, model)]
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


def _values(page: _Page, product: Product, rows: Sequence[_Row]) -> Html:
    if not rows:
        return el("p", "No value found.", cls="note")
    confidence = _ORDINALS if page.two else ("Confidence",)
    heads = [el("th", h, scope="col") for h in ("Attribute", "Value", *confidence, "Where", "Evidence")]
    body = [_value(page, product, i, row) for i, row in enumerate(rows[:MAX_ROWS])]
    more = len(rows) > MAX_ROWS and el("p", f"{MAX_ROWS} of {len(rows):,} values shown", cls="note")
    return el("div", el("table", el("thead", el("tr", *heads)), el("tbody", *body), cls="values"), more, cls="scroll")


def _value(page: _Page, product: Product, index: int, row: _Row) -> Html:
    peaks = [_peak(grids[0]) for grids in (_grids(product, v) for v in row.found) if grids]
    unequal = row.differs and el("span", "≠", cls="unequal", title="they differ")
    return el(
        "tr",
        el("th", page.label(row.attribute), scope="row"),
        el("td", _bdi(row.text), unequal),
        *(_confidence(row, m) for m in range(len(row.found))),
        el("td", f"{_cut(row.field)}:{row.start}-{row.end}", cls="where"),
        el("td", " / ".join(dict.fromkeys(peaks)) or "–", cls="where"),
        data_rows=index,
        data_attribute=_cut(row.attribute),
        data_confidence=round(row.confidence, 4),
        data_mistake=row.mistake,
        data_differs=row.differs,
    )


def _confidence(row: _Row, model: int) -> Html:
    value, status = row.found[model], row.status(model)
    if value is None:
        return el("td", el("span", _SIGNS[status], cls="sign") if status else "–", cls=status or "blank")
    return el("td", _bar(value.confidence), el("span", _SIGNS[status], cls="sign", title=status), cls=status)


def _bar(share: float | None, text: str = "") -> Html:
    if share is None:
        return el("span", "–", cls="measure")
    filled = el("i", style=f"width:{100 * min(max(share, 0), 1):.1f}%")
    return el("span", el("span", filled, cls="bar"), text or f"{share:.2f}", cls="measure")


def _product(page: _Page, number: int, product: Product, predictions: Sequence[Prediction]) -> Html:
    rows = _rows(product, predictions)
    error = product.error if product.error not in {p.error for p in predictions} else None
    warnings = [w for w in product.warnings if not any(w in p.warnings for p in predictions)]
    cells = [(a, ", ".join(values) if values else "none") for a, values in product.table.items()]
    chips = [el("span", page.label(a), el("small", _bdi(v)), cls="chip") for a, v in cells]
    marked = bool(product.error or warnings or any(p.error or p.warnings or p.coverage < 1 for p in predictions))
    slips = sum(r.mistake for r in rows)
    head = [
        el("span", f"{number:,}", cls="number"),
        el("h2", _bdi(product.id)),
        product.category is not None and el("span", _bdi(product.category), cls="badge"),
        slips and el("span", _count(slips, "mistake"), cls="badge wrong"),
        page.two and any(r.differs for r in rows) and el("span", "≠ they differ", cls="badge differ"),
        product.spans is None and el("span", "no labels", cls="badge"),
    ]
    return el(
        "article",
        el("header", *(h for h in head if h)),
        _photos(page, product),
        el(
            "div",
            *_alerts("error", [error] if error else []),
            *_alerts("warning", [*warnings, *_faults(product, rows)]),
            *(_reading(page, product, p, rows, m) for m, p in enumerate(predictions)),
            _heatmaps(page, product, rows[:MAX_ROWS]),
            _values(page, product, rows),
            _chips("shop's table", chips),
            cls="body",
        ),
        tabindex=-1,
        data_marked=marked,
    )


# -------------------------------------------------------------------------------------------------------------- summary

Run = Sequence[Prediction]
Scores = Mapping[str, Any]


def _number(scores: Scores | None, *path: str) -> float | None:
    at: Any = scores
    for key in path:
        at = at.get(key) if isinstance(at, Mapping) else None
    return float(at) if isinstance(at, int | float) and math.isfinite(at) else None


def _interval(scores: Scores | None) -> str:
    ci = ((scores or {}).get("tag") or {}).get("ci95")
    return f"95% {ci[0]:.3f} – {ci[1]:.3f}" if ci else ""


def _card(name: str, numbers: Sequence[float | None], form: str = ",", notes: Sequence[str] = ()) -> Html | None:
    """One figure, or one for each of two models; nothing where there is no number."""
    if all(n is None for n in numbers):
        return None
    figures = []
    for m, number in enumerate(numbers):
        ordinal = len(numbers) > 1 and _ordinal(m)
        figures.append(el("span", ordinal, "–" if number is None else format(number, form), cls="figure"))
        figures += [el("small", notes[m])] if len(notes) > m and notes[m] else []
    return el("div", el("span", name, cls="key"), *figures, cls="card")


def _mean(numbers: Sequence[float]) -> float | None:
    return sum(numbers) / len(numbers) if numbers else None


def _cards(products: Sequence[Product], runs: Sequence[Run], scores: Sequence[Scores | None]) -> Html:
    def each(*path: str) -> list[float | None]:
        return [_number(s, *path) for s in scores]

    broken = sum(bool(p.error or any(run[i].error for run in runs)) for i, p in enumerate(products))
    warned = sum(bool(p.warnings or any(run[i].warnings for run in runs)) for i, p in enumerate(products))
    return el(
        "div",
        _card("F1", each("tag", "f1"), ".3f", [_interval(s) for s in scores]),
        _card("Precision", each("tag", "precision"), ".3f"),
        _card("Recall", each("tag", "recall"), ".3f"),
        _card("Attribute F1", each("cls", "f1"), ".3f"),
        _card("Macro F1", each("macro_f1"), ".3f"),
        _card("Accuracy", each("accuracy"), ".3f"),
        _card("Products", [len(products)], notes=[f"{sum(bool(p.images) for p in products):,} with photo"]),
        _card("Values found", [sum(len(p.values) for p in run) for run in runs]),
        _card("Mean confidence", [_mean([v.confidence for p in run for v in p.values]) for run in runs], ".2f"),
        _card("Mean range", [_mean([len(p.range) for p in run if p.range]) for run in runs], ".1f"),
        _card("With warnings", [warned]),
        _card("Not read", [broken or None]),
        cls="cards",
    )


def _tally(run: Run) -> dict[str, dict[str, float]]:
    """How often each attribute was found, and how surely."""
    found = defaultdict(list)
    for value in (v for p in run for v in p.values):
        found[value.attribute].append(value.confidence)
    return {a: {"values": len(c), "confidence": sum(c) / len(c)} for a, c in found.items()}


def _chart(page: _Page, runs: Sequence[Run], scores: Sequence[Scores | None]) -> Html | None:
    """For each attribute a bar per model: F1, precision and recall if there are scores, else confidence and counts."""
    tables: list[Mapping[str, Any]] = [(s or {}).get("per_attribute") or {} for s in scores]
    columns, size = {"F1": "f1", "Precision": "precision", "Recall": "recall"}, "gold"
    if not any(tables):
        tables, columns, size = [_tally(run) for run in runs], {"Mean confidence": "confidence"}, "values"
    support = {a: max(_number(t, a, size) or 0 for t in tables) for t in tables for a in t}
    if not support:
        return None
    most = max(support.values()) or 1
    rows = []
    for name in sorted(support, key=lambda a: (-support[a], a)):
        pick = el("button", page.label(name), type="button", data_pick=_cut(name), title="show only this attribute")
        cells = [el("td", *(_bar(_number(t, name, key)) for t in tables)) for key in columns.values()]
        count = el("td", _bar(support[name] / most, f"{support[name]:,.0f}"), cls="support")
        rows.append(el("tr", el("th", pick, scope="row"), *cells, count))
    titles = ("Attribute", *columns, "Labels" if size == "gold" else "Values")
    head = el("thead", el("tr", *(el("th", t, scope="col") for t in titles)))
    first, rest = (el("table", head, el("tbody", *part), cls="chart") for part in (rows[:MAX_BARS], rows[MAX_BARS:]))
    folded = el("details", el("summary", f"{len(rows) - MAX_BARS:,} more attributes"), rest)
    title = el("h2", "By attribute", page.two and el("small", "upper bar 1st, lower bar 2nd"))
    return el("section", title, el("div", first, len(rows) > MAX_BARS and folded, cls="scroll"), cls="panel")


def _top(page: _Page, title: str, notes: Mapping[str, str]) -> Html:
    models = el("p", *(el("span", page.name(m)) for m in range(len(page.models))), cls="models")
    facts = [el("div", el("dt", _cut(k)), el("dd", _bdi(str(v)))) for k, v in notes.items()]
    return el("header", el("h1", _bdi(title)), models, el("dl", *facts, cls="facts"), cls="top")


# ----------------------------------------------------------------------------------------------------------- the report


def write_report(
    path: str | Path,
    products: Sequence[Product],
    predictions: Run,
    *,
    title: str,
    model_name: str,
    other: tuple[str, Run] | None = None,
    scores: Scores | None = None,
    other_scores: Scores | None = None,
    notes: Mapping[str, str] | None = None,
    max_products: int = 200,
    image_size: int = 256,
) -> Path:
    """Write the page for one model, or for two side by side, and return its path.

    ``predictions`` (and those of ``other``) are parallel to ``products``; labels in ``Product.spans`` are compared with
    them. ``scores`` is what ``attrex evaluate --json`` writes. ``notes``: facts for the head of the page. At most
    ``max_products`` are shown, chosen by :func:`sample`; the summary is over all. ``image_size``: pixels a side.
    Raises :class:`DataError` where products and predictions do not belong together or the file cannot be written.
    """
    if max_products < 1:
        raise DataError(f"max_products should be at least 1, got {max_products}; 200 makes a page of a few megabytes")
    names, runs, all_scores = [model_name], [predictions], [scores]
    if other is not None:
        names, runs, all_scores = [model_name, other[0]], [predictions, other[1]], [scores, other_scores]
    for name, run in zip(names, runs, strict=True):
        _check(products, run, name)
    page = _Page(tuple(names), _hues(products, runs), image_size)
    chosen = sample(products, list(zip(*runs, strict=True)), max_products)
    labelled = any(p.spans is not None for p in products)
    how = "those with mistakes first, then the least sure" if labelled else "taken evenly over all"
    part = f"{len(chosen):,} of {len(products):,} products are shown: {how}. The summary is over all of them."
    summary = [
        _top(page, title, notes or {}),
        _cards(products, runs, all_scores),
        _chart(page, runs, all_scores),
        len(chosen) < len(products) and el("p", part, cls="note sampled"),
    ]
    incomplete = any(products[i].spans is not None and not products[i].complete for i in chosen)
    kinds = {"labelled": labelled, "two": page.two, "incomplete": incomplete, "empty": not chosen}
    options = [el("option", _cut(a), value=_cut(a)) for a in page.hues]
    articles = [_product(page, i + 1, products[i], [run[i] for run in runs]) for i in chosen]
    return _write(Path(path), title, kinds, summary=_join(summary), options=_join(options), articles=_join(articles))


def _check(products: Sequence[Product], predictions: Run, name: str) -> None:
    advice = "give the predictions of the same products in the same order"
    if len(products) != len(predictions):
        raise DataError(
            f"a report needs one prediction for each product, got {len(products)} products and {len(predictions)} "
            f"predictions of {name!r}; {advice}"
        )
    for i, (product, prediction) in enumerate(zip(products, predictions, strict=True)):
        if product.id != prediction.id:
            raise DataError(
                f"expected the prediction of {name!r} for product {i}, {product.id!r}, got one for {prediction.id!r}; "
                f"{advice}"
            )


def _hues(products: Sequence[Product], runs: Sequence[Run]) -> dict[str, int]:
    """A colour for every attribute; the golden angle keeps neighbours apart."""
    names = {a for p in products for a in (*p.table, *(s.attribute for s in p.spans or ()))}
    names |= {a for run in runs for p in run for a in (*p.range, *(v.attribute for v in p.values))}
    return {a: round(205 + 137.508 * i) % 360 for i, a in enumerate(sorted(names))}


def _asset(name: str) -> str:
    return (resources.files("attrex.reports") / "assets" / name).read_text(encoding="utf-8")


def _write(path: Path, title: str, kinds: Mapping[str, bool], **parts: Html) -> Path:
    script = _asset("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = Template(_asset("report.html")).substitute(
        # Nothing may be loaded from outside, and no script but ours may run, whatever the data say.
        policy=f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'",
        title=escape(_cut(title)),
        kind=" ".join(kind for kind, is_so in kinds.items() if is_so),
        style=_asset("report.css"),
        script=script,
        **parts,
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(page.encode("utf-8", errors="replace"))  # half a surrogate pair must not cost the whole page
    except OSError as exc:
        raise DataError(
            f"cannot write the report to {path}: {exc.strerror or exc}; name a file in a folder you may write to"
        ) from exc
    return path
