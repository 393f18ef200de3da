"""Photos of drawn products: what the facts say of colour, pattern, sleeves, neckline, closure and fit is to be seen."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from attrex.demo.catalogue.facts import Facts
from attrex.demo.catalogue.sketch import RGB, Point, Sketch, box, curve, darker, ellipse, mirrored
from attrex.demo.catalogue.vocabulary import COLORS

_METAL: RGB = (196, 184, 150)
_METAL_EDGE: RGB = (104, 94, 66)
_PALE: RGB = (244, 243, 238)
_SOLE: RGB = (238, 236, 230)
_SOLE_EDGE: RGB = (150, 148, 142)
_WIDTHS = {"slim": 0.9, "regular": 1.0, "loose": 1.13, "boot_cut": 0.92}


def draw_photo(facts: Facts, size: int, rng: Random) -> bytes:
    """A photo of the product as JPEG bytes, ``size`` x ``size`` pixels RGB, on a light background."""
    looks = facts.looks
    sketch = Sketch(size, COLORS[looks["color"]], looks.get("pattern", "solid"), rng)
    match looks["type"]:
        case "tshirt" | "shirt" | "sweater" | "jacket" | "dress":
            _top(sketch, looks)
        case "trousers" | "shorts":
            _legs(sketch, looks)
        case "skirt":
            _skirt(sketch, looks)
        case "sneakers":
            _sneaker(sketch, looks)
        case "boots":
            _boot(sketch, looks)
        case "sandals":
            _sandal(sketch, looks)
        case "handbag":
            _handbag(sketch, looks)
        case "backpack":
            _backpack(sketch, looks)
        case "cap":
            _cap(sketch)
        case "watch":
            _watch(sketch, looks)
        case "scarf":
            _scarf(sketch)
    return sketch.photo()


# --- closures ---------------------------------------------------------------------------------------------------------


def _zip(s: Sketch, start: Point, end: Point) -> None:
    """A zip between two points: dark tape, metal teeth, a puller at the start."""
    steps = 14
    along = [
        (start[0] + (end[0] - start[0]) * i / steps, start[1] + (end[1] - start[1]) * i / steps)
        for i in range(steps + 1)
    ]
    s.line(along, (70, 70, 74), 3.2)
    for a, b in zip(along[::2], along[1::2], strict=False):
        s.line((a, b), (222, 222, 226), 1.5)
    s.fill(box(start[0] - 1.6, start[1] - 1, start[0] + 1.6, start[1] + 5), _METAL)


def _buttons(s: Sketch, x: float, top: float, bottom: float, number: int, *, radius: float = 1.7) -> None:
    for i in range(number):
        s.dot(x, top + (bottom - top) * i / max(1, number - 1), radius, _PALE, s.edge)


def _buckle(s: Sketch, x: float, y: float, width: float, height: float) -> None:
    """A metal frame with a pin, seen from above."""
    s.line([*box(x - width, y - height, x + width, y + height), (x - width, y - height)], _METAL_EDGE, 3.0)
    s.line([*box(x - width, y - height, x + width, y + height), (x - width, y - height)], _METAL, 1.8)
    s.line([(x - width, y), (x + width, y)], _METAL, 1.4)


def _velcro(s: Sketch, x: float, y: float, width: float, height: float) -> None:
    """A broad strap with a rough, dark end."""
    s.part(box(x - width, y - height, x + width, y + height))
    s.fill(box(x, y - height + 1, x + width - 1, y + height - 1), (74, 74, 78))


# --- tops and dresses -------------------------------------------------------------------------------------------------


def _top(s: Sketch, looks: Mapping[str, str]) -> None:
    w, sleeve, dress = _WIDTHS[looks["fit"]], looks["sleeve"], looks["type"] == "dress"
    if sleeve != "sleeveless":
        _sleeves(s, w, long=sleeve == "long", cuffs=looks["type"] in ("sweater", "jacket", "shirt"))
    if sleeve == "sleeveless":
        shoulder = curve((50 + 16 * w, 15), (50 + 14 * w, 34), (50 + 22 * w, 38))
    else:
        shoulder = [(50 + 24 * w, 18.5), (50 + 22.5 * w, 38)]
    hem = (
        [*curve((50 + 22 * w, 38), (50 + 15 * w, 52), (50 + 22 * w, 66)), (50 + 33 * w, 94), (50 + 15 * w, 96)]
        if dress
        else [(50 + 23 * w, 86), (50 + 12 * w, 87.5)]
    )
    s.part(mirrored([(59, 13), *shoulder, *hem]))
    if dress:
        s.line([(50 - 18 * w, 53), (50 + 18 * w, 53)], s.edge, 1.6)
    if looks["type"] in ("sweater", "jacket"):
        s.line([(50 - 23 * w, 81), (50 + 23 * w, 81)], s.edge, 0.9)
    _neckline(s, looks["neckline"])
    bottom = 84.0
    match looks.get("closure"):
        case "buttons":
            s.line([(50, 24), (50, bottom)], s.edge, 1.0)
            _buttons(s, 50, 28, bottom - 4, 6, radius=2.0)
        case "zip":
            _zip(s, (50, 22), (50, bottom))


def _sleeves(s: Sketch, w: float, long: bool, cuffs: bool) -> None:
    right: list[Point] = (
        [(72, 17.5), (82, 26), (93, 76), (83, 79), (71, 42)] if long else [(72, 17.5), (91, 37), (81, 46), (70, 37)]
    )
    for side in (1, -1):
        s.part([(50 + side * (x - 50) * w, y) for x, y in right])
        if cuffs and long:
            s.line([(50 + side * 42.2 * w, 71), (50 + side * 31 * w, 74)], s.edge, 1.2)


def _neckline(s: Sketch, neckline: str) -> None:
    match neckline:
        case "round":
            opening = ellipse(50, 12.5, 10, 8.5, (0, 180))
            s.fill([*opening, *ellipse(50, 12.5, 10, 2, (180, 360))], s.inside)
            s.line(opening, s.edge, 2.4)
        case "v":
            s.fill([(40, 12), (60, 12), (50, 31)], s.inside)
            s.line([(40, 12), (50, 31), (60, 12)], s.edge, 2.4)
        case "turtle":
            s.part([(41, 4), (59, 4), (60, 16), (50, 18), (40, 16)])
            s.line([(41, 7), (59, 7)], s.edge, 1.0)
            s.line([(40.5, 11), (59.5, 11)], s.edge, 1.0)
        case "polo":
            s.part(box(46.5, 16, 53.5, 36))
            _buttons(s, 50, 25, 32, 2, radius=1.4)
            _collar(s, 17)
        case "collar":
            _collar(s, 19)


def _collar(s: Sketch, depth: float) -> None:
    """Two pointed flaps that meet in the middle."""
    s.fill([(41, 10), (59, 10), (50, depth)], s.inside)
    for side in (1, -1):
        s.part([(50, depth), (50 + side * 8, 8.5), (50 + side * 13, 13), (50 + side * 9, 25)])


# --- bottoms ----------------------------------------------------------------------------------------------------------


def _legs(s: Sketch, looks: Mapping[str, str]) -> None:
    w, long = _WIDTHS[looks["fit"]], looks["type"] == "trousers"
    top, end = (4, 96) if long else (20, 76)
    hem = 50 + (21 * w if long else 25 * w)
    knee = [(50 + 18 * w, 62), (50 + 23 * w, end)] if looks["fit"] == "boot_cut" else [(hem, end)]
    inner = 57 if long else 54
    waist, crotch = [(50 + 15 * w, top), (50 + 21 * w, top + 24)], [(51, top + 36), (50, top + 35)]
    s.part(mirrored([*waist, *knee, (inner, end), *crotch]))
    s.line([(50 - 16 * w, top + 6), (50 + 16 * w, top + 6)], s.edge, 1.2)
    s.line([(50, top + 6), (50, top + 35)], s.edge, 0.9)
    for side in (1, -1):
        pocket = curve((50 + side * 9 * w, top + 6), (50 + side * 10 * w, top + 16), (50 + side * 18 * w, top + 17))
        s.line(pocket, s.edge, 1.0)
    _front_closure(s, looks["closure"], top + 3, top + 28)


def _skirt(s: Sketch, looks: Mapping[str, str]) -> None:
    w = _WIDTHS[looks["fit"]]
    s.part(mirrored([(50 + 15 * w, 14), *curve((50 + 15 * w, 20), (50 + 23 * w, 45), (50 + 32 * w, 84)), (60, 87)]))
    s.line([(50 - 16 * w, 20.5), (50 + 16 * w, 20.5)], s.edge, 1.3)
    for side in (1, -1):
        s.line([(50 + side * 8 * w, 34), (50 + side * 15 * w, 85)], s.edge, 0.9)
    _front_closure(s, looks["closure"], 16, 78)


def _front_closure(s: Sketch, closure: str, top: float, bottom: float) -> None:
    if closure == "zip":
        _zip(s, (50, top), (50, bottom))
    else:
        _buttons(s, 50, top, bottom, 4, radius=2.0)


# --- shoes ------------------------------------------------------------------------------------------------------------


def _sneaker(s: Sketch, looks: Mapping[str, str]) -> None:
    s.part([
        (10, 72), *curve((10, 40), (14, 32), (22, 36)), *curve((26, 42), (34, 44), (42, 34)),
        *curve((46, 32), (62, 52), (80, 56)), *curve((82, 57), (93, 60), (93, 72)),
    ])  # fmt: skip
    s.fill([(7, 70), (94, 70), *curve((95, 71), (96, 80), (91, 80)), (11, 80), (7, 76)], _SOLE_EDGE)
    s.fill([(8, 71), (93.5, 71), *curve((94, 72), (95, 78.5), (90, 78.5)), (12, 78.5), (8, 75)], _SOLE)
    s.line(curve((78, 56), (74, 63), (76, 70)), s.edge, 1.2)
    s.line(curve((12, 52), (22, 54), (24, 70)), s.edge, 1.2)
    if looks["closure"] == "laces":
        for i in range(5):
            x, y = 44 + i * 6.0, 38 + i * 3.6
            s.line([(x - 6, y + 8), (x + 2, y - 2)], s.edge, 3.6)
            s.line([(x - 6, y + 8), (x + 2, y - 2)], _PALE, 2.2)
    else:
        _velcro(s, 46, 46, 10, 3.6)
        _velcro(s, 57, 56, 10, 3.6)


def _boot(s: Sketch, looks: Mapping[str, str]) -> None:
    s.part([
        (24, 10), (56, 10), *curve((56, 46), (56, 58), (70, 62)), *curve((72, 62), (89, 66), (89, 82)), (24, 82),
    ])  # fmt: skip
    s.fill([(22, 81), (91, 81), (91, 88), (46, 88), (44, 94), (22, 94)], (58, 52, 48))
    s.line([(24, 15), (56, 15)], s.edge, 1.2)
    match looks["closure"]:
        case "laces":
            for i in range(6):
                y = 22 + i * 7.2
                s.line([(43, y), (57, y + 5)], _PALE, 2.0)
                s.line([(57, y), (43, y + 5)], _PALE, 2.0)
        case "zip":
            _zip(s, (40, 14), (40, 78))
        case _:
            for y in (32, 62):
                s.fill(box(24, y - 4, 58, y + 4), darker(s.color, 0.35))
                _buckle(s, 45, y, 5, 5.5)


def _sandal(s: Sketch, looks: Mapping[str, str]) -> None:
    """Seen from above: a sole in the product's colour with two broad straps."""
    s.part([
        *ellipse(50, 26, 21, 22, (180, 360)), *curve((71, 30), (64, 56), (66, 76)),
        *ellipse(50, 78, 16, 17, (0, 180)), *curve((34, 76), (36, 56), (29, 30)),
    ])  # fmt: skip
    for y, reach in ((26, 25), (58, 21)):
        s.fill(box(50 - reach - 1, y - 8, 50 + reach + 1, y + 8), s.edge)
        s.fill(box(50 - reach, y - 7, 50 + reach, y + 7), s.color)
        if looks["closure"] == "buckle":
            _buckle(s, 50 + reach * 0.55, y, 4.5, 8)
        else:
            _velcro(s, 50 + reach * 0.3, y, reach * 0.55, 5)


