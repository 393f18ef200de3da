"""Files and datasets in, products out: JSONL, JSON, CSV, Parquet, Hugging Face datasets.

A row that cannot be read becomes a product with ``error`` set, a doubtful one a product with ``warnings``; none is
dropped. Offsets and texts are exactly the file's: nothing is trimmed, normalised or re-encoded.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from attrex.errors import DataError, did_you_mean, kind_of
from attrex.io import importers
from attrex.io.bad_rows import RowTally
from attrex.io.confinement import PhotoFolders
from attrex.io.dialects import Dialect, dialect_records, open_dialect
from attrex.io.dialects.plain import PlainTable
from attrex.io.files import BATCH, arrow_rows, file_rows
from attrex.io.outputs import check_local
from attrex.io.products import write_products, write_rows
from attrex.io.rows import RawRecord, mapped_columns, record, row_products, shortlist
from attrex.io.splitting import choose_split
from attrex.shop.cells import ColumnCounts
from attrex.shop.shop import DEFAULT_COLUMNS, DEFAULT_SHOP, Shop
from attrex.types import Product

__all__ = ["Products", "Source", "read_products", "write_products", "write_rows"]

Source = str | Path | Mapping[str, Any] | Iterable[Mapping[str, Any]]


def read_products(
    source: Source,
    *,
    shop: Shop | str | Path = DEFAULT_SHOP,
    images: str | Path | None = None,
    split: str | None = None,
    limit: int | None = None,
    counts: ColumnCounts | None = None,
    tally: RowTally | None = None,
    dialect: str | None = None,
    allow_outside: bool = False,
    photos: PhotoFolders | None = None,
) -> Iterator[Product]:
    """Stream products from a file, a directory or a dataset.

    ``source``: .jsonl, .ndjson, .json, .csv, .tsv (each also .gz) or .parquet; a directory in MEPAVE or MAE layout or a
    Hugging Face dataset saved on disk; ``hf:NAME`` of one on the hub; or a loaded one, or any iterable of dicts.
    ``shop``: what columns and cells mean, or the file `shop.yaml` or model directory that says so.
    ``images``: the directory that photos are in, where relative paths start (default: the one of the data file); what
    leads out of it, or through a link, is a warning, unless ``allow_outside`` trusts the data to name any file.
    ``split``: which part of a directory or dataset. Lists of texts (bullets) are joined with a newline, and offsets
    count in the joined text. ``counts``: gets what became of the table's columns. ``tally``: counts the rows, and
    those that cannot be read. Ids are kept in memory to notice those that come twice. ``dialect``: the platform whose
    export a file is (:data:`~attrex.io.dialects.DIALECTS`), or "none"; default: the one that its header shows, unless
    the shop names columns that the file has. ``photos``: where they may lie, in place of ``images``.

    Raises :class:`DataError` for a source that is missing, empty, of an unknown kind, or without a mapped column.
    """
    if not isinstance(shop, Shop):
        shop = Shop.load(shop)
    tally = RowTally() if tally is None else tally
    products = _layout_products(source, shop, images, split, counts, not allow_outside)
    if products is not None and photos is not None:
        raise DataError(f"{source}: expected photos on this machine for this layout; copy them here")
    if products is None:
        export = export_of(source, shop, dialect)
        if export is None:
            rows, name, folders = _open_source(source, split)
        else:
            path = export.sample.path
            _check_no_split(path, split)
            rows, name, folders = dialect_records(export, shop), path.name, [path.parent]
            shop = replace(shop, columns=shop.columns.of_export())
        if photos is None:
            photos = PhotoFolders(folders if images is None else [Path(images)], not allow_outside, name)
        products = row_products(rows, name, shop, photos, counts, tally)
    else:
        products = map(tally.add, products)
    return islice(warn_of_duplicates(products), limit)


def file_of(source: Source, shop: Shop) -> Path | None:
    """The file whose rows are the products of a source, one by one; None where it is no such file."""
    if not isinstance(source, str | Path) or not Path(source).is_file():
        return None
    path = Path(source)
    return None if importers.layout_of(path) and shop.columns == DEFAULT_COLUMNS else path


@dataclass(frozen=True)
class Products:
    """Products of a source that can be iterated again and again; each time they are read anew, as they stream.

    The fields are the arguments of :func:`read_products`. Of a data set that can be read only once, give a list.
    """

    source: Source
    shop: Shop | str | Path = DEFAULT_SHOP
    images: str | Path | None = None
    split: str | None = None
    limit: int | None = None
    dialect: str | None = None
    allow_outside: bool = False
    photos: PhotoFolders | None = None
    passes: list[RowTally] = field(default_factory=list, init=False, compare=False, repr=False)
    """A count of the rows for each time that they were read."""

    def __iter__(self) -> Iterator[Product]:
        return self.counted(None)

    def counted(self, counts: ColumnCounts | None) -> Iterator[Product]:
        """The same; ``counts`` gets what became of the table's columns."""
        self.passes.append(RowTally())
        return read_products(
            self.source,
            shop=self.shop,
            images=self.images,
            split=self.split,
            limit=self.limit,
            counts=counts,
            tally=self.passes[-1],
            dialect=self.dialect,
            allow_outside=self.allow_outside,
            photos=self.photos,
        )

    @property
    def tally(self) -> RowTally:
        """How many rows there are, and how many of them cannot be read, as far as they have been read by now."""
        return max(self.passes, key=lambda tally: tally.rows, default=RowTally())


