from __future__ import annotations

import json
import os
import pickle
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from attrex.errors import ConfigError, DataError
from attrex.io import images
from attrex.io.images import ImageLoader, ImageTransform, decode

pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning:PIL")  # what Pillow remarks on damaged metadata

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
TRANSFORM = ImageTransform(size=8, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def flat(mode: str, colour: object, size: tuple[int, int] = (20, 30)) -> Image.Image:
    return Image.new(mode, size, colour)


def noise(size: tuple[int, int] = (64, 64)) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def quadrants() -> Image.Image:
    """Red and green above, blue and white below: no two of the eight orientations look the same."""
    image = Image.new("RGB", (64, 64), WHITE)
    for corner, colour in {(0, 0): RED, (32, 0): GREEN, (0, 32): BLUE}.items():
        image.paste(colour, (*corner, corner[0] + 32, corner[1] + 32))
    return image


def png_claiming(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header promises any size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def assert_flat(pixels: np.ndarray, colour: tuple[int, int, int], within: int = 3) -> None:
    assert pixels.shape == (8, 8, 3)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - colour).max() <= within, f"{pixels[0, 0]} should be {colour}"


# Colours, in every way a file may store them


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM"])
def test_every_format_gives_the_colour_it_stores(kind: str) -> None:
    assert_flat(decode(encoded(flat("RGB", (200, 40, 90)), kind), 8), (200, 40, 90))


@pytest.mark.parametrize(
    ("image", "kind", "colour"),
    [
        (flat("CMYK", (0, 255, 255, 0)), "JPEG", RED),
        (flat("CMYK", (255, 0, 255, 0)), "TIFF", GREEN),
        (flat("L", 90), "JPEG", (90, 90, 90)),
        (flat("1", 1), "PNG", WHITE),
        (flat("1", 0), "TIFF", (0, 0, 0)),
        (flat("YCbCr", (76, 85, 255)), "TIFF", (254, 0, 0)),
        (flat("RGB", BLUE).quantize(4), "PNG", BLUE),
        (flat("RGBA", (*BLUE, 255)), "PNG", BLUE),
        (flat("RGBA", (*BLUE, 0)), "WEBP", WHITE),
        (flat("RGBA", (255, 0, 0, 128)), "PNG", (255, 127, 127)),
        (flat("LA", (0, 128)), "PNG", (127, 127, 127)),
        (flat("I;16", 40_000), "PNG", (156, 156, 156)),
        (flat("I;16", 65_535), "TIFF", WHITE),
        (flat("I", 40_000), "TIFF", (156, 156, 156)),
        (flat("I;16", 40_000), "PPM", (156, 156, 156)),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else str(value),
)
def test_every_mode_becomes_rgb_on_white(image: Image.Image, kind: str, colour: tuple[int, int, int]) -> None:
    assert_flat(decode(encoded(image, kind), 8), colour)


def test_a_palettes_transparent_colour_is_white() -> None:
    image = Image.new("P", (16, 16), 0)
    image.putpalette([*RED, *GREEN])
    image.paste(1, (8, 0, 16, 16))
    for kind in ("PNG", "GIF"):
        pixels = decode(encoded(image, kind, transparency=0), 16)
        assert (pixels[:, :6] == WHITE).all()
        assert (pixels[:, 10:] == GREEN).all()


def test_colours_hidden_under_full_transparency_do_not_bleed() -> None:
    image = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    image.paste((0, 0, 0, 255), (32, 0, 64, 64))
    pixels = decode(encoded(image), 8).astype(int)
    assert np.abs(pixels - pixels[..., :1]).max() <= 1, "only black, white and greys"


def test_an_animation_gives_its_first_frame() -> None:
    frames = [flat("RGB", colour) for colour in (RED, GREEN, BLUE)]
    for kind in ("GIF", "WEBP", "TIFF", "PNG"):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        assert_flat(decode(data, 8), RED)


# Geometry


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize(
    ("orientation", "corners"),  # top left, top right, bottom left, bottom right
    [
        (1, (RED, GREEN, BLUE, WHITE)),
        (2, (GREEN, RED, WHITE, BLUE)),
        (3, (WHITE, BLUE, GREEN, RED)),
        (4, (BLUE, WHITE, RED, GREEN)),
        (5, (RED, BLUE, GREEN, WHITE)),
        (6, (BLUE, RED, WHITE, GREEN)),
        (7, (WHITE, GREEN, BLUE, RED)),
        (8, (GREEN, WHITE, RED, BLUE)),
        (77, (RED, GREEN, BLUE, WHITE)),
    ],
)
def test_exif_orientation_turns_the_pixels(kind: str, orientation: int, corners: tuple) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = decode(encoded(quadrants(), kind, exif=exif), 16).astype(int)
    found = pixels[[3, 3, 12, 12], [3, 12, 3, 12]]
    assert np.abs(found - corners).max() < 20


def test_damaged_exif_does_not_lose_the_picture() -> None:
    assert_flat(decode(encoded(flat("RGB", RED), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff"), 8), RED)


def test_the_whole_image_is_squeezed_nothing_is_cropped() -> None:
    image = Image.new("RGB", (300, 30), RED)
    image.paste(BLUE, (150, 0, 300, 30))
    pixels = decode(encoded(image), 8)
    assert (pixels[:, 0] == RED).all()
    assert (pixels[:, -1] == BLUE).all()


def test_draft_reads_a_large_jpeg_nearly_as_the_full_decode() -> None:
    ramp = np.linspace(0, 255, 1600).astype(np.uint8)
    photo = Image.fromarray(
        np.stack([np.tile(ramp, (1200, 1)), np.tile(ramp[:1200, None], (1, 1600))] * 2, -1)[..., :3]
    )
    data = encoded(photo, "JPEG", quality=90)
    full = np.asarray(Image.open(BytesIO(data)).resize((64, 64), Image.Resampling.BICUBIC)).astype(int)
    assert np.abs(decode(data, 64) - full).mean() < 1
    assert np.abs(decode(data, 64) - full).max() <= 4


def test_a_large_jpeg_is_decoded_at_a_reduced_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    convert = images.rgb_or_rgba
    monkeypatch.setattr(images, "rgb_or_rgba", lambda image, *how: (sizes.append(image.size), convert(image, *how))[1])
    for size in (64, 200, 1000):
        decode(encoded(flat("RGB", RED, (1600, 1200)), "JPEG"), size)
    assert sizes == [(200, 150), (800, 600), (1600, 1200)], "at least twice what is asked for, where there is so much"


# Hostile input: always a DataError that says what was expected, what came, what to do


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "PPM"])
def test_truncated(kind: str) -> None:
    data = encoded(noise(), kind)
    with pytest.raises(DataError, match=rf"expected a whole {kind} image, .*cut off.*; download or export it again"):
        decode(data[: len(data) // 2], 8)


def test_truncated_inside_the_header() -> None:
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM"):
        for length in (1, 5, 12, 20):
            with pytest.raises(DataError, match="expected"):
                decode(encoded(noise(), kind)[:length], 8)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_damaged_bytes_give_pixels_or_a_data_error_never_anything_else(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM"]))
    body = bytearray(encoded(noise((16, 16)), kind))
    for _ in range(data.draw(st.integers(1, 8))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    with suppress(DataError):
        assert decode(bytes(body), 8, max_pixels=100_000).shape == (8, 8, 3)


def test_bomb_whose_header_claims_3600_million_pixels() -> None:
    with pytest.raises(DataError, match=r"expected at most 50,000,000 pixels, came far more; save it small"):
        decode(png_claiming(60_000, 60_000), 8)


@pytest.mark.filterwarnings("error")  # Pillow warns of such sizes, a shop may have turned warnings into errors
def test_bomb_that_pillow_only_warns_of() -> None:
    with pytest.raises(DataError, match=r"expected at most 50,000,000 pixels, but it has 10000 x 10000"):
        decode(png_claiming(10_000, 10_000), 8)


def test_more_pixels_than_allowed() -> None:
    with pytest.raises(DataError, match="at most 100 pixels, but it has 20 x 30; save it smaller or raise max_pixels"):
        decode(encoded(flat("RGB", RED)), 8, max_pixels=100)


def test_sliver_longer_than_any_photo() -> None:
    with pytest.raises(DataError, match="at most 65,535 pixels a side, but it has 1 x 65536; save it smaller"):
        decode(png_claiming(1, 65_536), 8)


def test_limits_hold_before_anything_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "rgb_or_rgba", lambda image: pytest.fail("decoded"))
    with pytest.raises(DataError, match="pixels"):
        decode(encoded(flat("RGB", RED)), 8, max_pixels=100)


def test_more_bytes_than_allowed(tmp_path: Path) -> None:
    path = tmp_path / "big.png"
    path.write_bytes(bytes(1001))
    for source in (path, bytes(1001)):
        with pytest.raises(
            DataError, match="at most 1,000 bytes, but it has 1,001; save it smaller or raise max_bytes"
        ):
            decode(source, 8, max_bytes=1000)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse.jpg"
    with path.open("wb") as file:
        file.truncate(2**35)
    with pytest.raises(DataError, match="34,359,738,368"):
        decode(path, 8)


def test_empty(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    for source in (tmp_path / "empty.jpg", b""):
        with pytest.raises(
            DataError, match=r"expected an image, but it is empty \(0 bytes\); download or export it again"
        ):
            decode(source, 8)


def test_text_named_jpg(tmp_path: Path) -> None:
    (tmp_path / "page.jpg").write_text("<html>404 not found</html>")
    with pytest.raises(DataError, match=r"page.jpg': expected one of JPEG, PNG.*none of these.*save it as JPEG"):
        decode(tmp_path / "page.jpg", 8)


def test_formats_that_are_not_on_the_list() -> None:
    for data in (encoded(flat("RGB", RED), "ICO"), b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"<svg/>"):
        with pytest.raises(DataError, match="expected one of JPEG"):
            decode(data, 8)


def test_zero_pixels() -> None:
    for data in (png_claiming(0, 5), b"P6 0 0 255\n", b"GIF89a" + bytes(7)):
        with pytest.raises(DataError, match="header is damaged"):
            decode(data, 8)


def test_floating_point_pixels() -> None:
    with pytest.raises(DataError, match=r"whole numbers as pixels, but they are floating point.*save it with 8 bits"):
        decode(encoded(flat("F", 0.5), "TIFF"), 8)


def test_grey_values_beyond_16_bit() -> None:
    with pytest.raises(
        DataError, match=r"grey values in 0..65535, but they run from 70000 to 70000; save it with 8 bits"
    ):
        decode(encoded(flat("I", 70_000), "TIFF"), 8)


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no.jpg': expected a file, but there is none; check the path"):
        decode(tmp_path / "no.jpg", 8)


def test_directory(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a file, but this is a directory; name a file in it"):
        decode(tmp_path, 8)


def test_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(DataError, match="expected a regular file, but this is a device or a pipe; copy the photo"):
        decode(tmp_path / "pipe.jpg", 8)


def test_impossible_paths() -> None:
    for path in ("nul\0byte.jpg", "x" * 5000):
        with pytest.raises(DataError, match=r"expected a readable file, came: .*; check the path and its permissions"):
            decode(path, 8)


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a.png").write_bytes(encoded(flat("RGB", RED)))
    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(DataError, match=r"expected a readable file, came: Permission denied; check the path"):
        decode(tmp_path / "a.png", 8)


def test_web_addresses_are_not_fetched() -> None:
    for url in ("http://shop.example/a.jpg", Path("https://shop.example/a.jpg"), "s3://bucket/a.jpg"):
        with pytest.raises(DataError, match="came a web address; Attrex fetches nothing: download the photo first"):
            decode(url, 8)


def test_something_that_is_no_source_at_all() -> None:
    with pytest.raises(DataError, match="expected a path or the bytes of a file, came NoneType; leave the photo out"):
        decode(None, 8)  # type: ignore[arg-type]


# The transform that a checkpoint stores


def test_transform_survives_json() -> None:
    assert ImageTransform.from_json(json.loads(json.dumps(TRANSFORM.to_json()))) == TRANSFORM


def test_transform_says_what_is_wrong_with_it() -> None:
    row = TRANSFORM.to_json()
    with pytest.raises(ConfigError, match="unknown key 'sise'; did you mean 'size'"):
        ImageTransform.from_json({**row, "sise": 3})
    with pytest.raises(ConfigError, match="key 'std' is missing, found"):
        ImageTransform.from_json({"size": 8, "mean": [0, 0, 0]})
    with pytest.raises(ConfigError, match="size should be a whole number from 1 to 4,096, found 0"):
        ImageTransform.from_json({**row, "size": 0})
    with pytest.raises(ConfigError, match=r"std should be three numbers \(red, green, blue\), each above 0, found"):
        ImageTransform.from_json({**row, "std": [1, 0, 1]})
    with pytest.raises(ConfigError, match="mean should be three numbers"):
        ImageTransform.from_json({**row, "mean": [1]})


# The loader


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How often a file is read, and an image decoded, while the real thing goes on."""
    counts = {"_read_image": 0, "_decode_bytes": 0}
    for name in counts:
        real = getattr(images, name)

        def counted(*args: object, name: str = name, real: object = real) -> object:
            counts[name] += 1
            return real(*args)  # type: ignore[operator]

        monkeypatch.setattr(images, name, counted)
    return counts


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "red.png"
    path.write_bytes(encoded(flat("RGB", RED)))
    return path


def test_an_unchanged_file_is_read_and_decoded_once(photo: Path, count: dict[str, int]) -> None:
    loader = ImageLoader(TRANSFORM)
    for _ in range(3):
        assert_flat(loader.load(photo), RED)
    assert count == {"_read_image": 1, "_decode_bytes": 1}


def test_the_same_content_is_decoded_once_under_any_name(photo: Path, count: dict[str, int]) -> None:
    loader = ImageLoader(TRANSFORM)
    copy = photo.with_name("copy.png")
    copy.write_bytes(photo.read_bytes())
    for source in (photo, copy, photo.read_bytes(), str(photo)):
        assert_flat(loader.load(source), RED)
    assert count["_decode_bytes"] == 1


def test_a_changed_file_is_read_again(photo: Path) -> None:
    loader = ImageLoader(TRANSFORM)
    loader.load(photo)
    photo.write_bytes(encoded(flat("RGB", BLUE, (21, 30))))
    os.utime(photo, ns=(1, 1))
    assert_flat(loader.load(photo), BLUE)


def test_errors_are_cached_and_name_the_file_that_was_asked_for(tmp_path: Path, count: dict[str, int]) -> None:
    loader = ImageLoader(TRANSFORM)
    for name in ("one.jpg", "two.jpg"):
        (tmp_path / name).write_text("no image")
    for name in ("one.jpg", "two.jpg", "one.jpg"):
        with pytest.raises(DataError, match=rf"{name}': expected one of JPEG"):
            loader.load(tmp_path / name)
    assert count == {"_read_image": 2, "_decode_bytes": 1}


def test_a_missing_file_may_appear_later(tmp_path: Path) -> None:
    loader = ImageLoader(TRANSFORM)
    with pytest.raises(DataError, match="there is none"):
        loader.load(tmp_path / "late.png")
    (tmp_path / "late.png").write_bytes(encoded(flat("RGB", RED)))
    assert_flat(loader.load(tmp_path / "late.png"), RED)


def test_memory_holds_what_fits_and_forgets_the_least_recently_used(count: dict[str, int]) -> None:
    loader = ImageLoader(TRANSFORM, cache_bytes=2 * 8 * 8 * 3)
    red, green, blue = (encoded(flat("RGB", colour)) for colour in (RED, GREEN, BLUE))
    for source in (red, green, red, blue):  # blue drives out green
        loader.load(source)
    assert count["_decode_bytes"] == 3
    loader.load(red)
    assert count["_decode_bytes"] == 3
    loader.load(green)
    assert count["_decode_bytes"] == 4


def test_without_memory_it_still_loads(photo: Path) -> None:
    loader = ImageLoader(TRANSFORM, cache_bytes=0)
    assert_flat(loader.load(photo), RED)
    assert_flat(loader.load(photo), RED)


def test_what_is_shared_cannot_be_changed(photo: Path) -> None:
    pixels = ImageLoader(TRANSFORM).load(photo)
    with pytest.raises(ValueError, match="read-only"):
        pixels[0] = 0


def test_disk_cache_outlives_the_loader(photo: Path, tmp_path: Path, count: dict[str, int]) -> None:
    for _ in range(2):
        assert_flat(ImageLoader(TRANSFORM, cache_dir=tmp_path / "cache").load(photo), RED)
    assert count["_decode_bytes"] == 1
    assert [p.suffix for p in (tmp_path / "cache").rglob("*.*")] == [".npy"], "no temporary file is left"


def test_disk_cache_keeps_sizes_apart(photo: Path, tmp_path: Path) -> None:
    for size in (8, 5):
        transform = ImageTransform(size, TRANSFORM.mean, TRANSFORM.std)
        assert ImageLoader(transform, cache_dir=tmp_path / "cache").load(photo).shape == (size, size, 3)
    assert len(list((tmp_path / "cache").rglob("*.npy"))) == 2


def npy(array: np.ndarray) -> bytes:
    out = BytesIO()
    np.save(out, array, allow_pickle=array.dtype == object)
    return out.getvalue()


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"rubbish",
        npy(np.zeros((8, 8, 3), np.uint8))[:-1],
        npy(np.zeros((4, 4, 3), np.uint8)),
        npy(np.zeros((8, 8, 3), np.float32)),
        npy(np.array([{}], dtype=object)),
        b"PK\x03\x04rubbish",
    ],
)
def test_a_damaged_disk_entry_heals(photo: Path, tmp_path: Path, damage: bytes, count: dict[str, int]) -> None:
    ImageLoader(TRANSFORM, cache_dir=tmp_path / "cache").load(photo)
    (entry,) = (tmp_path / "cache").rglob("*.npy")
    entry.write_bytes(damage)
    for _ in range(2):
        assert_flat(ImageLoader(TRANSFORM, cache_dir=tmp_path / "cache").load(photo), RED)
    assert count["_decode_bytes"] == 2, "once at first, once to heal"


def test_a_cache_that_cannot_be_written_is_a_warning(photo: Path, tmp_path: Path) -> None:
    loader = ImageLoader(TRANSFORM, cache_dir=photo / "not-a-directory")
    with pytest.warns(UserWarning, match=r"photos cannot be cached under .*; going on without.*another cache_dir"):
        assert_flat(loader.load(photo), RED)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # said once
        assert_flat(loader.load(encoded(flat("RGB", BLUE))), BLUE)


def test_a_failed_write_leaves_nothing_behind(photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(images.os, "replace", fail)
    with pytest.warns(UserWarning, match="No space left"):
        ImageLoader(TRANSFORM, cache_dir=tmp_path / "cache").load(photo)
    assert [p for p in (tmp_path / "cache").rglob("*") if p.is_file()] == []


def test_a_pickled_loader_keeps_its_settings(photo: Path, tmp_path: Path) -> None:
    loader = ImageLoader(TRANSFORM, cache_bytes=1000, cache_dir=tmp_path / "cache")
    loader.load(photo)
    copy = pickle.loads(pickle.dumps(loader))
    assert (copy.transform, copy.cache_bytes, copy.cache_dir) == (TRANSFORM, 1000, tmp_path / "cache")
    assert_flat(copy.load(photo), RED)


def test_threads_share_a_loader(tmp_path: Path) -> None:
    """With room for one photo only, they push each other's out all the time."""
    files = [tmp_path / f"{i}.png" for i in range(4)]
    for i, file in enumerate(files):
        Image.new("RGB", (40, 40), (i * 60, 0, 0)).save(file)
    loader = ImageLoader(ImageTransform(32, (0.5,) * 3, (0.5,) * 3), cache_bytes=32 * 32 * 3)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(loader.load, files * 25))
    assert [int(pixels[0, 0, 0]) for pixels in found] == [0, 60, 120, 180] * 25
