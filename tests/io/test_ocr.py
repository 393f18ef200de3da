"""Text in photos as a field of the product."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from attrex.errors import ConfigError
from attrex.io.ocr import FIELD, PhotoReader
from attrex.types import Product


def photo(*lines: str, size: tuple[int, int] = (420, 200)) -> bytes:
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    for i, line in enumerate(lines):
        draw.text((20, 30 + 70 * i), line, fill="black", font=ImageFont.load_default(36))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def reader() -> PhotoReader:
    return PhotoReader()


Line = tuple[str, float, float, float]
"""Text, score, top and left; all are 20 pixels high."""


def finds(reader: PhotoReader, monkeypatch: pytest.MonkeyPatch, *found: Sequence[Line]) -> list[Any]:
    """Let the recogniser find these in one photo after the other; returns the pixels that it is shown."""
    shown: list[Any] = []

    def engine(pixels: np.ndarray) -> SimpleNamespace:
        lines = found[len(shown)]
        shown.append(pixels)
        if not lines:
            return SimpleNamespace(txts=None, scores=None, boxes=None)
        texts, scores, tops, lefts = zip(*lines, strict=True)
        boxes = [
            np.array([[x, y], [x + 50, y], [x + 50, y + 20], [x, y + 20]]) for x, y in zip(lefts, tops, strict=True)
        ]
        return SimpleNamespace(txts=texts, scores=scores, boxes=np.array(boxes))

    monkeypatch.setattr(reader, "_engine", engine)
    return shown


def test_what_a_photo_says_is_a_field(reader: PhotoReader) -> None:
    product = Product("1", {"title": "A shirt"}, images=(photo("100% COTTON", "Slim Fit"), photo()), complete=True)
    read = reader.read(product)
    assert dict(read.fields) == {"title": "A shirt", FIELD: "100% COTTON\nSlim Fit"}
    assert not read.complete  # nobody has labelled the new text
    assert reader.read(read) is read  # once is enough


def test_unsure_lines_and_further_photos_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = PhotoReader(min_score=0.9, photos=2)
    one = [("Leather ", 0.95, 0, 0), ("l|", 0.6, 30, 0), (" ", 0.99, 60, 0)]
    shown = finds(reader, monkeypatch, one, [("50  m", 0.9, 0, 0)])
    read = reader.read(Product("1", {"title": "x"}, images=(photo(), photo(), photo())))
    assert read.fields[FIELD] == "Leather\n50 m"
    assert len(shown) == 2


def test_pieces_of_a_line_are_joined(reader: PhotoReader, monkeypatch: pytest.MonkeyPatch) -> None:
    finds(
        reader, monkeypatch, [("WOOL", 0.9, 3, 90), ("100%", 0.9, 0, 10), ("Dry clean", 0.9, 30, 0), ("x", 0.9, 25, 60)]
    )
    assert reader.lines(np.zeros((80, 200, 3), np.uint8)) == ["100% WOOL", "Dry clean x"]


def test_photos_are_shown_in_their_proportions_blue_first(reader: PhotoReader, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    Image.new("RGB", (4000, 1000), (255, 0, 0)).save(out, "PNG")
    shown = finds(reader, monkeypatch, [])
    reader.read(Product("1", {"title": "x"}, images=(out.getvalue(),)))
    assert shown[0].shape == (320, 1280, 3)
    assert shown[0][0, 0].tolist() == [0, 0, 255]


def test_a_photo_that_cannot_be_read_is_a_warning(reader: PhotoReader, tmp_path: Path) -> None:
    product = Product("1", {"title": "x"}, images=(b"no photo", tmp_path / "missing.jpg"), complete=True)
    read = reader.read(product)
    assert dict(read.fields) == {"title": "x"}
    assert read.complete
    assert [w.split(":")[0] for w in read.warnings] == ["photo 1 not read", "photo 2 not read"]
    broken = Product("2", {}, images=(photo(),), error="broken row")
    assert reader.read(broken) is broken


def test_without_the_library_it_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    with pytest.raises(ConfigError, match=r"pip install 'attrex\[ocr\]'"):
        PhotoReader()
