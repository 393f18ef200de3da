"""The systems that can be trained: ULS-DRAM, those that installed packages register, and classes named in full.

A package registers a system with an entry point of the group ``attrex.systems``. Its name is what ``system`` in a
configuration takes, its object is a :class:`SystemInfo`, or a class that has one as its ``info``. A class that nobody
registered is named as ``package.module:Class``.

Importing a module runs it. A registered name is one that the user installed; ``package.module:Class`` may come from a
stranger's model directory, so :meth:`attrex.config.Config.parse` checks it against ``allow_code`` before any import.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from attrex.errors import ConfigError, did_you_mean

GROUP = "attrex.systems"


@dataclass(frozen=True, slots=True)
class SystemInfo:
    """What one system is."""

    title: str  #: as its paper calls it
    paper: str = ""  #: first author and year
    decodes: str = ""  #: what gives the values
    code: str = ""  #: its class, as ``package.module:Class``; imported when the system is built
    photos: bool = False
    attribute_given: bool = False  #: told which attribute to look for; asked for all of them where nobody says
    words: bool = False  #: reads word embeddings of its own in place of a text encoder
    fixed: bool = False  #: published with frozen encoders
    composed: bool = False  #: a form of ULS-DRAM: `fusion`, `range` and `guidance` of the configuration compose it
    fusion: str | None = None  #: a form of ULS-VL, with this `fusion.kind`
    settings: dict[str, Any] = field(default_factory=dict)  #: what else goes with it

    @property
    def reads(self) -> str:
        """What it reads texts and photos by; a star where its encoders were published frozen."""
        return (
            ("words" if self.words else "encoder") + (", photos" if self.photos else "") + ("*" if self.fixed else "")
        )

    def implied(self) -> dict[str, Any]:
        """The settings that choosing this system brings with it, by section."""
        if self.composed:
            return self.settings
        # What is not labelled is absent to all of them.
        tagged = {"unknown": "negative"} | ({} if self.attribute_given else {"kind": "none"})
        out: dict[str, Any] = {"fusion": {"kind": self.fusion or "none"}, "range": tagged, "values": {"head": False}}
        if not self.fusion:
            out["decoder"] = {"hidden": None}  # the sizes of its own paper
        if not self.photos:
            out["image"] = {"model": None}
        if self.fixed:
            out["training"] = {"scheme": "fixed"}
        return out | self.settings


BUILT_IN = {
    "uls-dram": SystemInfo(
        "ULS-DRAM", "Liu 2022", "CRF per attribute", "attrex.model.network:Network", photos=True, composed=True
    )
}


def known_systems() -> list[str]:
    """The names of ULS-DRAM and of all registered systems."""
    return [*BUILT_IN, *_registered()]


def system_info(name: str) -> SystemInfo:
    """The facts of a system, by its registered name or as ``package.module:Class``, which is imported.

    Raises :class:`ConfigError` where there is none of this name, or where its package cannot be imported.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    if names_code(name):
        return _info(load_code(name), name)
    if name in _registered():
        return _registered_info(name)
    known = known_systems()
    raise ConfigError(
        f"no system {name!r}{did_you_mean(name, known)}; known are {', '.join(known)}. Install the package that "
        "registers it, or name its class as package.module:Class"
    )


def names_code(name: str) -> bool:
    """Whether a name has the form ``package.module:Class``."""
    return re.fullmatch(r"[^\W\d][\w.]*:[^\W\d][\w.]*", name) is not None


def load_code(name: str) -> Any:
    """Import what ``package.module:Class`` names. :class:`ConfigError` where it is not there."""
    module, _, path = name.partition(":")
    try:
        found = import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except ModuleNotFoundError as exc:
        raise ConfigError(
            f"{name} cannot be imported: no module named {exc.name!r}; install its package, or make Python find it, "
            "e.g. with PYTHONPATH=."
        ) from exc
    except (ImportError, AttributeError) as exc:
        raise ConfigError(f"{name} cannot be imported: {exc}; it should be package.module:Class") from exc
    return found


def load_part(setting: str, name: str, kind: type) -> Any:
    """The class that ``setting`` names as ``package.module:Class``; :class:`ConfigError` unless it is a ``kind``."""
    found = load_code(name)
    if not (isinstance(found, type) and issubclass(found, kind)):
        raise ConfigError(f"{setting}: {name} should be a subclass of {kind.__module__}:{kind.__name__}")
    return found


@cache
def _registered() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


@cache
def _registered_info(name: str) -> SystemInfo:
    entry = _registered()[name]
    package = entry.dist.name if entry.dist else entry.module
    try:
        found = entry.load()
    except (ImportError, AttributeError) as exc:
        raise ConfigError(
            f"system {name!r} is registered by the package {package} as {entry.value}, which cannot be imported: "
            f"{exc}; install {package} again"
        ) from exc
    return _info(found, entry.value)


def _info(found: Any, name: str) -> SystemInfo:
    if isinstance(found, SystemInfo):
        return found
    if not isinstance(found, type):
        raise ConfigError(f"{name} should be a class of a system or a SystemInfo, it is {found!r}")
    info = getattr(found, "info", None) or SystemInfo(found.__name__)
    return replace(info, code=name)