def warn_of_duplicates(products: Iterable[Product]) -> Iterator[Product]:
    """The products; one whose id came before is warned of."""
    seen: set[str] = set()
    for product in products:
        if product.id in seen:
            warning = f"the id {product.id!r} was there before; results of the two cannot be told apart by id"
            product = replace(product, warnings=(*product.warnings, warning))  # noqa: PLW2901
        seen.add(product.id)
        yield product


# --- sources: each yields rows -------------------------------------------------------------------------------------


def _layout_products(
    source: Source,
    shop: Shop,
    images: str | Path | None,
    split: str | None,
    counts: ColumnCounts | None,
    confined: bool,
) -> Iterator[Product] | None:
    """Products of a source in the original layout of MEPAVE or MAE; None for all other sources."""
    if not isinstance(source, str | Path) or str(source).startswith("hf:"):
        return None
    check_local(source, "a file or directory")
    path = Path(source)
    layout = importers.layout_of(path)
    if layout is None or (path.is_file() and shop.columns != DEFAULT_COLUMNS):
        return None
    if shop.columns != DEFAULT_COLUMNS:
        raise DataError(
            f"{path}: expected no columns of the shop's own for a directory in {layout} layout, whose columns are "
            "known, got some; leave them out, or read the files one by one"
        )
    if layout == "MEPAVE":
        return importers.read_mepave(path, split, images=images, confined=confined)
    return importers.read_mae(path, split, images=images, shop=shop, counts=counts, confined=confined)


def export_of(source: Source, shop: Shop = DEFAULT_SHOP, name: str | None = None) -> Dialect | None:
    """The export of a platform that a source is; None for others, and where the shop's own columns are there.

    Raises :class:`ConfigError` for a name that no dialect has.
    """
    if not isinstance(source, str | Path) or not Path(source).is_file():
        return None
    found = open_dialect(Path(source), name)
    if found is None or name is not None:
        return found
    named = set(mapped_columns(shop.columns))
    if named and (isinstance(found, PlainTable) or named <= set(found.sample.columns)):
        return None
    return found


def _open_source(source: Source, split: str | None) -> tuple[Iterator[RawRecord], str, list[Path]]:
    """The rows of a source, its name for messages, and the folders its photos are in."""
    if isinstance(source, str) and source.startswith("hf:"):
        datasets = _import_datasets(source)
        try:
            found = datasets.load_dataset(source.removeprefix("hf:"))
        except (OSError, ValueError) as exc:
            raise DataError(
                f"{source}: expected a dataset on the Hugging Face hub, got: {exc}; check the name"
            ) from exc
        return _dataset_rows(choose_split(found, split, source), source), source, [Path(), *_fetched()]
    if not isinstance(source, str | Path):
        if isinstance(source, Mapping):
            source = choose_split(source, split, "the dataset")
        if isinstance(source, str | bytes | Mapping) or not (isinstance(source, Iterable) or hasattr(source, "iter")):
            raise DataError(
                f"expected a data set: a file, or a list of products, dicts or texts, got {kind_of(source)}; put a "
                "single one into a list"
            )
        return _dataset_rows(source, "dataset"), "the dataset", [Path()]
    path = Path(source)
    if not path.exists():
        near = did_you_mean(path.name, (p.name for p in path.parent.glob("*")))
        raise DataError(f"{path}: expected a file or directory, found nothing there{near}; check the path")
    if path.is_dir():
        return _dataset_rows(_load_saved(path, split), path.name), path.name, [path]
    rows = file_rows(path)
    _check_no_split(path, split)
    return rows, path.name, [path.parent]


def _check_no_split(path: Path, split: str | None) -> None:
    if split is not None:
        raise DataError(
            f"{path}: expected no split for a single file, got split={split!r}; "
            "name the file of that split, or read the directory"
        )


def _fetched() -> list[Path]:
    """Where the package datasets puts the photos that it fetches from the hub."""
    from huggingface_hub.constants import HF_HOME, HF_HUB_CACHE

    return [Path(os.environ.get("HF_DATASETS_CACHE") or Path(HF_HOME, "datasets")), Path(HF_HUB_CACHE)]


def _dataset_rows(dataset: Any, name: str) -> Iterator[RawRecord]:
    """Rows of a Hugging Face dataset (its photos stay undecoded) or of any iterable of dicts."""
    if hasattr(dataset, "with_format"):
        return arrow_rows(dataset.with_format("arrow").iter(BATCH), name)
    return (record(f"{name} row {number}", number, values) for number, values in enumerate(dataset, 1))


def _load_saved(path: Path, split: str | None) -> Any:
    if not any((path / name).is_file() for name in ("dataset_dict.json", "state.json")):
        found = sorted(p.name for p in path.iterdir())
        raise DataError(
            f"{path}: expected a directory in MEPAVE layout (jdair.jave.train.txt ...) or MAE layout (train/, val/ "
            f"with JSON lists), or a Hugging Face dataset saved on disk, got {shortlist(found)}; name one data file "
            "in it"
        )
    datasets = _import_datasets(str(path))
    try:
        dataset = datasets.load_from_disk(str(path))
    except (OSError, ValueError) as exc:
        raise DataError(f"{path}: expected a Hugging Face dataset saved on disk, got: {exc}; save it again") from exc
    return choose_split(dataset, split, str(path)) if isinstance(dataset, Mapping) else dataset


def _import_datasets(name: str) -> Any:
    try:
        import datasets
    except ImportError as exc:
        raise DataError(
            f"{name}: expected the package 'datasets', which reads Hugging Face datasets, but it is not installed; "
            "run: pip install 'attrex[datasets]'"
        ) from exc
    return datasets
