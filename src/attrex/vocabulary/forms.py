"""The forms of a value: its own words, its aliases, and what a lexicon's texts call it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from attrex.shop.shop import DEFAULT_SHOP, Shop
from attrex.vocabulary.folding import IS_CJK, Folder
from attrex.vocabulary.lexicon import NOTHING_MINED, FormStats, Lexicon


def known_forms(shop: Shop, lexicon: Lexicon) -> Iterator[tuple[str, str, Mapping[str, FormStats | None]]]:
    """(attribute, value, forms as they are written) of a shop's options and of a lexicon's accepted values."""
    for attribute in shop.schema.attributes:
        for value in attribute.options:
            yield attribute.name, value, dict.fromkeys([value, *attribute.forms(value)])
    for name, vocabulary in lexicon.attributes.items():
        for value, forms in vocabulary.accepted.items():
            yield name, value, forms if shop.labels.mined_forms else {value: forms.get(value)}


class ValueForms:
    """Value -> the folded forms that stand for it.

    Aliases belong to a value of that name, whichever attribute it is of; the forms of a shop's options and of a lexicon
    to a value of their attribute.
    """

    def __init__(self, folder: Folder, shop: Shop = DEFAULT_SHOP, lexicon: Lexicon = NOTHING_MINED) -> None:
        self._folder = folder
        self._min_length = max(shop.labels.min_length, 1)
        aliases: defaultdict[str, list[str]] = defaultdict(list)
        if shop.labels.aliases:
            of_options = [item for a in shop.schema.attributes for item in a.aliases.items()]
            for value, others in [*shop.aliases.items(), *of_options]:
                aliases[folder.fold(value)] += map(folder.fold, others)
        forms: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for attribute, value, known in known_forms(shop, lexicon):
            forms[attribute, value] += map(folder.fold, known)
        self.aliases = {value: self._long_enough(others) for value, others in aliases.items()}
        self.forms = {key: self._long_enough(others) for key, others in forms.items()}
        self._options = {  # a cell may have any of an option's names, and a text any other one
            (a.name, folder.fold(name)): option
            for a in shop.schema.attributes
            for option in reversed(a.options)
            for name in a.names(option)
        }

    def _long_enough(self, forms: list[str]) -> tuple[str, ...]:
        unique = (f for f in dict.fromkeys(forms) if any(map(str.isalnum, f)))  # dots or a tick are in every text
        return tuple(f for f in unique if len(f.strip()) >= self._min_length or IS_CJK.match(f))

    def of(self, attribute: str, value: str) -> tuple[str, ...]:
        """The value's own form first; without forms that are shorter than the policy's `min_length` or say nothing."""
        own = self._folder.fold(value)
        option = value if (attribute, value) in self.forms else self._options.get((attribute, own), value)
        others = (*self.aliases.get(own, ()), *self.forms.get((attribute, option), ()))
        return (*self._long_enough([own]), *(form for form in others if form != own))
