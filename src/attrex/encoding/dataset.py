"""What training reads: labelled windows, batches of them as tensors, and the order in which they come."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from math import ceil
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from attrex.encoding.batching import BatchItem, collate, collate_labels, load_photos
from attrex.encoding.encoder import ProductEncoder, Window
from attrex.encoding.targets import Labels, TargetEncoder
from attrex.io.images import ImageLoader
from attrex.types import Product


class LabelledWindow(NamedTuple):
    """One training item: a window of a product, and what is known of it."""

    product: Product
    window: Window
    labels: Labels


class LabelledProducts(torch.utils.data.Dataset[LabelledWindow]):
    """Products encoded once, as training sees them: an item is one window of a product.

    So a batch of N items has N rows, however long a text is. Marked error rows and products without readable text are
    left out and counted.
    """

    def __init__(self, products: Sequence[Product], encoder: ProductEncoder, targets: TargetEncoder) -> None:
        self.items: list[LabelledWindow] = []
        self.products = 0  #: how many products the items come from
        for product in products:
            if product.error is not None:
                continue
            encoded = encoder.encode(product)
            labels = targets.encode(product, encoded)
            self.products += bool(encoded.windows)
            self.items += [LabelledWindow(product, *item) for item in zip(encoded.windows, labels, strict=True)]
        self.left_out = len(products) - self.products

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> LabelledWindow:
        return self.items[index]

    def lengths(self) -> list[int]:
        """Tokens of each item."""
        return [len(item.window.ids) for item in self.items]


class Collator:
    """Collects dataset items into a batch, photos included. Picklable for loader processes.

    A photo that cannot be read is left out; ``warnings`` says why, by product.
    """

    def __init__(self, encoder: ProductEncoder, loader: ImageLoader | None) -> None:
        self.encoder, self.loader = encoder, loader
        self.warnings: dict[str, list[str]] = {}

    def __call__(self, items: Sequence[LabelledWindow]) -> dict[str, Tensor]:
        rows: list[BatchItem] = []
        loaded: dict[int, dict[int, np.ndarray]] = {}  # windows of one product share its photos
        for product, window, _ in items:
            if id(product) not in loaded:
                photos, warnings = load_photos(product, self.loader, self.encoder.config.image.max_images)
                loaded[id(product)] = photos
                if warnings:
                    self.warnings[product.id] = warnings
            photos = loaded[id(product)]
            rows.append(BatchItem(id(product), window, tuple(photos), tuple(photos.values())))
        arrays = collate(rows, self.encoder.pad)
        arrays |= collate_labels([item.labels for item in items], len(self.encoder.schema.names))
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


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