# --- bags -------------------------------------------------------------------------------------------------------------


def _handbag(s: Sketch, looks: Mapping[str, str]) -> None:
    s.line(ellipse(50, 38, 21, 27, (180, 360)), s.edge, 6.0)
    s.line(ellipse(50, 38, 21, 27, (180, 360)), s.color, 4.4)
    s.part(mirrored([(78, 36), *curve((84, 80), (84, 86), (78, 87)), (60, 88)]))
    for x in (29, 71):
        s.dot(x, 40, 2.2, _METAL, _METAL_EDGE)
    if looks["closure"] == "zip":
        _zip(s, (24, 46), (76, 46))
    else:
        s.part(mirrored([(78, 36), *curve((79, 58), (70, 62), (56, 64))]))
        _buckle(s, 50, 64, 6, 5)


def _backpack(s: Sketch, looks: Mapping[str, str]) -> None:
    s.line(ellipse(50, 14, 8, 9, (180, 360)), s.edge, 3.4)
    for side in (1, -1):
        s.part([(50 + side * x, y) for x, y in ((25, 54), (32, 58), (32, 82), (25, 86))])
    s.part(mirrored([*curve((50, 10), (76, 10), (76, 34)), *curve((77, 80), (77, 92), (68, 92))]))
    if looks["closure"] == "zip":
        _zip(s, (30, 38), (70, 38))
    else:
        s.part(mirrored([*curve((50, 12), (75, 12), (75, 34)), (75, 44), (56, 48)]))
        for x in (38, 62):
            s.fill(box(x - 2, 36, x + 2, 56), s.edge)
            _buckle(s, x, 52, 4, 3.4)
    s.part(mirrored([(69, 60), *curve((69, 82), (69, 87), (64, 87))]))
    s.line([(32, 66), (68, 66)], s.edge, 1.2)


