"""Photos in: any file a shop may have, safely decoded to small RGB squares, and cached by what is in the file.

``decode`` turns one photo into uint8 (size, size, 3); ``ImageLoader`` does so once per distinct photo. Every fault of
a photo is a :class:`DataError`. No message quotes what is in a file, nor what Pillow says, which quotes it: a photo is
a file that data names, and need not be one.
"""

from __future__ import annotations

import hashlib
import math
import os
import random
import re
import stat
import tempfile
import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError, features

from attrex.errors import ConfigError, DataError, did_you_mean, short, short_path
from attrex.io.pillow_warnings import pillow_warnings
from attrex.io.pixels import how_stored, rgb_or_rgba
from attrex.types import ImageSource

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", *(("AVIF",) if features.check("avif") else ()))
"""What is read: raster formats that Pillow decodes itself, without running another program; AVIF where it was built
with it, as its wheels are since 11.3."""

MAX_SIZE = 4096
"""Pixels a side that photos are brought to: more is no encoder's, but a directory that wants the memory."""
MAX_BYTES = 20_000_000
MAX_PIXELS = 50_000_000
MAX_SIDE = 65_535
"""Pixels a side: JPEG's own limit. Resizing a longer sliver costs memory out of proportion to its pixels."""

MOST_LOST = 0.1
"""Share of the picture that a JPEG without its end may lack."""
_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_NOISE = bytes(byte for byte in random.Random(0).randbytes(1000) if byte != 0xFF)
_SEEN = 16  #: of 255: a smaller difference of two colours is none

Pixels = npt.NDArray[np.uint8]
V = TypeVar("V")

