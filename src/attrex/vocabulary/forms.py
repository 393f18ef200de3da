"""The forms of a value: its own words, its aliases, and what a lexicon's texts call it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from attrex.shop.label_policy import DEFAULT_POLICY, LocatePolicy
from attrex.shop.schema import Schema
from attrex.vocabulary.folding import IS_CJK, Folder
from attrex.vocabulary.lexicon import NOTHING_MINED, FormStats, Lexicon
from attrex.vocabulary.word_lists import ENGLISH, WordLists


def known_forms(
    schema: Schema | None, lexicon: Lexicon, policy: LocatePolicy
) -> Iterator[tuple[str, str, Mapping[str, FormStats | None]]]:
    """(attribute, value, forms as they are written) of a schema's options and of a lexicon's accepted values."""
    for attribute in schema.attributes if schema else ():
        for value in attribute.options:
            yield attribute.name, value, dict.fromkeys([value, *attribute.aliases.get(value, ())])
    for name, vocabulary in lexicon.attributes.items():
        for value, forms in vocabulary.accepted.items():
            yield name, value, forms if policy.mined_forms else {value: forms.get(value)}


class ValueForms:
    """Value -> the folded forms that stand for it.

    Aliases belong to a value of that name, whichever attribute it is of; the forms of a schema's options and of a
    lexicon to a value of their attribute.
    """

    def __init__(
        self,
        folder: Folder,
        schema: Schema | None = None,
        policy: LocatePolicy = DEFAULT_POLICY,
        lexicon: Lexicon = NOTHING_MINED,
        words: WordLists = ENGLISH,
    ) -> None:
        self._folder = folder
        self._min_length = max(policy.min_length, 1)
        aliases: defaultdict[str, list[str]] = defaultdict(list)
        if policy.aliases:
            in_schema = [item for a in (schema.attributes if schema else ()) for item in a.aliases.items()]
            for value, others in [*words.aliases.items(), *in_schema]:
                aliases[folder.fold(value)] += map(folder.fold, others)
        forms: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for attribute, value, known in known_forms(schema, lexicon, policy):
            forms[attribute, value] += map(folder.fold, known)
        self.aliases = {value: self._long_enough(others) for value, others in aliases.items()}
        self.forms = {key: self._long_enough(others) for key, others in forms.items()}

    def _long_enough(self, forms: list[str]) -> tuple[str, ...]:
        unique = dict.fromkeys(forms)
        return tuple(f for f in unique if len(f.strip()) >= self._min_length or IS_CJK.match(f))

    def of(self, attribute: str, value: str) -> tuple[str, ...]:
        """The value's own form first; without forms that are shorter than the policy's `min_length`."""
        own = self._folder.fold(value)
        others = (*self.aliases.get(own, ()), *self.forms.get((attribute, value), ()))
        return (*self._long_enough([own]), *(form for form in others if form != own))
