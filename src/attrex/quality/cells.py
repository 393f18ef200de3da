"""What is known of each attribute, what the texts say beyond it, and words that two attributes claim."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from attrex.errors import did_you_mean
from attrex.labels.mentions import UnlabelledMentions
from attrex.quality.report import SHOWN, Finding, counted_list, finding
from attrex.shop.schema import Schema
from attrex.shop.shop import DEFAULT_CELLS
from attrex.types import CellState, Product

RARE_SPANS = 20  #: fewer spans than this teach little, and macro-F1 leaves such attributes out


class CellsCheck:
    """What is known of each attribute: cell states, spans, and whether the schema fits.

    ``rules``: whose categories rule attributes out; such cells count as absent, as in training.
    """

    def __init__(self, schema: Schema | None, rules: Schema | None = None) -> None:
        self.schema, self.rules = schema, schema or rules
        self.states: defaultdict[str, Counter[CellState]] = defaultdict(Counter)
        self.spans: defaultdict[str, Counter[str]] = defaultdict(Counter)  # attribute -> split -> spans
        self.splits: list[str] = []
        self.products = self.complete = 0
        self.markers: defaultdict[str, Counter[str]] = defaultdict(
            Counter
        )  # value that elsewhere is blank -> attribute
        self.mentioned: Counter[str] = Counter()  # attribute -> complete products that mention it
        self.odd: Counter[tuple[str, str]] = Counter()  # (category, attribute that it should not have)
        self.sizes: Counter[str] = Counter()  # category -> products that are not complete
        self.told: Counter[tuple[str, str]] = Counter()  # of those, (category, attribute) -> cells that are not blank

    def add(self, split: str, product: Product) -> None:
        self.products += 1
        self.complete += product.complete
        if split not in self.splits:
            self.splits.append(split)
        category = None if product.complete else product.category
        if category is not None:
            self.sizes[category] += 1
        for attribute in dict.fromkeys((*product.table, *(s.attribute for s in product.spans or ()))):
            state = product.cell_state(attribute)
            self.states[attribute][state] += 1
            self.mentioned[attribute] += product.complete
            if category is not None:
                self.told[category, attribute] += 1
            if self.schema and product.category is not None and state != CellState.ABSENT:
                ruled_out = attribute in self.schema.names and attribute not in self.schema.allowed(product.category)
                self.odd[product.category, attribute] += ruled_out
        for span in product.spans or ():
            self.spans[span.attribute][split] += 1
        for attribute, values in product.table.items():
            for value in filter(DEFAULT_CELLS.is_blank, values):
                self.markers[value][attribute] += 1

    def summary(self) -> dict[str, dict[str, Any]]:
        """By attribute, the fullest first; shares are 0..1."""
        rows: dict[str, dict[str, Any]] = {}
        allowed = {c: self.rules.allowed(c) for c in self.sizes} if self.rules else {}
        for attribute, states in self.states.items():
            located, not_located = states[CellState.LOCATED], states[CellState.NOT_LOCATED]
            ruled_out = sum(
                self.sizes[c] - self.told[c, attribute] for c, names in allowed.items() if attribute not in names
            )
            absent = states[CellState.ABSENT] + self.complete - self.mentioned[attribute] + ruled_out
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
            yield finding("no-attributes", "warning", "no product has an attribute", advice, products=self.products)
        yield from self._blanks(rows)
        yield from self._markers()
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
            yield finding("complete", "info", what, "nothing to do where that is so", products=self.products)
        if blank:
            yield finding(
                "blanks",
                "info",
                f"{blank / cells:.0%} of the cells are blank and count as unknown, not as absent",
                "if a blank means 'has none' in this table, say so with a marker for absent cells, or with "
                "complete: true on rows whose labels are all there are",
                blank=blank,
                absent=sum(r["absent"] for r in rows.values()),
                cells=cells,
            )

    def _markers(self) -> Iterator[Finding]:
        for word, counts in self.markers.items():
            yield finding(
                "blank-marker",
                "info",
                f"{counts.total()} cells say {word!r}, which counts as a value here: {counted_list(counts)}",
                "if it says nothing, name it under cells: blank in the shop's file",
                cells=dict(counts.most_common()),
            )

    def _rare(self, rows: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
        split = "train" if "train" in self.splits else self.splits[0]
        counts = {a: self.spans[a][split] for a in rows}
        rare = {a: n for a, n in counts.items() if n < RARE_SPANS}
        if rare:
            yield finding(
                "rare-attributes",
                "warning",
                f"{len(rare)} of {len(rows)} attributes have fewer than {RARE_SPANS} spans in {split}: "
                f"{counted_list(rare)}",
                "merge columns that say the same, add aliases, collect more products, or leave these attributes out",
                spans=rare,
            )

    def _unsaid(self, rows: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
        unsaid = {
            a: r["located_share"] for a, r in rows.items() if r["filled"] >= RARE_SPANS and r["located_share"] < 0.1
        }
        if unsaid:
            yield finding(
                "rarely-said",
                "info",
                f"{len(unsaid)} attributes are filled but hardly ever said in the text: "
                + ", ".join(f"{a} ({share:.0%})" for a, share in list(unsaid.items())[:SHOWN]),
                "add aliases for the values never found (see the report of `attrex locate`); what the text does not "
                "say cannot be extracted from it",
                located_share=unsaid,
            )

    def _against_schema(self, schema: Schema, rows: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
        unknown = {a: r["filled"] for a, r in rows.items() if a not in schema.names}
        if unknown:
            near = did_you_mean(next(iter(unknown)), schema.names)
            yield finding(
                "not-in-schema",
                "error",
                f"{len(unknown)} attributes are not in the schema: {counted_list(unknown)}{near}",
                "add them to the schema, list them there as columns of an attribute, or drop them",
                filled=unknown,
            )
        unseen = [a for a in schema.names if a not in rows]
        if unseen:
            what = f"{len(unseen)} attributes of the schema never occur: {', '.join(unseen[:SHOWN])}"
            yield finding("never-occur", "warning", what, "check their spelling and columns", attributes=unseen)
        odd = +self.odd
        if odd:
            (category, attribute), _ = odd.most_common(1)[0]
            yield finding(
                "category-mismatch",
                "warning",
                f"{odd.total()} cells have an attribute that the schema rules out for their category, "
                f"most often {attribute} in {category}",
                "add the attribute to the category in the schema, or correct the products' categories",
                cells={f"{c}: {a}": n for (c, a), n in odd.most_common()},
            )


class Unlabelled:
    """Known values that the texts name where the table says nothing of them."""

    def __init__(self, mentions: UnlabelledMentions | None) -> None:
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
            yield finding(
                "unlabelled-in-blank-cells",
                "info",
                f"{sum(blank.values())} blank cells have a text that names a known value: {counted_list(blank)}",
                "a model that takes them for absent learns to miss such values; range.unknown says what they teach",
                cells=blank,
            )
        if filled := dict((+self.filled).most_common()):
            yield finding(
                "unlabelled-in-filled-cells",
                "info",
                f"{sum(filled.values())} cells have a value that was not found, and a text that names another one: "
                + counted_list(filled),
                "add aliases where the text says the same in other words",
                cells=filled,
            )


class Words:
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
        pairs = list(_overlapping_labels(product))
        self.products += bool(pairs)
        for a, b in pairs:
            if a == b:
                self.own_overlaps[a] += 1
            else:
                self.collisions[min(a, b), max(a, b)] += 1

    def findings(self) -> Iterator[Finding]:
        if self.collisions:
            top = {f"{a} / {b}": n for (a, b), n in self.collisions.most_common()}
            yield finding(
                "tag-collisions",
                "warning",
                f"{self.collisions.total()} pairs of spans of two attributes overlap: {counted_list(top)}",
                "models that predict the attribute range keep both; a flat tagger has one tag per token and keeps "
                "one: locate with overlap: longest, or set a priority",
                pairs=top,
                products=self.products,
            )
        if self.own_overlaps:
            top = dict(self.own_overlaps.most_common())
            advice = "keep one of the two: no BIO sequence can say both"
            what = f"{self.own_overlaps.total()} pairs of spans of the same attribute overlap: {counted_list(top)}"
            yield finding("own-overlaps", "warning", what, advice, pairs=top)
        shared = {v: dict(c.most_common()) for v, c in self.values.items() if len(c) > 1}
        if shared:
            most = sorted(shared.items(), key=lambda x: (-sorted(x[1].values())[-2], x[0]))[:20]
            yield finding(
                "ambiguous-values",
                "info",
                f"{len(shared)} values belong to more than one attribute, such as "
                + "; ".join(f"{v} ({', '.join(c)})" for v, c in most[:3]),
                "attributes that mean the same should be merged; otherwise context and photo must tell them apart",
                values=len(shared),
                most=dict(most),
            )


def _overlapping_labels(product: Product) -> Iterator[tuple[str, str]]:
    """The attributes of every two spans that share characters of one field."""
    spans = sorted(product.spans or (), key=lambda s: (s.field, s.start))
    for n, a in enumerate(spans):
        for m in range(n + 1, len(spans)):
            b = spans[m]
            if b.field != a.field or b.start >= a.end:
                break
            if a.key != b.key:
                yield a.attribute, b.attribute
