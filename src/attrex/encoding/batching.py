"""Windows and photos of several products as one batch: padded arrays, named as :class:`attrex.model.batch.Batch` says.

Shapes: B rows (windows), S tokens, U units, M distinct photos, I photos per row, C attributes, P pairs that are
gold or may be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from attrex.encoding.encoder import ProductEncoder, Window
from attrex.errors import DataError
from attrex.io.images import ImageLoader
from attrex.types import Product

Arrays = dict[str, np.ndarray]
"""A batch without torch: the fields of :class:`attrex.model.batch.Batch` that are there."""


@dataclass(slots=True)
class BatchItem:
    """One window on its way into a batch, with the photos of its product."""

    product: int
    window: Window
    photos: tuple[int, ...] = ()  #: numbers of the product's readable photos
    pixels: tuple[np.ndarray, ...] = field(default=(), repr=False)  #: (H, W, 3) uint8 each, shared by a product's rows


def load_photos(product: Product, loader: ImageLoader | None, most: int) -> tuple[dict[int, np.ndarray], list[str]]:
    """The first ``most`` readable photos of a product by number, and a warning for each that cannot be read."""
    photos: dict[int, np.ndarray] = {}
    warnings: list[str] = []
    if loader is None:
        return photos, warnings
    for number, source in enumerate(product.images):
        if len(photos) == most:
            break
        try:
            photos[number] = loader.load(source)
        except DataError as exc:
            warnings.append(f"photo {number + 1} left out: {exc}")
    return photos, warnings


def collate(
    rows: Sequence[BatchItem],
    encoder: ProductEncoder,
    allowed: np.ndarray | None = None,
    asked: np.ndarray | None = None,
) -> Arrays:
    """Pad rows into arrays; labels come along where the windows have them. ``allowed``, ``asked``: (B, C) bool."""
    windows = [row.window for row in rows]
    ids, index = _pad([w.ids for w in windows], encoder.pad), _pad([w.unit_index for w in windows], 0)
    arrays = {
        "input_ids": ids,
        "token_mask": _prefix([len(w.ids) for w in windows], ids.shape[1]),
        "unit_index": index,
        "unit_mask": _prefix([len(w.unit_index) for w in windows], index.shape[1]),
    }
    if allowed is not None:
        arrays["allowed"] = allowed
    if asked is not None:
        arrays["asked"] = asked
    arrays |= _photo_arrays(rows)
    if all(w.labels is not None for w in windows):
        arrays |= _label_arrays(windows, encoder, index.shape[1])
    return arrays


def _photo_arrays(rows: Sequence[BatchItem]) -> Arrays:
    most = max((len(row.photos) for row in rows), default=0)
    if not most:
        return {}
    pixels: list[np.ndarray] = []
    seen: dict[int, int] = {}  # a product's windows share its photos, which are encoded once
    index = np.full((len(rows), most), -1, dtype=np.int64)
    for at, row in enumerate(rows):
        if row.product not in seen:
            seen[row.product] = len(pixels)
            pixels.extend(row.pixels)
        index[at, : len(row.pixels)] = seen[row.product] + np.arange(len(row.pixels))
    return {"pixels": np.stack(pixels), "image_index": index}


def _label_arrays(windows: Sequence[Window], encoder: ProductEncoder, units: int) -> Arrays:
    labels = [w.labels for w in windows if w.labels is not None]
    cells = np.empty((len(labels), len(encoder.schema.names)), dtype=np.uint8)
    for row, x in zip(cells, labels, strict=True):
        row[:] = x.rest
        row[list(x.cells)] = list(x.cells.values())
    # Those that have a value, a teacher's value, or words in doubt.
    pairs = [(row, a) for row, x in enumerate(labels) for a in dict.fromkeys((*x.pairs, *x.soft, *x.maybe))]
    arrays = {
        "cells": cells,
        "flat_tags": _pad([x.flat for x in labels], 0),
        "pair_rows": np.array([row for row, _ in pairs], dtype=np.int64),
        "pair_attributes": np.array([a for _, a in pairs], dtype=np.int64),
        "pair_tags": _pad([encoder.tags(labels[row], a) for row, a in pairs], 0, units),
    }
    if encoder.teacher is None:
        return arrays
    scores = np.zeros(cells.shape, dtype=np.float32)
    for at, x in enumerate(labels):
        scores[at, list(x.scores)] = list(x.scores.values())
    weights = [labels[row].soft[a][1] if a in labels[row].soft else 0.0 for row, a in pairs]
    return arrays | {"pair_weights": np.array(weights, dtype=np.float32), "range_targets": scores}


def _pad(sequences: Sequence[Sequence[int]], value: int, width: int = 0) -> np.ndarray:
    width = max(width, max(map(len, sequences), default=0), 1)
    out = np.full((len(sequences), width), value, dtype=np.int64)
    for row, sequence in enumerate(sequences):
        out[row, : len(sequence)] = sequence
    return out


def _prefix(lengths: Sequence[int], width: int) -> np.ndarray:
    """(N, width) bool, True at the first so many places of each row."""
    return np.arange(width) < np.array(lengths)[:, None]