# --- accessories ------------------------------------------------------------------------------------------------------


def _cap(s: Sketch) -> None:
    s.part([*ellipse(46, 58, 34, 36, (180, 360)), *curve((80, 58), (50, 68), (12, 58))])
    brim = curve((44, 63), (66, 55), (80, 57)), curve((97, 62), (99, 72), (94, 74)), curve((90, 74), (66, 60), (44, 66))
    s.part([point for piece in brim for point in piece])
    s.line(curve((46, 22), (60, 36), (60, 60)), s.edge, 1.1)
    s.line(curve((46, 22), (30, 36), (28, 60)), s.edge, 1.1)
    s.dot(46, 22, 2.4, s.color, s.edge)


def _watch(s: Sketch, looks: Mapping[str, str]) -> None:
    s.part(box(36, 4, 64, 34))
    s.part(box(36, 66, 64, 96))
    if looks["material"] == "steel":
        for y in (18, 22, 74, 80, 86, 91):
            s.line([(36, y), (64, y)], s.edge, 1.0)
    else:
        for y in (74, 80, 86):
            s.dot(50, y, 1.2, s.inside)
    _buckle(s, 50, 10, 11, 4)
    s.dot(50, 50, 26, _METAL, _METAL_EDGE)
    s.dot(50, 50, 22, s.color, s.edge)
    hands = _PALE if sum(s.color) < 420 else (40, 40, 44)
    for x, y in ((50, 32), (68, 50), (50, 68), (32, 50)):
        s.dot(x, y, 1.5, hands)
    s.line([(50, 50), (50, 36)], hands, 1.8)
    s.line([(50, 50), (60, 55)], hands, 1.8)


def _scarf(s: Sketch) -> None:
    for tail in ([(40, 40), (57, 42), (52, 92), (32, 90)], [(50, 42), (66, 40), (76, 84), (58, 88)]):
        s.part(tail)
        (x1, y1), (x2, y2) = tail[3], tail[2]
        for i in range(8):
            x, y = x1 + (x2 - x1) * (i + 0.5) / 8, y1 + (y2 - y1) * (i + 0.5) / 8
            s.line([(x, y), (x - 0.5, y + 6)], s.color, 1.4)
    s.part([*ellipse(50, 30, 34, 22, (150, 390)), *curve((76, 44), (50, 56), (24, 44))])
    s.fill(ellipse(50, 22, 19, 8), s.inside)
    s.line(ellipse(50, 22, 19, 8), s.edge, 1.0)
    s.line(curve((20, 34), (50, 52), (80, 34)), s.edge, 1.1)
    s.line(curve((26, 42), (50, 58), (70, 42)), s.edge, 0.9)
