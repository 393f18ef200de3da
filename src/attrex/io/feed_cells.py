"""Product feeds in XML (RSS, Atom) whose products can be given elements, while every other byte is kept.

A column is an element of a product by its written name, ``("g:color",)``; its cell is the text of the first one.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from attrex.errors import DataError
from attrex.io.cell_edits import Column, Source
from attrex.io.packed import open_binary
from attrex.io.xml_cells import XmlFile, XmlRow
from attrex.io.xml_stream import Element, XmlEdit, elements, filled_element, new_element

PRODUCTS = ("item", "entry")
NAMESPACE = "http://base.google.com/ns/1.0"
"""Of Google's elements, which makes RSS or Atom a feed of products."""
_HEAD = 65_536
ABSENT = "<absent>"
"""What :meth:`FeedRow.source` says of an element that is not there."""


def is_feed(path: Path) -> bool:
    """Whether an XML file is a feed of products, by how it begins."""
    try:
        with open_binary(path) as file:
            return NAMESPACE.encode() in file.read(_HEAD).replace(b"\0", b"")
    except (OSError, EOFError, zlib.error):
        return False


@dataclass(slots=True)
class FeedRow(XmlRow):
    """One product (:class:`~attrex.io.cell_edits.EditableRow`)."""

    element: Element | None = None

    def content(self, column: Column) -> Any:
        own = self._own(column)
        return own.text.strip() or None if own is not None else None

    def source(self, column: Column) -> str:
        own = self._own(column)
        return ABSENT if own is None else self.file.spelt(own)

    def write(self, column: Column, value: Any) -> None:
        """Note what becomes of an element: its text, or, from :meth:`source`, how it was spelt."""
        assert self.element is not None
        assert isinstance(column, tuple)
        own, children = self._own(column), self.element.children
        if own is None:
            last = children[-1]
            end = self.file.end_of(last)
            new = new_element(str(column[0]), str(value))
            self.edits.append(XmlEdit(end, end, self._space_before(len(children) - 1) + new))
            return
        start, end = own.start, self.file.end_of(own)
        if not isinstance(value, Source):
            if not own.is_empty:
                raise DataError(f"{self.file.path}: {column[0]!r} of product {self.number} is filled")
            new = filled_element(self.file.spelt(own), str(value))
        elif value.text == ABSENT:
            place = next(n for n, child in enumerate(children) if child is own)
            new, start = "", start - len(self._space_before(place).encode(self.file.encoding))
        else:
            new = value.text
        self.edits.append(XmlEdit(start, end, new))

    def _own(self, column: Column) -> Element | None:
        name = column[0] if isinstance(column, tuple) else None
        children = self.element.children if self.element is not None else ()
        return next((child for child in children if child.written_name == name), None)

    def _space_before(self, place: int) -> str:
        """What is between a child and the one before it, where that is space alone."""
        assert self.element is not None
        if not place:
            return ""
        before, child = self.element.children[place - 1 : place + 1]
        between = self.file.text(self.file.end_of(before), child.start)
        return between if not between.strip() else ""


@dataclass
class FeedFile(XmlFile):
    """A feed (:class:`~attrex.io.cell_edits.EditableFile`)."""

    @cached_property
    def columns(self) -> Mapping[Column, str]:
        names = dict.fromkeys(
            child.written_name for row in self.rows() for child in (row.element.children if row.element else ())
        )
        return {(name,): name for name in names}

    def holds_lists(self, column: Column) -> bool:
        return False

    def new_column(self, name: str, place: int) -> Column:
        return (name,)

    def rows(self) -> Iterator[FeedRow]:
        with open_binary(self.path) as file:
            for index, product in enumerate(elements(file, PRODUCTS)):
                yield FeedRow(self, [], index, element=product)
