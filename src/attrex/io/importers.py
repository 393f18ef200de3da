"""The original releases of MEPAVE (Zhu et al. 2020) and MAE (Logan et al. 2017) as products, file names and all."""

from __future__ import annotations

import logging
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from attrex.errors import DataError, short_path
from attrex.io.confinement import OutsideError, PhotoFolders
from attrex.io.files import load_json_list
from attrex.io.packed import open_binary
from attrex.io.rows import record, to_product
from attrex.io.splitting import choose_split
from attrex.shop.cells import ColumnCounts
from attrex.shop.mapping import ColumnMapping
from attrex.shop.shop import DEFAULT_SHOP, Shop
from attrex.types import ImageSource, Product, Span

log = logging.getLogger(__name__)

_MEPAVE_FILE = re.compile(r"jd(?:ai|air)\.jave\.(?:fashion\.)?(train|valid|test)(?:\.sample)?(?:\.txt)?")
_TAGGED = re.compile(r"<([^<>/]+)>([^<>]+)</\1>")
_MAE_SPLITS = ("train", "val", "valid", "test")
_MAE_COLUMNS = ColumnMapping(id="diffbotUri", texts=("title", "description"), images=("images",), attributes="specs")


def layout_of(path: Path) -> Literal["MEPAVE", "MAE"] | None:
    """Which release a file or directory is laid out as, by file names and by how MAE's JSON lists begin."""
    if path.is_file():
        if _MEPAVE_FILE.fullmatch(path.name):
            return "MEPAVE"
        return "MAE" if _looks_like_mae(path) else None
    if not path.is_dir():
        return None
    if _mepave_files(path):
        return "MEPAVE"
    folders = [*_mae_splits(path).values(), path]
    return "MAE" if any(_looks_like_mae(p) for folder in folders for p in _files(folder)[:20]) else None


@dataclass
class ImportReport:
    """What an import has read, and which lines it has left out, by reason."""

    read: int = 0  #: products given
    dropped: dict[str, list[str]] = field(default_factory=dict)  #: reason -> places, e.g. ``jdair.jave.train.txt:12``

    def drop(self, reason: str, place: str) -> None:
        self.dropped.setdefault(reason, []).append(place)

    def __str__(self) -> str:
        total = sum(len(places) for places in self.dropped.values())
        reasons = "; ".join(
            f"{len(p)} with {reason} ({', '.join(p[:5])}{', ...' if len(p) > 5 else ''})"
            for reason, p in sorted(self.dropped.items())
        )
        return f"read {self.read} products, left out {total}" + (f": {reasons}" if reasons else "")


# --- MEPAVE --------------------------------------------------------------------------------------------------------


def read_mepave(
    path: str | Path,
    split: str | None = None,
    *,
    images: str | Path | None = None,
    keep_spaces: bool = False,
    lower: bool = True,
    report: ImportReport | None = None,
    confined: bool = True,
) -> Iterator[Product]:
    """Sentences of MEPAVE as products: one field ``text``, complete spans per character, grouped by the shop's product.

    ``path``: the directory of ``jdair.jave.{train,valid,test}.txt`` (or ``jdai.jave.fashion.*``), or one such file.
    Photos are ``product_images/<digits of the product>.jpg`` there, or in ``images``. As in the published loaders, text
    is lower-cased (``lower``), and lines with a space in the sentence (unless ``keep_spaces``), with malformed tags, or
    whose two sentences differ are left out; ``report`` counts them, and a log warning says so at the end.
    Raises :class:`DataError` where the layout is another one.
    """
    path = Path(path)
    if path.is_dir():
        files = _mepave_files(path)
        if not files:
            raise DataError(
                f"{path}: expected MEPAVE files jdair.jave.{{train,valid,test}}.txt, found none; name their directory"
            )
        path = choose_split(files, split, str(path))
    if not path.is_file():
        raise DataError(f"{path}: expected a MEPAVE file or its directory, found nothing there; check the path")
    with open_binary(path) as file:
        columns = file.readline().count(b"\t") + 1
    if columns != 4:
        raise DataError(
            f"{path}: expected MEPAVE's four tab-separated columns (product, sentence, text, tagged text), "
            f"got {columns} in the first line; use read_products for other formats"
        )
    folder = Path(images) if images is not None else path.parent / "product_images"
    photos = PhotoFolders([folder], confined, path.name) if folder.is_dir() else None
    return _mepave_products(path, photos, keep_spaces, lower, ImportReport() if report is None else report)


def _mepave_files(folder: Path) -> dict[str, Path]:
    names = {p: _MEPAVE_FILE.fullmatch(p.name) for p in sorted(folder.iterdir())}
    return {match[1]: p for p, match in names.items() if match}


def _mepave_products(
    path: Path, photos: PhotoFolders | None, keep_spaces: bool, lower: bool, report: ImportReport
) -> Iterator[Product]:
    with open_binary(path) as file:
        for number, line in enumerate(file, 1):
            found = _mepave_product(line, photos, keep_spaces, lower)
            if isinstance(found, str):
                report.drop(found, f"{path.name}:{number}")
            else:
                report.read += 1
                yield found
    if report.dropped:
        log.warning("MEPAVE %s: %s", path.name, report)


