"""What a person should know about a data set before training on it, each with the advice that follows.

One class per question below; each sees every product once (:meth:`add`), so that a catalogue of any size can stream by.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from attrex.data.mentions import Mentions
from attrex.errors import DataError, did_you_mean
from attrex.schema import Schema
from attrex.types import CellState, ImageSource, Product

if TYPE_CHECKING:
    from rich.console import RenderableType

Severity = Literal["error", "warning", "info"]
RARE_SPANS = 20  #: fewer spans than this teach little, and macro-F1 leaves such attributes out
_STYLES = {"error": "bold red", "warning": "yellow", "info": "cyan"}
_LEAKS: Mapping[str, Severity] = {
    "id": "error",
    "group": "error",
    "text": "warning",
    "photo": "warning",
    "title": "info",
}
_SHOWN = 5  # examples in a finding


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know: what it is, its numbers, and what to do about it."""

    check: str  #: a short stable name, such as "broken-images"
    severity: Severity
    what: str
    numbers: Mapping[str, Any]
    advice: str

    def to_json(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "severity": self.severity,
            "what": self.what,
            "numbers": dict(self.numbers),
            "advice": self.advice,
        }


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The outcome of :func:`check`: figures by section and findings, the gravest first."""

    splits: Mapping[str, Mapping[str, int]]
    attributes: Mapping[str, Mapping[str, Any]]
    lengths: Mapping[str, Mapping[str, float]]
    images: Mapping[str, int]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """True where no finding is an error."""
        return all(f.severity != "error" for f in self.findings)

    def to_json(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "splits": {k: dict(v) for k, v in self.splits.items()},
            "attributes": {k: dict(v) for k, v in self.attributes.items()},
            "lengths": {k: dict(v) for k, v in self.lengths.items()},
            "images": dict(self.images),
            "findings": [f.to_json() for f in self.findings],
        }

    def render(self) -> RenderableType:
        """The report for a terminal."""
        from rich.console import Group
        from rich.text import Text

        lines = []
        for f in self.findings:
            lines += [
                Text.assemble((f"{f.severity:>7} ", _STYLES[f.severity]), f.what),
                Text(f"        -> {f.advice}", "dim"),
            ]
        return Group(
            _table("Products", "split", self.splits),
            _table("Attributes", "attribute", self.attributes),
            _table("Text lengths", "unit", self.lengths),
            _table("Photos", "", {"products": self.images}),
            *(lines or [Text("Nothing to report.")]),
        )


def _table(title: str, first: str, rows: Mapping[str, Mapping[str, Any]]) -> RenderableType:
    from rich.table import Table

    columns = list(dict.fromkeys(c for row in rows.values() for c in row))
    table = Table(first, title=title, title_justify="left")
    for column in columns:
        table.add_column(column.replace("_", " "), justify="right")
    for name, row in rows.items():
        cells = (
            "" if row.get(c) is None else f"{row[c]:.1%}" if c.endswith("share") else f"{row[c]:,}" for c in columns
        )
        table.add_row(name, *cells)
    return table


def check(
    products_by_split: Mapping[str, Iterable[Product]],
    *,
    schema: Schema | None = None,
    count_tokens: Callable[[str], int] | None = None,
    max_tokens: int | None = None,
    overlap: int = 0,
    check_images: bool = True,
    image_size: int = 224,
    mentions: Mentions | None = None,
) -> CheckReport:
    """Look at every product once and report what matters before training.

    ``products_by_split``: such as ``{"train": ..., "valid": ...}``; one split is fine. ``count_tokens`` counts one
    text's tokens without special ones; with ``max_tokens`` (special ones included) and ``overlap``, both in tokens,
    it tells how many windows the texts take. ``check_images`` decodes every photo at ``image_size`` pixels.
    ``mentions``, learned from the same products, tell what the texts say that the table lacks.
    """
    duplicates = _Duplicates()
    rows, cells, words = _Rows(), _Cells(schema), _Words()
    unsaid = _Unlabelled(mentions)
    lengths = _Lengths(count_tokens, max_tokens, overlap)
    photos = _Photos(image_size if check_images else None, duplicates)
    for split, products in products_by_split.items():
        rows.open(split)
        for product in products:
            rows.add(split, product)
            if product.error is None:
                for part in (cells, unsaid, words, lengths, photos, duplicates):
                    part.add(split, product)
    found = [f for part in (rows, cells, unsaid, words, lengths, photos, duplicates) for f in part.findings()]
    gravity = list(_STYLES)
    return CheckReport(
        splits=rows.splits,
        attributes=cells.summary(),
        lengths=lengths.summary(),
        images=dict(photos.counts),
        findings=tuple(sorted(found, key=lambda f: gravity.index(f.severity))),
    )


def _finding(check: str, severity: Severity, what: str, advice: str, **numbers: Any) -> Finding:
    return Finding(check, severity, what, numbers, advice)


class _Rows:
    """How many products, how many of them readable and labelled."""

    def __init__(self) -> None:
        self.splits: dict[str, Counter[str]] = {}
        self.examples: defaultdict[str, list[str]] = defaultdict(list)

    def open(self, split: str) -> None:
        columns = ("products", "labelled", "complete", "errors", "with_warnings", "without_text")
        self.splits[split] = Counter(dict.fromkeys(columns, 0))

    def add(self, split: str, product: Product) -> None:
        counts = self.splits[split]
        counts["products"] += 1
        counts["labelled"] += product.spans is not None
        counts["complete"] += product.complete
        if product.error is not None:
            self._note(split, "errors", product.error)
        elif not any(t.strip() for t in product.fields.values()):
            self._note(split, "without_text", product.id)
        if product.warnings:
            self._note(split, "with_warnings", product.warnings[0])

    def _note(self, split: str, kind: str, example: str) -> None:
        self.splits[split][kind] += 1
        if len(self.examples[kind]) < _SHOWN:
            self.examples[kind].append(example)

    def findings(self) -> Iterator[Finding]:
        for split, counts in self.splits.items():
            if not counts["products"]:
                yield _finding("empty-split", "error", f"{split} has no products", "check its file", split=split)
        n = sum(self.splits.values(), Counter())
        yield from self._noted("errors", n, "warning", "rows could not be read", "correct them; they are left out")
        yield from self._noted("with_warnings", n, "info", "rows have warnings", "see whether you meant them so")
        advice = "map the columns that hold the title or description"
        yield from self._noted("without_text", n, "warning", "products have no text", advice)
        readable = n["products"] - n["errors"]
        unlabelled = readable - n["labelled"]
        if unlabelled > 0:
            yield _finding(
                "unlabelled",
                "info" if n["labelled"] else "warning",
                f"{unlabelled} of {readable} products have no spans",
                "make them from the table with `attrex locate`; training needs spans, extracting does not",
                unlabelled=unlabelled,
                products=readable,
            )

    def _noted(self, kind: str, n: Counter[str], severity: Severity, what: str, advice: str) -> Iterator[Finding]:
        if n[kind]:
            examples = self.examples[kind]
            what = f"{n[kind]} of {n['products']} {what}, such as: {examples[0]}"
            yield _finding(kind.replace("_", "-"), severity, what, advice, rows=n[kind], examples=examples)


class _Cells:
    """What is known of each attribute: cell states, spans, and whether the schema fits."""

    def __init__(self, schema: Schema | None) -> None:
        self.schema = schema
        self.states: defaultdict[str, Counter[CellState]] = defaultdict(Counter)
        self.spans: defaultdict[str, Counter[str]] = defaultdict(Counter)  # attribute -> split -> spans
        self.splits: list[str] = []
        self.products = self.complete = 0
        self.mentioned: Counter[str] = Counter()  # attribute -> complete products that mention it
        self.odd: Counter[tuple[str, str]] = Counter()  # (category, attribute that it should not have)

    def add(self, split: str, product: Product) -> None:
        self.products += 1
        self.complete += product.complete
        if split not in self.splits:
            self.splits.append(split)
        for attribute in dict.fromkeys((*product.table, *(s.attribute for s in product.spans or ()))):
            state = product.cell_state(attribute)
            self.states[attribute][state] += 1
            self.mentioned[attribute] += product.complete
            if self.schema and product.category is not None and state != CellState.ABSENT:
                ruled_out = attribute in self.schema.names and attribute not in self.schema.allowed(product.category)
                self.odd[product.category, attribute] += ruled_out
        for span in product.spans or ():
            self.spans[span.attribute][split] += 1

    def summary(self) -> dict[str, dict[str, Any]]:
        """By attribute, the fullest first; shares are 0..1."""
        rows: dict[str, dict[str, Any]] = {}
        for attribute, states in self.states.items():
            located, not_located = states[CellState.LOCATED], states[CellState.NOT_LOCATED]
            absent = states[CellState.ABSENT] + self.complete - self.mentioned[attribute]
            filled = located + not_located
            rows[attribute] = {
                "filled": filled,
                "fill_share": round(filled / self.products, 4),
                "located": located,
                "not_located": not_located,
                "located_share": round(located / filled, 4) if filled else None,
                "absent": absent,
                "blank": self.products - filled - absent,
                "spans": self.spans[attribute].total(),
            }
        return dict(sorted(rows.items(), key=lambda r: (-r[1]["filled"], r[0])))

    def findings(self) -> Iterator[Finding]:
        rows = self.summary()
        if self.products and not rows:
            advice = "map the table's columns, or label some products: there is nothing to learn from"
            yield _finding("no-attributes", "warning", "no product has an attribute", advice, products=self.products)
        yield from self._blanks(rows)
        if any(self.spans.values()):
            yield from self._rare(rows)
            yield from self._unsaid(rows)
        if self.schema:
            yield from self._against_schema(self.schema, rows)

    def _blanks(self, rows: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
        blank = sum(r["blank"] for r in rows.values())
        cells = self.products * len(rows)
        if self.products and self.complete == self.products and rows:
            what = f"all {self.products} products are complete: what is not labelled is taken as absent"
            yield _finding("complete", "info", what, "nothing to do where that is so", products=self.products)
        if blank:
            yield _finding(
                "blanks",
                "info",
                f"{blank / cells:.0%} of the cells are blank and count as unknown, not as absent",
                "if a blank means 'has none' in this table, say so with a marker for absent cells, or with "
                "complete: true on rows whose labels are all there are",
                blank=blank,
                absent=sum(r["absent"] for r in rows.values()),
                cells=cells,
            )

    def _rare(self, rows: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
        split = "train" if "train" in self.splits else self.splits[0]
        counts = {a: self.spans[a][split] for a in rows}
        rare = {a: n for a, n in counts.items() if n < RARE_SPANS}
        if rare:
            yield _finding(
                "rare-attributes",
                "warning",
                f"{len(rare)} of {len(rows)} attributes have fewer than {RARE_SPANS} spans in {split}: {_listed(rare)}",
                "merge columns that say the same, add aliases, collect more products, or leave these attributes out",
                spans=rare,
            )

    def _unsaid(self, rows: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
        unsaid = {
            a: r["located_share"] for a, r in rows.items() if r["filled"] >= RARE_SPANS and r["located_share"] < 0.1
        }
        if unsaid:
            yield _finding(
                "rarely-said",
                "info",
                f"{len(unsaid)} attributes are filled but hardly ever said in the text: "
                + ", ".join(f"{a} ({share:.0%})" for a, share in list(unsaid.items())[:_SHOWN]),
                "add aliases for the values never found (see the report of `attrex locate`); what the text does not "
                "say cannot be extracted from it",
                located_share=unsaid,
            )

    def _against_schema(self, schema: Schema, rows: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
        unknown = {a: r["filled"] for a, r in rows.items() if a not in schema.names}
        if unknown:
            near = did_you_mean(next(iter(unknown)), schema.names)
            yield _finding(
                "not-in-schema",
                "error",
                f"{len(unknown)} attributes are not in the schema: {_listed(unknown)}{near}",
                "add them to the schema, list them there as columns of an attribute, or drop them",
                filled=unknown,
            )
        unseen = [a for a in schema.names if a not in rows]
        if unseen:
            what = f"{len(unseen)} attributes of the schema never occur: {', '.join(unseen[:_SHOWN])}"
            yield _finding("never-occur", "warning", what, "check their spelling and columns", attributes=unseen)
        odd = +self.odd
        if odd:
            (category, attribute), _ = odd.most_common(1)[0]
            yield _finding(
                "category-mismatch",
                "warning",
                f"{odd.total()} cells have an attribute that the schema rules out for their category, "
                f"most often {attribute} in {category}",
                "add the attribute to the category in the schema, or correct the products' categories",
                cells={f"{c}: {a}": n for (c, a), n in odd.most_common()},
            )


class _Unlabelled:
    """Known values that the texts name where the table says nothing of them."""

    def __init__(self, mentions: Mentions | None) -> None:
        self.mentions = mentions
        self.blank: Counter[str] = Counter()  # attribute -> blank cells whose text names a known value
        self.filled: Counter[str] = Counter()  # attribute -> filled cells that were not found, likewise

    def add(self, split: str, product: Product) -> None:
        if self.mentions is None or product.spans is None:  # not labelled yet: nobody has looked
            return
        for attribute in {s.attribute for s in self.mentions.unknown(product)}:
            state = product.cell_state(attribute)
            self.blank[attribute] += state == CellState.BLANK
            self.filled[attribute] += state == CellState.NOT_LOCATED

    def findings(self) -> Iterator[Finding]:
        if blank := dict((+self.blank).most_common()):
            yield _finding(
                "unlabelled-in-blank-cells",
                "info",
                f"{sum(blank.values())} blank cells have a text that names a known value: {_listed(blank)}",
                "a model that takes them for absent learns to miss such values; range.unknown says what they teach",
                cells=blank,
            )
        if filled := dict((+self.filled).most_common()):
            yield _finding(
                "unlabelled-in-filled-cells",
                "info",
                f"{sum(filled.values())} cells have a value that was not found, and a text that names another one: "
                + _listed(filled),
                "add aliases where the text says the same in other words",
                cells=filled,
            )


class _Words:
    """Characters claimed by two attributes, and words that are a value of two attributes."""

    def __init__(self) -> None:
        self.collisions: Counter[tuple[str, str]] = Counter()
        self.own_overlaps: Counter[str] = Counter()
        self.products = 0  # that have a collision
        self.values: defaultdict[str, Counter[str]] = defaultdict(Counter)  # words -> attribute -> spans or cells

    def add(self, split: str, product: Product) -> None:
        seen = {(s.attribute, (s.value or s.text).casefold()) for s in product.spans or ()}
        seen |= {(a, v.casefold()) for a, values in product.table.items() for v in values}
        for attribute, value in seen:
            self.values[value][attribute] += 1
        pairs = list(_overlapping(product))
        self.products += bool(pairs)
        for a, b in pairs:
            if a == b:
                self.own_overlaps[a] += 1
            else:
                self.collisions[min(a, b), max(a, b)] += 1

    def findings(self) -> Iterator[Finding]:
        if self.collisions:
            top = {f"{a} / {b}": n for (a, b), n in self.collisions.most_common()}
            yield _finding(
                "tag-collisions",
                "warning",
                f"{self.collisions.total()} pairs of spans of two attributes overlap: {_listed(top)}",
                "models that predict the attribute range keep both; a flat tagger has one tag per token and keeps "
                "one: locate with overlap: longest, or set a priority",
                pairs=top,
                products=self.products,
            )
        if self.own_overlaps:
            top = dict(self.own_overlaps.most_common())
            advice = "keep one of the two: no BIO sequence can say both"
            what = f"{self.own_overlaps.total()} pairs of spans of the same attribute overlap: {_listed(top)}"
            yield _finding("own-overlaps", "warning", what, advice, pairs=top)
        shared = {v: dict(c.most_common()) for v, c in self.values.items() if len(c) > 1}
        if shared:
            most = sorted(shared.items(), key=lambda x: (-sorted(x[1].values())[-2], x[0]))[:20]
            yield _finding(
                "ambiguous-values",
                "info",
                f"{len(shared)} values belong to more than one attribute, such as "
                + "; ".join(f"{v} ({', '.join(c)})" for v, c in most[:3]),
                "attributes that mean the same should be merged; otherwise context and photo must tell them apart",
                values=len(shared),
                most=dict(most),
            )


def _overlapping(product: Product) -> Iterator[tuple[str, str]]:
    """The attributes of every two spans that share characters of one field."""
    for a, b in combinations(product.spans or (), 2):
        if a.field == b.field and a.start < b.end and b.start < a.end and a.key != b.key:
            yield a.attribute, b.attribute


class _Lengths:
    """How long the texts are, in characters, words and tokens, against what the encoder takes."""

    def __init__(self, count_tokens: Callable[[str], int] | None, max_tokens: int | None, overlap: int) -> None:
        self.count_tokens = count_tokens
        self.max_tokens = max_tokens
        self.overlap = overlap
        self.lengths: dict[str, list[int]] = {"characters": [], "words": [], "tokens": [], "windows": []}

    def add(self, split: str, product: Product) -> None:
        texts = product.fields.values()
        self.lengths["characters"].append(sum(map(len, texts)))
        self.lengths["words"].append(sum(len(t.split()) for t in texts))
        if self.count_tokens:
            tokens = sum(map(self.count_tokens, texts)) + max(0, len(texts) - 1)  # separators between fields
            self.lengths["tokens"].append(tokens)
            if self.max_tokens:
                room = self.max_tokens - 2  # the special tokens at both ends
                more = -((room - tokens) // max(1, room - self.overlap)) if tokens > room else 0
                self.lengths["windows"].append(1 + more)

    def summary(self) -> dict[str, dict[str, float]]:
        rows = {}
        for unit, values in self.lengths.items():
            if values:
                ranked = sorted(values)
                at = [ranked[int(q * (len(ranked) - 1))] for q in (0.5, 0.95, 1)]
                mean = round(sum(values) / len(values), 2)
                rows[unit] = {"mean": mean, "median": at[0], "95%": at[1], "longest": at[2]}
        return rows

    def findings(self) -> Iterator[Finding]:
        windows = self.lengths["windows"]
        long = sum(w > 1 for w in windows)
        if long:
            yield _finding(
                "long-texts",
                "info" if long / len(windows) < 0.05 else "warning",
                f"{long} of {len(windows)} texts are longer than the encoder's {self.max_tokens} tokens "
                f"and are read in {sum(windows)} windows in all",
                "nothing is lost, it only takes longer; a larger text.max_tokens (as far as the encoder goes) reads "
                "more at once",
                products=long,
                windows=sum(windows),
                max_tokens=self.max_tokens,
            )


class _Photos:
    """Photos: how many per product, and which cannot be read."""

    def __init__(self, size: int | None, duplicates: _Duplicates) -> None:
        self.size = size
        self.duplicates = duplicates
        self.counts = Counter(dict.fromkeys(("none", "one", "several", "photos"), 0))
        if size is not None:
            self.counts.update(dict.fromkeys(("missing", "broken"), 0))
        self.examples: defaultdict[str, list[str]] = defaultdict(list)

    def add(self, split: str, product: Product) -> None:
        self.counts[("none", "one", "several")[min(len(product.images), 2)]] += 1
        self.counts["photos"] += len(product.images)
        if self.size is not None:
            for source in product.images:
                self._look(split, product, source, self.size)

    def _look(self, split: str, product: Product, source: ImageSource, size: int) -> None:
        from attrex.data.images import decode

        kind = "broken"
        try:
            if isinstance(source, Path) and not source.exists():
                kind = "missing"
            decode(source, size)
            data = source if isinstance(source, bytes) else Path(source).read_bytes()
        except (DataError, OSError) as exc:
            self.counts[kind] += 1
            if len(self.examples[kind]) < _SHOWN:
                self.examples[kind].append(f"product {product.id}: {exc}")
            return
        self.duplicates.note("photo", data, split)

    def findings(self) -> Iterator[Finding]:
        n = self.counts
        products = n["none"] + n["one"] + n["several"]
        if n["none"]:
            yield _finding(
                "no-photo",
                "info",
                f"{n['none']} of {products} products have no photo",
                "they go as text-only, in training and in use; map the image column if they should have one",
                products=n["none"],
            )
        hints = {
            "missing": "check the paths; relative ones start from the data file, or from the directory in --images",
            "broken": "save them again; until then these products go as text-only",
        }
        for kind, advice in hints.items():
            if n[kind]:
                examples = self.examples[kind]
                yield _finding(
                    f"{kind}-images",
                    "error" if n[kind] == n["photos"] else "warning",
                    f"{n[kind]} of {n['photos']} photos are {kind}, such as: {examples[0]}",
                    advice,
                    photos=n[kind],
                    examples=examples,
                )


class _Duplicates:
    """What occurs in more than one split: a model is then tested on what it was trained on."""

    def __init__(self) -> None:
        self.first: defaultdict[str, dict[bytes, str]] = defaultdict(dict)  # kind -> digest -> split it was first in
        self.leaked: Counter[tuple[str, str]] = Counter()  # (kind, split) -> products that share it with an earlier one
        self.repeated: Counter[str] = Counter()  # split -> ids that come again within it

    def add(self, split: str, product: Product) -> None:
        texts = [" ".join(t.casefold().split()) for t in product.fields.values()]
        self.note("id", product.id, split)
        if any(texts):
            self.note("text", "\n".join(texts), split)
        if len(texts) > 1 and texts[0]:
            self.note("title", texts[0], split)
        if product.group is not None:
            self.note("group", product.group, split)

    def note(self, kind: str, key: str | bytes, split: str) -> None:
        data = key if isinstance(key, bytes) else key.encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(data, digest_size=16).digest()
        first = self.first[kind].get(digest)
        if first is None:
            self.first[kind][digest] = split
        elif first != split:
            self.leaked[kind, split] += 1
        elif kind == "id":
            self.repeated[split] += 1

    def findings(self) -> Iterator[Finding]:
        for kind, severity in _LEAKS.items():
            by_split = {split: n for (k, split), n in self.leaked.items() if k == kind}
            if by_split:
                yield _finding(
                    f"{kind}-across-splits",
                    severity,
                    f"products share their {kind} with a product of an earlier split: {_listed(by_split)}",
                    "put products with the same text or photo into one group and split by group; scores on them tell "
                    "what was memorised",
                    products=by_split,
                )
        if self.repeated:
            yield _finding(
                "repeated-ids",
                "warning",
                f"ids that come more than once in a split: {_listed(self.repeated)}",
                "make ids unique: results are matched to products by id",
                products=dict(self.repeated),
            )


def _listed(counts: Mapping[str, int]) -> str:
    """``red (3), blue (1) and 2 more``"""
    shown = ", ".join(f"{k} ({n:,})" for k, n in list(counts.items())[:_SHOWN])
    return shown if len(counts) <= _SHOWN else f"{shown} and {len(counts) - _SHOWN} more"
