"""The photos of a product and the heat-maps over them."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence

from PIL import Image

from attrex.errors import DataError
from attrex.reports.content import DECIDED, SIGNS, Page, ValueRow, words_for
from attrex.reports.markup import MAX_LABEL, ORDINALS, Html, bdi, cut, el, ordinal
from attrex.types import ImageSource, Product, RegionWeights, Value


def _jpeg(source: ImageSource, size: int) -> bytes:
    """The photo in its own proportions, at most ``size`` pixels a side. Raises :class:`DataError`."""
    from attrex.io.images import FORMATS, decode

    pixels = decode(source, size)
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS) as image:
            image.draft("RGB", (size, size))  # only the ratio of width and height is meant
            image.load()  # a PNG may say at its end how it is turned, and Pillow turns a TIFF by itself
            width, height = image.size
            if image.getexif().get(0x0112, 1) >= 5:
                width, height = height, width
    except Exception:  # damaged metadata: the photo is shown square
        width, height = 1, 1
    longest = max(width, height)
    shape = (max(16, round(size * width / longest)), max(16, round(size * height / longest)))
    out = io.BytesIO()
    Image.fromarray(pixels).resize(shape).save(out, "JPEG", quality=82, optimize=True)
    return out.getvalue()


def photos(page: Page, product: Product) -> Html:
    """All photos, over which the page draws heat-maps; a note in place of one that cannot be read."""
    if not product.images:
        blank = el("div", "No photo", el("small", "read from the text alone"), cls="placeholder")
        return el("div", blank, cls="photos")
    figures = []
    for i, source in enumerate(product.images):
        try:
            data = base64.b64encode(_jpeg(source, page.image_size)).decode()
        except DataError as exc:
            reason = el("small", cut(str(exc), 2 * MAX_LABEL))
            figures.append(el("div", f"Photo {i + 1} could not be read", reason, cls="placeholder failed"))
            continue
        photo = el("img", src=f"data:image/jpeg;base64,{data}", alt=f"Photo {i + 1} of {cut(product.id)}")
        figures.append(el("figure", photo, el("canvas", aria_hidden="true"), cls="photo", data_image=i))
    return el("div", *figures, el("p", cls="seen", aria_live="polite"), cls="photos")


def grid_fault(product: Product, evidence: RegionWeights) -> str | None:
    """Why a heat-map cannot be drawn, None where it can."""
    if not 0 <= evidence.image < len(product.images):
        return f"its heat-map is for photo {evidence.image + 1}, the product has {len(product.images)}"
    if len({len(row) for row in evidence.weights}) != 1 or not evidence.weights[0]:
        return "its heat-map is not a grid of rows of equal length"
    if not all(math.isfinite(w) for row in evidence.weights for w in row):
        return "its heat-map has weights that are not finite numbers"
    return None


def grids_of(product: Product, value: Value | None) -> list[RegionWeights]:
    """Heat-maps that can be drawn, the strongest first."""
    usable = [r for r in value.regions if not grid_fault(product, r)] if value else []
    return sorted(usable, key=lambda r: -max(map(max, r.weights)))


def peak(evidence: RegionWeights) -> str:
    """Where a heat-map is warmest, in words."""
    _, y, x = max((w, -y, -x) for y, row in enumerate(evidence.weights) for x, w in enumerate(row))
    down = ("top", "", "bottom")[3 * (1 - 2 * y) // (2 * len(evidence.weights))]
    across = ("left", "", "right")[3 * (1 - 2 * x) // (2 * len(evidence.weights[0]))]
    return f"photo {evidence.image + 1}, {' '.join(filter(None, (down, across))) or 'centre'}"


def evidence(product: Product, value: Value | None) -> str:
    """What a value hangs on, where its heat-map is warmest, and the words that spoke for it; empty: nothing tells."""
    if value is None:
        return ""
    by, grids = value.decided_by, grids_of(product, value)
    parts = [DECIDED[by]] if by else []
    parts += [peak(grids[0])] if grids and by != "text" else []
    parts.append(", ".join(f"“{cut(word.text)}”" for word in words_for(value)))
    return " · ".join(filter(None, parts))


def packed(grids: Sequence[RegionWeights]) -> str:
    """Heat-maps as the page unpacks them: image:columns:hex of each, two hexadecimal digits a weight, row by row."""
    return " ".join(
        f"{g.image}:{len(g.weights[0])}:{bytes(round(255 * min(max(w, 0), 1)) for r in g.weights for w in r).hex()}"
        for g in grids
    )


def thumbnail(product: Product, value: Value, size: int) -> Html:
    """The photo that speaks most for a value, small, and beside it its heat-map, but not where the text decided."""
    grids = grids_of(product, value)[:1] if value.decided_by != "text" else []
    if not product.images:
        return el("div", "No photo", cls="thumb placeholder")
    number = grids[0].image if grids else 0
    try:
        data = base64.b64encode(_jpeg(product.images[number], size)).decode()
    except DataError:  # the reason stands at the product
        return el("div", "Photo could not be read", cls="thumb placeholder failed")
    photo = el("img", src=f"data:image/jpeg;base64,{data}", alt=f"Photo {number + 1} of {cut(product.id)}")
    canvas = grids and el("canvas", aria_hidden="true")
    return el("figure", photo, canvas or None, cls="thumb", data_heat=packed(grids) or None)


def heatmap_tiles(page: Page, product: Product, rows: Sequence[ValueRow]) -> Html | None:
    """Figure 6 and 7 of the paper: a column per value with its words on top, a row per model."""
    columns = [(i, r) for i, r in enumerate(rows) if any(grids_of(product, v) for v in r.found)]
    if not columns:
        return None
    heads = [el("th", bdi(r.text), el("small", page.label(r.attribute)), data_rows=i, scope="col") for i, r in columns]
    lines = [el("tr", page.two and el("td"), *heads)]
    for m in range(len(page.models)):
        tiles = [el("td", _tile(page, product, i, r, m)) for i, r in columns]
        lines.append(el("tr", page.two and el("th", ordinal(m), scope="row"), *tiles))
    return el("div", el("table", *lines), cls="heatmaps", tabindex=0, role="group", aria_label="heat-maps")


def _tile(page: Page, product: Product, index: int, row: ValueRow, model: int) -> Html:
    value, status = row.found[model], row.status(model)
    grids = grids_of(product, value)
    if value is None or not grids:
        return el("div", "no heat-map" if value else status or "not found", cls=f"blank {status}")
    which = f"{ORDINALS[model]} · " if page.two else ""
    by = f", {DECIDED[value.decided_by]}" if value.decided_by else ""
    label = f"{which}{cut(row.attribute)}: {cut(row.text)} ({value.confidence:.2f}{by})"
    caption = el("small", f"{value.confidence:.2f} {SIGNS[status]}")
    return el(
        "button",
        el("canvas", aria_hidden="true"),
        caption,
        cls=f"tile {status}",
        type="button",
        data_rows=index,
        data_model=model,
        data_heat=packed(grids),
        data_label=label,
        aria_label=f"heat-map of {label}: {peak(grids[0])}",
    )
