"""Titles and descriptions of drawn products, with every span they contain."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from random import Random

from attrex.demo.catalogue.facts import Facts
from attrex.demo.catalogue.vocabulary import COLOR_BRANDS, COLORS, PRODUCT_TYPES, Language, Wordings
from attrex.types import Span

_SILENT_COLOR_SHARE = 0.12  # of the unambiguous products: their text does not say the colour at all
_NEGATIVE_SHARE = 0.35
_LOOK_ALIKE_SHARE = 0.4
_FILLER_SHARE = 0.4
_TITLE_CASE_SHARE = 0.7

_WORD_START = re.compile(r"(?<![\w'’])[a-z]")
_COLOR_SLOTS = ("c1", "c2", "c3")


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of one product: fields, all spans in reading order, and which traps they contain."""

    fields: Mapping[str, str]
    spans: tuple[Span, ...]
    traps: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Said:
    """A piece of text with its spans; offsets are relative to the piece."""

    text: str
    spans: tuple[Span, ...] = ()

    def moved(self, offset: int, field: str) -> tuple[Span, ...]:
        return tuple(replace(s, start=s.start + offset, end=s.end + offset, field=field) for s in self.spans)


def write_texts(facts: Facts, lexicon: Language, rng: Random) -> Texts:
    """Write the title and the description of one product."""
    return _Writer(facts, lexicon, rng).write()


@cache
def _slots(template: str) -> tuple[tuple[str, ...], frozenset[str]]:
    """The template cut into literal, slot, literal, ..., and the attributes it needs."""
    parts = tuple(re.split(r"\{([\w.]+)\}", template))
    return parts, frozenset(p.removesuffix(".n") for p in parts[1::2])


class _Writer:
    def __init__(self, facts: Facts, lexicon: Language, rng: Random) -> None:
        self.facts, self.lexicon, self.rng = facts, lexicon, rng
        self.traps: set[str] = set()
        self.sayable = set(facts.looks)
        if facts.colors or rng.random() < _SILENT_COLOR_SHARE:
            self.sayable.discard("color")

    def write(self) -> Texts:
        place = self.rng.choice(("title", "description", "description", "both")) if self.facts.colors else ""
        title = self._title(ambiguous=place in ("title", "both"))
        description = self._join(self._sentences(ambiguous=place in ("description", "both")))
        spans = title.moved(0, "title") + description.moved(0, "description")
        self._mark(spans)
        return Texts({"title": title.text, "description": description.text}, spans, frozenset(self.traps))

    def _title(self, ambiguous: bool) -> _Said:
        if ambiguous:
            templates = self.lexicon.ambiguous_titles[len(self.facts.colors)]
        else:
            templates = tuple(t for t in self.lexicon.titles if _slots(t)[1] <= self.sayable)
        title_case = self.lexicon.capitals and self.rng.random() < _TITLE_CASE_SHARE
        return self._say(self.rng.choice(templates), title_case)

    def _sentences(self, ambiguous: bool) -> list[_Said]:
        """The sentences of the description, in random order."""
        rng, lexicon = self.rng, self.lexicon
        said = [self._say(t) for t in self._about_the_product()]
        for number, figure in self.facts.specs.items():
            value = lexicon.spec_value_of(number, figure)
            text = lexicon.spec_sentence.format(number, value)
            start = text.rindex(value)
            span = Span(lexicon.spec_name.format(number), start, start + len(value), value, value=value)
            said.append(_Said(text, (span,)))
        if ambiguous:
            said.append(self._say(rng.choice(lexicon.ambiguous_sentences[len(self.facts.colors)])))
        if not self.facts.colors and rng.random() < _NEGATIVE_SHARE:
            said.append(self._say(rng.choice(lexicon.negatives)))
            self.traps.add("negative_mention")
        look_alikes = [
            a.sentence
            for a in lexicon.look_alikes
            if self.facts.type.key in a.types and self.facts.looks.get(a.look[0]) != a.look[1]
        ]
        if look_alikes and rng.random() < _LOOK_ALIKE_SHARE:
            said.append(self._say(rng.choice(look_alikes)))
            self.traps.add("category_word")
        if rng.random() < _FILLER_SHARE:
            said.append(self._say(rng.choice(lexicon.fillers)))
        rng.shuffle(said)
        return said

    def _about_the_product(self) -> list[str]:
        """Two to five templates that say nothing twice."""
        templates = [t for t in self.lexicon.sentences if _slots(t)[1] <= self.sayable]
        self.rng.shuffle(templates)
        wanted, chosen, used = self.rng.randint(2, 5), list[str](), set[str]()
        for template in templates:
            needs = _slots(template)[1]
            if len(chosen) < wanted and not needs & used:
                chosen.append(template)
                used |= needs
        return chosen

    def _say(self, template: str, title_case: bool = False) -> _Said:
        """Fill a template; slots that say the product's own values become spans."""
        literals_and_slots, _ = _slots(template)
        order = self.rng.sample(self.facts.colors, len(self.facts.colors))  # anew for every mention
        text, spans = literals_and_slots[0], []
        for slot, literal in zip(literals_and_slots[1::2], literals_and_slots[2::2], strict=True):
            attribute, value = self._meaning(slot, order)
            forms = self.lexicon.forms[attribute, value]
            form = self._form(forms, slot)
            if self.lexicon.capitals and not text:
                form = form[0].upper() + form[1:]
            if title_case:
                form = _WORD_START.sub(lambda m: m[0].upper(), form)  # `str.title` would make "Women'S"
            if self.facts.looks.get(attribute) == value:
                name = self.lexicon.attribute_names[attribute]
                spans.append(Span(name, len(text), len(text) + len(form), form, value=forms.table))
            text += form + literal
        return _Said(text, tuple(spans))

    def _meaning(self, slot: str, order: list[str]) -> tuple[str, str]:
        """Which (attribute, value) a slot stands for."""
        attribute = slot.removesuffix(".n")
        if attribute in _COLOR_SLOTS:
            return "color", order[_COLOR_SLOTS.index(attribute)]
        if attribute == "other_color":
            return "color", self.rng.choice([c for c in COLORS if c != self.facts.looks["color"]])
        if attribute == "other_type":
            return "type", self.rng.choice([t.key for t in PRODUCT_TYPES if t is not self.facts.type])
        return attribute, self.facts.looks[attribute]

    def _form(self, forms: Wordings, slot: str) -> str:
        return self.rng.choice(forms.nouns if slot.endswith(".n") else forms.adjectives)

    def _join(self, sentences: list[_Said]) -> _Said:
        text, spans = "", tuple[Span, ...]()
        for i, sentence in enumerate(sentences):
            if i:
                text += self.rng.choice(self.lexicon.glues)
            spans += sentence.moved(len(text), "description")
            text += sentence.text
        return _Said(text + self.lexicon.end, spans)

    def _mark(self, spans: tuple[Span, ...]) -> None:
        """Note the traps that lie in the product itself rather than in a sentence added on purpose."""
        names = self.lexicon.attribute_names
        color_brands = {f"brand{i}" for i in range(COLOR_BRANDS)}
        if self.facts.colors:
            self.traps.add("ambiguous_color")
        if self.facts.looks["brand"] in color_brands and any(s.attribute == names["brand"] for s in spans):
            self.traps.add("brand_color")
        if any(s.attribute == names["fit"] and "boot" in s.text.lower() for s in spans):
            self.traps.add("category_word")  # "boot cut" is not a boot
