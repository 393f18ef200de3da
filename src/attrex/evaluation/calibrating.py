"""Calibrating a model on filled cells that it was not trained on: how sure is how right.

Predictions never depend on the table, so that every filled cell of these products is a question with a known answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from attrex.errors import DataError
from attrex.evaluation.table import ReliabilityBin, reliability
from attrex.inference.calibration import Calibration
from attrex.inference.candidates import Candidate
from attrex.inference.extractor import Extractor
from attrex.inference.selection import HeldOut
from attrex.types import Product

FOLDS = 5
"""Parts of the products; confidences that are measured on one are fitted on the others."""


@dataclass(frozen=True)
class CellAnswers:
    """The candidates of the filled cells of some products.

    Shapes: n candidates, F features.
    """

    attributes: np.ndarray  #: (n,) str
    products: np.ndarray  #: (n,) number of the product
    features: np.ndarray  #: (n, F)
    right: np.ndarray  #: (n,) bool, whether the cell has the candidate's value
    filled: np.ndarray  #: (n,) bool, whether the cell has any; of the others a person has said that they have none

    @classmethod
    def collect(cls, extractor: Extractor, products: Iterable[Product], *, photos: bool = True) -> CellAnswers:
        """What the extractor would say of the filled cells of products; :class:`DataError` where it says nothing."""
        products = [p for p in products if p.error is None]
        rows = [
            (candidate, number, right, filled)
            for number, (product, cells) in enumerate(
                zip(products, extractor.cells(products, photos=photos), strict=True)
            )
            for candidate, right, filled in _judged(product, cells, extractor)
        ]
        if not rows:
            raise DataError(
                f"a calibration needs filled cells of the model's attributes, got none in {len(products)} products; "
                "give products with their table"
            )
        return cls(
            np.array([c.attribute for c, _, _, _ in rows], dtype=object),
            np.array([number for _, number, _, _ in rows], dtype=np.int64),
            np.array([c.features for c, _, _, _ in rows]),
            np.array([right for _, _, right, _ in rows], dtype=bool),
            np.array([filled for _, _, _, filled in rows], dtype=bool),
        )

    def of(self, chosen: np.ndarray) -> CellAnswers:
        """Those of them that ``chosen`` (n,) selects."""
        columns = (self.attributes, self.products, self.features, self.right, self.filled)
        return CellAnswers(*(column[chosen] for column in columns))

    def surest(self, confidence: np.ndarray) -> np.ndarray:
        """The surest candidate of each cell: (n,) confidences -> (m,) numbers."""
        order = np.argsort(-confidence, kind="stable")
        surest: dict[tuple[int, str], int] = {}
        for i in order.tolist():
            surest.setdefault((int(self.products[i]), self.attributes[i]), i)
        return np.array(sorted(surest.values()), dtype=np.int64)


@dataclass(frozen=True)
class Calibrated:
    """How well the confidences of a calibration hold on products that it was not fitted on (:data:`FOLDS`)."""

    cells: int  #: filled cells with an answer
    right: float  #: share whose surest candidate is right, 0..1
    error: float  #: expected calibration error, 0..1
    per_attribute: dict[str, tuple[int, float, float]]  #: attribute -> the same three
    reliability: tuple[ReliabilityBin, ...] = ()

    def render(self) -> str:
        """One line."""
        return (
            f"confidences calibrated on {self.cells:,} filled cells: {self.right:.1%} of the surest values are right, "
            f"and a confidence is {self.error:.3f} off in the mean"
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "cells": self.cells,
            "right": self.right,
            "ece": self.error,
            "per_attribute": {
                a: {"cells": n, "right": right, "ece": error} for a, (n, right, error) in self.per_attribute.items()
            },
            "reliability": [b._asdict() for b in self.reliability],
        }


def calibrate_extractor(extractor: Extractor, products: Iterable[Product], *, photos: bool = True) -> Calibrated:
    """Give an extractor and its model a calibration of filled cells that the model was not trained on.

    Raises :class:`DataError`, and changes nothing, where the cells are too few, or all finds right or wrong.
    """
    answers = CellAnswers.collect(extractor, products, photos=photos)
    confidence = held_out_confidence(answers)
    extractor.use_calibration(fit_calibration(answers))
    surest = answers.surest(confidence)
    attributes, sure, right = answers.attributes[surest], confidence[surest], answers.right[surest]
    held_out = HeldOut.of(zip(attributes, sure.tolist(), right.tolist(), strict=True))
    extractor.use_calibration(replace(fit_calibration(answers), held_out=held_out))
    per_attribute = {
        name: _figures(sure[attributes == name], right[attributes == name]) for name in sorted(set(attributes))
    }
    return Calibrated(*_figures(sure, right), per_attribute, reliability(sure, right))


def _figures(confidence: np.ndarray, right: np.ndarray) -> tuple[int, float, float]:
    off = sum(b.cells * abs(b.accuracy - b.confidence) for b in reliability(confidence, right))
    return len(right), float(right.mean()), off / len(right)


def fit_calibration(answers: CellAnswers) -> Calibration:
    """From all answers."""
    return Calibration.fit(answers.attributes, answers.features, answers.right, answers.filled)


def held_out_confidence(answers: CellAnswers) -> np.ndarray:
    """The confidence of each candidate by a calibration that was fitted without its product: (n,)."""
    fold = answers.products % FOLDS
    confidence = np.zeros(len(fold))
    for part in range(FOLDS):
        fitted = fit_calibration(answers.of(fold != part))
        confidence[fold == part] = confidence_of(fitted, answers.of(fold == part))
    return confidence


def confidence_of(calibration: Calibration, answers: CellAnswers) -> np.ndarray:
    """(n,) in 0..1."""
    out = np.zeros(len(answers.right))
    for attribute in dict.fromkeys(answers.attributes):
        rows = answers.attributes == attribute
        out[rows] = calibration.confidence(attribute, answers.features[rows])
    return out


def _judged(
    product: Product, cells: dict[str, list[Candidate]], extractor: Extractor
) -> Iterator[tuple[Candidate, bool, bool]]:
    """The candidates of the known cells, whether the cell has each, and whether it has any value.

    Cells without one are known where a person has decided; a shop's word for it is too often a slip.
    """
    key = extractor.model.normalizer.key
    for attribute, candidates in cells.items():
        values = {key(attribute, v) for v in product.table.get(attribute, ())}
        if values or (attribute in product.reviewed and attribute in product.table):
            yield from ((c, key(attribute, c.value) in values, bool(values)) for c in candidates)
