"""spaCy's DocBin (.spacy): entities, and the spans of every group.

Stands on spaCy 3.8, whose own classes read and write it (``pip install 'attrex[spacy]'``). Offsets are characters of
the text. Entities never overlap; where labels do, all are written as the span group ``sc``, as spancat's are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from attrex.errors import DataError
from attrex.io.annotations.documents import Document, Format, Mark
from attrex.io.atomic import atomic_path

GROUP = "sc"


def _spacy() -> Any:
    try:
        import spacy
        import spacy.tokens
    except ImportError as exc:
        raise DataError(
            "expected the package 'spacy', which reads and writes .spacy files, but it is not installed; "
            "run: pip install 'attrex[spacy]'"
        ) from exc
    return spacy


def read(path: Path) -> Iterator[Document]:
    spacy = _spacy()
    nlp = spacy.blank("xx")
    try:
        docs = list(spacy.tokens.DocBin().from_disk(path).get_docs(nlp.vocab))
    except FileNotFoundError:
        raise DataError(f"{path}: expected a .spacy file, found nothing there; check the path") from None
    except Exception as exc:  # whatever msgpack and zlib say of a damaged file
        raise DataError(f"{path}: expected a DocBin of spaCy 3, got: {exc}; write it again") from exc
    for number, doc in enumerate(docs, 1):
        found = [*doc.ents, *(span for group in doc.spans.values() for span in group)]
        marks = dict.fromkeys(Mark(s.start_char, s.end_char, s.label_, s.text, s.kb_id_ or None) for s in found)
        looked = bool(found) or doc.has_annotation("ENT_IOB") or GROUP in doc.spans
        data = doc.user_data
        product, field = str(data.get("product", f"{path.stem}-{number}")), str(data.get("field", "text"))
        complete = data.get("complete") if isinstance(data.get("complete"), bool) else None
        yield Document(
            f"{path.name} doc {number}", product, field, doc.text, tuple(marks) if looked else None, complete
        )


def write(path: Path, documents: Iterable[Document]) -> None:
    spacy = _spacy()
    nlp = spacy.blank("xx")
    docs = spacy.tokens.DocBin(store_user_data=True)
    for document in documents:
        docs.add(_doc(nlp, document))
    with atomic_path(path) as part:
        part.write_bytes(docs.to_bytes())


def _doc(nlp: Any, document: Document) -> Any:
    """Tokens are cut where a span begins or ends within one, so that every span is kept as it is."""
    spacy = _spacy()
    plain, edges = nlp.make_doc(document.text), {at for m in document.marks or () for at in (m.start, m.end)}
    words, spaces = [], []
    for token in plain:
        end = token.idx + len(token.text)
        cuts = [token.idx, *sorted(at for at in edges if token.idx < at < end), end]
        words += [document.text[a:b] for a, b in pairwise(cuts)]
        spaces += [False] * (len(cuts) - 2) + [bool(token.whitespace_)]
    doc = spacy.tokens.Doc(nlp.vocab, words=words, spaces=spaces)
    doc.user_data |= {"product": document.product, "field": document.field}
    doc.user_data |= {} if document.complete is None else {"complete": document.complete}
    if document.marks is not None:
        spans = [doc.char_span(m.start, m.end, label=m.label, kb_id=m.value or "") for m in document.marks]
        ordered = sorted(document.marks, key=lambda m: m.start)
        if any(b.start < a.end for a, b in pairwise(ordered)):
            doc.spans[GROUP] = spans
        else:
            doc.set_ents(spans, default="outside")
    return doc


FORMAT = Format("spaCy DocBin", read, write, ("characters",), (".spacy",))
