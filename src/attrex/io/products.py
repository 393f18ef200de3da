"""Products to JSONL, in the labelled row format that :func:`attrex.io.readers.read_products` reads back."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import zip_longest
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

from filelock import FileLock, Timeout

from attrex.errors import DataError
from attrex.types import ImageSource, Product


def product_to_row(product: Product, base: Path) -> dict[str, Any]:
    """The product in the labelled row format. Image paths below ``base`` are stored relative to it, others absolute."""
    row: dict[str, Any] = {"id": product.id}
    if tuple(product.fields) == ("text",) and product.error is None:
        row["text"] = product.fields["text"]
    else:
        row["fields"] = dict(product.fields)
    if product.images:
        row["images"] = [_stored_image(i, base.absolute()) for i in product.images]
    if product.category is not None:
        row["category"] = product.category
    row["attributes"] = {a: list(v) for a, v in product.table.items()}
    if product.spans is not None:
        row["spans"] = [s.to_json() for s in product.spans]
    row |= {"group": product.group} if product.group is not None else {}
    row |= {"complete": True} if product.complete else {}
    row |= {"warnings": list(product.warnings)} if product.warnings else {}
    row |= {"error": product.error} if product.error is not None else {}
    return row


def _stored_image(image: ImageSource, base: Path) -> str | dict[str, str]:
    if isinstance(image, bytes):
        return {"bytes": base64.b64encode(image).decode()}
    path = image.absolute()
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)


def write_rows(path: str | Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write one JSON object a line (packed where the name ends in .gz), and return how many.

    The file is there when it is whole: an error or interrupt among the rows leaves what was under its name before.
    Raises :class:`DataError` for a directory.
    """
    path = Path(path).resolve()  # a link stays a link
    if path.is_dir():
        raise DataError(f"{path}: expected a file to write, got a directory; name a file in it")
    path.parent.mkdir(parents=True, exist_ok=True)
    number = 0
    with atomic_write(path) as file:
        for number, row in enumerate(rows, 1):  # noqa: B007
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return number


@contextmanager
def atomic_write(path: Path) -> Iterator[TextIO]:
    """A text file that is ``NAME.part`` until it is closed without an error."""
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as raw:
            packed = gzip.GzipFile(path.name, "wb", fileobj=raw) if path.suffix.lower() == ".gz" else raw
            # backslashreplace turns half a surrogate pair, which UTF-8 cannot hold, into its JSON escape
            with io.TextIOWrapper(cast(BinaryIO, packed), "utf-8", errors="backslashreplace", newline="\n") as file:
                yield file
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def exclusive_lock(path: Path, lock: Path) -> Iterator[None]:
    """Around the work on ``path``: two processes at once would spoil what either writes. A kill lets go of ``lock``.

    Raises :class:`DataError` where another process is at work.
    """
    held = FileLock(lock)
    try:
        held.acquire(timeout=0)
    except Timeout:
        raise DataError(f"another process is writing {path} just now; wait for it, or name another --out") from None
    try:
        yield
    finally:
        with suppress(OSError):  # Windows keeps a file that is open
            lock.unlink()
        held.release()


