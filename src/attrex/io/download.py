"""Many photos from the web into a directory: several at a time, politely, and so that a killed run goes on."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from heapq import heappop, heappush
from io import BytesIO
from pathlib import Path
from queue import Empty, Queue
from threading import Condition, Thread
from time import monotonic

from PIL import Image

from attrex.errors import ConfigError, DataError
from attrex.io.atomic import atomic_path, exclusive_lock, naming_full_disk
from attrex.io.fetch import FetchLimits, NotFetchedError, fetch, host_of
from attrex.io.images import FORMATS, decode
from attrex.io.photo_addresses import INDEX_FILE, AddressedPhoto, read_index

_LOOK = 32  # pixels a side that a photo is decoded at, to see whether it is whole
_SILENT = "its host did not answer again and again, and was asked no more in this run; run it again later"


@dataclass(frozen=True)
class Politeness:
    """How much is asked of the hosts.

    Raises :class:`ConfigError` for numbers that make no sense.
    """

    at_once: int = 8  #: photos at a time
    per_host: int = 4  #: of them from one host
    tries: int = 4  #: of a photo, where another one may help
    pause: float = 1.0  #: seconds before the second try, doubled before each further one; a host may ask for more
    longest_pause: float = 60.0  #: a host that asks for more is asked no more for this photo
    patience: int = 10  #: photos in a row that do not come; then the host is asked for no more in this run

    def __post_init__(self) -> None:
        for name in ("at_once", "per_host", "tries", "patience"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} should be 1 or more, got {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class Download:
    """What became of an address."""

    address: str
    photo: AddressedPhoto
    new: bool = True  #: False: it was there before


@dataclass(frozen=True, slots=True)
class _Photo:
    """A photo to store: what it is, and its name."""

    content: bytes
    file: str


class Downloads:
    """The photos of some addresses, in a directory with an index (:mod:`attrex.io.photo_addresses`).

    Photos that are there by now stay; others are fetched, those that could not be fetched before as well. A photo's
    name is the hash of its content: the same photo under several addresses is one file.
    """

    def __init__(
        self,
        directory: Path,
        limits: FetchLimits = FetchLimits(),  # noqa: B008 (frozen)
        politeness: Politeness = Politeness(),
    ) -> None:
        self.directory, self.limits, self.politeness = directory, limits, politeness
        self.index = directory / INDEX_FILE

    def run(self, addresses: Iterable[str]) -> Iterator[Download]:
        """Each address once, with its photo, those that are there first; every result is kept when it is given out.

        Raises :class:`DataError` where another process downloads into the directory.
        """
        wanted = dict.fromkeys(addresses)
        self.directory.mkdir(parents=True, exist_ok=True)
        with exclusive_lock(self.index):
            known = read_index(self.index)
            left = []
            for address in wanted:
                photo = known.get(address)
                if photo and photo.file and self._is_there(photo):
                    yield Download(address, photo, new=False)
                else:
                    left.append(address)
            if left:
                yield from self._fetch_all(left)

    def _is_there(self, photo: AddressedPhoto) -> bool:
        try:
            return (self.directory / photo.file).stat().st_size == photo.length
        except OSError:
            return False

    def _fetch_all(self, addresses: Iterable[str]) -> Iterator[Download]:
        with (
            naming_full_disk(self.index),
            _appending(self.index) as note,
            _fetching(addresses, self.limits, self.politeness) as found,
        ):
            for address, photo in found:
                entry = self._store(photo) if isinstance(photo, _Photo) else AddressedPhoto(error=photo)
                note(address, entry)
                yield Download(address, entry)

    def _store(self, photo: _Photo) -> AddressedPhoto:
        entry = AddressedPhoto(photo.file, len(photo.content))
        if not self._is_there(entry):
            with atomic_path(self.directory / photo.file, lock=False) as part:
                part.write_bytes(photo.content)
        return entry


@contextmanager
def _appending(index: Path) -> Iterator[Callable[[str, AddressedPhoto], None]]:
    """What adds a line to the index; half a line that a kill left at its end is ended, and so counts for nothing."""
    with index.open("ab+") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        if size and file.read(1) != b"\n":
            file.write(b"\n")

        def note(address: str, photo: AddressedPhoto) -> None:
            about = {"error": photo.error} if photo.error else {"file": photo.file, "bytes": photo.length}
            row = json.dumps({"address": address, **about}, ensure_ascii=False) + "\n"
            file.write(row.encode("utf-8", "backslashreplace"))
            file.flush()

        yield note


@contextmanager
def _fetching(
    addresses: Iterable[str], limits: FetchLimits, politeness: Politeness
) -> Iterator[Iterator[tuple[str, _Photo | str]]]:
    """The photos of the addresses as they come, or why one does not come; leaving the block ends the work."""
    line = _Line(addresses, politeness)
    found: Queue[tuple[str, _Photo | str]] = Queue(politeness.at_once)

    def work() -> None:
        while (address := line.take()) is not None:
            result = _look(address, limits) if line.is_asked(address) else DataError(_SILENT)
            if line.is_done(address, result):
                found.put((address, str(result) if isinstance(result, DataError) else result))

    for _ in range(politeness.at_once):
        Thread(target=work, daemon=True).start()  # an interrupt does not wait for what hangs
    try:
        yield (found.get() for _ in range(len(line)))
    finally:
        line.close()
        with suppress(Empty):
            while True:  # so that no thread waits for room
                found.get_nowait()


def _look(address: str, limits: FetchLimits) -> _Photo | DataError:
    """The photo at an address, seen to be whole and one that can be read."""
    try:
        content = fetch(address, limits)
        decode(content, _LOOK, max_bytes=limits.max_bytes, max_pixels=limits.max_pixels)
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            kind = {"JPEG": "jpg", "TIFF": "tif"}.get(str(image.format), str(image.format).lower())
    except DataError as exc:
        return exc
    except Exception as exc:  # a thread that dies would be waited for in vain
        return DataError(f"expected a photo, got {type(exc).__name__}: {exc}")
    name = hashlib.sha256(content).hexdigest()
    return _Photo(content, f"{name[:2]}/{name}.{kind}")


class _Line:
    """The addresses that wait, by host: who may be asked next, and which ask has to be made again later."""

    def __init__(self, addresses: Iterable[str], politeness: Politeness) -> None:
        self.politeness = politeness
        self.waiting: dict[str, deque[str]] = {}
        for address in addresses:
            self.waiting.setdefault(host_of(address), deque()).append(address)
        self.count = sum(map(len, self.waiting.values()))
        self.later: list[tuple[float, str]] = []  # a heap: when a photo may be asked for again
        self.rests: dict[str, float] = {}  # host -> when it may be asked again
        self.busy: Counter[str] = Counter()  # host -> photos that are fetched from it just now
        self.tries: Counter[str] = Counter()
        self.silent: Counter[str] = Counter()  # host -> photos in a row that did not come whatever was tried
        self.closed = False
        self.changed = Condition()

    def __len__(self) -> int:
        return self.count

    def take(self) -> str | None:
        """An address whose host may be asked, waiting for one if need be; None: there are no more."""
        with self.changed:
            while not self.closed and (self.waiting or self.later or self.busy.total()):
                now = monotonic()
                while self.later and self.later[0][0] <= now:
                    _, address = heappop(self.later)
                    self.waiting.setdefault(host_of(address), deque()).append(address)
                host = next((h for h in self.waiting if self._may_be_asked(h, now)), None)
                if host is not None:
                    queue = self.waiting.pop(host)
                    address = queue.popleft()
                    if queue:
                        self.waiting[host] = queue  # at the end: hosts take turns
                    self.busy[host] += 1
                    self.tries[address] += 1
                    return address
                times = [when for when, _ in self.later[:1]] + [self.rests.get(h, 0.0) for h in self.waiting]
                to_come = [when - now for when in times if when > now]
                self.changed.wait(min(to_come) if to_come else None)
        return None

    def _may_be_asked(self, host: str, now: float) -> bool:
        return self.busy[host] < self.politeness.per_host and self.rests.get(host, 0.0) <= now

    def is_asked(self, address: str) -> bool:
        """Whether its host is still asked; one that has been silent for long is not."""
        return self.silent[host_of(address)] < self.politeness.patience

    def is_done(self, address: str, result: object) -> bool:
        """What came of an address; False: it will be taken again."""
        host, failed = host_of(address), isinstance(result, NotFetchedError) and result.again
        with self.changed:
            self.busy[host] -= 1
            pause = self._pause(address, result) if failed and isinstance(result, NotFetchedError) else None
            if pause is not None:
                heappush(self.later, (monotonic() + pause, address))
            elif failed or self.is_asked(address):
                self.silent[host] = self.silent[host] + 1 if failed else 0
            self.changed.notify_all()
        return pause is None

    def _pause(self, address: str, error: NotFetchedError) -> float | None:
        """Seconds until an address is asked again; None: no more. A host that is busy rests so long, too."""
        how, tries = self.politeness, self.tries[address]
        pause = max(how.pause * 2 ** (tries - 1), error.after or 0.0)
        if tries >= how.tries or pause > how.longest_pause:
            return None
        if error.busy:
            host = host_of(address)
            self.rests[host] = max(self.rests.get(host, 0.0), monotonic() + pause)
        return pause

    def close(self) -> None:
        """Nothing more is taken."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()
