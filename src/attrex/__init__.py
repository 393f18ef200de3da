"""Attrex fills a shop's attribute table from product titles, descriptions and photos, and shows its evidence.

The public names below are loaded on first use, so that ``import attrex`` is quick and loads no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attrex.client import AsyncClient, Client
    from attrex.config import Config
    from attrex.inference.extractor import Extractor
    from attrex.io.readers import Products, read_products
    from attrex.pipeline import (
        calibrate,
        check,
        complete,
        convert,
        distill,
        evaluate,
        evaluate_table,
        export,
        extract,
        fill,
        locate,
        merge,
        photos,
        report,
        review_add,
        review_export,
        review_import,
        run,
        serve,
        train,
        undo_fill,
    )
    from attrex.shop.cells import Cells
    from attrex.shop.label_policy import LabelPolicy
    from attrex.shop.mapping import ColumnMapping
    from attrex.shop.schema import Schema
    from attrex.shop.shop import Shop
    from attrex.types import Prediction, Product, RegionWeights, Span, Value

__version__ = "0.1.0"

_HOME = {
    "AsyncClient": "attrex.client",
    "Cells": "attrex.shop.cells",
    "Client": "attrex.client",
    "ColumnMapping": "attrex.shop.mapping",
    "Config": "attrex.config",
    "Extractor": "attrex.inference.extractor",
    "LabelPolicy": "attrex.shop.label_policy",
    "Prediction": "attrex.types",
    "Product": "attrex.types",
    "Products": "attrex.io.readers",
    "RegionWeights": "attrex.types",
    "Schema": "attrex.shop.schema",
    "Shop": "attrex.shop.shop",
    "Span": "attrex.types",
    "Value": "attrex.types",
    "calibrate": "attrex.pipeline",
    "check": "attrex.pipeline",
    "complete": "attrex.pipeline",
    "convert": "attrex.pipeline",
    "distill": "attrex.pipeline",
    "evaluate": "attrex.pipeline",
    "evaluate_table": "attrex.pipeline",
    "export": "attrex.pipeline",
    "extract": "attrex.pipeline",
    "fill": "attrex.pipeline",
    "undo_fill": "attrex.pipeline",
    "locate": "attrex.pipeline",
    "merge": "attrex.pipeline",
    "photos": "attrex.pipeline",
    "read_products": "attrex.io.readers",
    "report": "attrex.pipeline",
    "review_add": "attrex.pipeline",
    "review_export": "attrex.pipeline",
    "review_import": "attrex.pipeline",
    "run": "attrex.pipeline",
    "serve": "attrex.pipeline",
    "train": "attrex.pipeline",
}
__all__ = [
    "AsyncClient",
    "Cells",
    "Client",
    "ColumnMapping",
    "Config",
    "Extractor",
    "LabelPolicy",
    "Prediction",
    "Product",
    "Products",
    "RegionWeights",
    "Schema",
    "Shop",
    "Span",
    "Value",
    "calibrate",
    "check",
    "complete",
    "convert",
    "distill",
    "evaluate",
    "evaluate_table",
    "export",
    "extract",
    "fill",
    "locate",
    "merge",
    "photos",
    "read_products",
    "report",
    "review_add",
    "review_export",
    "review_import",
    "run",
    "serve",
    "train",
    "undo_fill",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'attrex' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