class ResumableWriter:
    """Collects rows of products in ``OUT.part``, which becomes ``OUT`` (packed if it ends in .gz) when all are there.

    A killed job keeps what it has finished. ``resume``: keep the whole rows of an unfinished file; ``finished`` tells
    that there is nothing left to do. ``how`` is what the rows depend on, JSON by the name of the option: an unfinished
    file that was made otherwise is not gone on with. ``what`` the rows are, for messages; ``key``: one that all of them
    have; ``count`` is told each row, those that were kept too. Raises :class:`DataError` for a directory, for a file
    made otherwise, or for an unfinished file when ``resume`` was not asked for.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        what: str,
        key: str,
        resume: bool = False,
        how: Mapping[str, Any] | None = None,
        count: Callable[[Mapping[str, Any]], None] = lambda row: None,
    ) -> None:
        self.path = Path(path).resolve()  # a link stays a link
        self.suffix = Path(path).suffix.lower()  # the link's, whatever it points to is called
        if self.path.is_dir():
            raise DataError(f"--out should be a file, but {self.path} is a directory; name a file in it")
        self.part = self.path.with_name(self.path.name + ".part")
        if self.part.exists() and not resume:
            raise DataError(f"{self.part} is an unfinished {what}; go on with --resume, or delete it")
        self.finished = resume and self.path.exists() and not self.part.exists()
        self.what, self.key, self.count = what, key, count
        self.how, self.record = dict(how or {}), self.path.with_name(self.path.name + ".part.how")
        if self.part.exists():
            self._check_how()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise DataError(f"cannot make the directory {self.path.parent} for --out: {exc.strerror or exc}") from exc

    @contextmanager
    def begun(self) -> Iterator[None]:
        """Around the work, from before a model is loaded: an interrupted file is unfinished, also without a row yet.

        An error before the first row leaves nothing behind. Raises :class:`DataError` where another process is at work.
        """
        with exclusive_lock(self.path, self.path.with_name(f"{self.path.name}.lock")):
            self._begin()
            try:
                yield
            except Exception:
                if self.part.exists() and not self.part.stat().st_size:
                    self.part.unlink()
                    self.record.unlink(missing_ok=True)
                raise

    def check_same(self, products: Iterable[Product], ids: Iterable[str]) -> None:
        """Raise :class:`DataError` where the finished file, whose rows have these ids, is of other products."""
        for number, (product, name) in enumerate(zip_longest(products, ids), 1):
            if product is None or product.id != name:
                has, wanted = name or "missing", repr(product.id) if product else "the end"
                raise DataError(
                    f"{self.path} is finished, but of other products: its row {number} is {has!r}, but the input has "
                    f"{wanted} there; name another --out, or delete the file to start again"
                )

    def left(self, products: Iterable[Product], step: int = 1) -> Iterator[Product]:
        """The products after those that the unfinished file has.

        With ``step``, only a multiple of so many rows is kept: rows computed together come out the same only together.
        Raises :class:`DataError` where the file was made from other products, or is damaged.
        """
        left = iter(products)
        if not self.part.exists():
            return left
        _keep_whole_lines(self.part, step)
        for number, row in enumerate(self._kept(), 1):
            product = next(left, None)
            if product is None or product.id != str(row.get("id")):
                here = f"product {product.id!r}" if product else "the end"
                raise DataError(
                    f"{self.part} was made from other products: its row {number} is {row.get('id')!r}, but the "
                    f"input has {here} there; resume with the same input, or delete the file to start again"
                )
            self.count(row)
        return left

    def _kept(self) -> Iterator[dict[str, Any]]:
        with self.part.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    row = json.loads(line)
                except ValueError:
                    row = None
                if not isinstance(row, dict) or self.key not in row:
                    raise DataError(
                        f"{self.part} line {number}: expected a row of an unfinished {self.what}, with the key "
                        f"{self.key!r}, got {line[:40]!r}; delete the file to start again"
                    )
                yield row

    def append(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Append rows, then finish the file."""
        self._begin()
        with self.part.open("a", encoding="utf-8", errors="backslashreplace", newline="\n", buffering=1) as stream:
            for row in rows:
                stream.write(json.dumps(row, ensure_ascii=False) + "\n")
                self.count(row)
        self._finish()
        self.record.unlink(missing_ok=True)

    def _begin(self) -> None:
        if self.how:
            self.record.write_text(json.dumps(self.how), encoding="utf-8")
        self.part.touch()

    def _check_how(self) -> None:
        try:
            before = json.loads(self.record.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # none was written, or half of it: nothing to compare with
            return
        for name, asked in self.how.items():
            if name in before and before[name] != asked:
                raise DataError(
                    f"{self.part} was made with {name} {before[name]!r}, not {asked!r}; resume with the same, or "
                    "delete the file to start again"
                )

    def _finish(self) -> None:
        """Turn the rows into the file, once all are there."""
        if self.suffix != ".gz":
            os.replace(self.part, self.path)
            return
        whole = self.path.with_name(self.path.name + ".whole")
        with (
            self.part.open("rb") as rows,
            whole.open("wb") as raw,
            gzip.GzipFile(self.path.name, "wb", fileobj=raw) as packed,
        ):
            shutil.copyfileobj(rows, packed)
        os.replace(whole, self.path)
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


def write_products(path: str | Path, products: Iterable[Product]) -> int:
    """Write products with :func:`write_rows` in the labelled row format, and return how many."""
    base = Path(path).parent
    return write_rows(path, (product_to_row(p, base) for p in products))
