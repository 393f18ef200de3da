"""What is true of a drawn product, before any word or pixel of it exists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from attrex.demo.catalogue.vocabulary import COLORS, NUMBER_OF_BRANDS, PRODUCT_TYPES, ProductType

AMBIGUOUS_SHARE = 0.45
"""Share of products whose text mentions several colours alike: enough that a small network learns to look."""
_THREE_COLORS_SHARE = 0.2  # of the ambiguous ones


@dataclass(frozen=True, slots=True)
class Facts:
    """One product in language-free keys."""

    type: ProductType
    looks: Mapping[str, str]  #: attribute key -> value key, for every attribute that applies
    colors: tuple[str, ...]  #: the colours its text mentions alike, the true one among them; empty: not ambiguous
    specs: Mapping[int, str]  #: number of a rare attribute -> its figure


def draw_facts(rng: Random, spec_rng: Random, extra_attributes: int, ambiguous_share: float = AMBIGUOUS_SHARE) -> Facts:
    """Draw the truth of one product.

    The colour, the other colours mentioned and the brand are independent and uniform: no text can hint at the colour.
    """
    product_type = rng.choice(PRODUCT_TYPES)
    looks = {"brand": f"brand{rng.randrange(NUMBER_OF_BRANDS)}", "type": product_type.key}
    looks |= {attribute: rng.choice(values) for attribute, values in product_type.options.items()}
    colors: tuple[str, ...] = ()
    if rng.random() < ambiguous_share:
        others = [c for c in COLORS if c != looks["color"]]
        number = 3 if rng.random() < _THREE_COLORS_SHARE else 2
        colors = (looks["color"], *rng.sample(others, number - 1))
    specs: dict[int, str] = {}
    if extra_attributes:  # two or three rare ones, numbers from 1; the k-th is about 1/k as frequent as the first
        last, count = extra_attributes, spec_rng.randint(2, 3)
        numbers = {min(int((last + 1) ** spec_rng.random()), last) for _ in range(count)}
        specs = {n: f"{spec_rng.randint(1, 999) / 10}" for n in sorted(numbers)}
    return Facts(product_type, looks, colors, specs)
