"""Windows and photos of several products as one batch: padded arrays, named as in :mod:`attrex.model.batch`.

Shape letters:
    B rows (windows)     S tokens     U units     M distinct photos     I photos of a row     H, W pixels
    C attributes         P pairs with located, pseudo-labelled or uncertain units
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from attrex.encoding.encoder import Window
from attrex.encoding.targets import Labels
from attrex.errors import DataError
from attrex.io.images import ImageLoader
from attrex.types import Product

Arrays = dict[str, np.ndarray]
"""A batch without torch: the fields of :class:`attrex.model.batch.Inputs` and ``Targets`` that are there."""


@dataclass(slots=True)
class BatchItem:
    """One window on its way into a batch, with the photos of its product."""

    product: int
    window: Window
    photos: tuple[int, ...] = ()  #: numbers of the product's readable photos
    pixels: tuple[np.ndarray, ...] = field(default=(), repr=False)  #: (H, W, 3) uint8 each, shared by a product's rows


def load_photos(product: Product, loader: ImageLoader | None, most: int) -> tuple[dict[int, np.ndarray], list[str]]:
    """The first ``most`` readable photos of a product by number; a warning for each that cannot be read, or is odd."""
    photos: dict[int, np.ndarray] = {}
    warnings: list[str] = []
    if loader is None:
        return photos, warnings
    for number, source in enumerate(product.images):
        if len(photos) == most:
            break
        try:
            odd: list[str] = []
            photos[number] = loader.load(source, odd)
            warnings += [f"photo {number + 1}: {what}" for what in odd]
        except DataError as exc:
            warnings.append(f"photo {number + 1} left out: {exc}")
    return photos, warnings


def collate(
    items: Sequence[BatchItem],
    pad: int,
    allowed: np.ndarray | None = None,
    attributes: np.ndarray | None = None,
    *,
    length: int = 0,
) -> Arrays:
    """The inputs of a batch.

    :param items: B windows.
    :param pad: id of the padding token.
    :param allowed: (B, C) bool, attributes that the product's category can have.
    :param attributes: (B, C) bool, attributes to extract.
    :param length: tokens that rows are padded to, at least.
    """
    windows = [item.window for item in items]
    ids, index = _pad([w.ids for w in windows], pad, length), _pad([w.unit_index for w in windows], 0)
    arrays = {
        "input_ids": ids,
        "token_mask": _prefix([len(w.ids) for w in windows], ids.shape[1]),
        "unit_index": index,
        "unit_mask": _prefix([len(w.unit_index) for w in windows], index.shape[1]),
    }
    if allowed is not None:
        arrays["allowed"] = allowed
    if attributes is not None:
        arrays["attributes"] = attributes
    return arrays | _collate_photos(items)


def _collate_photos(items: Sequence[BatchItem]) -> Arrays:
    """pixels (M, H, W, 3) and image_index (B, I); a product's windows share its photos, which are encoded once."""
    most = max((len(item.photos) for item in items), default=0)
    if not most:
        return {}
    pixels: list[np.ndarray] = []
    first: dict[int, int] = {}  # product -> number of its first photo
    index = np.full((len(items), most), -1, dtype=np.int64)
    for at, item in enumerate(items):
        if item.product not in first:
            first[item.product] = len(pixels)
            pixels.extend(item.pixels)
        index[at, : len(item.pixels)] = first[item.product] + np.arange(len(item.pixels))
    return {"pixels": np.stack(pixels), "image_index": index}


def collate_labels(labels: Sequence[Labels], attributes: int) -> Arrays:
    """The targets of a batch.

    :param labels: of B windows.
    :param attributes: C.
    """
    cells = np.empty((len(labels), attributes), dtype=np.uint8)
    value_cells, scores = np.empty_like(cells), np.zeros(cells.shape, dtype=np.float32)
    for row, x in enumerate(labels):
        cells[row] = x.rest
        cells[row, list(x.cells)] = list(x.cells.values())
        scores[row, list(x.scores)] = list(x.scores.values())
        known, rest = x.values
        value_cells[row] = rest
        value_cells[row, list(known)] = list(known.values())
    pairs = [(row, a) for row, x in enumerate(labels) for a in dict.fromkeys((*x.pairs, *x.pseudo, *x.uncertain))]
    weights = [labels[row].pseudo[a][1] if a in labels[row].pseudo else 0.0 for row, a in pairs]
    flat = _pad([x.flat for x in labels], 0)
    choices = [(row, a) for row, x in enumerate(labels) for a in x.options]
    return {
        "cells": cells,
        "flat_tags": flat,
        "pair_rows": np.array([row for row, _ in pairs], dtype=np.int64),
        "pair_attributes": np.array([a for _, a in pairs], dtype=np.int64),
        "pair_tags": _pad([labels[row].tags(a) for row, a in pairs], 0, flat.shape[1]),
        "pair_weights": np.array(weights, dtype=np.float32),
        "range_targets": scores,
        "value_cells": value_cells,
        "choice_rows": np.array([row for row, _ in choices], dtype=np.int64),
        "choice_attributes": np.array([a for _, a in choices], dtype=np.int64),
        "choice_options": _pad([labels[row].options[a] for row, a in choices], -1),
        "choice_weights": np.array([labels[row].option_weights.get(a, 1.0) for row, a in choices], dtype=np.float32),
    }


def _pad(sequences: Sequence[Sequence[int]], value: int, width: int = 0) -> np.ndarray:
    width = max(width, max(map(len, sequences), default=0), 1)
    out = np.full((len(sequences), width), value, dtype=np.int64)
    for row, sequence in enumerate(sequences):
        out[row, : len(sequence)] = sequence
    return out


def _prefix(lengths: Sequence[int], width: int) -> np.ndarray:
    """(N, width) bool, True at the first so many places of each row."""
    return np.arange(width) < np.array(lengths)[:, None]
