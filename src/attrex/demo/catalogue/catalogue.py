"""The drawn catalogue: products in a stream, and files like those of a benchmark."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import IO, Any

from attrex.demo.catalogue import chinese, english
from attrex.demo.catalogue.drawing import draw_photo
from attrex.demo.catalogue.facts import AMBIGUOUS_SHARE, draw_facts
from attrex.demo.catalogue.texts import write_texts
from attrex.demo.catalogue.vocabulary import ATTRIBUTES, Language
from attrex.errors import ConfigError, did_you_mean
from attrex.io.atomic import atomic_write
from attrex.shop.shop import DEFAULT_SHOP, SHOP_FILE
from attrex.types import Product

_LEXICONS = {"en": english.ENGLISH, "zh": chinese.CHINESE}
LANGUAGES = tuple(_LEXICONS)
SHOPS = {"en": english.SHOP, "zh": DEFAULT_SHOP}
TRAPS = ("ambiguous_color", "brand_color", "category_word", "negative_mention")
"""What can be difficult about a product on purpose; see :class:`DrawnProduct`."""
_MIN_IMAGE_SIZE = 32
_SHOP_ROW = ("id", "fields", "image", "category", "attributes", "group")
"""The keys of a row that a shop has itself."""


@dataclass(frozen=True, slots=True)
class DrawnProduct:
    """One drawn product with what the generator knows about it.

    ``product`` has all spans that are in its texts, and a table in which some true cells are blank. Traps:
    ``ambiguous_color``: the text mentions two or three colours alike (``colors_mentioned``), only the photo tells
    which one is the product's, and only that one is a span; ``brand_color``: its brand looks like a colour;
    ``category_word``: a word that is a value for other categories but not here; ``negative_mention``: the colour or the
    type of something else.
    """

    product: Product
    truth: Mapping[str, tuple[str, ...]]  #: every attribute that applies -> its true values, said or not
    traps: frozenset[str]
    colors_mentioned: tuple[str, ...]
    """The colours (as in the table, sorted) of an ambiguous mention: guessing is right once in as many."""


def draw_catalogue(
    count: int,
    *,
    start: int = 0,
    seed: int = 0,
    language: str = "en",
    image_size: int = 128,
    fill_rate: float = 0.6,
    extra_attributes: int = 0,
    ambiguous_share: float = AMBIGUOUS_SHARE,
    images: bool = True,
) -> Iterator[DrawnProduct]:
    """Draw products ``start`` to ``start + count`` one at a time.

    A product depends on the seed, the options and its own number only. The same number is the same thing in every
    language and at every image size. ``fill_rate`` is the share (0..1) of true cells that the table has, ``image_size``
    in pixels, ``extra_attributes`` the number of further, rare attributes, up to three on each product,
    ``ambiguous_share`` the share of texts that name several colours alike.
    Raises :class:`ConfigError` for options that make no sense, before the first product.
    """
    _check_sizes(language, image_size, fill_rate, count=count, start=start, extra_attributes=extra_attributes)
    return (
        _draw_product(
            index,
            seed=seed,
            lexicon=_LEXICONS[language],
            image_size=image_size if images else None,
            fill_rate=fill_rate,
            extra_attributes=extra_attributes,
            ambiguous_share=ambiguous_share,
        )
        for index in range(start, start + count)
    )


def shop_view(product: Product) -> Product:
    """The product as the shop has it: texts, photo and a partly filled table, and nobody has looked for spans."""
    return replace(product, spans=None, complete=False)


def schema_names(extra_attributes: int = 0, language: str = "en") -> list[str]:
    """Names of all attributes that a catalogue with these options can contain."""
    _check_sizes(language, extra_attributes=extra_attributes)
    lexicon = _LEXICONS[language]
    specs = (lexicon.spec_name.format(n) for n in range(1, extra_attributes + 1))
    return [*(lexicon.attribute_names[a] for a in ATTRIBUTES), *specs]


def write_catalogue(
    directory: str | Path,
    *,
    train: int,
    valid: int,
    test: int,
    seed: int = 0,
    language: str = "en",
    image_size: int = 128,
    fill_rate: float = 0.6,
    extra_attributes: int = 0,
    ambiguous_share: float = AMBIGUOUS_SHARE,
    images: bool = True,
) -> Path:
    """Write ``{test,valid,train}.jsonl``, ``catalog.jsonl``, ``images/`` and ``shop.yaml`` into a directory; return it.

    The labelled rows carry all spans; ``catalog.jsonl`` has the training products as the shop has them. Test and
    validation products are drawn first, so that a larger training set leaves them as they are. Files of the same names
    are replaced. Raises :class:`ConfigError` for options that make no sense, before anything is written.
    """
    counts = {"train": train, "valid": valid, "test": test, "extra_attributes": extra_attributes}
    _check_sizes(language, image_size, fill_rate, **counts)
    directory = Path(directory)
    (directory / "images").mkdir(parents=True, exist_ok=True)
    SHOPS[language].save(directory / SHOP_FILE)
    start = 0
    with atomic_write(directory / "catalog.jsonl") as catalog:
        for split, count in (("test", test), ("valid", valid), ("train", train)):
            drawn = draw_catalogue(
                count,
                start=start,
                seed=seed,
                language=language,
                image_size=image_size,
                fill_rate=fill_rate,
                extra_attributes=extra_attributes,
                ambiguous_share=ambiguous_share,
                images=images,
            )
            start += count
            with atomic_write(directory / f"{split}.jsonl") as rows:
                for one in drawn:
                    row = _labelled_row(one, _write_image(directory, one.product))
                    _write_row(rows, row)
                    if split == "train":
                        _write_row(catalog, {key: row[key] for key in _SHOP_ROW})
    return directory


def _draw_product(
    index: int,
    *,
    seed: int,
    lexicon: Language,
    image_size: int | None,
    fill_rate: float,
    extra_attributes: int,
    ambiguous_share: float,
) -> DrawnProduct:
    def stream(purpose: str) -> Random:
        # one stream each, so that a change of one option leaves the rest as it is
        return Random(f"{purpose}/{seed}/{index}")

    facts = draw_facts(stream("facts"), stream("specs"), extra_attributes, ambiguous_share)
    texts = write_texts(facts, lexicon, stream("texts"))
    names, forms = lexicon.attribute_names, lexicon.forms
    looks = [(names[a], forms[a, facts.looks[a]].table) for a in ATTRIBUTES if a in facts.looks]
    specs = [(lexicon.spec_name.format(n), lexicon.spec_value_of(n, figure)) for n, figure in facts.specs.items()]
    truth = {name: (value,) for name, value in looks + specs}
    table_rng = stream("table")
    product = Product(
        id=f"drawn-{index:07d}",
        fields=texts.fields,
        images=() if image_size is None else (draw_photo(facts, image_size, stream("photo")),),
        category=lexicon.category_names[facts.type.category],
        table={name: values for name, values in truth.items() if table_rng.random() < fill_rate},
        spans=texts.spans,
        complete=True,
        group=f"drawn-{index:07d}",
    )
    colors = tuple(sorted(forms["color", c].table for c in facts.colors))
    return DrawnProduct(product, truth, texts.traps, colors)


def _write_image(directory: Path, product: Product) -> str | None:
    """Write the product's photo and return its path relative to the directory; None where it has none."""
    for image in product.images:
        if isinstance(image, bytes):
            name = f"images/{product.id}.jpg"
            (directory / name).write_bytes(image)
            return name
    return None


