"""Asking a language model by files: ask_prepare writes a batch of questions, ask_read makes finds of the answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from attrex.errors import ConfigError
from attrex.io.outputs import check_out
from attrex.pipeline.given import ProductSource, products_of, shop_of
from attrex.progress import Progress, silent, track
from attrex.shop.shop import Shop
from attrex.types import Prediction


@dataclass
class Asked:
    """What became of a batch's questions, or of its answers."""

    products: int = 0
    rows: int = 0  #: questions written, or answers that were read
    values: int = 0
    unknown: int = 0  #: values of attributes that the shop does not have
    unanswered: int = 0  #: products without an answer
    left: Counter[str] = field(default_factory=Counter)  #: reason -> products left out, or marked rows
    warnings: list[str] = field(default_factory=list)  #: of products that are asked about, the first hundred


def ask_prepare(
    products: ProductSource,
    out: str | Path,
    *,
    llm: str,
    shop: Shop | str | Path | None = None,
    model: Any = None,
    photos: int = 0,
    progress: Progress = silent,
) -> Asked:
    """Write questions about products for a language model: a batch file in OpenAI's form. Nothing is sent.

    :param out: .jsonl, a line per product.
    :param llm: the language model's name, as the service knows it.
    :param shop: its attributes and options are asked for; None: those of ``model``, a trained one.
    :param photos: how many photos of a product are sent, as data URLs; none without it.

    Raises :class:`ConfigError` for a shop without attributes.
    """
    from attrex.io.products import write_rows
    from attrex.io.prompts import prompt

    check_out(out, (".jsonl",), products, shop)
    shop = shop_of(shop, model)
    if not shop.schema.attributes:
        raise ConfigError("expected a shop with attributes to ask for, got one without; give `shop` or `model`")
    asked, seen = Asked(), set[str]()

    def questions() -> Iterator[dict[str, Any]]:
        for product in track(products_of(products, shop), "preparing", progress):
            asked.products += 1
            if product.error is not None:
                asked.left["its row could not be read"] += 1
            elif product.id in seen:
                asked.left["its id comes twice"] += 1
            elif not any(text.strip() for text in product.fields.values()) and not photos:
                asked.left["it has no text"] += 1
            else:
                seen.add(product.id)
                told: list[str] = []
                yield prompt(product, shop.schema, llm, photos=photos, told=told)
                asked.rows += 1
                asked.warnings += [f"{product.id}: {what}" for what in told][: 100 - len(asked.warnings)]

    write_rows(out, questions())
    return asked


def ask_read(
    answers: str | Path,
    products: ProductSource,
    out: str | Path,
    *,
    shop: Shop | str | Path | None = None,
    model: Any = None,
    progress: Progress = silent,
) -> Asked:
    """Make finds of a language model's answers, which :func:`attrex.train` takes as a teacher's.

    A row per answer: refusals, answers that were cut off or are no JSON, and ids that no product has are marked.

    :param answers: the batch's output file, .jsonl; or a line per product as ``{"id": ..., "attributes": {...}}``.
    :param products: those that were asked about.
    :param out: .jsonl or .parquet.
    """
    from attrex.io.predictions import PredictionFile
    from attrex.io.prompts import known_attributes, read_answers

    check_out(out, (), answers, products, shop)
    shop = shop_of(shop, model)
    if not shop.schema.attributes:
        raise ConfigError("expected the shop whose attributes were asked for, got one without; give `shop` or `model`")
    known = {p.id for p in track(products_of(products, shop), "reading", progress) if p.error is None}
    asked, answered = Asked(products=len(known)), set[str]()

    def finds() -> Iterator[Prediction]:
        for answer in read_answers(answers):
            asked.rows += 1
            why = answer.error
            if why is None and answer.id not in known:
                why = "no product has this id"
            elif why is None and answer.id in answered:
                why = "this product was answered before"
            if why is not None:
                asked.left[_kind(why)] += 1
                yield Prediction(answer.id, error=why)
                continue
            answered.add(answer.id)
            found, unknown = known_attributes(answer, shop.schema)
            asked.unknown += unknown
            asked.values += len(found.values)
            yield found

    PredictionFile(out).write(finds())
    asked.unanswered = len(known - answered)
    return asked


def _kind(error: str) -> str:
    """A reason without what is particular of one row."""
    return error.partition(": ")[0].partition(", got ")[0]
