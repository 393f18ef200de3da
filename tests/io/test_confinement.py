"""A catalogue names photos of its own folder: no other file is opened, quoted, or told to be there."""

from __future__ import annotations

import io
import json
import logging
import os
from pathlib import Path

import pytest
from PIL import Image

from attrex.errors import DataError
from attrex.io.images import ImageLoader, ImageTransform, decode
from attrex.io.importers import read_mae, read_mepave
from attrex.io.readers import Products, read_products
from attrex.types import Product


def photo() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A shop's folder with a photo and links, beside a secret and a photo of somebody else."""
    shop = tmp_path / "shop"
    (shop / "photos").mkdir(parents=True)
    (shop / "photos" / "own.png").write_bytes(photo())
    (tmp_path / "secret.txt").write_text("password=hunter2")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "their.png").write_bytes(photo())
    (shop / "out").symlink_to(tmp_path / "other")
    (shop / "photos" / "link.png").symlink_to(tmp_path / "secret.txt")
    (shop / "photos" / "within.png").symlink_to("own.png")
    (shop / "photos" / "loop.png").symlink_to("loop.png")
    return shop


def images_of(folder: Path, image: object, **options: object) -> Product:
    (folder / "rows.jsonl").write_text(json.dumps({"id": "1", "title": "A shirt", "image": image}))
    (product,) = read_products(folder / "rows.jsonl", **options)  # type: ignore[arg-type]
    return product


@pytest.mark.parametrize(
    "image", ["photos/own.png", "photos/within.png", "photos/../photos/own.png", "./photos/own.png"]
)
def test_photos_of_the_folder_are_read_also_through_links_within_it(folder: Path, image: str) -> None:
    product = images_of(folder, image)
    assert product.images == (folder / image,)
    assert product.warnings == ()
    assert decode(product.images[0], 2).shape == (2, 2, 3)


@pytest.mark.parametrize(
    "image",
    [
        "/etc/hostname",
        "../secret.txt",
        "../../../../../../../../etc/passwd",
        "photos/link.png",
        "out/their.png",
        "out/not-there.png",
        "photos/../../secret.txt",
        "..",
        ".",
        "../shop-of-another/a.png",
        "//etc/passwd",
        "/proc/self/environ",
        {"path": "/etc/hostname"},
        {"bytes": None, "path": "../secret.txt"},
        ["../secret.txt"],
        '["../secret.txt"]',
    ],
)
def test_what_leads_out_of_the_folder_is_a_warning_and_not_opened(folder: Path, image: object) -> None:
    product = images_of(folder, image)
    assert product.images == ()
    (warning,) = product.warnings
    assert "leads out of it" in warning
    assert "hunter2" not in warning


def test_nothing_tells_whether_a_file_outside_is_there(folder: Path) -> None:
    there, gone = images_of(folder, "../secret.txt"), images_of(folder, "../secres.txt")
    assert there.warnings[0].replace("secret", "secres") == gone.warnings[0]


def test_the_folder_that_is_given_is_the_one_that_counts(folder: Path) -> None:
    other = folder.parent / "other"
    assert images_of(folder, "their.png", images=other).images == (other / "their.png",)
    assert images_of(folder, str(other / "their.png"), images=other).images == (other / "their.png",)
    assert images_of(folder, "../shop/photos/own.png", images=other).images == ()


def test_a_folder_that_is_a_link_itself_is_the_user_s_choice(folder: Path) -> None:
    link = folder.parent / "link"
    link.symlink_to(folder)
    assert images_of(link, "photos/own.png").images == (link / "photos/own.png",)


def test_trust_lifts_it(folder: Path) -> None:
    assert images_of(folder, "out/their.png", allow_outside=True).images == (folder / "out/their.png",)
    assert [p.images for p in Products(folder / "rows.jsonl", allow_outside=True)] == [(folder / "out/their.png",)]


