"""Annotation files to products, and products to annotation files.

A text of a product is a document of its own, which keeps the product's id and the field's name where the format has
room for them; where it has none, a document is a product with one field.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from attrex.errors import ConfigError, DataError, did_you_mean
from attrex.io.annotations import argilla, brat, doccano, label_studio, prodigy, spacy
from attrex.io.annotations.documents import UNSEEN, AnnotationReport, Document, Format, Mark
from attrex.io.annotations.json_lines import objects
from attrex.io.annotations.spans import WAYS, boundaries, in_units, overlapping, spans_of
from attrex.types import Product, Span

FORMATS: dict[str, Format] = {
    "label-studio": label_studio.FORMAT,
    "doccano": doccano.FORMAT,
    "argilla": argilla.FORMAT,
    "prodigy": prodigy.FORMAT,
    "spacy": spacy.FORMAT,
    "brat": brat.FORMAT,
}
"""Name -> how its files are read and written."""


def format_named(name: str) -> Format:
    """Raises :class:`ConfigError` with the names for an unknown one."""
    if name not in FORMATS:
        raise ConfigError(f"no annotation format {name!r}; there are {', '.join(FORMATS)}{did_you_mean(name, FORMATS)}")
    return FORMATS[name]


def format_of(path: Path) -> str | None:
    """Which format a file or directory has, by its first objects; None: none of them, such as products."""
    if path.is_dir():
        return "brat" if any(path.rglob("*.ann")) else None
    if path.suffix == ".spacy":
        return "spacy"
    if not path.is_file() or not path.name.lower().removesuffix(".gz").endswith((".json", ".jsonl", ".ndjson")):
        return None
    try:
        kinds = [_kind(row) for _, row in islice(objects(path), 100)]
    except DataError:
        return None
    return next((kind for kind in kinds if kind), None)


def _kind(row: Mapping[str, object]) -> str | None:
    if isinstance(row.get("annotations"), list) and isinstance(row.get("data"), Mapping):
        return "label-studio"
    if "annotation_id" in row and "annotator" in row:
        return "label-studio"  # JSON-MIN
    if any(key.endswith(".responses") for key in row) or ("responses" in row and "suggestions" in row):
        return "argilla"
    marks = next((row[k] for k in ("label", "entities", "labels", "spans") if isinstance(row.get(k), list)), None)
    first = marks[0] if isinstance(marks, list) and marks else None
    if isinstance(first, Mapping) and ("labels" in first or "hypertextlabels" in first):
        return "label-studio"  # JSON-MIN
    if (isinstance(first, list) and len(first) == 3) or (isinstance(first, Mapping) and "start_offset" in first):
        return "doccano"
    prodigy_mark = isinstance(first, Mapping) and "label" in first and "attribute" not in first and "spans" in row
    return "prodigy" if prodigy_mark or "_input_hash" in row else None


def read_annotations(
    path: str | Path,
    *,
    kind: str | None = None,
    offsets: str | None = None,
    complete: bool = False,
    report: AnnotationReport | None = None,
) -> list[Product]:
    """The products of an annotation file, every span proved to say what its text says.

    :param kind: one of :data:`FORMATS`; None: by what the file has.
    :param offsets: how the file counts, one of :data:`~attrex.io.annotations.spans.WAYS`; None: as fits.
    :param complete: the spans are all there are: what is not marked is no value.
    :param report: gets what was read and changed.

    Raises :class:`DataError` for a file that is none of the format, :class:`ConfigError` for unknown choices.
    """
    path = Path(path)
    if offsets is not None and offsets not in WAYS:
        raise ConfigError(f"offsets should be one of {', '.join(WAYS)}, not {offsets!r}")
    if not path.exists():
        near = did_you_mean(path.name, (p.name for p in path.parent.glob("*")))
        raise DataError(f"{path}: expected a file or directory, found nothing there{near}; check the path")
    name = kind or format_of(path)
    if name is None:
        raise DataError(f"{path}: expected annotations of {', '.join(FORMATS)}, got another file; name its format")
    report = AnnotationReport() if report is None else report
    chosen = format_named(name)
    documents = list(chosen.read(path))
    if not documents:
        raise DataError(f"{path}: expected annotated texts of {chosen.title}, got none; export the file again")
    if complete:
        documents = [d._replace(marks=(), warnings=()) if d.warnings == (UNSEEN,) else d for d in documents]
    found = spans_of(documents, chosen.units, report, offsets)
    return list(_products(documents, found, complete, report))


def _products(
    documents: Sequence[Document],
    found: Sequence[tuple[tuple[Span, ...] | None, tuple[str, ...]]],
    complete: bool,
    report: AnnotationReport,
) -> Iterator[Product]:
    groups: dict[str, list[int]] = {}
    for number, document in enumerate(documents):
        own = groups.setdefault(document.product, [])
        if any(documents[n].field == document.field for n in own):  # two texts of one name are two products
            own = groups.setdefault(f"{document.product} ({document.where})", [])
        own.append(number)
    for name, numbers in groups.items():
        parts = [documents[n] for n in numbers]
        looked = [found[n][0] for n in numbers]
        warnings = list(dict.fromkeys(w for n in numbers for w in found[n][1]))
        labelled = [spans for spans in looked if spans is not None]
        if not labelled:
            report.skipped[next((w for d in parts for w in d.warnings), "nobody has looked")] += 1
        whole = len(labelled) == len(parts) and not any("left out" in w for w in warnings)
        if labelled and len(labelled) < len(parts):
            warnings.append("some of its texts are not annotated")
        told = [d.complete for d in parts if d.complete is not None]
        yield Product(
            name,
            {d.field: d.text for d in parts},
            spans=tuple(span for spans in labelled for span in spans) if labelled else None,
            complete=whole and (all(told) if told else complete),
            warnings=tuple(warnings),
        )


def with_annotations(
    products: Iterable[Product], annotated: Iterable[Product], report: AnnotationReport
) -> Iterator[Product]:
    """Products with the labels that others of the same id have; those without any come as they are.

    Raises :class:`DataError` for a text that differs from the annotated one, where its offsets mean nothing.
    """
    labels = {p.id: p for p in annotated}
    for product in products:
        found = labels.pop(product.id, None)
        if found is None or found.spans is None:
            yield product
            continue
        spans = list(found.spans)
        for field, text in found.fields.items():
            own = product.fields.get(field)
            if own is None and not any(span.field == field for span in spans):
                continue  # another text of the tool's file, such as a note
            if own is None or _plain_ends(own) != _plain_ends(text):
                raise DataError(
                    f"product {product.id!r}: expected the annotated text in {field!r}, got another one; give the "
                    "products that were annotated"
                )
            if own != text:
                spans = [_with_ends_of(own, text, s) if s.field == field else s for s in spans]
        whole = found.complete and found.fields.keys() >= product.fields.keys()
        warnings = (*product.warnings, *found.warnings)
        yield replace(product, spans=tuple(spans), complete=whole, warnings=warnings)
    if labels:
        report.remarks.append(f"{len(labels)} annotated products are not among the products, such as {min(labels)!r}")


def _plain_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _with_ends_of(own: str, annotated: str, span: Span) -> Span:
    """The span in a text that differs from the annotated one in its line ends."""
    places = boundaries(own, "characters+lf")
    start, end = (places[in_units(annotated, at, "characters+lf")] for at in (span.start, span.end))
    return replace(span, start=start, end=end, text=own[start:end])


def write_annotations(path: str | Path, products: Iterable[Product], kind: str) -> AnnotationReport:
    """Write products for an annotation tool to read; what a format cannot hold is told in the report's remarks."""
    report, chosen = AnnotationReport(), format_named(kind)
    path = Path(path)
    ends = [suffix for suffix in chosen.suffixes if suffix]
    if ends and not path.name.endswith(tuple(ends)):
        raise DataError(f"out should end in {' or '.join(ends)} for {chosen.title}, got {path.name!r}")
    chosen.write(path, _documents(products, report, chosen.overlaps))
    return report


def _mark(span: Span, report: AnnotationReport) -> Mark | None:
    """The span without spaces at its edges, which no tool that marks words can hold; None: it has nothing else."""
    said = span.text.strip()
    start = span.start + span.text.index(said)
    report.counts["trimmed"] += said != span.text
    return Mark(start, start + len(said), span.attribute, said, span.value) if said else None


def _documents(products: Iterable[Product], report: AnnotationReport, told: str) -> Iterator[Document]:
    unreadable = astral = 0
    for product in products:
        unreadable += product.error is not None
        for field, text in product.fields.items() if product.error is None else ():
            own = [s for s in product.spans or () if s.field == field]
            marks = tuple(mark for s in own if (mark := _mark(s, report)))
            report.documents += 1
            report.spans += len(marks)
            report.counts["overlapping"] += overlapping(marks)
            astral += bool(marks) and max(text, default="") > "\uffff"
            looked = product.spans is not None
            yield Document(product.id, product.id, field, text, marks if looked else None, product.complete or None)
    if report.counts["overlapping"] and told:
        report.remarks.append(f"{report.counts['overlapping']} spans overlap another one; {told}")
    if unreadable:
        report.remarks.append(f"{unreadable} products could not be read and are left out")
    report.units["utf-16"] += astral
