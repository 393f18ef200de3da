"""One self-contained HTML page that shows what was extracted, from where in the text, and where in the photo.

The page needs no server, no network and no framework. Heat-maps travel as small grids of weights, which the page draws
over the photo (``assets/heat.js``); all the rest is plain HTML that can be read without scripts.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from attrex.errors import DataError
from attrex.io.atomic import NO_SPACE, write_bytes
from attrex.reports.content import NumberedConflict, Page, ProductRun, ScoreTree, listed_conflicts, sample
from attrex.reports.doubts import doubts
from attrex.reports.markup import Html, cut, el, join
from attrex.reports.outcomes import Filled, corrections_bar, most_doubtful, shown_first
from attrex.reports.product import product_article
from attrex.reports.summary import cards, chart, filled_table, top
from attrex.types import Product


def write_report(
    path: str | Path,
    products: Sequence[Product],
    predictions: ProductRun,
    *,
    title: str,
    model_name: str,
    other: tuple[str, ProductRun] | None = None,
    scores: ScoreTree | None = None,
    other_scores: ScoreTree | None = None,
    notes: Mapping[str, str] | None = None,
    max_products: int = 200,
    image_size: int = 256,
    conflicts: Sequence[NumberedConflict] = (),
    cells: Mapping[str, Any] | None = None,
    filled: Sequence[Filled] | None = None,
) -> Path:
    """Write the page for one model, or for two side by side, and return its path.

    ``predictions`` (and those of ``other``) are parallel to ``products``; labels in ``Product.spans`` are compared with
    them. ``scores`` is what ``attrex evaluate --json`` writes. ``notes``: facts for the head of the page. At most
    ``max_products`` are shown, chosen by :func:`sample`; the summary is over all. ``image_size``: pixels a side.
    ``conflicts``: cells that are probably wrong by ``predictions``, most probably first. ``cells``: what became of the
    table, of :meth:`~attrex.filling.report.FillReport.to_json`. ``filled``: of each product what became of the values
    of ``predictions``; the page then begins with the doubtful products, and a person can decide cells in it.
    Raises :class:`DataError` where products and predictions do not belong together or the file cannot be written.
    """
    if max_products < 1:
        raise DataError(f"max_products should be at least 1, got {max_products}; 200 makes a page of a few megabytes")
    names, runs, all_scores = [model_name], [predictions], [scores]
    if other is not None:
        names, runs, all_scores = [model_name, other[0]], [predictions, other[1]], [scores, other_scores]
    for name, run in zip(names, runs, strict=True):
        _check_ids(products, run, name)
    page = Page(tuple(names), _hues(products, runs, (cells or {}).get("attributes", ())), image_size)
    listed = listed_conflicts(conflicts, max_products)
    first = shown_first((i for i, _ in listed), filled or (), max_products)
    chosen = sample(products, list(zip(*runs, strict=True)), max_products, first)
    place = {i: n for n, i in enumerate(most_doubtful(filled or ()))}
    chosen.sort(key=lambda i: place.get(i, len(products)))
    labelled = any(p.spans is not None for p in products)
    how = "those with mistakes first, then the least sure" if labelled else "taken evenly over all"
    how = f"those with the cells above, of the others {how}" if listed else how
    how = f"those with the most doubtful cells first, of the others {how}" if place else how
    part = f"{len(chosen):,} of {len(products):,} products are shown: {how}. The summary is over all of them."
    summary = [
        top(page, title, notes or {}),
        filled_table(page, cells),
        cards(products, runs, all_scores, filled),
        chart(page, runs, all_scores),
        doubts(page, products, predictions, listed, len(conflicts)),
        len(chosen) < len(products) and el("p", part, cls="note sampled"),
    ]
    incomplete = any(products[i].spans is not None and not products[i].complete for i in chosen)
    kinds = {"labelled": labelled, "two": page.two, "incomplete": incomplete, "empty": not chosen}
    kinds["decided"] = any(filled[i].cells for i in chosen) if filled else False
    options = [el("option", cut(a), value=cut(a)) for a in page.hues]
    articles = [
        product_article(page, i + 1, products[i], [run[i] for run in runs], filled[i] if filled else None)
        for i in chosen
    ]
    return _write(
        Path(path),
        title,
        kinds,
        summary=join(summary),
        options=join(options),
        articles=join(articles),
        corrections=corrections_bar() if kinds["decided"] else Html(),
    )


def _check_ids(products: Sequence[Product], predictions: ProductRun, name: str) -> None:
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


def _hues(products: Sequence[Product], runs: Sequence[ProductRun], others: Iterable[str]) -> dict[str, int]:
    """A colour for every attribute; the golden angle keeps neighbours apart."""
    names = {*others, *(a for p in products for a in (*p.table, *(s.attribute for s in p.spans or ())))}
    names |= {a for run in runs for p in run for a in (*p.range, *(v.attribute for v in p.values))}
    return {a: round(205 + 137.508 * i) % 360 for i, a in enumerate(sorted(names))}


def _asset(name: str) -> str:
    return (resources.files("attrex.reports") / "assets" / name).read_text(encoding="utf-8")


def _write(path: Path, title: str, kinds: Mapping[str, bool], **parts: Html) -> Path:
    script = _asset("heat.js") + _asset("report.js") + (_asset("decide.js") if kinds["decided"] else "")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = Template(_asset("report.html")).substitute(
        # Nothing may be loaded from outside, and no script but ours may run, whatever the data say.
        policy=f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'",
        title=escape(cut(title)),
        number=hashlib.sha256(parts["articles"].encode("utf-8", "replace")).hexdigest()[:16],
        kind=" ".join(kind for kind, is_so in kinds.items() if is_so),
        style=_asset("theme.css") + _asset("report.css"),
        script=script,
        **parts,
    )
    try:
        write_bytes(path, page.encode("utf-8", errors="replace"))  # half a surrogate pair must not cost the whole page
    except OSError as exc:
        if exc.errno in NO_SPACE:  # some room is enough, no other folder
            raise
        raise DataError(
            f"cannot write the report to {path}: {exc.strerror or exc}; name a file in a folder you may write to"
        ) from exc
    return path
