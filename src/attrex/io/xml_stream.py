"""XML read part by part, with the bytes that each part is written in, so that a file is edited and not written anew.

Nothing is loaded from elsewhere: a document type's file is not fetched, and a file that defines entities of its own is
refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO
from xml.parsers import expat

from attrex.errors import DataError
from attrex.io.bounded import MAX_PARTS, MAX_ROW, MAX_TAG, too_long

_CHUNK = 65_536
_DEPTH = 200  #: levels of elements; no export comes near
_START_TAG = re.compile(r"""<(?P<name>[^\s/>]+)(?:[^>"']|"[^"]*"|'[^']*')*?(?P<empty>/?)>""")
_NO_CHARACTER = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML 1.0 cannot hold


@dataclass(slots=True)
class Element:
    """One element, without its namespace, and the bytes of the file from ``start`` to ``end`` that it is written in."""

    name: str
    written_name: str  #: with its prefix
    attributes: dict[str, str]
    start: int
    end: int = 0
    text: str = ""  #: its own characters
    children: list[Element] = field(default_factory=list)

    def all(self, *path: str) -> Iterator[Element]:
        """The elements on a path of names below this one."""
        if not path:
            yield self
            return
        for child in self.children:
            if child.name == path[0]:
                yield from child.all(*path[1:])

    def first(self, *path: str) -> Element | None:
        return next(self.all(*path), None)

    def words(self, *path: str) -> str:
        """The text of the first element on a path, without space around it; empty where there is none."""
        found = self.first(*path)
        return "" if found is None else found.text.strip()

    @property
    def is_empty(self) -> bool:
        return not self.children and not self.text.strip()


class XmlError(DataError):
    """A file is no XML from some place on, or one that is refused."""


def elements(file: IO[bytes], names: Collection[str]) -> Iterator[Element]:
    """The outermost elements of these names, each whole, in the order of the file; the rest is passed over.

    Memory is that of the largest of them. Raises :class:`XmlError` at the place where a file is damaged.
    """
    reader = _Reader(names)
    while True:
        chunk = file.read(_CHUNK)
        fault: Exception | None = None
        try:
            reader.parser.Parse(chunk, not chunk)
        except (expat.ExpatError, XmlError, LookupError) as exc:  # LookupError: an encoding that Python does not know
            fault = exc
        yield from reader.taken()  # what was whole before
        if fault is None and reader.is_too_long(len(chunk)):
            fault = XmlError(too_long("more"))
        if isinstance(fault, XmlError):
            raise fault
        if fault is not None:
            line = reader.parser.ErrorLineNumber
            raise XmlError(f"expected XML, got something else in line {line} ({fault}); make the file again") from fault
        if not chunk:
            return


class _Reader:
    """What expat tells, as elements."""

    def __init__(self, names: Collection[str]) -> None:
        self.names = names
        self.depth = self.read = 0
        self.elements = 0  # within the one that is open
        self.open: list[Element] = []
        self.parts: list[list[str]] = []  # of the open elements' texts
        self.done: list[Element] = []
        self.parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.SkippedEntityHandler = self._skipped
        parser.EntityDeclHandler = _refuse_entities

    def is_too_long(self, read: int) -> bool:
        """Whether an element, or a tag by itself, is longer than a row may be.

        :param read: so many bytes more were read.
        """
        self.read += read
        at = self.parser.CurrentByteIndex
        in_tag = at >= 0 and self.read - at > MAX_TAG + _CHUNK
        return in_tag or (bool(self.open) and self.read - self.open[0].start > MAX_ROW + _CHUNK)

    def taken(self) -> list[Element]:
        done, self.done = self.done, []
        return done

    def _start(self, written: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        if self.depth > _DEPTH:
            raise XmlError(f"expected elements in at most {_DEPTH} levels, got more; make the file again")
        name = written.rpartition(":")[2]
        if not self.open and name not in self.names:
            return
        plain = {key.rpartition(":")[2]: value for key, value in attributes.items()}
        element = Element(name, written, plain, self.parser.CurrentByteIndex)
        self.elements = self.elements + 1 if self.open else 1
        if self.elements > MAX_PARTS:
            raise XmlError(too_long("more"))
        if self.open:
            self.open[-1].children.append(element)
        self.open.append(element)
        self.parts.append([])

    def _end(self, _: str) -> None:
        self.depth -= 1
        if not self.open:
            return
        element = self.open.pop()
        element.text = "".join(self.parts.pop())
        element.end = self.parser.CurrentByteIndex
        if not self.open:
            self.done.append(element)

    def _text(self, text: str) -> None:
        if self.parts:
            self.parts[-1].append(text)

    def _skipped(self, name: str, is_parameter: bool) -> None:
        if self.parts and not is_parameter:  # of a document type that is not read; HTML's are understood later
            self.parts[-1].append(f"&{name};")


def _refuse_entities(name: str, *_: object) -> None:
    raise XmlError(f"expected XML without entities of its own, got the entity {name!r}; write what it stands for")


@dataclass(frozen=True, slots=True)
class XmlEdit:
    """What stands in the place of some bytes of a file afterwards; of none, where ``start`` and ``end`` are one."""

    start: int
    end: int
    new: str  #: as XML writes it


def edited(file: IO[bytes], edits: Iterable[XmlEdit], encoding: str) -> Iterator[bytes]:
    """The file's bytes with the edits made, and nothing else changed; ``encoding`` as :func:`xml_encoding` gives it."""
    at = 0
    for edit in sorted(edits, key=lambda e: (e.start, e.end)):
        if edit.start < at:
            raise DataError(f"expected one value for the place at byte {edit.start}, got several; fill it once")
        yield from _copied(file, edit.start - at)
        file.read(edit.end - edit.start)
        yield edit.new.encode(encoding, errors="xmlcharrefreplace")
        at = edit.end
    while chunk := file.read(_CHUNK):
        yield chunk


def xml_encoding(file: IO[bytes]) -> str:
    """The encoding of an XML file, by its first bytes and its declaration; the file is at its start afterwards."""
    head = file.read(256)
    file.seek(0)
    for name, marks in (("utf-16-le", (b"\xff\xfe", b"<\0")), ("utf-16-be", (b"\xfe\xff", b"\0<"))):
        if head.startswith(marks):
            return name
    said = re.match(rb"""(?:\xef\xbb\xbf)?<\?xml[^>]*?encoding\s*=\s*["']([\w.:-]+)["']""", head)
    return said[1].decode("ascii") if said else "utf-8"


def filled_element(source: str, text: str) -> str:
    """An empty element, as it is spelt in one tag or two, with a text."""
    tag = _START_TAG.match(source)
    if tag is None:
        raise DataError(f"expected an empty element, got {source[:80]!r}; read the file again")
    start = f"{tag[0][:-2].rstrip()}>" if tag["empty"] else tag[0]
    return f"{start}{escaped(text)}</{tag['name']}>"


def new_element(tag: str, text: str) -> str:
    """``tag``: the element's name, and its attributes as XML writes them."""
    return f"<{tag}>{escaped(text)}</{tag.split(maxsplit=1)[0]}>"


def escaped(text: str) -> str:
    return _NO_CHARACTER.sub("", text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _copied(file: IO[bytes], count: int) -> Iterator[bytes]:
    while count > 0:
        chunk = file.read(min(count, _CHUNK))
        if not chunk:
            return
        count -= len(chunk)
        yield chunk
