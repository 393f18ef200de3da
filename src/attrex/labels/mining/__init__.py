"""Mine from a shop's own table and texts what the texts call its values: :class:`attrex.vocabulary.lexicon.Lexicon`.

A form is believed when two things agree. It resembles the value, or stands where the value is expected: in the value's
slot of the title, under a heading, behind a percentage. And where texts have it, the filled cells have that value, far
more often than elsewhere. Nothing but the table and the texts is used; labels that products may have are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrex.labels.mining.announced import mine_headed, mine_headings, mine_parts
from attrex.labels.mining.corpus import Corpus, Thresholds
from attrex.labels.mining.modifiers import mine_modifiers
from attrex.labels.mining.synonyms import Candidates, mine_contained, mine_own, mine_resembling
from attrex.labels.mining.titles import mine_titles
from attrex.shop.shop import DEFAULT_SHOP, Shop
from attrex.types import Product
from attrex.vocabulary.lexicon import FormStats, Lexicon, Vocabulary

__all__ = ["Thresholds", "mine"]

DEFAULT_THRESHOLDS = Thresholds()


def mine(
    products: Iterable[Product],
    shop: Shop = DEFAULT_SHOP,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
) -> Lexicon:
    """The lexicon of a shop, from its products with their tables."""
    corpus = Corpus(products, shop, thresholds)
    accepted, suggested = mine_own(corpus), Candidates()
    for found in (mine_contained(corpus), mine_resembling(corpus), mine_titles(corpus)):
        for (name, value, form), evidence in found.items():
            # A value's own last word is a wider word for it, and need not tell it from all others.
            needed = thresholds.suggested if corpus.ends_with(value, form) else thresholds.accepted
            chosen = accepted if evidence.precision >= needed else suggested
            chosen.setdefault((name, value, form), evidence)
    headings = mine_headings(corpus)
    headed, parts = mine_headed(corpus, headings), mine_parts(corpus)
    modifiers = mine_modifiers(corpus)
    return Lexicon(
        {
            name: Vocabulary(
                accepted=_by_value(name, accepted),
                headed=_by_value(name, headed),
                suggested=_by_value(name, {k: e for k, e in suggested.items() if k not in accepted}),
                headings=headings.get(name, {}),
                parts=parts.get(name, {}),
                modifiers=modifiers.get(name, {}),
                categories=corpus.categories_of(name),
            )
            for name in corpus.options
        }
    )


def _by_value(name: str, found: Mapping[tuple[str, str, str], FormStats]) -> dict[str, dict[str, FormStats]]:
    """value -> form -> evidence of one attribute, the best supported first."""
    out: dict[str, dict[str, FormStats]] = {}
    for (attribute, value, form), evidence in sorted(found.items(), key=lambda item: (-item[1].support, item[0])):
        if attribute == name:
            out.setdefault(value, {})[form] = evidence
    return out
