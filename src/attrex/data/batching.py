"""Windows and photos of several products as one :class:`Batch`, and the order in which training sees products.

Shapes: B rows (windows), S tokens, U units, M distinct photos, I photos per row, C attributes, P gold pairs.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import ceil

import numpy as np
import torch
from torch import Tensor

from attrex.data.encoding import EncodedProduct, ProductEncoder, Window
from attrex.data.images import ImageLoader
from attrex.errors import DataError
from attrex.model.batch import Batch
from attrex.types import Product


@dataclass(slots=True)
class Row:
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


def collate(rows: Sequence[Row], encoder: ProductEncoder, allowed: np.ndarray | None = None) -> Batch:
    """Pad rows into tensors; labels come along where the windows have them. ``allowed``: (B, C) bool."""
    windows = [row.window for row in rows]
    ids = _pad([w.ids for w in windows], encoder.pad)
    lengths = torch.tensor([len(w.ids) for w in windows])
    units = torch.tensor([len(w.unit_index) for w in windows])
    index = _pad([w.unit_index for w in windows], 0)
    batch = Batch(
        input_ids=ids,
        token_mask=torch.arange(ids.shape[1]) < lengths[:, None],
        unit_index=index,
        unit_mask=torch.arange(index.shape[1]) < units[:, None],
    )
    if allowed is not None:
        batch.allowed = torch.from_numpy(allowed)
    _add_photos(batch, rows)
    if all(w.labels is not None for w in windows):
        _add_labels(batch, windows)
    return batch


def _add_photos(batch: Batch, rows: Sequence[Row]) -> None:
    most = max((len(row.photos) for row in rows), default=0)
    if not most:
        return
    pixels: list[np.ndarray] = []
    seen: dict[int, int] = {}  # a product's windows share its photos, which are encoded once
    index = np.full((len(rows), most), -1, dtype=np.int64)
    for at, row in enumerate(rows):
        if row.product not in seen:
            seen[row.product] = len(pixels)
            pixels.extend(row.pixels)
        index[at, : len(row.pixels)] = seen[row.product] + np.arange(len(row.pixels))
    batch.pixels = torch.from_numpy(np.stack(pixels))
    batch.image_index = torch.from_numpy(index)


def _add_labels(batch: Batch, windows: Sequence[Window]) -> None:
    labels = [w.labels for w in windows if w.labels is not None]
    batch.cells = torch.tensor([x.cells for x in labels], dtype=torch.uint8)
    batch.flat_tags = _pad([x.flat for x in labels], 0)
    pairs = [(row, attribute, tags) for row, x in enumerate(labels) for attribute, tags in x.pairs.items()]
    batch.pair_rows = torch.tensor([p[0] for p in pairs], dtype=torch.long)
    batch.pair_attributes = torch.tensor([p[1] for p in pairs], dtype=torch.long)
    padded = _pad([p[2] for p in pairs], 0, batch.unit_index.shape[1])
    batch.pair_tags = padded.view(len(pairs), batch.unit_index.shape[1])


def _pad(sequences: Sequence[Sequence[int]], value: int, width: int = 0) -> Tensor:
    width = max(width, max(map(len, sequences), default=0), 1)
    out = np.full((len(sequences), width), value, dtype=np.int64)
    for row, sequence in enumerate(sequences):
        out[row, : len(sequence)] = sequence
    return torch.from_numpy(out)


class LabelledProducts(torch.utils.data.Dataset[tuple[Product, EncodedProduct]]):
    """Products encoded once, as training sees them: an item is one window of a product.

    So a batch of N items has N rows, however long a text is. Marked error rows and products without readable text are
    left out and counted.
    """

    def __init__(self, products: Sequence[Product], encoder: ProductEncoder) -> None:
        self.items: list[tuple[Product, EncodedProduct]] = []
        self.products = 0  #: how many products the items come from
        for product in products:
            encoded = encoder.encode(product, labels=True) if product.error is None else None
            if encoded is not None and encoded.windows:
                self.products += 1
                self.items += [(product, replace(encoded, windows=[window])) for window in encoded.windows]
        self.left_out = len(products) - self.products

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> tuple[Product, EncodedProduct]:
        return self.items[index]

    def lengths(self) -> list[int]:
        """Tokens of each item."""
        return [sum(len(w.ids) for w in encoded.windows) for _, encoded in self.items]


class Collator:
    """Collects dataset items into a batch, photos included. Picklable for loader processes.

    A photo that cannot be read is left out; ``warnings`` keeps what was said of it, by product.
    """

    def __init__(self, encoder: ProductEncoder, loader: ImageLoader | None) -> None:
        self.encoder, self.loader = encoder, loader
        self.warnings: dict[str, list[str]] = {}

    def __call__(self, items: Sequence[tuple[Product, EncodedProduct]]) -> dict[str, Tensor]:
        rows: list[Row] = []
        loaded: dict[int, dict[int, np.ndarray]] = {}  # windows of one product share its photos
        for product, encoded in items:
            if id(product) not in loaded:
                loaded[id(product)] = self._photos(product)
            photos = loaded[id(product)]
            rows += [Row(id(product), w, tuple(photos), tuple(photos.values())) for w in encoded.windows]
        return collate(rows, self.encoder).tensors()

    def _photos(self, product: Product) -> dict[int, np.ndarray]:
        photos, warnings = load_photos(product, self.loader, self.encoder.config.image.max_images)
        if warnings:
            self.warnings[product.id] = warnings
        return photos


class BucketSampler(torch.utils.data.Sampler[list[int]]):
    """Shuffled batches of similar lengths: the same for the same seed and epoch, whatever ran before.

    Every epoch has each item once; a batch that is not full comes last, as accelerate's sharding expects it.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int, bucket: int = 32) -> None:
        self.lengths, self.batch_size, self.seed, self.bucket = lengths, batch_size, seed, bucket
        self.epoch = 0
        self.sampler = self  # where accelerate looks for `set_epoch` once it has wrapped this one

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return ceil(len(self.lengths) / self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        shuffle = random.Random(f"{self.seed}-{self.epoch}")
        order = list(range(len(self.lengths)))
        shuffle.shuffle(order)
        full = len(order) - len(order) % self.batch_size
        # Sorting within large buckets, not overall, keeps batches random and padding small.
        buckets = _cut(order[:full], self.batch_size * self.bucket)
        by_length = [i for bucket in buckets for i in sorted(bucket, key=self.lengths.__getitem__)]
        batches = _cut(by_length, self.batch_size)
        shuffle.shuffle(batches)
        yield from batches
        if order[full:]:
            yield order[full:]


def _cut(items: list[int], size: int) -> list[list[int]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
