"""The whole job as functions: photos, locate, check, train, distill, calibrate, extract, fill, evaluate, report,
export; all of it: complete; and of a catalogue that outgrows one process: run, merge.

The commands of the same names parse and print; a notebook, a job or a server calls these. Products are given as a file
(or any other source of :func:`~attrex.io.readers.read_products`), as :class:`~attrex.io.readers.Products`, or as a list
of products, of dicts or of texts. Long work reports to ``progress`` (:mod:`attrex.progress`). Errors are
:class:`~attrex.errors.AttrexError` and name arguments.

Each is loaded on first use: `attrex --help` names the commands, and needs none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attrex.pipeline.asking import Asked, ask_prepare, ask_read
    from attrex.pipeline.completing import Completion, complete
    from attrex.pipeline.distilling import distill
    from attrex.pipeline.downloading import PhotoDownload, photos
    from attrex.pipeline.labels import MINE, Labelled, check, compare_labels, convert, locate
    from attrex.pipeline.measuring import calibrate, evaluate, evaluate_table
    from attrex.pipeline.review import open_store, review_add, review_export, review_import
    from attrex.pipeline.running import merge, run, run_stream
    from attrex.pipeline.serving import serve
    from attrex.pipeline.training import labelled_by_hand, train
    from attrex.pipeline.use import Extraction, Filling, export, extract, fill, report, undo_fill

TRAINING_MINUTES = 30.0
"""Of the training in :func:`complete`, where no others are asked for. Here, for the command names it in its help."""

__all__ = [
    "MINE",
    "TRAINING_MINUTES",
    "Asked",
    "Completion",
    "Extraction",
    "Filling",
    "Labelled",
    "PhotoDownload",
    "ask_prepare",
    "ask_read",
    "calibrate",
    "check",
    "compare_labels",
    "complete",
    "convert",
    "distill",
    "evaluate",
    "evaluate_table",
    "export",
    "extract",
    "fill",
    "labelled_by_hand",
    "locate",
    "merge",
    "open_store",
    "photos",
    "report",
    "review_add",
    "review_export",
    "review_import",
    "run",
    "run_stream",
    "serve",
    "train",
    "undo_fill",
]
_HOME = {
    "asking": (
        "Asked",
        "ask_prepare",
        "ask_read",
    ),
    "completing": (
        "Completion",
        "complete",
    ),
    "distilling": ("distill",),
    "downloading": (
        "PhotoDownload",
        "photos",
    ),
    "labels": (
        "MINE",
        "Labelled",
        "check",
        "compare_labels",
        "convert",
        "locate",
    ),
    "measuring": (
        "calibrate",
        "evaluate",
        "evaluate_table",
    ),
    "review": (
        "open_store",
        "review_add",
        "review_export",
        "review_import",
    ),
    "running": (
        "merge",
        "run",
        "run_stream",
    ),
    "serving": ("serve",),
    "training": (
        "labelled_by_hand",
        "train",
    ),
    "use": (
        "Extraction",
        "Filling",
        "export",
        "extract",
        "fill",
        "report",
        "undo_fill",
    ),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOME.items():
        if name in names:
            return getattr(import_module(f"attrex.pipeline.{module}"), name)
    raise AttributeError(f"module 'attrex.pipeline' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted(__all__)
