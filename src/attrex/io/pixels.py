"""What a decoded photo's numbers mean: its colours as Pillow has them, brought to RGB, or RGBA where it is transparent.

Pillow 13.0.0 takes most files right. The rest is here: transparent colours of PNG (it compares 16 bits with 8, and 2 or
4 bits before they are scaled), grey of 16 bits (`convert` cuts it to white, a TIFF's white may be 0), a GIF's first
frame that is smaller than its canvas, and a BMP whose alpha is not meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from attrex.errors import DataError

_LEVELS = {"1": 255, "L;2": 85, "L;4": 17}
"""A PNG's raw mode (Pillow) -> what one step of its grey becomes in 8 bits."""
_BITS, _WHITE_IS = 258, 262  # TIFF tags: BitsPerSample, PhotometricInterpretation
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Stored:
    """How a file stores its pixels; known before they are loaded, when Pillow forgets it."""

    format: str
    raw: str = ""  #: a PNG's raw mode
    key: Any = None  #: the colour that is transparent in a PNG without a palette, as the file has it
    white_is_zero: bool = False
    bits: int = 16  #: of grey in more than 8 bits
    frame: tuple[int, int, int, int] | None = None  #: left, top, right, bottom of a frame smaller than its canvas


def how_stored(image: Image.Image) -> Stored:
    """Of an image that is opened and not loaded."""
    tiles: Any = getattr(image, "tile", None)
    tile = tiles[0] if tiles else None
    kind = image.format or ""
    if kind == "PNG" and tile is not None:
        key = image.info.get("transparency") if image.mode in ("1", "L", "I;16", "RGB") else None
        return Stored(kind, raw=str(tile[3] if isinstance(tile[3], str) else tile[3][0]), key=key)
    if kind == "TIFF" and image.mode.startswith("I"):
        tags: Any = image.tag_v2  # type: ignore[attr-defined]
        bits = tags.get(_BITS, (16,))
        return Stored(kind, white_is_zero=tags.get(_WHITE_IS) == 0, bits=min(16, bits[0] if bits else 16))
    if kind == "GIF" and tile is not None and tuple(tile[1]) != (0, 0, *image.size):
        return Stored(kind, frame=tuple(tile[1]))
    return Stored(kind)


def rgb_or_rgba(image: Image.Image, stored: Stored, data: bytes) -> Image.Image:
    """A loaded image in colours that can be resized; ``data`` is its file.

    Raises :class:`DataError` where it is not known which of its numbers is white.
    """
    if image.mode.startswith("I"):
        grey, clear = _grey(image, stored)
        return _with_holes(Image.fromarray(grey).convert("RGB"), clear)
    if image.mode == "F":
        raise DataError(
            "expected whole numbers as pixels, but they are floating point, where white is not defined; "
            "save it with 8 bits a channel"
        )
    if stored.key is not None:
        image.info.pop("transparency", None)
        return _with_holes(image.convert("RGB"), _clear(image, stored, data))
    if stored.frame is not None:
        clear = np.ones((image.height, image.width), bool)
        left, top, right, bottom = stored.frame
        clear[top:bottom, left:right] = False
        return _with_holes(image.convert("RGBA"), clear)
    if stored.format == "BMP" and image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0):
        return image.convert("RGB")  # 32 bits a pixel, of which nobody has set the last eight
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _grey(image: Image.Image, stored: Stored) -> tuple[npt.NDArray[np.uint8], Mask | None]:
    """Grey of 16 bits in 8, and where it is transparent."""
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 65_535:
        raise DataError(
            f"expected grey values in 0..65535, but they run from {values.min()} to {values.max()}; "
            "save it with 8 bits a channel"
        )
    clear = None if stored.key is None else values == stored.key
    scaled = values.astype(np.uint32)
    if stored.bits < 16:
        scaled = np.minimum(scaled * 65_535 // (2**stored.bits - 1), 65_535)
    if stored.white_is_zero:
        scaled = 65_535 - scaled
    return ((scaled + 128) // 257).astype(np.uint8), clear


def _clear(image: Image.Image, stored: Stored, data: bytes) -> Mask:
    """Where a PNG of grey or colour has the one that is transparent."""
    key = stored.key
    if image.mode != "RGB":
        grey = np.asarray(image.convert("L"))
        return np.asarray(grey == int(key) * _LEVELS.get(stored.raw, 1))
    values = np.asarray(image)
    if stored.raw != "RGB;16B":
        return np.asarray((values == [k & 0xFF for k in key]).all(-1))
    clear = np.asarray((values == [k >> 8 for k in key]).all(-1))
    if clear.any():  # alike in the upper 8 bits: the lower ones are read as if they were the upper ones
        with Image.open(BytesIO(data), formats=["PNG"]) as lower:
            lower.tile = [tile._replace(args="RGB;16L") for tile in lower.tile]
            clear &= (np.asarray(lower) == [k & 0xFF for k in key]).all(-1)
    return clear


def _with_holes(image: Image.Image, clear: Mask | None) -> Image.Image:
    """The image with nothing where it is clear."""
    if clear is None or not clear.any():
        return image
    image = image.convert("RGBA")
    alpha = np.where(clear, 0, np.asarray(image.getchannel("A"))).astype(np.uint8)
    image.putalpha(Image.fromarray(alpha))
    return image
