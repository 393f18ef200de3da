"""Where a text names a known value that its product's labels lack: what a partly filled table may be missing.

A blank cell is unknown, not absent. Of its words only those that name a value of the attribute are in doubt; all others
are as safe a negative as any. The forms searched are the schema's options and aliases, and those of labelled spans.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cache, partial

from attrex.shop.schema import Schema
from attrex.types import CellState, Product, Span
from attrex.vocabulary.folding import FoldedText, Folder, without_possessive
from attrex.vocabulary.matcher import MIN_FORM_LENGTH, PhraseMatcher, longest_first, negated_ranges
from attrex.vocabulary.word_lists import ENGLISH, WordLists

OFTEN = 10
"""Places of a form beside the same word from which on that word may rule it out."""
Beside = tuple[str, str, str]
"""A neighbouring word: attribute, form, and the word with a space on the form's side; folded."""


class UnlabelledMentions:
    """Finds known values of all attributes in texts; the cost grows with the texts, not with the number of forms.

    ``forms``: folded form -> attribute -> the value it stands for. ``never``: neighbours beside which a form is no
    value: "red" before "tape" is a part of a brand. Nothing behind a "not" is a mention.
    """

    def __init__(
        self,
        forms: Mapping[str, Mapping[str, str]],
        schema: Schema,
        never: AbstractSet[Beside] = frozenset(),
        words: WordLists = ENGLISH,
    ) -> None:
        self.schema, self.never = schema, never
        self._folder = Folder.of(words=words)
        self._negations = tuple(map(self._folder.fold, words.negations))
        self._matcher = PhraseMatcher()
        for form, by_attribute in forms.items():
            for attribute, value in by_attribute.items():
                self._matcher.add(form, attribute, value)

    @classmethod
    def learn(
        cls,
        products: Sequence[Product],
        schema: Schema,
        *,
        min_count: int = 2,
        min_share: float = 0.2,
        words: WordLists = ENGLISH,
    ) -> UnlabelledMentions:
        """The forms of a schema and of labelled products.

        A form that is no option or alias must be labelled ``min_count`` times. A form that is seldom a value where the
        table is filled ("only", the brand, in "hand wash only") is left out: of its places in products whose cell is
        known, at least ``min_share`` must be labelled (one more of each kind is added, so that few prove nothing). The
        same holds beside each of the words that it often stands beside.
        """
        readable = [p for p in products if p.error is None and p.spans is not None]  # None: nobody has looked
        folder = Folder.of(words=words)
        forms = _known_forms(schema, folder, words)
        for (attribute, form), (count, value) in _labelled_forms(readable, schema, folder).items():
            if count >= min_count:
                forms[form].setdefault(attribute, value)
        named: Counter[tuple[str, ...]] = Counter()
        right: Counter[tuple[str, ...]] = Counter()
        everything = cls(forms, schema, words=words)
        for product in readable:
            labelled = _labelled_characters(product, lambda span: (span.attribute, span.field))
            known = cache(product.cell_state)
            for form, beside, span in everything._search(product):
                if known(span.attribute) != CellState.BLANK:
                    keys = [(span.attribute, form), *beside]
                    named.update(keys)
                    if any(labelled[span.attribute, span.field][span.start : span.end]):
                        right.update(keys)

        def seldom(*key: str) -> bool:
            return right[key] + 1 < min_share * (named[key] + 2)

        kept = {form: {a: v for a, v in by.items() if not seldom(a, form)} for form, by in forms.items()}
        never = {
            (a, f, word)
            for a, f, word in (k for k in named if len(k) == 3)
            if named[a, f, word] >= OFTEN and seldom(a, f, word)
        }
        return cls({form: by for form, by in kept.items() if by}, schema, never, words)

    def find(self, product: Product) -> list[Span]:
        """Every mention of a value that is not labelled, in reading order; ``value`` is what it stands for.

        What overlaps a labelled span is no mention: it is that label, or its words belong to another attribute.
        """
        taken = _labelled_characters(product, lambda span: span.field)
        return [
            span
            for _, beside, span in self._search(product)
            if self.never.isdisjoint(beside) and not any(taken[span.field][span.start : span.end])
        ]

    def unknown(self, product: Product) -> list[Span]:
        """The mentions that may be an unlabelled value.

        In a blank cell; beside the value of a located one; and in a cell whose value was not found in the text, which
        often has it in other words. Not in a cell that is absent or ruled out by the category, not in one that a person
        has decided, and not in a complete product, which has all its labels.
        """
        if product.complete or product.error is not None:
            return []
        state = cache(partial(self.schema.cell_state, product))
        found = (s for s in self.find(product) if s.attribute not in product.reviewed)
        return [s for s in found if state(s.attribute) != CellState.ABSENT]

    def _search(self, product: Product) -> Iterator[tuple[str, list[Beside], Span]]:
        """(form, neighbours, span) of every mention; of those of one attribute that overlap, the longest."""
        for name, text in product.fields.items():
            folded = FoldedText(text, self._folder)
            negated = bytearray(len(text) + 1)  # characters behind a "not", a byte each
            for low, high in negated_ranges(text, folded, self._negations):
                negated[low:high] = b"\1" * (high - low)
            words = list(folded.words())
            starts, ends = [w[1] for w in words], [w[2] for w in words]
            matches = (m for m in self._matcher.search(folded) if not negated[m.start])
            kept = []
            for attribute, start, last, value, _, form in longest_first(matches, key=lambda m: m.attribute):
                end = without_possessive(text, start, last, value or "")
                before, after = bisect_right(ends, start) - 1, bisect_left(starts, last)
                left = _within_line(words, before, text[ends[before] : start] if before >= 0 else "\n")
                right = _within_line(words, after, text[last : starts[after]] if after < len(words) else "\n")
                beside = [(attribute, form, f"{left} ")] if left else []
                beside += [(attribute, form, f" {right}")] if right else []
                kept.append((form, beside, Span(attribute, start, end, text[start:end], name, value)))
            yield from sorted(kept, key=lambda item: (item[2].start, -item[2].end, item[2].attribute))


