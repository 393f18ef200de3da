"""Extract with one or two models, score where there are labels, and write the report page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

from attrex.evaluation.evaluate import Evaluation, evaluate_extractor
from attrex.filling.conflicts import conflicts_of, most_probable_first
from attrex.filling.fill import FilledRow, fill_table
from attrex.inference.extractor import Extractor
from attrex.reports.content import NumberedConflict, listed_conflicts, sample
from attrex.reports.html import write_report
from attrex.reports.outcomes import filled_products, shown_first
from attrex.types import Prediction, Product
from attrex.vocabulary.normalizer import ValueNormalizer


def report_page(
    path: str | Path,
    products: Sequence[Product],
    models: Sequence[tuple[str, Extractor]],
    *,
    photos: bool = True,
    most: int = 200,
    title: str | None = None,
    evaluated: Evaluation | None = None,
    predictions: Sequence[Prediction] | None = None,
    cells: Mapping[str, Any] | None = None,
    limits: Mapping[str, Any] | None = None,
) -> Path:
    """Write the page for one or two models, each with a name (its directory), and return its path.

    Scores are shown where every readable product is labelled. ``most``: how many products the page has at most.
    ``evaluated``: of one model what :func:`evaluate_extractor` gave for these products, if they were read already;
    ``predictions``: what it found in them, without scores. ``cells``: what became of the table, as
    :meth:`~attrex.filling.report.FillReport.to_json` says it. ``limits``: what is sure enough to be filled in, as of
    :func:`~attrex.filling.fill.fill_table`.
    """
    runs, scores = [], []
    for _, extractor in models:
        found, scored = (predictions, None) if predictions else _run(extractor, products, photos, evaluated)
        runs.append([*found])
        scores.append(scored)
    normalizer, filled = models[0][1].model.normalizer, None
    if has_table := any(product.table for product in products):
        normalizer = deepcopy(normalizer)  # fill learns the table's words, too
        normalizer.refine(products, runs[0])
    rows = _filled_rows(products, runs[0], normalizer, limits or {})
    conflicts = _conflicts(products, rows)
    if has_table:
        filled = filled_products(products, rows, lambda text: normalizer.folded[text])
    first = shown_first((i for i, _ in listed_conflicts(conflicts, most)), filled or (), most)
    # Region weights only for the products that are shown: for a large catalogue they would be most of the memory.
    shown = sample(products, list(zip(*runs, strict=True)), most, first)
    for run, (_, extractor) in zip(runs, models, strict=True):
        looked = extractor.extract([products[i] for i in shown], photos=photos)
        for i, again in zip(shown, looked, strict=True):
            # All else stays: confidences differ in the last digits with the batch a product is in, and what the page
            # shows is chosen by them.
            looked_at = {(v.attribute, v.value, v.key): v for v in again.values}
            values = ((v, looked_at.get((v.attribute, v.value, v.key), v)) for v in run[i].values)
            run[i] = replace(
                run[i], values=tuple(replace(v, regions=seen.regions, words=seen.words) for v, seen in values)
            )
    names = _names(models)
    return write_report(
        path,
        products,
        runs[0],
        title=title or "Extracted attribute values",
        model_name=names[0],
        other=(names[1], runs[1]) if len(models) > 1 else None,
        scores=scores[0],
        other_scores=scores[1] if len(models) > 1 else None,
        notes=_notes(extractor for _, extractor in models) | ({} if photos else {"photos": "not read"}),
        max_products=most,
        conflicts=conflicts,
        cells=cells,
        filled=filled,
    )


def _filled_rows(
    products: Sequence[Product],
    predictions: Sequence[Prediction],
    normalizer: ValueNormalizer,
    limits: Mapping[str, Any],
) -> list[FilledRow]:
    """What becomes of the products' cells; rows have numbers for ids, of which one may come twice."""
    numbered = [replace(product, id=str(i)) for i, product in enumerate(products)]
    found = [replace(prediction, id=str(i)) for i, prediction in enumerate(predictions)]
    return list(fill_table(numbered, found, normalizer, **limits))


def _conflicts(products: Sequence[Product], rows: Sequence[FilledRow]) -> list[NumberedConflict]:
    """The cells that are probably wrong, most probably first."""
    listed = most_probable_first(conflict for row in rows for conflict in conflicts_of(row))
    return [(int(c.product), replace(c, product=products[int(c.product)].id)) for c in listed]


def _run(
    extractor: Extractor, products: Sequence[Product], photos: bool, evaluated: Evaluation | None = None
) -> tuple[list[Prediction], dict[str, Any] | None]:
    """Predictions without evidence, and scores where the products are labelled."""
    if evaluated is not None:
        return evaluated.predictions, evaluated.to_json()
    labelled = any(p.spans is not None for p in products) and all(p.spans is not None or p.error for p in products)
    if not labelled:
        return list(extractor.extract(products, evidence=False, photos=photos)), None
    result = evaluate_extractor(extractor, products, photos=photos)
    return result.predictions, result.to_json()


def _names(models: Sequence[tuple[str, Extractor]]) -> list[str]:
    """The system with the directory's last name, or with all of it where the last names are the same."""
    short = [Path(name).name for name, _ in models]
    shown = short if len(set(short)) == len(short) else [name for name, _ in models]
    return [
        f"{extractor.model.config.system_name} ({name})" for name, (_, extractor) in zip(shown, models, strict=True)
    ]


def _notes(extractors: Iterable[Extractor]) -> dict[str, str]:
    """Facts for the head of the page; where two models differ, both, in their order."""
    facts = [
        {
            "preset": model.config.preset,
            "trained on": f"{model.metrics.get('training_products', 0):,} products",
            "attributes": str(len(model.schema.names)),
            "photos": "read" if model.transform else "not read",
        }
        for model in (extractor.model for extractor in extractors)
    ]
    return {key: " | ".join(dict.fromkeys(f[key] for f in facts)) for key in facts[0]}
