"""Photos as cameras, programs, broken downloads and attackers make them: pixels of the right shape, or a reason."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from random import Random
from typing import Any

import numpy as np
import pytest
from PIL import Image, features

from attrex.errors import DataError
from attrex.io.images import decode, decode_whole

pytestmark = pytest.mark.robustness
TRIES = 500
MOST = 4_000_000  # pixels
MODES: dict[str, tuple[str, ...]] = {
    "JPEG": ("L", "RGB", "CMYK"),
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "GIF": ("1", "L", "P", "RGB", "RGBA"),
    "BMP": ("1", "L", "P", "RGB", "RGBA"),
    "TIFF": ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "I", "F"),
    "WEBP": ("L", "RGB", "RGBA"),
    "PPM": ("1", "L", "RGB", "I;16"),
} | ({"AVIF": ("L", "RGB", "RGBA")} if features.check("avif") else {})
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "JPEG": [{}, {"progressive": True}, {"quality": 5}, {"subsampling": 0}, {"exif": b"Exif\0\0II*\0\xff\xff\xff\xff"}],
    "PNG": [{}, {"transparency": 0}, {"optimize": True}, {"dpi": (1, 1)}],
    "GIF": [{}, {"transparency": 0}, {"interlace": False}, {"save_all": True, "append_images": 3, "disposal": 2}],
    "BMP": [{}],
    "TIFF": [{"compression": c} for c in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "group4")]
    + [{"tiffinfo": {262: 0}}, {"tiffinfo": {274: 6}}, {"big_tiff": True}, {"save_all": True, "append_images": 2}],
    "WEBP": [{}, {"lossless": True}, {"quality": 1}, {"save_all": True, "append_images": 2}],
    "PPM": [{}],
    "AVIF": [{}, {"quality": 1}, {"save_all": True, "append_images": 2}],
}


def drawn(random: Random, mode: str) -> Image.Image:
    size = random.choice([(1, 1), (1, 40), (17, 9), (64, 64), (300, 200)])
    noise = np.frombuffer(random.randbytes(size[0] * size[1] * 3), np.uint8).reshape(size[1], size[0], 3)
    image = Image.fromarray(noise)
    if mode == "I;16":
        return Image.fromarray(noise[..., 0].astype(np.uint16) * 257)
    if mode in ("LAB", "PA", "LA"):
        return image.convert({"PA": "RGBA", "LA": "LA"}.get(mode, "RGB")).convert(mode)
    return image.convert(mode)


def made(random: Random) -> tuple[str, bytes] | None:
    """A whole file of a kind; None where Pillow does not write it so."""
    kind = random.choice(list(MODES))
    mode, options = random.choice(MODES[kind]), dict(random.choice(OPTIONS[kind]))
    image = drawn(random, mode)
    if frames := options.get("append_images"):
        options["append_images"] = [drawn(random, mode).resize(image.size) for _ in range(frames)]
    if "tiffinfo" in options and mode not in ("1", "L", "I;16"):
        return None  # white is 0 in grey alone
    out = BytesIO()
    try:
        image.save(out, kind, **options)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SystemError):
        return None
    return f"{kind} {mode} {list(options)}", out.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(random: Random) -> tuple[str, bytes]:
    """Every depth and colour type, allowed or not, with a transparent colour and chunks that unpack to much."""
    depth, colour, interlaced = (
        random.choice([1, 2, 4, 8, 16, 3]),
        random.choice([0, 2, 3, 4, 6, 1]),
        random.randrange(2),
    )
    width, height = random.choice([(8, 8), (1, 1), (16, 3)])
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 1)
    data = b"".join(
        bytes([random.randrange(6)]) + random.randbytes((width * depth * channels + 7) // 8) for _ in range(2 * height)
    )
    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))]
    if random.random() < 0.7:
        parts.append(chunk(b"PLTE", random.randbytes(3 * random.choice([1, 2, 16, 256]))))
    if random.random() < 0.7:
        parts.append(chunk(b"tRNS", random.randbytes(random.choice([1, 2, 6, 16, 300]))))
    if random.random() < 0.2:
        parts.append(chunk(random.choice([b"zTXt", b"iCCP"]), b"a\0\0" + zlib.compress(bytes(100_000_000), 9)))
    parts += [chunk(b"IDAT", zlib.compress(data)), chunk(b"IEND", b"")]
    return f"PNG {depth} {colour} {interlaced}", b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def bombs() -> Iterator[tuple[str, bytes]]:
    for width, height in ((60_000, 60_000), (2**31 - 1, 1), (1, 2**31 - 1), (65_536, 1), (9_000, 9_000), (0, 0)):
        header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1_000_000))) + chunk(b"IEND", b"")
        yield f"PNG of {width} x {height}", b"\x89PNG\r\n\x1a\n" + data
        body = bytearray(made_gif())
        body[6:10] = struct.pack("<HH", width & 0xFFFF, height & 0xFFFF)
        yield f"GIF of {width} x {height}", bytes(body)
        info = struct.pack("<IiiHHIIiiII", 40, width & 0x7FFFFFFF, height & 0x7FFFFFFF, 1, 24, 0, 0, 0, 0, 0, 0)
        yield f"BMP of {width} x {height}", b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + info
        yield f"PPM of {width} x {height}", b"P6 %d %d 255\n" % (width, height) + bytes(1000)
    for text in (
        b"",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"GIF89a",
        b"<svg/>",
        b"%PDF-1.4",
        b"RIFF\0\0\0\0WEBPVP8 ",
    ):
        yield f"beginning {text!r}", text


def made_gif() -> bytes:
    out = BytesIO()
    Image.new("P", (8, 8), 1).save(out, "GIF")
    return out.getvalue()


def spoilt(random: Random, data: bytes) -> bytes:
    """Cut, bytes changed, put in or taken out, or left alone."""
    content = bytearray(data)
    for _ in range(random.randrange(3)):
        at, length = random.randrange(len(content) + 1), random.randrange(1, 20)
        match random.randrange(4):
            case 0:
                del content[at:]
            case 1:
                content[at : at + length] = random.randbytes(length)
            case 2:
                content[at:at] = random.randbytes(length)
            case 3:
                del content[at : at + length]
    return bytes(content)


def tried(random: Random) -> Iterator[tuple[str, bytes]]:
    yield from bombs()
    while True:
        if found := png(random) if random.random() < 0.3 else made(random):
            name, data = found
            yield name, data if random.random() < 0.4 else spoilt(random, data)


@pytest.mark.filterwarnings("error")  # a warning that is not told with the photo is lost
def test_images(tally: Any, random: Random, canary: Any) -> None:
    for number, (name, data) in zip(range(TRIES), tried(random), strict=False):

        def read(data: bytes = data) -> None:
            told: list[str] = []
            pixels = decode(data, 16, max_pixels=MOST, told=told)
            assert pixels.shape == (16, 16, 3)
            assert pixels.dtype == np.uint8
            assert all(0 < len(what) < 2000 for what in told)
            whole = decode_whole(data, 32, max_pixels=MOST)
            assert max(whole.shape[:2]) <= 32

        tally.try_one(f"{number} {name}", read)
    tally.check()


def test_images_that_are_whole(tally: Any, random: Random) -> None:
    """What Pillow writes is read, but for pixels in floating point, where white is not defined."""
    for number in range(TRIES // 2):
        if (found := made(random)) is None:
            continue
        name, data = found

        def read(name: str = name, data: bytes = data) -> None:
            try:
                decode(data, 16)
            except DataError as exc:
                if " F " not in name and "LAB" not in name:
                    raise AssertionError(str(exc)) from exc

        tally.try_one(f"{number} {name}", read)
    tally.check()
