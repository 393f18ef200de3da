"""Sources cut into shards: rows that are one piece of work, and that are read without what stands before them.

CSV and JSON lines are cut by bytes, where a row ends; Parquet by rows, so that only their row groups are read. What
cannot be entered in its middle (a JSON list, a sheet, an export whose rows hang together) is cut by products, and read
from its beginning for each shard. A shard has so many rows whoever runs it, and its hash says whether they changed.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from itertools import islice, pairwise
from pathlib import Path, PurePath, PurePosixPath
from typing import IO, BinaryIO, cast

from attrex.errors import DataError
from attrex.io.bad_rows import RowTally
from attrex.io.confinement import PhotoFolders
from attrex.io.csv_cells import CsvFile
from attrex.io.dialects import Dialect, dialect_records
from attrex.io.editable import JSON_LINES, TEXT_TABLES
from attrex.io.files import csv_rows, file_rows, json_lines, parquet_rows
from attrex.io.json_cells import OVER_LINES
from attrex.io.packed import kind_of_file, open_binary
from attrex.io.readers import Products, export_of, file_of, warn_of_duplicates
from attrex.io.remote import RemoteFile, is_file, is_remote, join, sizes
from attrex.io.remote_photos import RemotePhotos, ahead
from attrex.io.rows import HEAD, RawRecord, fitting_shop, to_product
from attrex.shop.cells import ColumnCounts
from attrex.shop.shop import Shop
from attrex.types import Product

SHARD_ROWS = 2048
"""Rows of a shard: a multiple of what the extractor sorts together, and little to lose."""
PIECES_OF_GROUP = 16
"""A row group is cut into so many shards at most: each reads the group from its beginning."""
_CHUNK = 2**20


@dataclass(frozen=True, slots=True)
class Shard:
    """Rows of one source, in their order there."""

    source: int  #: number of the source
    begin: int  #: where it begins: a byte of the unpacked file, a row, a product, from 0
    end: int  #: exclusive; the next shard of the source begins there
    before: int  #: lines of the file that stand before it, where it is cut by bytes
    rows: int  #: how many it has, as far as one knows without reading them
    content: str  #: a hash of all that its products are made of, but for their photos


@dataclass
class ShardedSource:
    """A source that is read a shard at a time.

    :param products: how it is read as a whole.
    :param shop: what its columns and cells mean, as its first rows show.
    :param cut: ``bytes``, ``rows`` or ``products``.
    :param table: of a CSV file that is cut by bytes, with its layout.
    :param dialect: of an export each of whose rows is a product.
    :param remote: where it is, if not on this machine; what is opened is a copy then, which is gone when it is read.
    :param photos: where its photos are, if not on this machine.
    """

    products: Products
    shop: Shop
    cut: str = "products"
    table: CsvFile | None = None
    dialect: Dialect | None = None
    remote: RemoteFile | None = None
    photos: RemotePhotos | None = None

    @classmethod
    def open(cls, products: Products) -> ShardedSource:
        """How a source can be cut. Raises :class:`DataError` for one that cannot be read, as reading it does."""
        shop = products.shop if isinstance(products.shop, Shop) else Shop.load(products.shop)
        next(iter(products))
        path = file_of(products.source, shop)
        export = None if path is None else export_of(path, shop, products.dialect)
        if path is None or (export is not None and not export.by_row):
            return cls(products, shop)
        if export is None:  # what the first rows decide about, is decided for all shards
            shop = fitting_shop(list(islice(file_rows(path), HEAD)), shop)
        else:
            shop = replace(shop, columns=shop.columns.of_export())
        kind = kind_of_file(path)
        if kind in TEXT_TABLES:
            table = CsvFile(path)
            assert table.layout  # it is found now, once, for it takes all of the file
            return cls(products, shop, "bytes", table, export)
        if kind in JSON_LINES and not _is_over_lines(path):
            return cls(products, shop, "bytes", None, export)
        return cls(products, shop, "rows" if kind == ".parquet" else "products", None, export)

    @classmethod
    @contextmanager
    def planned(cls, products: Products, photos: bool = True) -> Iterator[ShardedSource]:
        """The same also for an address (``s3://shop/new.csv``), of which there is a copy here within the block.

        :param photos: False: those of an address are not fetched.
        """
        name = str(products.source)
        root = products.images if products.images is not None else name.rpartition("/")[0] if is_remote(name) else None
        remote = RemotePhotos.below(str(root), name.rpartition("/")[2]) if is_remote(root) else None
        if remote is not None:  # nothing is fetched for a plan
            products = replace(products, photos=replace(remote, fetched=False))
            remote = replace(remote, fetched=photos)
        if not is_remote(name):
            source = cls.open(products)
            source.photos = remote
            yield source
            return
        file = RemoteFile.at(name)
        with file.staged() as copy:
            try:
                source = cls.open(replace(products, source=copy))
                source.remote, source.photos = file, remote
                yield source
            except DataError as exc:
                raise DataError(str(exc).replace(str(copy), name)) from exc

    @property
    def path(self) -> Path:
        return Path(str(self.products.source))

    @property
    def name(self) -> str:
        return self.path.name if isinstance(self.products.source, str | Path) else "the dataset"

    def unread_columns(self) -> Sequence[str]:
        """Columns of the file that the shop does not name."""
        counts = ColumnCounts()
        next(self.products.counted(counts))
        return counts.unread

    def shards(self, number: int, size: int = SHARD_ROWS) -> list[Shard]:
        """All of the source, in its order. It is read once for this.

        :param number: of the source.
        :param size: rows of a shard; the last one may have fewer.
        """
        if self.cut == "products":
            return self._by_products(number, size)
        try:
            return self._by_rows(number, size) if self.cut == "rows" else self._by_bytes(number, size)
        except (OSError, EOFError, zlib.error):  # damaged somewhere: what comes after it cannot be known
            return self._by_products(number, size)

    def _by_bytes(self, number: int, size: int) -> list[Shard]:
        """Cut before a row. The hash is of the bytes, and of what the header says of them."""
        header = "" if self.table is None else repr(self.table.layout)
        shards: list[Shard] = []
        begin = before = rows = position = 0
        with open_binary(self.path) as file:

            def cut() -> None:
                content = _hash_of(file, begin, position, header)
                shards.append(Shard(number, begin, position, before, rows, content))

            for is_row, above, length in _lines(self.path) if self.table is None else _records(self.table):
                if is_row and rows == size:
                    cut()
                    begin, before, rows = position, above, 0
                elif is_row and not rows:  # the first row of all, below the header
                    begin, before = position, above
                position, rows = position + length, rows + is_row
            if rows:
                cut()
        return shards

    def _by_rows(self, number: int, size: int) -> list[Shard]:
        """Whole row groups, as many as give a shard; a long one in pieces."""
        import pyarrow.parquet as pq

        with self.path.open("rb") as raw:
            content = hashlib.file_digest(raw, "blake2b").hexdigest()
        ends, position = [0], 0
        metadata = pq.read_metadata(self.path)
        for group in range(metadata.num_row_groups):
            rows = metadata.row_group(group).num_rows
            piece = max(size, -(-rows // PIECES_OF_GROUP))
            if position + rows - ends[-1] > size and position > ends[-1]:
                ends.append(position)
            position += rows
            while position - ends[-1] >= size:
                ends.append(min(ends[-1] + piece, position))
        if position > ends[-1]:
            ends.append(position)
        return [
            Shard(number, begin, end, 0, end - begin, _digest(content, str(begin), str(end)))
            for begin, end in pairwise(ends)
        ]

    def _by_products(self, number: int, size: int) -> list[Shard]:
        self.cut, self.dialect = "products", None
        shards, products = list[Shard](), iter(self.products)
        while some := list(islice(products, size)):
            begin = shards[-1].end if shards else 0
            content = _digest(*map(_product_text, some))
            shards.append(Shard(number, begin, begin + len(some), 0, len(some), content))
        return shards

    def read(self, shard: Shard, tally: RowTally | None = None) -> Iterator[Product]:
        """The products of a shard, marked ones among them; an id that comes twice in it is warned of.

        :param tally: counts the shard's rows, and those that cannot be read.
        """
        tally = RowTally() if tally is None else tally
        if self.cut == "products":
            return self._counted(shard, tally)
        return warn_of_duplicates(tally.add(p, row.rows, row.damaged) for row, p in self._products(shard))

    def _products(self, shard: Shard) -> Iterator[tuple[RawRecord, Product]]:
        if self.photos is not None:
            remote = self.photos
            return ahead(lambda row: (row, to_product(row, self.shop, remote)), self._records(shard))
        folder = self.path.parent if self.products.images is None else Path(self.products.images)
        photos = PhotoFolders([folder], not self.products.allow_outside, self.name)
        return ((row, to_product(row, self.shop, photos)) for row in self._records(shard))

    def _counted(self, shard: Shard, tally: RowTally) -> Iterator[Product]:
        with nullcontext(self.path) if self.remote is None else self.remote.staged() as path:
            source = self.products.source if self.remote is None else path
            products = replace(self.products, source=source, photos=self.photos)
            for product in islice(products, shard.begin, shard.end):
                tally.add(product)
                yield product
            tally.damaged = products.passes[-1].damaged  # nothing comes behind such a part

    def _records(self, shard: Shard) -> Iterator[RawRecord]:
        if self.dialect is None:
            return self._raw(shard)
        dialect = copy.copy(self.dialect)
        dialect.part = lambda: self._raw(shard)
        return dialect_records(dialect, self.shop)

    def _raw(self, shard: Shard) -> Iterator[RawRecord]:
        path = self.path if self.remote is None else self.remote
        if self.cut == "rows":
            yield from parquet_rows(path, shard.begin, shard.end)
            return
        with open_binary(path) as file:
            file.seek(shard.begin)
            part = cast(BinaryIO, io.BufferedReader(_Range(file, shard.end - shard.begin)))
            if self.table is None:
                yield from json_lines(self.path.name, part, shard.before)
            else:
                yield from csv_rows(self.table, part, shard.before, repeated_names=self.dialect is not None)


class _Range(io.RawIOBase):
    """So many bytes of a file, from where it is."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        found = self._file.read(min(len(buffer), self._left))
        buffer[: len(found)] = found
        self._left -= len(found)
        return len(found)


def _is_over_lines(path: Path) -> bool:
    """Whether a file called JSON lines begins like a list, or an object over several lines."""
    with open_binary(path) as file:
        return OVER_LINES.match(file.peek(1)) is not None


def _records(table: CsvFile) -> Iterator[tuple[bool, int, int]]:
    """Of each record of a CSV file: is it a row, how many lines stand above it, its bytes."""
    for kind, record in table.records():
        yield kind == "row", record.number - 1, table.size(record)


def _lines(path: Path) -> Iterator[tuple[bool, int, int]]:
    """Of each line: does it hold anything, how many stand above it, its bytes."""
    above, size, filled = 0, 0, False
    with open_binary(path) as file:
        while piece := file.readline(_CHUNK):
            size, filled = size + len(piece), filled or bool(piece.strip())
            if piece.endswith(b"\n"):
                yield filled, above, size
                above, size, filled = above + 1, 0, False
    if size:
        yield filled, above, size


def _hash_of(file: IO[bytes], begin: int, end: int, header: str) -> str:
    digest = hashlib.blake2b(header.encode("utf-8", "backslashreplace"), digest_size=16)
    file.seek(begin)
    while begin < end and (piece := file.read(min(_CHUNK, end - begin))):
        digest.update(piece)
        begin += len(piece)
    return digest.hexdigest()


def _digest(*texts: str) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for text in texts:
        digest.update(f"{len(text)}:{text}".encode("utf-8", "backslashreplace"))
    return digest.hexdigest()


def _product_text(product: Product) -> str:
    photos = [hashlib.blake2b(i).hexdigest() if isinstance(i, bytes) else str(i) for i in product.images]
    return json.dumps([{**asdict(replace(product, images=())), "images": photos}, dict(product.held)], default=str)


def sources_of(given: str | Path, out: str | Path | None = None) -> list[str]:
    """The files that an INPUT names, in sorted order: a file, a folder of files, a pattern (``shop/*.csv``).

    A folder that is a data set by itself, and a name of one on the hub, stay as they are. Hidden files, empty ones and
    those that are no data are not taken.

    :param out: a folder that is written to; what is in it is not taken.

    Raises :class:`DataError` where there is none.
    """
    from attrex.io.importers import layout_of

    name = str(given)
    if name.startswith("hf:"):
        return [name]
    if is_remote(name):
        return _remote_sources(name, str(out or ""))
    path = Path(name)
    if path.is_file():
        return [name]
    if path.is_dir():
        if layout_of(path) or any((path / n).is_file() for n in ("dataset_dict.json", "state.json")):
            return [name]
        found = sorted(p for p in path.rglob("*") if _is_data(p.relative_to(path), p))
        looked = f"files in {name} (.csv, .jsonl, .parquet ...)"
    elif any(c in name for c in "*?["):
        parts = path.parts
        fixed = next(i for i, part in enumerate(parts) if any(c in part for c in "*?["))
        root = Path(*parts[:fixed])
        found = sorted(p for p in root.glob("/".join(parts[fixed:])) if p.is_file() and p.stat().st_size)
        looked = f"files that {name} matches"
    else:
        return [name]  # reading it says what is wrong
    if out is not None and not is_remote(out):
        found = [p for p in found if not p.resolve().is_relative_to(Path(out).resolve())]
    if not found:
        raise DataError(f"expected {looked}, found none; check the path")
    return [str(p) for p in found]


def _remote_sources(name: str, out: str) -> list[str]:
    """As :func:`sources_of`, of an address."""
    if is_file(name):
        return [name]
    parts = name.split("/")
    fixed = next((i for i, part in enumerate(parts) if any(c in part for c in "*?[")), len(parts))
    root, pattern = "/".join(parts[:fixed]), "/".join(parts[fixed:])
    if not pattern and not (listed := sizes(root)):
        return [name]  # reading it says what is wrong
    listed = sizes(root, pattern) if pattern else {n: s for n, s in listed.items() if _has_data_name(PurePosixPath(n))}
    addresses = [join(root, n) for n, size in listed.items() if size]
    found = [a for a in addresses if not (out and a.startswith(join(out, "")))]
    if not found:
        raise DataError(f"expected files of data at {name} (.csv, .jsonl, .parquet ...), found none; check the address")
    return found


_DATA = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet", ".xlsx", ".xml", ".txt")


def _is_data(name: Path, path: Path) -> bool:
    return _has_data_name(name) and path.is_file() and path.stat().st_size > 0


def _has_data_name(name: PurePath) -> bool:
    return not any(part.startswith((".", "_")) for part in name.parts) and kind_of_file(name) in _DATA