def _within_line(words: Sequence[tuple[str, int, int]], at: int, between: str) -> str:
    """The folded neighbour; nothing where a line begins or ends."""
    return "" if "\n" in between else words[at][0].strip()


def _known_forms(schema: Schema, folder: Folder, words: WordLists) -> defaultdict[str, dict[str, str]]:
    """The schema's options with all their names, its aliases, and the word lists': form -> attribute -> value."""
    of_any = {folder.fold(value): forms for value, forms in words.aliases.items()}
    known: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for attribute in schema.attributes:
        for value in dict.fromkeys((*attribute.options, *attribute.aliases)):
            for written in (value, *attribute.forms(value), *of_any.get(folder.fold(value), ())):
                form = folder.fold(written)
                if len(form) >= MIN_FORM_LENGTH:
                    known[form].setdefault(attribute.name, value)
    return known


def _labelled_forms(
    products: Sequence[Product], schema: Schema, folder: Folder
) -> dict[tuple[str, str], tuple[int, str]]:
    """(attribute, form) of the labelled spans -> how often, and the value of the first."""
    names = set(schema.names)
    counts: dict[tuple[str, str], tuple[int, str]] = {}
    for product in products:
        for span in product.spans or ():
            form = folder.fold(span.text)
            if span.attribute in names and len(form) >= MIN_FORM_LENGTH:
                times, value = counts.get((span.attribute, form), (0, span.value or span.text))
                counts[span.attribute, form] = times + 1, value
    return counts


def _labelled_characters(product: Product, key: Callable[[Span], Hashable]) -> defaultdict[Hashable, bytearray]:
    """Which characters are labelled, a byte each, by the key of their labels."""
    longest = max(map(len, product.fields.values()), default=0)
    characters: defaultdict[Hashable, bytearray] = defaultdict(partial(bytearray, longest))
    for span in product.spans or ():
        characters[key(span)][span.start : span.end] = b"\1" * (span.end - span.start)
    return characters
