"""A second opinion on a lexicon: does a model that reads texts and photos take its forms for values, too?

The table tells how often a form and a cell go together. A model tells whether the words read like a value where they
stand; one that was trained on labels without a form had every reason to leave it alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from attrex.labels.matching import MIN_SUPPORT
from attrex.shop.shop import DEFAULT_SHOP, Shop
from attrex.types import Prediction, Product, paired
from attrex.vocabulary.folding import FoldedText, Folder
from attrex.vocabulary.index import VocabularyIndex
from attrex.vocabulary.lexicon import FormStats, Lexicon, Vocabulary
from attrex.vocabulary.matcher import PhraseMatcher
from attrex.vocabulary.word_lists import WordLists


class LexiconForm(NamedTuple):
    """A form of a lexicon, and what it stands for."""

    attribute: str
    value: str
    form: str


@dataclass(frozen=True, slots=True)
class LexiconReview:
    """A lexicon with the share of a form's places that a model reads as its attribute (:attr:`FormStats.by_model`)."""

    lexicon: Lexicon
    promoted: dict[LexiconForm, FormStats]  #: suggested before, accepted now
    demoted: dict[LexiconForm, FormStats]  #: accepted before, suggested now
    judged: int  #: forms with enough places to be judged


def review_lexicon(
    lexicon: Lexicon,
    products: Iterable[Product],
    predictions: Iterable[Prediction],
    shop: Shop = DEFAULT_SHOP,
    *,
    promote: float,
    demote: float,
) -> LexiconReview:
    """Judge accepted and suggested forms by what a model has read in the products.

    Counted are the places that a form would label: the product's cell has the value, the text has the form and does
    not deny it. It is read there where the model found a value of the attribute on its words. Of forms with
    :data:`MIN_SUPPORT` places a suggested one is accepted from a share of ``promote`` on, an accepted one below
    ``demote`` only suggested; a value's own words stay accepted.

    Raises :class:`DataError` where the predictions are of other products.
    """
    words = _Words(lexicon, shop)
    seen: Counter[LexiconForm] = Counter()
    read: Counter[LexiconForm] = Counter()
    for product, prediction in paired(products, predictions):
        if product.error is None and prediction.error is None:
            for form, was_read in words.places(product, prediction):
                seen[form] += 1
                read[form] += was_read
    shares = {form: round(read[form] / n, 3) for form, n in seen.items() if n >= MIN_SUPPORT}
    promoted: dict[LexiconForm, FormStats] = {}
    demoted: dict[LexiconForm, FormStats] = {}
    attributes: dict[str, Vocabulary] = {}
    for name, vocabulary in lexicon.attributes.items():
        accepted: dict[str, dict[str, FormStats]] = {}
        suggested: dict[str, dict[str, FormStats]] = {}
        for form, known, was_accepted in _all_forms(name, vocabulary):
            share = shares.get(form)
            evidence = known if share is None else known._replace(by_model=share)
            if share is not None and share >= promote and not was_accepted:
                promoted[form] = evidence
            if share is not None and share < demote and was_accepted and not words.is_own(form):
                demoted[form] = evidence
            is_accepted = form in promoted or (was_accepted and form not in demoted)
            (accepted if is_accepted else suggested).setdefault(form.value, {})[form.form] = evidence
        attributes[name] = replace(vocabulary, accepted=accepted, suggested=suggested)
    return LexiconReview(Lexicon(attributes), promoted, demoted, len(shares))


def _all_forms(attribute: str, vocabulary: Vocabulary) -> Iterator[tuple[LexiconForm, FormStats, bool]]:
    """(form, evidence, whether it is accepted) of all forms that stand by themselves."""
    for is_accepted, section in ((True, vocabulary.accepted), (False, vocabulary.suggested)):
        for value, forms in section.items():
            for form, evidence in forms.items():
                yield LexiconForm(attribute, value, form), evidence, is_accepted


class _Words:
    """The forms of a lexicon, to be found in texts."""

    def __init__(self, lexicon: Lexicon, shop: Shop) -> None:
        self._folder = Folder.of(shop.labels, WordLists.of(shop))
        self._index = VocabularyIndex(self._folder, shop, lexicon)
        self._matcher = PhraseMatcher()
        self._forms: defaultdict[tuple[str, str], list[LexiconForm]] = defaultdict(list)
        """(attribute, folded form) -> the forms of a value that it may be"""
        for name, vocabulary in lexicon.attributes.items():
            for form, _, _ in _all_forms(name, vocabulary):
                folded = self._folder.fold(form.form)
                self._matcher.add(folded, name, None)
                self._forms[name, folded].append(form)

    def is_own(self, form: LexiconForm) -> bool:
        """Whether a form is the value as the table writes it."""
        return self._folder.fold(form.form) == self._folder.fold(form.value)

    def places(self, product: Product, prediction: Prediction) -> Iterator[tuple[LexiconForm, bool]]:
        """Every place that a form would label, and whether it is read there."""
        found: defaultdict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
        for span in prediction.spans:
            found[span.attribute, span.field].append((span.start, span.end))
        for field, text in product.fields.items():
            of_field = {name: at for (name, where), at in found.items() if where == field}
            yield from self._in_text(text, product.table, of_field)

    def _in_text(
        self, text: str, table: Mapping[str, tuple[str, ...]], found: Mapping[str, list[tuple[int, int]]]
    ) -> Iterator[tuple[LexiconForm, bool]]:
        folded = FoldedText(text, self._folder)
        negated = list(self._index.negated_ranges(text, folded))
        for match in self._matcher.find(folded):
            if any(low <= match.start < high for low, high in negated):
                continue
            was_read = any(start < match.end and match.start < end for start, end in found.get(match.attribute, ()))
            for form in self._forms[match.attribute, match.form]:
                if form.value in table.get(form.attribute, ()):
                    yield form, was_read