def _labelled_row(one: DrawnProduct, image: str | None) -> dict[str, Any]:
    product = one.product
    return {
        "id": product.id,
        "fields": dict(product.fields),
        "image": image,
        "category": product.category,
        "attributes": {name: list(values) for name, values in product.table.items()},
        "spans": [span.to_json() for span in product.spans or ()],
        "group": product.group,
        "complete": True,
        "truth": {name: list(values) for name, values in one.truth.items()},
        "traps": sorted(one.traps),
        "colors_mentioned": list(one.colors_mentioned),
    }


def _write_row(file: IO[str], row: Mapping[str, Any]) -> None:
    file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _check_sizes(language: str, image_size: int = _MIN_IMAGE_SIZE, fill_rate: float = 0.0, **counts: int) -> None:
    if language not in LANGUAGES:
        raise ConfigError(
            f"the drawn catalogue is made in {' or '.join(map(repr, LANGUAGES))}, not in {language!r}"
            f"{did_you_mean(language, LANGUAGES)}"
        )
    if image_size < _MIN_IMAGE_SIZE:
        raise ConfigError(
            f"image_size is in pixels and at least {_MIN_IMAGE_SIZE}, got {image_size}; for no photos say images=False"
        )
    if not 0 <= fill_rate <= 1:
        raise ConfigError(f"fill_rate is the share of table cells that are filled, 0 to 1, got {fill_rate}")
    for name, number in counts.items():
        if number < 0:
            raise ConfigError(f"{name} should be 0 or more, got {number}")