_ORIENTATION_TAG = 0x0112
_UPRIGHT = {  # EXIF orientation -> what turns the stored picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class ImageTransform:
    """How photos become an encoder's input: part of a checkpoint, for weights only fit pixels made in the same way.

    ``size`` in pixels a side: the whole photo is squeezed to size x size, nothing is cropped (the paper's choice).
    ``mean`` and ``std`` per RGB channel, of values in 0..1. ``max_bytes`` and ``max_pixels`` bound a photo as it comes.
    Raises :class:`ConfigError` for values that make no sense.
    """

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    max_bytes: int = MAX_BYTES
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        for name, most in (("size", MAX_SIZE), ("max_bytes", 10 * MAX_BYTES), ("max_pixels", 10 * MAX_PIXELS)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
                raise ConfigError(
                    f"image transform: {name} should be a whole number from 1 to {most:,}, found {short(value)}"
                )
        for name in ("mean", "std"):
            value = getattr(self, name)
            numbers = isinstance(value, tuple) and all(type(v) in (int, float) and math.isfinite(v) for v in value)
            if not numbers or len(value) != 3 or (name == "std" and min(value) <= 0):
                above = ", each above 0" if name == "std" else ""
                raise ConfigError(
                    f"image transform: {name} should be three numbers (red, green, blue){above}, found {short(value)}"
                )

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> ImageTransform:
        """The inverse of :meth:`to_json`. Raises :class:`ConfigError` naming the key that is missing or unknown."""
        known = [f.name for f in fields(cls)]
        for key in row:
            if key not in known:
                raise ConfigError(
                    f"image transform: unknown key {short(key)}{did_you_mean(key, known)}; known: {known}"
                )
        for key in ("size", "mean", "std"):
            if key not in row:
                raise ConfigError(f"image transform: key {key!r} is missing, found {sorted(row)}")
        lists = {key: tuple(row[key]) if isinstance(row[key], list | tuple) else row[key] for key in ("mean", "std")}
        return cls(**{**row, **lists})


def decode(
    source: ImageSource | str,
    size: int,
    *,
    max_bytes: int = MAX_BYTES,
    max_pixels: int = MAX_PIXELS,
    told: list[str] | None = None,
) -> Pixels:
    """One photo as uint8 (size, size, 3) RGB, upright, on white where it is transparent, the first frame if it moves.

    Colour profiles are ignored. Limits hold before anything is decoded; a ``max_pixels`` above Pillow's own limit of
    about 179 million changes nothing. Nothing is ever fetched. ``told`` gets what is odd about a photo that can be
    read: Pillow's warnings, and a JPEG's end that is missing. Raises :class:`DataError` for whatever is wrong with it.
    """
    with _naming(source):
        pixels, odd = _decode_bytes(_read_image(source, max_bytes), lambda _: (size, size), max_pixels)
    _tell(told, source, odd)
    return pixels


def _tell(told: list[str] | None, source: ImageSource | str, odd: Iterable[str]) -> None:
    if told is not None:
        told += [f"{_name(source)}: {what}" for what in odd]


def decode_whole(
    source: ImageSource | str,
    side: int,
    *,
    max_bytes: int = MAX_BYTES,
    max_pixels: int = MAX_PIXELS,
    told: list[str] | None = None,
) -> Pixels:
    """As :func:`decode`, but (H, W, 3) in the photo's own proportions: its longer side is ``side`` pixels at most."""

    def fit(size: tuple[int, int]) -> tuple[int, int]:
        scale = min(1, side / max(size))
        width, height = (max(1, round(n * scale)) for n in size)
        return width, height

    with _naming(source):
        pixels, odd = _decode_bytes(_read_image(source, max_bytes), fit, max_pixels)
    _tell(told, source, odd)
    return pixels


class _Photo(NamedTuple):
    pixels: Pixels
    odd: tuple[str, ...] = ()  #: what is to be told of it


class ImageLoader:
    """Decodes each distinct photo once: ``load(source)`` is uint8 (size, size, 3), read-only because it is shared.

    Results, errors too, are kept by a hash of the file's content: in memory up to ``cache_bytes`` (least recently used
    go first), and photos also under ``cache_dir``, which may be shared by processes and outlives them. A path whose
    time and length have not changed is not read again. A pickled loader takes its settings along and starts with an
    empty memory; each worker process has a memory of its own. Several threads may use one loader.
    """

    def __init__(
        self, transform: ImageTransform, cache_bytes: int = 512 * 2**20, cache_dir: Path | str | None = None
    ) -> None:
        self.transform = transform
        self.cache_bytes = cache_bytes
        self.cache_dir = None if cache_dir is None else Path(cache_dir)
        self._memory: _Recent[_Photo | str] = _Recent(cache_bytes)  # a string: why the photo cannot be read
        self._digests: _Recent[str] = _Recent(1_000_000)  # (path, time, length) -> digest; bounded, some 300 bytes each

    def __reduce__(self) -> tuple[Any, ...]:
        return ImageLoader, (self.transform, self.cache_bytes, self.cache_dir)

    def load(self, source: ImageSource | str, told: list[str] | None = None) -> Pixels:
        """The photo's pixels; raises :class:`DataError` as :func:`decode` does, also when the fault is known by now.

        ``told`` gets what is odd about it, also when that is known by now.
        """
        with _naming(source):
            found = self._find(source)
            if isinstance(found, str):
                raise DataError(found)
        _tell(told, source, found.odd)
        return found.pixels

    def digest(self, source: ImageSource | str) -> str:
        """A name for the content of a photo, which is not decoded; :class:`DataError` where it cannot be read."""
        with _naming(source):
            stamp = None
            if not isinstance(source, bytes):
                status = _check_file(source, self.transform.max_bytes)
                stamp = (str(source), status.st_mtime_ns, status.st_size)
                if known := self._digests.get(stamp):
                    return known
            digest = hashlib.blake2b(_read_image(source, self.transform.max_bytes), digest_size=20).hexdigest()
            if stamp:
                self._digests.put(stamp, digest, 1)
            return digest

    def _find(self, source: ImageSource | str) -> _Photo | str:
        stamp = None
        if not isinstance(source, bytes):
            status = _check_file(source, self.transform.max_bytes)
            stamp = (str(source), status.st_mtime_ns, status.st_size)
            digest = self._digests.get(stamp)
            found = self._cached(digest) if digest else None
            if found is not None:
                return found
        data = _read_image(source, self.transform.max_bytes)
        digest = hashlib.blake2b(data, digest_size=20).hexdigest()
        if stamp:
            self._digests.put(stamp, digest, 1)
        found = self._cached(digest)
        return self._decode(data, digest) if found is None else found

    def _cached(self, digest: str) -> _Photo | str | None:
        found = self._memory.get(digest)
        directory = self.cache_dir  # another thread may find that it is full, and give it up
        if found is not None or directory is None:
            return found
        try:
            pixels = np.load(self._file(directory, digest), allow_pickle=False)
        except Exception:  # there is none, or its bytes are damaged, which makes numpy raise nearly anything
            return None
        shape = (self.transform.size, self.transform.size, 3)
        if not (isinstance(pixels, np.ndarray) and pixels.dtype == np.uint8 and pixels.shape == shape):
            return None
        found = _Photo(pixels)
        self._remember(digest, found)
        return found

    def _decode(self, data: bytes, digest: str) -> _Photo | str:
        found: _Photo | str
        try:
            size = self.transform.size
            found = _Photo(*_decode_bytes(data, lambda _: (size, size), self.transform.max_pixels))
        except DataError as exc:
            found = str(exc)
        else:
            if not found.odd:  # what is odd is to be told in the next run, too
                self._save(found.pixels, digest)
        self._remember(digest, found)
        return found

    def _remember(self, digest: str, found: _Photo | str) -> None:
        if isinstance(found, _Photo):
            found.pixels.flags.writeable = False
        self._memory.put(digest, found, len(found) if isinstance(found, str) else found.pixels.nbytes)

    def _file(self, directory: Path, digest: str) -> Path:
        # v2: the way of decoding. Raise it when the same photo would come out otherwise.
        return directory / digest[:2] / f"{digest}-{self.transform.size}-v2.npy"

    def _save(self, pixels: Pixels, digest: str) -> None:
        directory = self.cache_dir
        if directory is None:
            return
        try:
            save_array(pixels, self._file(directory, digest))
        except OSError as exc:
            warnings.warn(
                f"photos cannot be cached under {directory}: {exc.strerror}; going on without, decoding takes longer. "
                "Free some space there or choose another cache_dir",
                stacklevel=2,
            )
            self.cache_dir = None


class _Recent(Generic[V]):
    """A mapping that forgets the least recently used entries once their costs exceed ``limit``; safe among threads."""

    def __init__(self, limit: int) -> None:
        self._limit, self._used = limit, 0
        self._entries: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable) -> V | None:
        with self._lock:
            if key not in self._entries:
                return None
            self._entries.move_to_end(key)
            return self._entries[key][0]

    def put(self, key: Hashable, value: V, cost: int) -> None:
        with self._lock:
            self._used += cost - self._entries.pop(key, (value, 0))[1]
            self._entries[key] = (value, cost)
            while self._used > self._limit:
                self._used -= self._entries.popitem(last=False)[1][1]


def save_array(array: np.ndarray, file: Path) -> None:
    """Write whole or not at all: other processes may be reading the same cache."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=file.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as out:
            np.save(out, array, allow_pickle=False)
        os.replace(temporary, file)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


@contextmanager
def _naming(source: object) -> Iterator[None]:
    """Put the photo's name before an error: the reason alone is cached, as one content may have several names."""
    try:
        yield
    except DataError as exc:
        raise DataError(f"{_name(source)}: {exc}") from exc.__cause__


def _name(source: object) -> str:
    name = f"image of {len(source):,} bytes" if isinstance(source, bytes) else "image"
    return name + (f" '{short_path(source)}'" if isinstance(source, Path | str) else "")


def _check_file(source: ImageSource | str, max_bytes: int) -> os.stat_result:
    if not isinstance(source, Path | str):
        raise DataError(
            f"expected a path or the bytes of a file, came {type(source).__name__}; "
            "leave the photo out if there is none"
        )
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", str(source)):  # a Path keeps only one of a URL's slashes
        raise DataError(
            "expected a file on this machine, came a web address; Attrex fetches nothing: download the photo first "
            "and give its path"
        )
    try:
        status = os.stat(source)
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(
            "expected a file, but there is none; check the path, and the directory that relative paths start from"
        ) from None
    except (OSError, ValueError) as exc:
        raise _unreadable(exc) from exc
    if stat.S_ISDIR(status.st_mode):
        raise DataError("expected a file, but this is a directory; name a file in it")
    if not stat.S_ISREG(status.st_mode):
        raise DataError("expected a regular file, but this is a device or a pipe; copy the photo into a file")
    _check_length(status.st_size, max_bytes)
    return status


def _unreadable(exc: OSError | ValueError) -> DataError:
    why = (isinstance(exc, OSError) and exc.strerror) or "a path that no file can have"
    return DataError(f"expected a readable file, came: {why}; check the path and its permissions")


def _check_length(length: int, max_bytes: int) -> None:
    if length == 0:
        raise DataError("expected an image, but it is empty (0 bytes); download or export it again")
    if length > max_bytes:
        raise DataError(
            f"expected at most {max_bytes:,} bytes, but it has {length:,}; save it smaller or raise max_bytes"
        )


def _read_image(source: ImageSource | str, max_bytes: int) -> bytes:
    if isinstance(source, bytes):
        data = source
    else:
        _check_file(source, max_bytes)
        try:
            with open(source, "rb") as file:
                data = file.read(max_bytes + 1)  # it may have grown since it was checked
        except OSError as exc:
            raise _unreadable(exc) from exc
    _check_length(len(data), max_bytes)
    return data


def _decode_bytes(
    data: bytes, fit: Callable[[tuple[int, int]], tuple[int, int]], max_pixels: int
) -> tuple[Pixels, tuple[str, ...]]:
    """The pixels, and what is odd about the photo.

    :param fit: the width and height that a photo of so many pixels is brought to.
    """
    with pillow_warnings() as told:
        try:
            return _pixels(data, fit, max_pixels), tuple(told)
        except DataError:
            if not data.startswith(_JPEG_START) or data.endswith(_JPEG_END):
                raise
            found = _mended(data, fit, max_pixels)
            if found is None:
                raise
            pixels, lost = found
            told.append("its end is missing" + (f", and with it {lost:.0%} of the picture" if lost else ""))
            return pixels, tuple(told)


def _mended(
    data: bytes, fit: Callable[[tuple[int, int]], tuple[int, int]], max_pixels: int
) -> tuple[Pixels, float] | None:
    """A JPEG that lost its last bytes, as a download does that breaks off, and the share of the picture that they held.

    With other bytes in their place, what depends on them comes out otherwise. None where that is much of it.
    """
    data = data.rstrip(b"\xff")  # half of the end
    noise = _NOISE * (len(data) // len(_NOISE) + 1)
    try:
        pixels, other = (_pixels(data + end + _JPEG_END, fit, max_pixels) for end in (b"", noise))
    except DataError:
        return None
    lost = float((np.abs(pixels.astype(int) - other).max(-1) > _SEEN).mean())
    return (pixels, lost) if lost <= MOST_LOST and _has_all_scans(data) else None


def _has_all_scans(data: bytes) -> bool:
    """Whether the last scan of a JPEG has begun: a progressive one has its colours and details one after the other.

    Headers of frames and scans are those of ITU T.81, B.2.2 and B.2.3.
    """
    frame = re.search(rb"\xff\xc2..\x08....([\x01-\x04])", data, re.DOTALL)
    if frame is None:
        return True
    wanted = {(data[frame.end() + 3 * i], k) for i in range(frame[1][0]) for k in (0, 63)}
    for scan in re.finditer(rb"\xff\xda..([\x01-\x04])", data, re.DOTALL):
        end = scan.end() + 2 * scan[1][0]
        first, last, bits = data[end], data[end + 1], data[end + 2] & 15  # bits that are to follow
        if not bits:
            components = data[scan.end() : end : 2]
            wanted -= {(c, k) for c in components for k in (0, 63) if first <= k <= last}
    return not wanted


def _pixels(data: bytes, fit: Callable[[tuple[int, int]], tuple[int, int]], max_pixels: int) -> Pixels:
    with _open(data, max_pixels) as image:
        size = fit(image.size)
        try:
            stored = how_stored(image)
            # A JPEG decodes at 1/2, 1/4 or 1/8 for little; twice the size is left for the resizing to average over.
            image.draft(None, (2 * size[0], 2 * size[1]))
            image.load()
            small = rgb_or_rgba(image, stored, data).resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)
        except DataError:
            raise
        except Exception as exc:  # hostile bytes make Pillow raise nearly anything
            raise DataError(
                f"expected a whole {image.format} image, but it is damaged or cut off; download or export it again"
            ) from exc
        try:  # asked after loading: a PNG may end with it, and Pillow has turned a TIFF by then
            orientation = image.getexif().get(_ORIENTATION_TAG)
        except Exception:  # damaged metadata is no reason to lose the picture
            orientation = None
    if small.mode == "RGBA":
        small = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small).convert("RGB")
    if orientation in _UPRIGHT:
        small = small.transpose(_UPRIGHT[orientation])
    return np.array(small)


def _open(data: bytes, max_pixels: int) -> Image.Image:
    """Read the header, and check what it promises before any pixel is decoded."""
    try:
        image = Image.open(BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise DataError(
            f"expected one of {', '.join(FORMATS)}, but the content is none of these or its header is damaged; "
            "save it as JPEG or PNG"
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        raise DataError(f"expected at most {max_pixels:,} pixels, came far more; save it smaller") from exc
    except Exception as exc:  # as in _decode_bytes
        raise DataError("expected an image, but its header is damaged; download or export it again") from exc
    width, height = image.size
    if width * height > max_pixels:
        raise DataError(
            f"expected at most {max_pixels:,} pixels, but it has {width} x {height}; "
            "save it smaller or raise max_pixels"
        )
    if max(width, height) > MAX_SIDE:
        raise DataError(f"expected at most {MAX_SIDE:,} pixels a side, but it has {width} x {height}; save it smaller")
    return image
