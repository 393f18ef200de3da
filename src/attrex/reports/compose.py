"""Extract with one or two models, score where there are labels, and write the report page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from attrex.evaluation.evaluate import evaluate_extractor
from attrex.inference.extractor import Extractor
from attrex.reports.content import sample
from attrex.reports.html import write_report
from attrex.types import Prediction, Product


def report_page(
    path: str | Path,
    products: Sequence[Product],
    models: Sequence[tuple[str, Extractor]],
    *,
    photos: bool = True,
    most: int = 200,
    title: str | None = None,
) -> Path:
    """Write the page for one or two models, each with a name (its directory), and return its path.

    Scores are shown where every readable product is labelled. ``most``: how many products the page has at most.
    """
    runs, scores = [], []
    for _, extractor in models:
        predictions, scored = _run(extractor, products, photos)
        runs.append(predictions)
        scores.append(scored)
    # Region weights only for the products that are shown: for a large catalogue they would be most of the memory.
    shown = sample(products, list(zip(*runs, strict=True)), most)
    for run, (_, extractor) in zip(runs, models, strict=True):
        looked = extractor.extract([products[i] for i in shown], photos=photos)
        for i, again in zip(shown, looked, strict=True):
            # All else stays: confidences differ in the last digits with the batch a product is in, and what the page
            # shows is chosen by them.
            regions = {(v.attribute, v.value, v.key): v.regions for v in again.values}
            values = (replace(v, regions=regions.get((v.attribute, v.value, v.key), v.regions)) for v in run[i].values)
            run[i] = replace(run[i], values=tuple(values))
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
    )


def _run(
    extractor: Extractor, products: Sequence[Product], photos: bool
) -> tuple[list[Prediction], dict[str, Any] | None]:
    """Predictions without evidence, and scores where the products are labelled."""
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
