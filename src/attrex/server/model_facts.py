"""What the page on the model shows: what was measured when it was trained, and how it is served."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from attrex.plain_json import whole_characters

if TYPE_CHECKING:
    from attrex.server.service import Loaded

_SCORES = ("precision", "recall", "f1")


def model_facts(loaded: Loaded) -> dict[str, Any]:
    """Figures of a model; what it was trained without is null or empty."""
    model = loaded.extractor.model
    metrics, config = model.metrics, model.config
    validation = metrics.get("validation") or {}
    calibration = metrics.get("calibration") or {}
    cells = metrics.get("cells") or {}
    exported = loaded.extractor.engine.name == "onnx"
    per_attribute, calibrated = validation.get("per_attribute") or {}, calibration.get("per_attribute") or {}
    return whole_characters(
        {
            "model": loaded.hash,
            "name": loaded.directory.name,
            "version": version("attrex"),
            "system": config.system_name,
            "engine": "ONNX export" if exported else "torch, fp32",
            "attributes": len(loaded.extractor.names),
            "training": {
                "products": metrics.get("training_products"),
                "minutes": metrics.get("minutes"),
                "seed": metrics.get("seed"),
                "text_encoder": str(config.text.model),
                "image_encoder": str(config.image.model) if model.transform is not None else None,
            },
            "validation": {
                "products": validation.get("products"),
                "tag": {name: (validation.get("tag") or {}).get(name) for name in (*_SCORES, "ci95")},
            },
            "calibration": {name: calibration.get(name) for name in ("cells", "right", "ece", "reliability")},
            "curve": [
                {"step": point.get("step"), "f1": point.get("eval_tag_f1"), "minutes": point.get("eval_minutes")}
                for point in metrics.get("history") or ()
            ],
            "figures": [
                {
                    "attribute": name,
                    **{score: (per_attribute.get(name) or {}).get(score) for score in _SCORES},
                    "labels": (per_attribute.get(name) or {}).get("gold"),
                    "cells": (calibrated.get(name) or {}).get("cells"),
                    "right": (calibrated.get(name) or {}).get("right"),
                    "ece": (calibrated.get(name) or {}).get("ece"),
                    "filled": _filled(cells.get(name)),
                }
                for name in loaded.extractor.names
            ],
        }
    )


def _filled(counts: Any) -> float | None:
    """The share of the training cells that had a value."""
    total = sum(counts.values()) if isinstance(counts, dict) else 0
    return (counts.get("located", 0) + counts.get("not_located", 0)) / total if total else None
