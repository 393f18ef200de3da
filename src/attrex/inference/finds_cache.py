"""What was found in each product, kept on disk: a catalogue that is run again is only read where it has changed.

A find hangs on what the model reads, texts and photos, and on the model; never on the table or the id.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import warnings
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from time import time
from typing import Any, TypeVar

from attrex.errors import DataError
from attrex.io.content import product_hash
from attrex.io.images import ImageLoader
from attrex.types import Prediction, Product

T = TypeVar("T")
FINDS_FILE = "finds.sqlite"
FINDS_FORMAT = 2
"""Raised when the same model would find something else in the same product."""
MOST_BYTES = 2 * 2**30
"""What finds may take on disk; those that were not used for longest make room."""
KEPT_TOGETHER = 64
"""Predictions that are written at once: what a kill can lose."""
DAY = 86_400
_TABLE = "CREATE TABLE IF NOT EXISTS finds (key BLOB PRIMARY KEY, used INTEGER, found BLOB)"


class FindsCache:
    """Predictions under ``directory``, by :func:`product_key`.

    One SQLite file: safe among processes and threads, and whole after a kill. Where it cannot be used, a warning says
    so once, and every product is read.
    """

    def __init__(self, directory: Path, most_bytes: int = MOST_BYTES) -> None:
        self.file, self.most_bytes = directory / FINDS_FILE, most_bytes
        self.usable = True
        self.hits = 0  #: products whose finds were known

    def completed(
        self,
        products: Sequence[Product],
        keys: Sequence[bytes | None],
        read: Callable[[list[Product]], Iterator[Prediction]],
    ) -> Iterator[Prediction]:
        """Predictions of products, in their order; of alike ones that are not known one is read.

        :param keys: of the products; None where it is read in any case.
        :param read: makes predictions of those that are not known, in their order.
        """
        names = [b"%d" % number if key is None else key for number, key in enumerate(keys)]
        found = self.get({key for key in keys if key is not None})
        self.hits += sum(name in found for name in names)
        unread = {name: product for name, product in zip(names, products, strict=True) if name not in found}
        made = read([*unread.values()])
        fresh: dict[bytes, Prediction] = {}
        try:
            for name, key, product in zip(names, keys, products, strict=True):
                if name not in found:
                    found[name] = next(made)
                    if key is not None and not found[name].warnings:  # these may name the place of a photo
                        fresh[key] = found[name]
                if len(fresh) == KEPT_TOGETHER:
                    self.put(fresh)
                    fresh = {}
                yield replace(found[name], id=product.id, content=product_hash(product))
        finally:
            self.put(fresh)

    def get(self, keys: Collection[bytes]) -> dict[bytes, Prediction]:
        """The predictions that are there, of those keys, without ids."""

        def read(finds: sqlite3.Connection) -> dict[bytes, Prediction]:
            today = int(time() // DAY)
            found: dict[bytes, Prediction] = {}
            long_unused: list[tuple[int, bytes]] = []
            for key in keys:
                for used, packed in finds.execute("SELECT used, found FROM finds WHERE key = ?", (key,)):
                    prediction = _unpack(packed)
                    if prediction is not None:
                        found[key] = prediction
                        long_unused += [(today, key)] if used < today else []
            if long_unused:
                finds.executemany("UPDATE finds SET used = ? WHERE key = ?", long_unused)
            return found

        return self._use(read, {})

    def put(self, predictions: Mapping[bytes, Prediction]) -> None:
        """Keep predictions; a quarter of all is forgotten where they come to take too much."""

        def write(finds: sqlite3.Connection) -> None:
            today = int(time() // DAY)
            rows = [(key, today, _pack(prediction)) for key, prediction in predictions.items()]
            finds.executemany("INSERT OR REPLACE INTO finds VALUES (?, ?, ?)", rows)
            pages, unused, size = (
                finds.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
            )
            if (pages - unused) * size > self.most_bytes:
                finds.execute(
                    "DELETE FROM finds WHERE key IN "
                    "(SELECT key FROM finds ORDER BY used, rowid LIMIT (SELECT 1 + count(*) / 4 FROM finds))"
                )

        if predictions:
            self._use(write, None)

    def _use(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """Do something in one transaction."""
        if not self.usable:
            return otherwise
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.file, timeout=60)) as connection, connection:
                connection.execute(_TABLE)
                return work(connection)
        except (sqlite3.Error, OSError) as exc:
            self.usable = False
            warnings.warn(
                f"finds cannot be kept in {self.file}: {exc}; going on without. Free some space there, delete the file "
                "if it is damaged, or choose another cache_dir",
                stacklevel=2,
            )
            return otherwise


def product_key(product: Product, loader: ImageLoader | None, beside: Any) -> bytes | None:
    """A name for all that the finds in a product hang on.

    :param loader: None: photos are not read.
    :param beside: model and options, JSON.
    :return: None for a product that cannot be read whole, whose warnings are told anew.
    """
    if product.error is not None or product.warnings:
        return None
    try:
        photos = [loader.digest(source) for source in product.images] if loader else []
    except DataError:
        return None
    read = [FINDS_FORMAT, version("attrex"), list(product.fields.items()), photos, product.category, beside]
    return hashlib.blake2b(json.dumps(read).encode(), digest_size=20).digest()


def _pack(prediction: Prediction) -> bytes:
    """Every digit of a prediction, without its id."""
    return zlib.compress(json.dumps(asdict(replace(prediction, id=""))).encode(), 1)


def _unpack(packed: Any) -> Prediction | None:
    try:
        return Prediction.from_json(json.loads(zlib.decompress(packed)))
    except (TypeError, ValueError, zlib.error, DataError):  # damaged: read and written again
        return None
