"""The photos that a shop's export names by their addresses, downloaded: photos."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from attrex.errors import DataError
from attrex.io.atomic import atomic_path
from attrex.io.photo_addresses import asked_addresses
from attrex.io.readers import Products, Source
from attrex.pipeline.given import shop_of
from attrex.progress import Progress, ProgressEvent, silent, track
from attrex.shop.shop import Shop

if TYPE_CHECKING:
    from attrex.io.download import Politeness
    from attrex.io.fetch import FetchLimits

MISSING_FILE = "missing.csv"
"""Of a directory of photos: which of them are not there, of which product, and why."""


@dataclass(frozen=True)
class PhotoDownload:
    """What became of the photos that an export names by address."""

    directory: Path
    addresses: int  #: different ones
    downloaded: int  #: now
    kept: int  #: were there before
    missing: dict[str, str]  #: address -> why there is no photo of it
    products: int  #: all of the export
    incomplete: int  #: products that a photo is missing of


def photos(
    products: Source | Products,
    out: str | Path,
    *,
    shop: Shop | str | Path | None = None,
    allow_private: bool = False,
    limits: FetchLimits | None = None,
    politeness: Politeness | None = None,
    progress: Progress = silent,
) -> PhotoDownload:
    """Download the photos that an export names by web address, so that every other function finds them.

    Give the directory as ``images`` afterwards. It can be interrupted: the same call goes on, and tries again what
    is missing. What is missing is listed in the directory's `missing.csv`.

    :param products: an export, or rows of one, whose photo columns hold addresses.
    :param out: the directory for the photos, which is made; an index in it says which photo is of which address.
    :param allow_private: ask hosts of the own machine and network, too; without it an export could have them asked.
    :param limits: bytes, pixels, time and redirects of one photo; None: 20 MB, 50 million pixels, a minute, 5.
    :param politeness: how many at a time, of one host, and how often; None: 8, 4, and 4 tries.
    """
    from attrex.io.download import Downloads, Politeness
    from attrex.io.fetch import FetchLimits

    directory = Path(out)
    if directory.exists() and not directory.is_dir():
        raise DataError(f"out should be a directory for photos, but {directory} is a file; choose another name")
    source = products if isinstance(products, Products) else Products(products, shop=shop_of(shop))
    owners: dict[str, list[str]] = {}  # address -> ids of the products that name it
    count = 0
    with asked_addresses() as asked:
        for product in track(replace(source, images=directory), "reading", progress):
            count += 1
            for address in dict.fromkeys(asked):
                owners.setdefault(address, []).append(product.id)
            asked.clear()
    if not owners:
        raise DataError(
            f"expected an export that names photos by web address, got none in the photo columns of {count:,} "
            "products; name the columns in the shop (columns: images)"
        )
    limits = replace(limits or FetchLimits(), allow_private=allow_private)
    downloads = Downloads(directory, limits, politeness or Politeness())
    missing: dict[str, str] = {}
    found: Counter[bool] = Counter()
    for number, result in enumerate(downloads.run(owners), 1):
        if result.photo.error:
            missing[result.address] = result.photo.error
        else:
            found[result.new] += 1
        progress(
            ProgressEvent("downloading", number, len(owners), facts=f"{len(missing):,} missing" if missing else "")
        )
    progress(ProgressEvent("downloading", finished=True))
    _write_missing(directory / MISSING_FILE, ((i, a, why) for a, why in missing.items() for i in owners[a]))
    incomplete = {product for address in missing for product in owners[address]}
    return PhotoDownload(directory, len(owners), found[True], found[False], missing, count, len(incomplete))


def _write_missing(path: Path, rows: Iterator[tuple[str, str, str]]) -> None:
    with atomic_path(path) as part, part.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("product", "address", "why"))
        writer.writerows(rows)
