"""Which files data may name: a catalogue comes from somebody else, and its photos lie in one folder."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from attrex.errors import DataError, short
from attrex.io.photo_addresses import photo_at
from attrex.types import ImageSource

log = logging.getLogger(__name__)
LEADS_OUT = "which leads out of it"
"""In the warning of each photo that was not read for this reason."""
_told: set[str] = set()  # sources that were warned of: a source is read more than once


class OutsideError(DataError):
    """A path that leaves the folder of its data."""


@dataclass(frozen=True)
class PhotoFolders:
    """Where the photos of a source may lie; relative paths start from the first folder.

    Links are resolved before they are compared. Whether there is such a file is not looked at, so that nobody learns
    from a message what lies elsewhere. What a link leads to may change between this and reading: who can write into the
    folder can do without a catalogue.

    :param confined: False: a path may lead anywhere.
    :param source: whose photos they are, for the warning that some are left out.
    """

    folders: Sequence[Path]
    confined: bool = True
    source: str = "the data"

    def find(self, name: str) -> ImageSource:
        """A photo that data names; errors as for :meth:`path_of`."""
        return self.path_of(name)

    def path_of(self, name: str) -> Path:
        """The path of a photo that data names; raises :class:`OutsideError` where it leaves the folders."""
        path = self.folders[0] / name
        self.check(path, name)
        return path

    def at_address(self, address: str) -> ImageSource:
        """The file that `attrex photos` put the photo of a web address in; errors as for :meth:`path_of`."""
        path = photo_at(self.folders[0], address)
        self.check(path, address)  # the index of photos is a file of the folder, too
        return path

    def check(self, path: Path, name: str) -> None:
        """Raise :class:`OutsideError` where a path, made of a name that the data gives, leaves the folders."""
        if not self.confined:
            return
        try:
            resolved = _resolved(_absolute(path))
            below = any(_is_below(resolved, _folder(_absolute(folder))) for folder in self.folders)
        except (OSError, ValueError):  # a null byte, a name that is too long
            raise DataError(f"expected the path of a photo, got {short(name)}; correct it") from None
        if not below:
            raise self.outside(name)

    def outside(self, name: str) -> OutsideError:
        """The error for a photo that lies elsewhere; the first one of a source is warned of."""
        if self.source not in _told:
            _told.add(self.source)
            log.warning(
                "%s names photos outside of the folder that they should be in; they are not read. If you trust it, "
                "give the folder of the photos (--images DIR) or allow any (--allow-outside)",
                self.source,
            )
        return OutsideError(
            f"expected a photo in the folder of the data, got {short(name)}, {LEADS_OUT}; put the photos "
            "there, name the folder that they are in (--images), or trust the file (--allow-outside)"
        )


def _absolute(path: Path) -> str:
    return os.path.join(os.getcwd(), path)  # `..` stays: what is before it may be a link


def _resolved(path: str) -> str:
    """``os.path.realpath``, which looks at every part of a path, with its folder looked up once."""
    folder, name = os.path.split(path)
    if name in ("", ".", ".."):
        return os.path.realpath(path)
    path = os.path.join(_folder(folder), name)
    return os.path.realpath(path) if os.path.islink(path) else path


@lru_cache(4096)
def _folder(path: str) -> str:
    return os.path.realpath(path)


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(folder if folder.endswith(os.sep) else folder + os.sep)
