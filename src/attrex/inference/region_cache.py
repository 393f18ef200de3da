"""What the image encoder made of each photo, kept on disk: a catalogue that is run again only reads its texts anew.

Shape letters:
    M photos     H x W pixels     r regions per photo     V region width
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from attrex.io.images import save_array


class RegionCache:
    """Regions under ``directory``, by the photo's pixels and by ``encoder``, a name of the image encoder's weights.

    Safe among threads and processes. Where nothing can be written, a warning says so once, and photos are encoded.
    """

    def __init__(self, directory: Path, encoder: str) -> None:
        self.directory, self.encoder = directory, encoder
        self.writable = True

    def regions(self, pixels: np.ndarray, encode: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Regions of photos, from the cache where they are there.

        :param pixels: (M, H, W, 3) uint8.
        :param encode: makes (m, r, V) of the (m, H, W, 3) that are not there yet.
        :return: (M, r, V)
        """
        files = [self._file(photo) for photo in pixels]
        cached = [_load_entry(file) for file in files]
        missing = [i for i, regions in enumerate(cached) if regions is None]
        if missing:
            for i, regions in zip(missing, encode(pixels[missing]), strict=True):
                cached[i] = regions
                self._save(regions, files[i])
        return np.stack([regions for regions in cached if regions is not None])

    def _file(self, photo: np.ndarray) -> Path:
        name = hashlib.blake2b(photo.tobytes(), digest_size=20).hexdigest()
        return self.directory / self.encoder / name[:2] / f"{name}.npy"

    def _save(self, regions: np.ndarray, file: Path) -> None:
        if not self.writable:
            return
        try:
            save_array(regions, file)
        except OSError as exc:
            self.writable = False
            warnings.warn(
                f"regions of photos cannot be cached under {self.directory}: {exc}; going on without. "
                "Free some space there or choose another cache_dir",
                stacklevel=2,
            )


def _load_entry(file: Path) -> np.ndarray | None:
    """Cached regions, or None where there are none or they are damaged: they are then made and written again."""
    try:
        regions = np.load(file, allow_pickle=False)
    except Exception:  # damaged bytes make numpy raise nearly anything
        return None
    return regions if isinstance(regions, np.ndarray) and regions.ndim == 2 else None
