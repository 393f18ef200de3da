"""Photos whose numbers Pillow takes for other colours, or not at all."""

from __future__ import annotations

import re
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from attrex.encoding.batching import load_photos
from attrex.errors import DataError
from attrex.io.images import FORMATS, ImageLoader, ImageTransform, decode
from attrex.types import Product

WHITE, BLACK, BLUE = (255, 255, 255), (0, 0, 0), (0, 0, 255)
TRANSFORM = ImageTransform(8, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def png(depth: int, colour_type: int, rows: list[bytes], width: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG as its specification has it: a byte for the filter before every row."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, len(rows), depth, colour_type, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = [(b"IHDR", header), *chunks, (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(name, body) for name, body in parts)


def halves(pixels: np.ndarray) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The colours of the left and the right edge."""
    return tuple(map(int, pixels[4, 0])), tuple(map(int, pixels[4, -1]))


def test_a_transparent_colour_of_16_bits_is_compared_in_all_16() -> None:
    """White (0xffff) is transparent; black stays, and so does what is alike in the upper or the lower 8 bits."""
    for left, seen in ((0x0000, BLACK), (0xFF00, (255, 255, 255)), (0x00FF, BLACK)):
        row = struct.pack(">3H", *[left] * 3) * 8 + struct.pack(">3H", *[0xFFFF] * 3) * 8
        data = png(16, 2, [row] * 16, 16, (b"tRNS", struct.pack(">3H", *[0xFFFF] * 3)))
        assert halves(decode(data, 16)) == (seen, WHITE)


def test_a_black_product_on_a_transparent_colour_stays_black() -> None:
    """The key's lower byte is 0, as the product's: Pillow 13.0.0 makes the product transparent, and not the ground."""
    key = (0x8000, 0x4000, 0x2000)
    row = struct.pack(">3H", 0, 0, 0) * 8 + struct.pack(">3H", *key) * 8
    data = png(16, 2, [row] * 16, 16, (b"tRNS", struct.pack(">3H", *key)))
    assert halves(decode(data, 16)) == (BLACK, WHITE)


def test_colours_that_differ_from_the_key_in_the_lower_byte_alone_are_seen() -> None:
    key, near = (0x8000, 0x8000, 0x8000), (0x8001, 0x8000, 0x8000)
    row = struct.pack(">3H", *near) * 8 + struct.pack(">3H", *key) * 8
    data = png(16, 2, [row] * 16, 16, (b"tRNS", struct.pack(">3H", *key)))
    assert halves(decode(data, 16)) == ((128, 128, 128), WHITE)


@pytest.mark.parametrize(
    ("depth", "row", "key"),
    [
        (1, b"\x00\xff", 1),
        (2, b"\x00\x00\xaa\xaa", 2),
        (4, b"\x00" * 4 + b"\x55" * 4, 5),
        (8, b"\x00" * 8 + b"\x55" * 8, 0x55),
        (16, b"\x00\x00" * 8 + b"\x12\x34" * 8, 0x1234),
    ],
)
def test_a_transparent_grey_of_any_depth(depth: int, row: bytes, key: int) -> None:
    data = png(depth, 0, [row] * 16, 16, (b"tRNS", struct.pack(">H", key)))
    assert halves(decode(data, 16)) == (BLACK, WHITE)


def test_a_grey_that_is_not_the_transparent_one_stays() -> None:
    data = png(4, 0, [b"\x55" * 8] * 16, 16, (b"tRNS", struct.pack(">H", 0)))
    assert halves(decode(data, 16)) == ((85, 85, 85), (85, 85, 85))  # 5 of 15


@pytest.mark.parametrize(("white_is_zero", "stored"), [(True, 0x0000), (False, 0xFFFF)])
def test_white_of_a_16_bit_tiff(white_is_zero: bool, stored: int) -> None:
    def entry(tag: int, kind: int, value: int) -> bytes:
        return struct.pack("<HHIH2x" if kind == 3 else "<HHII", tag, kind, 1, value)

    pixels = struct.pack("<H", stored) * 64
    entries = [
        entry(256, 3, 8),  # width
        entry(257, 3, 8),
        entry(258, 3, 16),  # bits
        entry(259, 3, 1),  # not compressed
        entry(262, 3, 0 if white_is_zero else 1),
        entry(273, 4, 8),  # the strip follows the header
        entry(277, 3, 1),
        entry(278, 3, 8),
        entry(279, 4, len(pixels)),
    ]
    data = b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels
    data += struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    assert halves(decode(data, 8)) == (WHITE, WHITE)


def gif(width: int, height: int, frame: tuple[int, int, int, int]) -> bytes:
    """A GIF of one blue frame at (left, top, width, height) on a canvas; its colour 0 is black, nothing is clear."""
    left, top, wide, high = frame
    image = Image.new("P", (wide, high), 1)
    image.putpalette([*BLACK, *BLUE])
    out = BytesIO()
    image.save(out, "GIF", optimize=False)
    body = bytearray(out.getvalue())
    body[6:10] = struct.pack("<HH", width, height)  # the logical screen
    at = body.index(b"\x2c" + struct.pack("<HHHH", 0, 0, wide, high))  # the image descriptor
    body[at + 1 : at + 5] = struct.pack("<HH", left, top)
    return bytes(body)


def test_around_a_frame_that_is_smaller_than_its_canvas_is_white() -> None:
    pixels = decode(gif(16, 16, (8, 4, 8, 12)), 16)
    assert (pixels[:, :6] == WHITE).all()
    assert (pixels[:3] == WHITE).all()
    assert (pixels[6:, 10:] == BLUE).all()
    assert (decode(gif(16, 16, (0, 0, 16, 16)), 16) == BLUE).all()


def test_the_alpha_of_a_bmp_that_nobody_set() -> None:
    header = struct.pack("<IiiHHIIiiII", 56, 8, 8, 1, 32, 3, 256, 0, 0, 0, 0)
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    pixels = b"\xff\x00\x00\x00" * 64  # blue, green, red, alpha 0
    data = b"BM" + struct.pack("<IHHI", 14 + 56 + 256, 0, 0, 14 + 56) + header + masks + pixels
    assert halves(decode(data, 8)) == (BLUE, BLUE)


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow was built without AVIF")
def test_avif() -> None:
    out = BytesIO()
    Image.new("RGB", (32, 32), (200, 40, 90)).save(out, "AVIF", quality=90)
    assert "AVIF" in FORMATS
    assert np.abs(decode(out.getvalue(), 8).astype(int) - (200, 40, 90)).max() <= 6


def photo(kind: str = "JPEG", **options: object) -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    out = BytesIO()
    Image.fromarray(noise).resize((256, 256)).save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("missing", [1, 2])
def test_a_jpeg_without_its_end_is_read_and_told(progressive: bool, missing: int) -> None:
    whole = photo(progressive=progressive)
    told: list[str] = []
    pixels = decode(whole[:-missing], 32, told=told)
    assert (pixels == decode(whole, 32)).all()
    assert told == [f"image of {len(whole) - missing:,} bytes: its end is missing"]


def test_how_much_of_a_jpeg_is_missing() -> None:
    whole = photo()
    told: list[str] = []
    pixels = decode(whole[: len(whole) * 95 // 100], 32, told=told)
    assert (pixels[:28] == decode(whole, 32)[:28]).mean() > 0.99
    assert re.fullmatch(r"image of [0-9,]+ bytes: its end is missing, and with it [3-7]% of the picture", told[0])


@pytest.mark.parametrize("progressive", [False, True])
def test_half_a_jpeg_is_left_out(progressive: bool) -> None:
    whole = photo(progressive=progressive)
    with pytest.raises(DataError, match="damaged or cut off"):
        decode(whole[: len(whole) // 2], 32)


def odd_tiff() -> bytes:
    """A TIFF that Pillow warns of: its width is given twice."""
    out = BytesIO()
    Image.new("L", (8, 8), 90).save(out, "TIFF")
    body = bytearray(out.getvalue())
    (offset,) = struct.unpack_from("<I", body, 4)
    (entries,) = struct.unpack_from("<H", body, offset)
    for at in range(offset + 2, offset + 2 + 12 * entries, 12):
        if struct.unpack_from("<H", body, at) == (305,) or struct.unpack_from("<H", body, at) == (284,):
            struct.pack_into("<HHII", body, at, 305, 2, 500, 0xFFFFFF)  # a text beyond the end
    return bytes(body)


def test_what_pillow_warns_of_is_told_with_the_product(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(odd_tiff())
    loader = ImageLoader(TRANSFORM, cache_dir=tmp_path / "cache")
    product = Product("p", {"title": "x"}, images=(tmp_path / "a.tif",))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing but the product carries them
        first, again = load_photos(product, loader, 1)[1], load_photos(product, loader, 1)[1]
        another = load_photos(product, ImageLoader(TRANSFORM, cache_dir=tmp_path / "cache"), 1)[1]
    assert len(first) == 1
    assert re.match(r"photo 1: image '[^']*a\.tif': ", first[0])
    assert first == again == another


def test_threads_hear_their_own_photos() -> None:
    odd, plain = odd_tiff(), photo("PNG")

    def told(data: bytes) -> int:
        heard: list[str] = []
        decode(data, 8, told=heard)
        return len(heard)

    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(told, [odd, plain] * 40))
    assert counts == [1, 0] * 40


def test_other_warnings_are_shown_as_before() -> None:
    decode(odd_tiff(), 8)
    with pytest.warns(UserWarning, match="mine"):
        warnings.warn("mine", stacklevel=1)
