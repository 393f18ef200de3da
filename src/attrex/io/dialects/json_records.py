"""What the dialects in JSON share: texts, lists and objects of files in which any of them may be anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from attrex.io.dialects.dialect import Item, Key, NoPlace, find_name
from attrex.shop.cells import is_empty


@dataclass(frozen=True, slots=True)
class Node(Item):
    """A product and the object of its row that it stands in."""

    path: Key = ()  #: where in the row
    node: Mapping[str, Any] = field(default_factory=dict)


def text_of(value: Any) -> str:
    """A text or a number as text; empty for anything else."""
    return "" if value is None or isinstance(value, list | Mapping) else str(value).strip()


def list_of(value: Any) -> list[Any]:
    """A list as it is, one thing as a list, nothing as an empty one."""
    return value if isinstance(value, list) else [] if value is None else [value]


def part_of(value: Any, key: str) -> Any:
    """What an object has under a key; None where there is no object or no key."""
    return value.get(key) if isinstance(value, Mapping) else None


def holds_nothing(value: Any) -> bool:
    """Whether nothing stands in a place of JSON; a space, or a list with null, somebody wrote."""
    return is_empty(value) or value in ([], {})


def refuse_filled(item: Item, attribute: str, cells: Iterable[Any] = ()) -> None:
    """Raise :class:`NoPlace` where the item has a value of the attribute, or one of these cells holds anything."""
    name = find_name(attribute, item.attributes)
    if (name is not None and item.attributes[name]) or not all(map(holds_nothing, cells)):
        raise NoPlace(f"{name or attribute!r} is filled")
