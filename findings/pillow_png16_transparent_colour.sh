#!/usr/bin/env bash
# Pillow 13.0.0: in an RGB PNG of 16 bits a channel the wrong pixels become transparent: black ones, not the background.
#
# One would guess: a PNG's transparent colour (chunk tRNS) makes the pixels of exactly that colour transparent, as the
#   format says (PNG specification, third edition, 11.3.1.1: all 16 bits of a sample are compared).
# What happens: Pillow reads the image with the upper 8 bits of each sample and compares them with the lower 8 bits of
#   the transparent colour. A light background of 0xfe00 stays opaque. A black product, 0x0000, whose upper bits are the
#   background's lower ones, becomes transparent. The same file with 8 bits a channel comes out right. No error, no
#   warning.
# Why it matters: photos of products are cut out so. Pasted on white, the product is gone, and the background is left.
# What to do: for such files compare all 16 bits yourself, or save photos with an alpha channel.

set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check pillow==13.0.0

"$work/venv/bin/python" - <<'PY'
import struct
import sys
import zlib
from io import BytesIO

import PIL
from PIL import Image

STATED = {8: (0, 255), 16: (255, 0)}  # bits -> alpha of the background and of the product, as Pillow has them
BACKGROUND = {8: 0xFE, 16: 0xFE00}


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(bits: int) -> bytes:
    """Two pixels, one of the background, which is the transparent colour, and a black one."""
    sample = ">H" if bits == 16 else ">B"
    row = b"".join(struct.pack(sample, value) * 3 for value in (BACKGROUND[bits], 0))
    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, bits, 2, 0, 0, 0))]
    parts += [chunk(b"tRNS", struct.pack(">H", BACKGROUND[bits]) * 3)]
    parts += [chunk(b"IDAT", zlib.compress(b"\0" + row)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


print("Pillow", PIL.__version__)
changed = False
for bits, stated in STATED.items():
    image = Image.open(BytesIO(png(bits)))
    background, product = (pixel[3] for pixel in image.convert("RGBA").get_flattened_data())
    print(f"{bits} bits: alpha of the background {background}, of the black product {product}")
    changed |= (background, product) != stated

if changed:
    sys.exit("changed: this is not what the header states")
print("as stated: with 16 bits the product is transparent, and the background is not")
PY
