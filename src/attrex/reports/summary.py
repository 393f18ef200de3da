"""The summary over all products: the title, figures on cards, and a chart by attribute."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from attrex.filling.fill import Outcome
from attrex.reports.content import Page, ProductRun, ScoreTree
from attrex.reports.markup import Html, bar, bdi, cut, el, ordinal
from attrex.reports.outcomes import Filled
from attrex.review.cells import Kind
from attrex.types import Product

MAX_BARS = 24  #: attributes in the chart before the rest is folded away


def _number(scores: ScoreTree | None, *path: str) -> float | None:
    at: Any = scores
    if path[-1] == "macro_f1" and scores and scores.get("macro_attributes") == 0:
        return None  # no attribute has enough labels to be averaged
    for key in path:
        at = at.get(key) if isinstance(at, Mapping) else None
    return float(at) if isinstance(at, int | float) and math.isfinite(at) else None


def _interval(scores: ScoreTree | None) -> str:
    ci = ((scores or {}).get("tag") or {}).get("ci95")
    return f"95% {ci[0]:.3f} – {ci[1]:.3f}" if ci else ""


def _card(name: str, numbers: Sequence[float | None], form: str = ",", notes: Sequence[str] = ()) -> Html | None:
    """One figure, or one for each of two models; nothing where there is no number."""
    if all(n is None for n in numbers):
        return None
    figures = []
    for m, number in enumerate(numbers):
        which = len(numbers) > 1 and ordinal(m)
        figures.append(el("span", which, "–" if number is None else format(number, form), cls="figure"))
        figures += [el("small", notes[m])] if len(notes) > m and notes[m] else []
    return el("div", el("span", name, cls="key"), *figures, cls="card")


def _mean_of(numbers: Sequence[float]) -> float | None:
    return sum(numbers) / len(numbers) if numbers else None


def cards(
    products: Sequence[Product],
    runs: Sequence[ProductRun],
    scores: Sequence[ScoreTree | None],
    filled: Sequence[Filled] | None = None,
) -> Html:
    """The figures of the whole run; with scores also how good they are, of a table also how full it is."""

    def each(*path: str) -> list[float | None]:
        return [_number(s, *path) for s in scores]

    broken = sum(bool(p.error or any(run[i].error for run in runs)) for i, p in enumerate(products))
    warned = sum(bool(p.warnings or any(run[i].warnings for run in runs)) for i, p in enumerate(products))
    # How many attributes each product that could be read was decoded for; a model without a range has no figure.
    looked_for = [[len(p.range) for p in run if p.error is None] for run in runs]
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
        *_cards_of_table(filled or ()),
        _card("Mean confidence", [_mean_of([v.confidence for p in run for v in p.values]) for run in runs], ".2f"),
        None if filled else _card("Attributes looked for", [_mean_of(n if any(n) else []) for n in looked_for], ".1f"),
        _card("With warnings", [warned]),
        _card("Not read", [broken or None]),
        cls="cards",
    )


def _cards_of_table(filled: Sequence[Filled]) -> list[Html | None]:
    """How full the table is, and how much of it waits for people."""
    if not filled:
        return []
    full = sum(bool(values) for one in filled for values in one.row.table.values())
    new = len({(i, e.attribute) for i, f in enumerate(filled) for e in f.row.entries if e.outcome == Outcome.FILLED})
    asked = [cell.kind for one in filled for cell in one.cells]
    cells = sum(one.attributes for one in filled)
    return [
        _card("Cells filled", [full], notes=[f"of {cells:,}; {full - new:,} before"]),
        _card("Not sure enough", [asked.count(Kind.DOUBTFUL)], notes=["blank cells, left to people"]),
        _card("Probably wrong", [asked.count(Kind.CONFLICT)], notes=["filled cells"]),
    ]


def _tally(run: ProductRun) -> dict[str, dict[str, float]]:
    """How often each attribute was found, and how surely."""
    found = defaultdict(list)
    for value in (v for p in run for v in p.values):
        found[value.attribute].append(value.confidence)
    return {a: {"values": len(c), "confidence": sum(c) / len(c)} for a, c in found.items()}


def chart(page: Page, runs: Sequence[ProductRun], scores: Sequence[ScoreTree | None]) -> Html | None:
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
        pick = el("button", page.label(name), type="button", data_pick=cut(name), title="show only this attribute")
        cells = [el("td", *(bar(_number(t, name, key)) for t in tables)) for key in columns.values()]
        count = el("td", bar(support[name] / most, f"{support[name]:,.0f}"), cls="support")
        rows.append(el("tr", el("th", pick, scope="row"), *cells, count))
    titles = ("Attribute", *columns, "Labels" if size == "gold" else "Values")
    head = el("thead", el("tr", *(el("th", t, scope="col") for t in titles)))
    first, rest = (el("table", head, el("tbody", *part), cls="chart") for part in (rows[:MAX_BARS], rows[MAX_BARS:]))
    folded = el("details", el("summary", f"{len(rows) - MAX_BARS:,} more attributes"), rest)
    title = el("h2", "By attribute", page.two and el("small", "upper bar 1st, lower bar 2nd"))
    return el("section", title, el("div", first, len(rows) > MAX_BARS and folded, cls="scroll"), cls="panel")


def filled_table(page: Page, cells: Mapping[str, Any] | None) -> Html | None:
    """What became of the table: for each attribute how many cells had a value before and have one now.

    ``cells``: of :meth:`attrex.filling.report.FillReport.to_json`; nothing where there are none.
    """
    if not cells:
        return None
    read = max(cells["products"] - cells["errors"], 1)
    rows = []
    for name, n in cells["attributes"].items():
        pick = el("button", page.label(name), type="button", data_pick=cut(name), title="show only this attribute")
        before, now = (bar(n[key] / read, f"{n[key] / read:.0%}") for key in ("before", "after"))
        counts = (el("td", f"{n[key]:,}") for key in ("filled", "left"))
        rows.append(el("tr", el("th", pick, scope="row"), el("td", before), el("td", now), *counts))
    titles = ("Attribute", "Filled before", "Filled now", "Blank cells filled", "Left to people")
    head = el("thead", el("tr", *(el("th", t, scope="col") for t in titles)))
    first, rest = (el("table", head, el("tbody", *part), cls="chart") for part in (rows[:MAX_BARS], rows[MAX_BARS:]))
    folded = el("details", el("summary", f"{len(rows) - MAX_BARS:,} more attributes"), rest)
    expected = cells["expected"]
    note = f"{cells['filled']:,} blank cells were filled"
    note += "" if expected is None else f"; {expected:.0%} of them should be what the shop would have written"
    title = el("h2", "The table", el("small", note))
    return el("section", title, el("div", first, len(rows) > MAX_BARS and folded, cls="scroll"), cls="panel")


def top(page: Page, title: str, notes: Mapping[str, str]) -> Html:
    """The head of the page: title, models, and ``notes``, the facts about them."""
    models = el("p", *(el("span", page.name(m)) for m in range(len(page.models))), cls="models")
    facts = [el("div", el("dt", cut(k)), el("dd", bdi(str(v)))) for k, v in notes.items()]
    return el("header", el("h1", bdi(title)), models, el("dl", *facts, cls="facts"), cls="top")
