"""What the drawn catalogue sells: colours, product types and the values each can have, as language-free keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Look = tuple[str, str]
"""An (attribute key, value key) pair."""

COLORS: dict[str, tuple[int, int, int]] = {
    "black": (32, 32, 36),
    "white": (252, 252, 250),
    "grey": (136, 138, 142),
    "red": (205, 28, 38),
    "orange": (245, 130, 24),
    "yellow": (250, 214, 40),
    "green": (44, 146, 62),
    "turquoise": (48, 196, 190),
    "blue": (36, 84, 204),
    "purple": (128, 50, 158),
    "pink": (248, 150, 190),
    "brown": (116, 70, 36),
}
"""Colour key -> RGB. Far enough apart that a small network tells them, whatever the light."""

ATTRIBUTES = (
    "brand",
    "type",
    "color",
    "pattern",
    "material",
    "sleeve",
    "neckline",
    "closure",
    "fit",
    "gender",
    "occasion",
    "care",
)


@dataclass(frozen=True, slots=True)
class ProductType:
    """One kind of thing the shop sells, with the values it can have (attributes not listed do not apply)."""

    key: str
    category: str  #: key of the shelf it stands on
    options: Mapping[str, tuple[str, ...]]


def _type(key: str, category: str, **options: str) -> ProductType:
    shared = {"color": tuple(COLORS), "gender": ("men", "women", "unisex")}
    return ProductType(key, category, shared | {name: tuple(values.split()) for name, values in options.items()})


_PATTERNS = "solid solid striped checked dotted floral"  # solid is twice as frequent
_WASH = "machine hand dry_clean"

PRODUCT_TYPES: tuple[ProductType, ...] = (
    _type("tshirt", "tops", pattern=_PATTERNS, material="cotton linen polyester", sleeve="short long sleeveless",
          neckline="round v polo", fit="slim regular loose", occasion="casual sports", care=_WASH),
    _type("shirt", "tops", pattern=_PATTERNS, material="cotton linen silk denim", sleeve="short long",
          neckline="collar", closure="buttons", fit="slim regular loose", occasion="casual formal party", care=_WASH),
    _type("sweater", "tops", pattern=_PATTERNS, material="cotton wool polyester", sleeve="long sleeveless",
          neckline="round v turtle", fit="slim regular loose", occasion="casual formal", care=_WASH),
    _type("jacket", "tops", pattern="solid solid striped checked", material="leather denim wool polyester",
          sleeve="long", neckline="collar turtle", closure="zip buttons", fit="slim regular loose",
          occasion="casual sports travel", care=_WASH),
    _type("dress", "dresses", pattern=_PATTERNS, material="cotton linen silk polyester",
          sleeve="short long sleeveless", neckline="round v turtle", fit="slim regular loose", gender="women",
          occasion="casual formal party", care=_WASH),
    _type("trousers", "bottoms", pattern="solid solid striped checked", material="cotton linen wool denim",
          closure="zip buttons", fit="slim regular loose boot_cut", occasion="casual formal travel", care=_WASH),
    _type("shorts", "bottoms", pattern=_PATTERNS, material="cotton linen denim polyester", closure="zip buttons",
          fit="slim regular loose", occasion="casual sports travel", care=_WASH),
    _type("skirt", "bottoms", pattern=_PATTERNS, material="cotton linen silk denim", closure="zip buttons",
          fit="slim regular loose", gender="women", occasion="casual formal party", care=_WASH),
    _type("sneakers", "shoes", material="canvas leather suede", closure="laces velcro",
          occasion="casual sports travel"),
    _type("boots", "shoes", material="leather suede", closure="laces zip buckle", occasion="casual formal travel"),
    _type("sandals", "shoes", material="leather canvas suede", closure="buckle velcro", occasion="casual party travel"),
    _type("handbag", "bags", pattern=_PATTERNS, material="leather canvas suede", closure="zip buckle", gender="women",
          occasion="casual formal party"),
    _type("backpack", "bags", pattern=_PATTERNS, material="canvas leather polyester", closure="zip buckle",
          occasion="casual sports travel"),
    _type("cap", "accessories", pattern="solid solid striped checked dotted", material="cotton wool polyester",
          occasion="casual sports travel", care=_WASH),
    _type("watch", "accessories", material="leather steel canvas", closure="buckle", occasion="casual formal sports"),
    _type("scarf", "accessories", pattern=_PATTERNS, material="wool silk cotton", occasion="casual formal party",
          care=_WASH),
)  # fmt: skip

NUMBER_OF_BRANDS = 24
COLOR_BRANDS = 8
"""The first so many brands of each language look like colours."""


@dataclass(frozen=True, slots=True)
class Wordings:
    """How one value is written: in the shop's table, before a noun, and as a noun."""

    table: str
    adjectives: tuple[str, ...]
    nouns: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Wordings:
        """Read ``"table name; adjective, ...; noun, ..."``; nouns default to the adjectives, both to the name."""
        table, *groups = (part.strip() for part in text.split(";"))
        said = [tuple(form.strip() for form in group.split(",")) for group in groups] or [(table,)]
        return cls(table, said[0], said[-1])


