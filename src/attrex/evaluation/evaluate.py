"""Run a model over labelled products and score it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from attrex.errors import did_you_mean
from attrex.evaluation.incomplete import Incomplete, incomplete
from attrex.evaluation.metrics import Scores, score
from attrex.evaluation.placing import with_places
from attrex.evaluation.runs import COMPARED, pack
from attrex.inference.extractor import Extractor
from attrex.io.rows import shortlist
from attrex.labels.mentions import UnlabelledMentions
from attrex.types import Prediction, Product
from attrex.vocabulary.word_lists import WordLists


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores, and what they were computed from."""

    scores: Scores
    products: list[Product] = field(repr=False)
    predictions: list[Prediction] = field(repr=False)
    sequences_per_product: float  #: decoded sequences: the mean size of the predicted range
    rows_per_product: float  #: encoder passes: 1 but for texts of several windows
    incomplete: Incomplete | None = None  #: bounds, where some products may have values that are not labelled

    def to_json(self) -> dict[str, Any]:
        out = self.scores.to_json() | {
            "sequences_per_product": round(self.sequences_per_product, 4),
            "rows_per_product": round(self.rows_per_product, 4),
        }
        out |= {"incomplete": self.incomplete.to_json()} if self.incomplete else {}
        counts = self.scores.counts
        return out | ({"counts": {m: pack(counts.per_product(m)[:, 0]) for m in COMPARED}} if counts else {})


def evaluate_extractor(
    extractor: Extractor,
    products: Iterable[Product],
    *,
    attributes: Collection[str] | None = None,
    bootstrap: int = 1000,
    threshold: float | None = None,
    photos: bool = True,
    evidence: bool = False,
    gold_attributes: bool = False,
) -> Evaluation:
    """Extract from labelled products and score against their spans; ``attributes`` restricts what is scored.

    Values without a source are placed first (:func:`~attrex.evaluation.placing.with_places`). Where products are not
    complete, bounds come with the scores. ``gold_attributes``: each product is asked for the attributes that it has and
    for no others. That is a question that a shop cannot ask, and how the papers score systems that need the attribute.
    Raises :class:`DataError` when there are no products.
    """
    products = list(products)
    before = (extractor.count.products, extractor.count.rows, extractor.count.sequences)
    asked = _has if gold_attributes else None
    found = extractor.extract(products, evidence=evidence, photos=photos, threshold=threshold, attributes=asked)
    predictions = with_places(products, found, extractor.encoder)
    count = extractor.count
    seen, rows, sequences = (
        after - start for after, start in zip((count.products, count.rows, count.sequences), before, strict=True)
    )
    scores = score(products, predictions, bootstrap=bootstrap, attributes=attributes)
    bounds = None
    if not all(p.complete or p.error is not None for p in products):
        model = extractor.model
        mentions = UnlabelledMentions.learn(
            products, model.schema, min_share=model.config.range.mention_share, words=WordLists.of(model.shop)
        )
        bounds = incomplete(products, predictions, scores.tag, mentions, attributes=attributes)
    return Evaluation(scores, products, predictions, sequences / seen, rows / seen, bounds)


def evaluation_remarks(
    products: Sequence[Product], known: Collection[str], attributes: Collection[str] | None = None
) -> list[str]:
    """What to know before one reads the scores: rows that were not read, attributes without labels or without a model.

    ``known``: the model's attributes. ``attributes`` restricts what is scored, as in :func:`evaluate_extractor`.
    """
    said = []
    errors = [p.error for p in products if p.error]
    if errors:
        said.append(f"{len(errors)} of {len(products)} rows could not be read, the first because of: {errors[0]}")
    labelled = {s.attribute for p in products for s in p.spans or ()}
    asked = labelled if attributes is None else set(attributes)
    bare = sorted(asked - labelled)
    if bare:
        hint = did_you_mean(bare[0], labelled)
        said.append(
            f"no product has a labelled span of {shortlist(bare, 5)}: what is found of it counts as wrong{hint}"
        )
    scored = labelled & asked
    unknown = sorted(scored - set(known))
    if unknown and len(unknown) == len(scored):
        said.append(
            f"the model knows none of the labelled attributes, {shortlist(unknown, 5)}, and finds none of their "
            f"values; it knows {shortlist(sorted(known), 5)}"
        )
    elif unknown:
        said.append(
            f"the model does not know {len(unknown)} of the {len(scored)} labelled attributes, {shortlist(unknown, 5)}"
            ": their values count as not found"
        )
    return said


def _has(product: Product) -> set[str]:
    return {span.attribute for span in product.spans or ()}
