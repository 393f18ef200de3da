"""brat's directory: a text NAME.txt, and its annotations NAME.ann beside it.

Stands on brat 1.3 (brat.nlplab.org/standoff.html): ``T1<tab>Label 0 5<tab>words``, offsets in characters, end
exclusive; pieces of a discontinuous one are ``0 5;8 12``; a note is ``#1<tab>AnnotatorNotes T1<tab>words``. brat reads
texts with line ends of one character, so that a ``\\r\\n`` counts one. A text without annotations was not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote, unquote

from attrex.errors import DataError
from attrex.io.annotations.documents import Document, Format, Mark
from attrex.io.annotations.spans import in_units
from attrex.io.atomic import atomic_write
from attrex.io.rows import not_utf8

_TEXT_BOUND = re.compile(r"(T\S+)\t(\S+) (\d+ \d+(?:;\d+ \d+)*)\t(.*)")
_NOTE = re.compile(r"#\S*\tAnnotatorNotes (T\S+)\t(.*)")
_IN_NAME = re.compile(r"(?P<product>.+)@(?P<field>[^@]+)")


def read(path: Path) -> Iterator[Document]:
    if not path.is_dir():
        raise DataError(f"{path}: expected brat's directory of .txt and .ann files, got no directory; name it")
    texts = sorted(path.rglob("*.txt"))
    if not texts:
        raise DataError(f"{path}: expected .txt files with .ann files beside them, found none; name brat's directory")
    names = _names(path / "visual.conf")
    for file in texts:
        name = _IN_NAME.fullmatch(file.stem)
        product, field = (unquote(name["product"]), unquote(name["field"])) if name else (file.stem, "text")
        marks, warnings = _marks(file.with_suffix(".ann"), names)
        yield Document(file.name, product, field, _text(file), marks, None, tuple(warnings))


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8-sig")  # line ends as they are
    except UnicodeDecodeError as exc:
        raise DataError(f"{file}: {not_utf8(exc.object[exc.start], exc.start)}") from exc


def _names(visual: Path) -> dict[str, str]:
    """Label -> the name that brat shows for it."""
    lines = _text(visual).splitlines() if visual.exists() else []
    pairs = (line.split("|") for line in lines if "|" in line)
    return {label.strip(): shown.strip() for label, shown, *_ in pairs}


def _marks(file: Path, names: dict[str, str]) -> tuple[tuple[Mark, ...] | None, list[str]]:
    if not file.exists():
        return None, []
    lines = [line for line in _text(file).splitlines() if line.strip()]
    notes = {m[1]: m[2] for m in map(_NOTE.fullmatch, lines) if m}
    marks, warnings = [], []
    for number, line in enumerate(lines, 1):
        match = _TEXT_BOUND.fullmatch(line)
        if match is None:
            if line.startswith("T"):
                raise DataError(f"{file} line {number}: expected 'T1<tab>Label 0 5<tab>words', got {line!r:.80}")
            continue  # relations, events, attributes
        name, label, places, said = match.groups()
        label = names.get(label, label)
        pieces = [tuple(map(int, place.split())) for place in places.split(";")]
        merged = [pieces[0]]
        for start, end in pieces[1:]:  # brat cuts a mark at a line end
            if start - merged[-1][1] <= 1:
                merged[-1] = (merged[-1][0], end)
            else:
                merged.append((start, end))
        if len(merged) > 1:
            warnings.append(f"{label}: the {len(merged)} pieces of {said!r:.60} are a span each")
        for start, end in merged:
            marks.append(Mark(start, end, label, said if len(merged) == 1 else None, notes.get(name)))
    return tuple(marks), warnings


def write(path: Path, documents: Iterable[Document]) -> None:
    path.mkdir(parents=True, exist_ok=True)
    labels: dict[str, str] = {}
    for document in documents:
        stem = f"{quote(document.product, safe=' ')}@{quote(document.field, safe=' ')}"
        _write(path / f"{stem}.txt", document.text)
        if document.marks is not None:
            labels |= {_label(m.label): m.label for m in document.marks}
            _write(path / f"{stem}.ann", "".join(_lines(document)))
    entities = "".join(f"{label}\n" for label in sorted(labels))
    overlap = "<OVERLAP>\tArg1:<ENTITY>, Arg2:<ENTITY>, <OVL-TYPE>:<ANY>"
    _write(path / "annotation.conf", f"[entities]\n{entities}[relations]\n{overlap}\n[events]\n[attributes]\n")
    shown = "".join(f"{label} | {name}\n" for label, name in sorted(labels.items()))
    _write(path / "visual.conf", f"[labels]\n{shown}[drawing]\n")


def _lines(document: Document) -> Iterator[str]:
    for number, mark in enumerate(document.marks or (), 1):
        pieces = []
        for piece in re.finditer(r"[^\r\n]+", document.text[mark.start : mark.end]):
            places = (mark.start + piece.start(), mark.start + piece.end())
            pieces.append(" ".join(str(in_units(document.text, at, "characters+lf")) for at in places))
        said = " ".join(re.findall(r"[^\r\n]+", document.text[mark.start : mark.end]))
        yield f"T{number}\t{_label(mark.label)} {';'.join(pieces)}\t{said}\n"
        if mark.value is not None:
            yield f"#{number}\tAnnotatorNotes T{number}\t{' '.join(mark.value.split())}\n"


def _label(name: str) -> str:
    """A name without spaces, which brat's files do not allow."""
    return re.sub(r"\s", "_", name)


def _write(path: Path, text: str) -> None:
    with atomic_write(path) as file:
        file.write(text)


FORMAT = Format("brat", read, write, ("characters+lf", "characters", "utf-16+lf", "utf-16"), ("",))
