"""Extract with one or two models, score where there are labels, and write the report page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrex.evaluation.evaluate import evaluate
from attrex.inference.extractor import Extractor
from attrex.reports.html import sample, write_report
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
    """Write the page for one or two models, each with a name. Products without any labels are shown unscored."""
    labelled = all(p.spans is not None or p.error for p in products) and any(p.spans for p in products)
    runs: list[list[Prediction]] = []
    scores: list[dict[str, Any] | None] = []
    for _, extractor in models:
        if labelled:
            result = evaluate(extractor, products, photos=photos)
            runs.append(result.predictions)
            scores.append(result.to_json())
        else:
            runs.append(list(extractor.extract(products, evidence=False, photos=photos)))
            scores.append(None)
    # Region weights only for the products that are shown: for a large catalogue they would be most of the memory.
    shown = sample(products, list(zip(*runs, strict=True)), most)
    for run, (_, extractor) in zip(runs, models, strict=True):
        again = extractor.extract([products[i] for i in shown], photos=photos)
        for i, prediction in zip(shown, again, strict=True):
            run[i] = prediction
    names = [f"{extractor.model.config.system} ({Path(name).name})" for name, extractor in models]
    first = models[0][1].model
    notes = {
        "preset": first.config.preset,
        "trained on": f"{first.metrics.get('training_products', 0):,} products",
        "attributes": str(len(first.schema.names)),
        "photos": "read" if photos and first.transform else "not read",
    }
    return write_report(
        path,
        products,
        runs[0],
        title=title or "Extracted attribute values",
        model_name=names[0],
        other=(names[1], runs[1]) if len(models) > 1 else None,
        scores=scores[0],
        other_scores=scores[1] if len(models) > 1 else None,
        notes=notes,
        max_products=most,
    )
