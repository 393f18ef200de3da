"""What training reads: labelled windows, batches of them as tensors, and the order in which they come."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import ceil

import numpy as np
import torch
from torch import Tensor

from attrex.encoding.batching import BatchItem, collate, load_photos
from attrex.encoding.encoder import EncodedProduct, ProductEncoder
from attrex.io.images import ImageLoader
from attrex.types import Product


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
        rows: list[BatchItem] = []
        loaded: dict[int, dict[int, np.ndarray]] = {}  # windows of one product share its photos
        for product, encoded in items:
            if id(product) not in loaded:
                loaded[id(product)] = self._photos(product)
            photos = loaded[id(product)]
            rows += [BatchItem(id(product), w, tuple(photos), tuple(photos.values())) for w in encoded.windows]
        return {name: torch.from_numpy(array) for name, array in collate(rows, self.encoder).items()}

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
