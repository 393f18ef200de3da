"""brat's directory: a text NAME.txt, and its annotations NAME.ann beside it.

Stands on brat 1.3 (brat.nlplab.org/standoff.html and configuration.html, server/src/annotation.py at 02ad409), and on
bioc 2.1 and bratly 0.1.4, which read what is written here: ``T1<tab>Label 0 5<tab>words``, offsets in characters, end
exclusive; pieces of a discontinuous one are ``0 5;8 12``; a note is ``#1<tab>AnnotatorNotes T1<tab>words``; a label is
ASCII letters, digits, ``-`` and ``_``, and ``visual.conf`` has its name. A ``\\r\\n`` counts one where a program reads
texts as Python does, and two where it decodes the bytes, as brat's ``codecs.open`` does: texts are written with
``\\n``, which is the same to both. brat opens no text without its .ann, so that people make empty ones first: one that
is empty says nothing, unless it was written here for a product that somebody has looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from urllib.parse import quote, unquote

from attrex.errors import DataError
from attrex.io.annotations.documents import UNSEEN, Document, Format, Mark
from attrex.io.annotations.spans import in_units
from attrex.io.atomic import atomic_write
from attrex.io.rows import not_utf8

_TEXT_BOUND = re.compile(r"(T\S+)\t(\S+) (\d+ \d+(?:;\d+ \d+)*)\t(.*)")
_NOTE = re.compile(r"#\S*\tAnnotatorNotes (T\S+)\t(.*)")
_UNLABELLED, _CRLF = "@unlabelled", "@crlf"
"""At the end of a text's name: nobody had looked when it was written; its line ends were ``\\r\\n``."""
_IN_NAME = re.compile(rf"(?P<product>[^@]+)@(?P<field>[^@]+?)(?P<unlabelled>{_UNLABELLED})?(?P<crlf>{_CRLF})?")


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
        if marks == () and (name is None or name["unlabelled"]):
            marks, warnings = None, [UNSEEN]
        text = _text(file)
        if name and name["crlf"] and "\r" not in text:
            text = text.replace("\n", "\r\n")
        yield Document(file.name, product, field, text, marks, None, tuple(warnings))


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
    lines = [line for line in re.split(r"\r?\n", _text(file)) if line.strip()]  # words may have other line ends
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
        stem += _UNLABELLED if document.marks is None else ""
        plain = document.text.replace("\r\n", "\n")
        if plain != document.text and plain.replace("\n", "\r\n") == document.text:
            stem, text = stem + _CRLF, plain
        else:
            text = document.text
        _write(path / f"{stem}.txt", text)
        _write(path / f"{stem}.ann", "".join(_lines(document, labels)))
    entities = "".join(f"{label}\n" for label in sorted(labels))
    overlap = "<OVERLAP>\tArg1:<ENTITY>, Arg2:<ENTITY>, <OVL-TYPE>:<ANY>"
    _write(path / "annotation.conf", f"[entities]\n{entities}[relations]\n{overlap}\n[events]\n[attributes]\n")
    shown = "".join(f"{label} | {name}\n" for label, name in sorted(labels.items()))
    _write(path / "visual.conf", f"[labels]\n{shown}[drawing]\n")


def _lines(document: Document, labels: dict[str, str]) -> Iterator[str]:
    for number, mark in enumerate(document.marks or (), 1):
        pieces = []
        for piece in re.finditer(r"[^\r\n]+", document.text[mark.start : mark.end]):
            places = (mark.start + piece.start(), mark.start + piece.end())
            pieces.append(" ".join(str(in_units(document.text, at, "characters+lf")) for at in places))
        said = " ".join(re.findall(r"[^\r\n]+", document.text[mark.start : mark.end]))
        yield f"T{number}\t{_label(mark.label, labels)} {';'.join(pieces)}\t{said}\n"
        if mark.value is not None:
            yield f"#{number}\tAnnotatorNotes T{number}\t{' '.join(mark.value.split())}\n"


def _label(name: str, labels: dict[str, str]) -> str:
    """A label for an attribute, as brat allows them; ``labels``: those that are given, with their attributes."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", name)
    label = next(free for n in count(1) if labels.get(free := plain if n == 1 else f"{plain}_{n}", name) == name)
    labels[label] = name
    return label


def _write(path: Path, text: str) -> None:
    with atomic_write(path) as file:
        file.write(text)


FORMAT = Format("brat", read, write, ("characters+lf", "characters", "utf-16+lf", "utf-16"), ("",))
