"""YAML as plain values: for files that hold words (a shop, a lexicon, a language), and for settings.

A file may refer to what it said before (``&name``, ``*name``), as far as that does not make more of it than a person
would write; a value within itself, or levels without end, are refused.
"""

from __future__ import annotations

from typing import Any

import yaml

# libyaml reads a shop's few hundred lines ten times faster than Python does; a build of PyYAML can lack it.
_WordLoader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_PlainLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LEVELS = 50
_REPEATED = 100_000
"""Values that references may add to those that are written."""


def load_words(text: str) -> Any:
    """Mappings, lists and strings of a YAML text: a size 38, a cell NO or a value yes stay words.

    Raises :class:`yaml.YAMLError` for a text that is not YAML, or is more than a person writes.
    """
    return _load(text, _WordLoader)


def load_plain(text: str) -> Any:
    """As :func:`load_words`, but with numbers, truths and nulls."""
    return _load(text, _PlainLoader)


def _load(text: str, loader: Any) -> Any:
    _check_levels(text, loader)
    try:
        found = yaml.load(text, Loader=loader)
    except yaml.YAMLError:
        raise
    except (ValueError, OverflowError, RecursionError) as exc:  # a date that is none, a number of 5,000 digits
        raise yaml.YAMLError(f"a value cannot be read ({type(exc).__name__}); put it in quotes") from None
    return found


def _check_levels(text: str, loader: Any) -> None:
    """Raise :class:`yaml.YAMLError` where the text has more levels, or by its references more values, than allowed."""
    sizes: dict[str, tuple[int, int]] = {}  # name -> values and levels of what it stands for
    parts: list[tuple[str | None, list[int]]] = [(None, [0, 0])]  # open collections: name; values and levels so far
    repeated = 0

    def add(values: int, levels: int) -> None:
        within = parts[-1][1]
        within[0], within[1] = within[0] + values, max(within[1], levels)

    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.CollectionStartEvent):
            parts.append((event.anchor, [1, 0]))
            if len(parts) - 1 > _LEVELS:
                raise yaml.YAMLError(f"expected at most {_LEVELS} levels, got more in line {_line(event)}")
        elif isinstance(event, yaml.CollectionEndEvent):
            name, (values, levels) = parts.pop()
            if name:
                sizes[name] = values, levels + 1
            add(values, levels + 1)
        elif isinstance(event, yaml.ScalarEvent):
            if event.anchor:
                sizes[event.anchor] = 1, 0
            add(1, 0)
        elif isinstance(event, yaml.AliasEvent):
            if any(name == event.anchor for name, _ in parts):
                raise yaml.YAMLError(f"*{event.anchor} in line {_line(event)} stands for what it is in itself")
            values, levels = sizes.get(str(event.anchor), (1, 0))
            repeated += values
            if repeated > _REPEATED or len(parts) - 1 + levels > _LEVELS:
                raise yaml.YAMLError(
                    f"*{event.anchor} in line {_line(event)} makes more than {_REPEATED:,} values of the file, or more "
                    f"than {_LEVELS} levels; write what is meant"
                )
            add(values, levels)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1