def _mepave_product(line: bytes, photos: PhotoFolders | None, keep_spaces: bool, lower: bool) -> Product | str:
    """The product of a line, or the reason to leave the line out."""
    try:
        columns = line.decode().rstrip("\r\n").split("\t")
    except UnicodeDecodeError:
        return "bytes that are not UTF-8"
    if len(columns) != 4:
        return "other than four columns"
    name, sentence, text, tagged = columns
    if lower:  # before offsets are counted: lower-casing can change the length
        text, tagged = text.lower(), tagged.lower()
    if " " in text and not keep_spaces:
        return "a space in the sentence"
    untagged, spans = _untag(tagged)
    if "<" in untagged or ">" in untagged:
        return "malformed tags"
    if untagged != text:
        return "a tagged sentence that differs"
    image: Path | None = None
    warnings = []
    if photos:
        try:
            image = photos.path_of(f"{name.removeprefix('c_')}.jpg")
        except DataError as exc:
            warnings.append(f"{exc}; the product goes on without this photo")
    if image is not None and not image.is_file():
        warnings.append(f"photo {short_path(image.name)} is not in {short_path(image.parent)}; goes on without it")
        image = None
    return Product(
        id=sentence,
        fields={"text": text},
        images=() if image is None else (image,),
        spans=tuple(spans),
        complete=True,
        group=name,
        warnings=tuple(warnings),
    )


def _untag(tagged: str) -> tuple[str, list[Span]]:
    """The text without its tags, and the spans they mark; ``<`` or ``>`` left in the text: the tags are malformed."""
    text, spans, done = "", [], 0
    for match in _TAGGED.finditer(tagged):
        text += tagged[done : match.start()]
        spans.append(Span(match[1], len(text), len(text) + len(match[2]), match[2]))
        text += match[2]
        done = match.end()
    return text + tagged[done:], spans


# --- MAE -----------------------------------------------------------------------------------------------------------


def read_mae(
    root: str | Path,
    split: str | None = None,
    *,
    images: str | Path | None = None,
    shop: Shop = DEFAULT_SHOP,
    counts: ColumnCounts | None = None,
    confined: bool = True,
) -> Iterator[Product]:
    """Products of the MAE release: fields ``title`` and ``description`` (the key ``text``), the table from ``specs``.

    ``root``: holds ``train/``, ``val/`` (``test/``), each with JSON lists of products; or one of these, or one file.
    Photos are in ``mumie-img/`` or ``images/`` of the root, or in ``images/`` beside it; or in ``images``. A photo that
    is missing is a warning, a broken file is one marked product. Cells are read as ``shop`` says.

    Raises :class:`DataError` for another layout.
    """
    root = Path(root)
    files, top = _mae_files(root, split)
    if images is not None and not Path(images).is_dir():
        raise DataError(f"{images}: expected the directory of MAE's photos, found none; check the path")
    folders = [top / "mumie-img", top / "images", top.parent / "images"] if images is None else [Path(images)]
    photos = PhotoFolders(folders, confined, root.name)
    return _mae_products(files, photos, replace(shop, columns=_MAE_COLUMNS), counts)


def _mae_files(root: Path, split: str | None) -> tuple[list[Path], Path]:
    """The files of a split, and the root of the release."""
    if root.is_file():
        return [root], root.parent.parent
    if not root.is_dir():
        raise DataError(f"{root}: expected a file or directory of the MAE release, found nothing there; check the path")
    splits = _mae_splits(root)
    folder = choose_split(splits, split, str(root)) if splits else root
    files = _files(folder)
    if not files:
        raise DataError(
            f"{folder}: expected MAE's layout, train/ and val/ with files that hold JSON lists, found no files; "
            "name the directory that holds train/ and val/"
        )
    return files, folder.parent


def _mae_splits(root: Path) -> dict[str, Path]:
    return {name: root / name for name in _MAE_SPLITS if (root / name).is_dir()} if root.is_dir() else {}


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))


def _looks_like_mae(path: Path) -> bool:
    try:
        with open_binary(path) as file:
            start = file.read(65_536)
    except (OSError, EOFError, zlib.error):
        return False
    return start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[") and b'"diffbotUri"' in start


def _mae_products(
    files: list[Path], photos: PhotoFolders, shop: Shop, counts: ColumnCounts | None
) -> Iterator[Product]:
    names_only = PhotoFolders([Path()], confined=False)  # which folder they are in is looked up afterwards
    number = 0
    for path in files:
        name = f"{path.parent.name}/{path.name}"
        try:
            items = load_json_list(path, name)
        except DataError as exc:
            yield Product(id=name, fields={}, error=str(exc))
            continue
        for place, item in enumerate(items, 1):
            number += 1
            row = record(f"{name} item {place}", number, item)
            if row.values is not None:
                row = replace(row, values={**row.values, "description": row.values.get("text")})
            yield _with_photos(to_product(row, shop, names_only, counts), photos)


def _with_photos(product: Product, photos: PhotoFolders) -> Product:
    """The product with the photos that exist, and a warning for each that does not or leads out of their folders."""
    found: list[ImageSource] = []
    warnings = list(product.warnings)
    missing = []
    for image in product.images:
        if isinstance(image, bytes):
            found.append(image)
            continue
        try:
            place = _placed(image, photos)
        except OutsideError as exc:
            warnings.append(f"{exc}; the product goes on without this photo")
            continue
        if place is None:
            missing.append(short_path(image))
        else:
            found.append(place)
    if missing:
        known = ", ".join(map(short_path, photos.folders))
        warnings.append(f"photo {', '.join(missing)} is not in {known}; the product goes on without it")
    return replace(product, images=tuple(found), warnings=tuple(warnings))


def _placed(name: Path, photos: PhotoFolders) -> Path | None:
    """The file of that name in the first of the folders that has one."""
    places = [folder / name for folder in photos.folders]
    for place in places:
        photos.check(place, str(name))
    return next((place for place in places if place.is_file()), None)