def test_dicts_of_a_program_are_data_too_and_its_paths_are_not(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    rows = [{"title": "A", "image": image} for image in ("photos/own.png", "/etc/hostname", Path("/etc/hostname"))]
    assert [p.images for p in read_products(rows)] == [(Path("photos/own.png"),), (), (Path("/etc/hostname"),)]


def test_the_layouts_of_mepave_and_mae_are_confined(folder: Path) -> None:
    images = folder / "product_images"
    images.mkdir()
    (images / "2.jpg").symlink_to(folder.parent / "secret.txt")
    names = ("../photos/own", "2")
    (folder / "jdair.jave.train.txt").write_text("".join(f"c_{n}\ts{n}\tshirt\tshirt\n" for n in names))
    assert [p.images for p in read_mepave(folder / "jdair.jave.train.txt")] == [(), ()]
    mae = folder / "mae"
    (mae / "images").mkdir(parents=True)
    (mae / "images" / "a.jpg").symlink_to(folder.parent / "secret.txt")
    (mae / "train").mkdir()
    item = {"diffbotUri": "u", "title": "A", "images": ["/etc/hostname", "a.jpg", "../../../secret.txt"]}
    (mae / "train" / "a.json").write_text(json.dumps([item]))
    (product,) = read_mae(mae)
    assert product.images == ()
    assert len(product.warnings) == 3
    assert all("leads out of it" in warning for warning in product.warnings)


def test_one_log_line_says_what_to_do(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "told-once.jsonl").write_text(2 * (json.dumps({"title": "A", "image": "../secret.txt"}) + "\n"))
    with caplog.at_level(logging.WARNING):
        for _ in Products(folder / "told-once.jsonl"):
            pass
    (line,) = [r.getMessage() for r in caplog.records]
    assert line.startswith("told-once.jsonl names photos outside of the folder")
    assert "--images DIR" in line
    assert "--allow-outside" in line


# --- what is said of a photo that was opened -----------------------------------------------------------------------

SECRETS = {
    "plain": b"password=hunter2\n",
    "ppm": b"P6\nhunter2hunter2hunter2 8 8\n",
    "ppm token": b"P3\n4 4 255\nhunter2 hunter2\n",
    "png chunk": b"\x89PNG\r\n\x1a\n\x00\x00\x00\x05hunt" + b"hunter2",
    "gif": b"GIF89ahunter2hunter2",
    "tiff": b"II*\x00\x08\x00\x00\x00hunter2hunter2hunter2",
    "bmp": b"BMhunter2hunter2hunter2hunter2hunter2",
    "jpeg": b"\xff\xd8\xff\xe0hunter2hunter2",
    "webp": b"RIFFhuntWEBPVP8 hunter2",
}


@pytest.mark.parametrize("kind", SECRETS)
def test_no_message_quotes_what_is_in_a_file(tmp_path: Path, kind: str, recwarn: pytest.WarningsRecorder) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(SECRETS[kind])
    loader = ImageLoader(ImageTransform(8, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)))
    for read in (lambda: decode(path, 8), lambda: loader.load(path), lambda: decode(SECRETS[kind], 8)):
        with pytest.raises(DataError) as found:
            read()
        assert "hunt" not in str(found.value)
        assert str(tmp_path) not in str(found.value)
    assert not [w for w in recwarn if "hunt" in str(w.message)]


def test_a_path_is_named_without_where_it_lies_and_is_cut(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^image '\.\.\./photos/gone\.jpg': expected a file, but there is none"):
        decode(tmp_path / "photos" / "gone.jpg", 8)
    with pytest.raises(DataError) as found:
        decode(Path("x" * 200, "\x1b[31m.jpg"), 8)
    assert "\x1b" not in str(found.value)
    assert len(str(found.value)) < 250


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
def test_a_pipe_in_the_folder_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "photos" / "pipe.png")
    (path,) = images_of(folder, "photos/pipe.png").images
    with pytest.raises(DataError, match="a device or a pipe"):
        decode(path, 8)
