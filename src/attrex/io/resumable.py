"""Rows written one by one to a file that a killed job can continue."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Any

from attrex.errors import DataError, short
from attrex.io.atomic import atomic_path, exclusive_lock, naming_full_disk, write_text
from attrex.io.content import product_hash, row_hash
from attrex.types import Product


class ResumableWriter:
    """Writes rows of products to ``OUT.part``, which becomes ``OUT`` (packed if it ends in .gz) when all are there.

    A killed job keeps what it has finished.

    :param what: what the rows are, for messages.
    :param key: a key that every row has.
    :param resume: keep the complete rows of an unfinished file; ``finished`` is then True where nothing is left to do.
    :param options: what the rows depend on, JSON by the name of the option; resuming with other options is refused.
    :param count: called with each row, also with those that were kept.
    :param hash_of: what of a product the rows are made of.
    :param content_of: the same as a row has it; None where it does not say.

    Raises :class:`DataError` for a directory, for other options, and for an unfinished file without ``resume``.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        what: str,
        key: str,
        resume: bool = False,
        options: Mapping[str, Any] | None = None,
        count: Callable[[Mapping[str, Any]], None] = lambda row: None,
        hash_of: Callable[[Product], str] = product_hash,
        content_of: Callable[[Mapping[str, Any]], str | None] = lambda row: row.get("content"),
    ) -> None:
        self.path = Path(path).resolve()  # a link stays a link
        self.suffix = Path(path).suffix.lower()  # the link's, whatever it points to is called
        if self.path.is_dir():
            raise DataError(f"{self.path}: expected a file to write, got a directory; name a file in it")
        self.part = self.path.with_name(self.path.name + ".part")
        if self.part.exists() and not resume:
            raise DataError(f"{self.part} is an unfinished {what}; resume it, or delete it")
        self.finished = resume and self.path.exists() and not self.part.exists()
        self.what, self.key, self.count_row = what, key, count
        self.hash_of, self.content_of = hash_of, content_of
        self.options, self.record = dict(options or {}), self.path.with_name(self.path.name + ".part.options")
        if self.part.exists():
            self._check_options()
        elif self.finished:  # a kill right behind the last renaming left it
            self.record.unlink(missing_ok=True)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise DataError(
                f"cannot make the directory {self.path.parent}: {exc.strerror or exc}; choose another place"
            ) from exc

    @contextmanager
    def open(self) -> Iterator[None]:
        """Hold the file during the work: from here on an interrupted file counts as unfinished, even without a row.

        An error before the first row leaves nothing behind. Raises :class:`DataError` where another process writes it.
        """
        with naming_full_disk(self.path), exclusive_lock(self.path):
            self._begin()
            try:
                yield
            except Exception:
                if self.part.exists() and not self.part.stat().st_size:
                    self.part.unlink()
                    self.record.unlink(missing_ok=True)
                raise

    def check_same(self, products: Iterable[Product], rows: Iterable[tuple[str, str | None]]) -> None:
        """Raise :class:`DataError` where the finished file is of other products.

        :param rows: id and content of its rows; without a content only the id is compared.
        """
        for number, (product, row) in enumerate(zip_longest(products, rows), 1):
            name, content = row or (None, None)
            if product is not None and product.id == name and not self._is_of(content, product):
                raise DataError(f"{self.path} is finished, but {self._changed(number, product)}")
            if product is None or product.id != name:
                has, wanted = name or "missing", repr(product.id) if product else "the end"
                raise DataError(
                    f"{self.path} is finished, but of other products: its row {number} is {has!r}, but the input has "
                    f"{wanted} there; choose another name, or delete the file to start again"
                )

    def remaining(self, products: Iterable[Product], step: int = 1) -> Iterator[Product]:
        """The products whose rows the unfinished file lacks.

        With ``step``, a multiple of so many rows is kept: rows that were computed in one batch are computed so again.
        Raises :class:`DataError` where the file was made from other products, or is damaged.
        """
        remaining = iter(products)
        if not self.part.exists():
            return remaining
        _keep_whole_lines(self.part, step)
        for number, row in enumerate(self._finished_rows(), 1):
            product = next(remaining, None)
            if product is None or product.id != str(row.get("id")):
                here = f"product {product.id!r}" if product else "the end"
                raise DataError(
                    f"{self.part} was made from other products: its row {number} is {row.get('id')!r}, but the "
                    f"input has {here} there; resume with the same input, or delete the file to start again"
                )
            if not self._is_of(self.content_of(row), product):
                raise DataError(f"{self.part}: {self._changed(number, product)}")
            self.count_row(row)
        return remaining

    def _is_of(self, content: str | None, product: Product) -> bool:
        """Whether a row was made of a product as it is now; one that does not say what of is taken to be."""
        return content is None or content in (self.hash_of(product), row_hash(self.hash_of(product), self.options))

    def _changed(self, number: int, product: Product) -> str:
        return (
            f"its row {number} was made when product {short(product.id)} had other texts or photos, or with another "
            "model or other options; go on with the same, choose another name, or delete the file to start again"
        )

    def _finished_rows(self) -> Iterator[dict[str, Any]]:
        with self.part.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError):
                    row = None
                if not isinstance(row, dict) or self.key not in row:
                    raise DataError(
                        f"{self.part} line {number}: expected a row of an unfinished {self.what}, with the key "
                        f"{self.key!r}, got {short(line)}; delete the file to start again"
                    )
                yield row

    def append(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Append rows, then finish the file."""
        self._begin()
        with self.part.open("a", encoding="utf-8", errors="backslashreplace", newline="\n", buffering=1) as stream:
            for row in rows:
                stream.write(json.dumps(row, ensure_ascii=False) + "\n")
                self.count_row(row)
        self._finish()
        self.record.unlink(missing_ok=True)

    def _begin(self) -> None:
        if self.options:
            write_text(self.record, json.dumps(self.options))
        self.part.touch()

    def _check_options(self) -> None:
        try:
            before = json.loads(self.record.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):  # none was written, or half of it: nothing to compare with
            return
        for name, asked in self.options.items():
            if name in before and before[name] != asked:
                raise DataError(
                    f"{self.part} was made with {name} {before[name]!r}, not {asked!r}; resume with the same, or "
                    "delete the file to start again"
                )

    def complete(self) -> AbstractContextManager[Path]:
        """A path to write the finished file to, which then becomes it."""
        return atomic_path(self.path, suffix=".whole", lock=False)

    def _finish(self) -> None:
        """Turn the rows into the file, once all are there."""
        if self.suffix != ".gz":
            os.replace(self.part, self.path)
            return
        with (
            self.part.open("rb") as rows,
            self.complete() as path,
            path.open("wb") as raw,
            gzip.GzipFile(self.path.name, "wb", fileobj=raw) as packed,
        ):
            shutil.copyfileobj(rows, packed)
        self.part.unlink()


def _keep_whole_lines(path: Path, step: int) -> None:
    """Cut off what a kill left unfinished; the number of lines kept is a multiple of ``step``."""
    end, position = 0, 0
    with path.open("rb+") as stream:
        for number, line in enumerate(stream, 1):
            if not line.endswith(b"\n"):
                break
            position += len(line)
            if number % step == 0:
                end = position
        stream.truncate(end)