@dataclass(frozen=True, slots=True)
class LookAlike:
    """A sentence with a word that is a value elsewhere in the shop, but says nothing of the products it is used for."""

    sentence: str
    types: frozenset[str]
    look: Look  #: what the word would mean elsewhere; the sentence is not used on a product for which it is true


@dataclass(frozen=True, slots=True)
class Language:
    """One language: names, forms and sentence templates.

    In templates ``{material}`` stands for an adjective and ``{material.n}`` for a noun form of the product's own value,
    ``{c1}`` ``{c2}`` ``{c3}`` for the colours of an ambiguous mention, ``{other_color}`` and ``{other_type}`` for what
    is not the product's.
    """

    attribute_names: Mapping[str, str]
    category_names: Mapping[str, str]
    forms: Mapping[Look, Wordings]
    titles: tuple[str, ...]
    sentences: tuple[str, ...]
    fillers: tuple[str, ...]
    ambiguous_titles: Mapping[int, tuple[str, ...]]  #: number of colours -> templates, symmetric in the colours
    ambiguous_sentences: Mapping[int, tuple[str, ...]]
    negatives: tuple[str, ...]
    look_alikes: tuple[LookAlike, ...]
    spec_name: str  #: name of a rare attribute in the table, e.g. "Spec {:05d}"
    spec_sentence: str  #: how texts say it: {0} its number, {1} its value
    spec_value: str  #: {0} figure, {1} unit
    units: tuple[str, ...]
    glues: tuple[str, ...]  #: what stands between two sentences, one of these
    end: str = ""  #: what closes a description
    capitals: bool = False  #: sentences begin with capital letters, and titles often have them throughout

    def spec_value_of(self, number: int, figure: str) -> str:
        """The value of a rare attribute, which always has the same unit."""
        return self.spec_value.format(figure, self.units[number % len(self.units)])


def parse_forms(values: Mapping[str, Mapping[str, str]], brands: str) -> dict[Look, Wordings]:
    """(attribute, value) -> forms, from ``{attribute: {value: "table; adjectives; nouns"}}`` and one line of brands."""
    forms = {(a, v): Wordings.parse(text) for a, members in values.items() for v, text in members.items()}
    return forms | {("brand", f"brand{i}"): Wordings.parse(name) for i, name in enumerate(brands.split(","))}


def look_alikes(*rows: tuple[str, str, str]) -> tuple[LookAlike, ...]:
    """Look-alikes from rows of (sentence, "type type ...", "attribute value")."""
    made = []
    for sentence, types, look in rows:
        attribute, value = look.split()
        made.append(LookAlike(sentence, frozenset(types.split()), (attribute, value)))
    return tuple(made)
