"""The class most users meet: load a model, give it products, get values with evidence.

extractor = Extractor.load("runs/shop")
for prediction in extractor.extract(read_products("catalog.jsonl")):
    ...
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Self

import numpy as np
import torch

from attrex.data.batching import Row, collate, load_photos
from attrex.data.encoding import EncodedProduct, ProductEncoder
from attrex.data.images import ImageLoader
from attrex.inference.checkpoint import Model, load_model
from attrex.inference.evidence import Weights, heatmaps
from attrex.model.batch import Decoded
from attrex.types import ExtractedValue, Prediction, Product

CHUNK = 16
"""Batches whose rows are sorted by length together: bounds memory, and how long the first result takes."""


@dataclass(slots=True)
class Count:
    """What extraction cost: the claims about range sizes are read off here."""

    products: int = 0
    rows: int = 0  #: encoder passes, one per text window
    sequences: int = 0  #: decoded sequences: the sizes of the ranges


class Extractor:
    """Extracts attribute values from products with one model."""

    def __init__(
        self, model: Model, *, device: str | torch.device | None = None, cache_dir: Path | None = None
    ) -> None:
        self.model = model
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.network = model.network.to(self.device)
        self.encoder = ProductEncoder(model.tokenizer, model.config, model.schema)
        self.loader = ImageLoader(model.transform, cache_dir=cache_dir) if model.transform else None
        self.names = model.schema.names
        self.count = Count()

    @classmethod
    def load(
        cls, source: str | Path, *, device: str | torch.device | None = None, cache_dir: Path | None = None
    ) -> Self:
        """From a model directory or a Hugging Face hub name. Raises :class:`CheckpointError`."""
        return cls(load_model(source), device=device, cache_dir=cache_dir)

    def extract(
        self,
        products: Iterable[Product],
        *,
        batch_size: int | None = None,
        threshold: float | None = None,
        min_confidence: float | None = None,
        evidence: bool = True,
        photos: bool = True,
        precision: str = "fp32",
    ) -> Iterator[Prediction]:
        """One :class:`Prediction` per product, in input order, streaming; memory is bounded by the batch.

        ``threshold`` replaces S_thr; values below ``min_confidence`` are left out; ``evidence=False`` leaves out region
        weights; ``photos=False`` reads the texts only; ``precision="bf16"`` where the processor has it. A product that
        could not be read comes out marked, with its ``error``.
        """
        size = batch_size or self.model.config.training.eval_batch_size
        limits = self.model.thresholds
        options = _Options(
            size,
            limits.get("range") if threshold is None else threshold,
            limits.get("confidence", 0.0) if min_confidence is None else min_confidence,
            evidence,
            photos,
            precision,
        )
        stream = iter(products)
        while chunk := list(islice(stream, size * CHUNK)):
            yield from self._chunk(chunk, options)

    def _chunk(self, products: Sequence[Product], options: _Options) -> list[Prediction]:
        """Encode a chunk, run its rows in batches of similar length, and put each product together again."""
        encoded = [self.encoder.encode(p) if p.error is None else EncodedProduct([], 0.0, []) for p in products]
        order = sorted(
            ((i, w) for i, e in enumerate(encoded) for w in range(len(e.windows))),
            key=lambda at: len(encoded[at[0]].windows[at[1]].ids),
        )
        drafts = [_Draft(list(p.warnings) + e.warnings) for p, e in zip(products, encoded, strict=True)]
        for start in range(0, len(order), options.batch_size):
            self._batch(order[start : start + options.batch_size], products, encoded, drafts, options)
        self.count.products += len(products)
        return [self._finish(*parts, options) for parts in zip(products, encoded, drafts, strict=True)]

    def _batch(
        self,
        places: Sequence[tuple[int, int]],
        products: Sequence[Product],
        encoded: Sequence[EncodedProduct],
        drafts: Sequence[_Draft],
        options: _Options,
    ) -> None:
        rows = []
        for product, window in places:
            draft = drafts[product]
            if draft.photos is None:  # decoded when its first window comes, shared by the others
                source = products[product]
                loader = self.loader if options.photos else None
                draft.photos, warnings = load_photos(source, loader, self.model.config.image.max_images)
                draft.warnings += warnings
            rows.append(
                Row(product, encoded[product].windows[window], tuple(draft.photos), tuple(draft.photos.values()))
            )
        batch = collate(rows, self.encoder, self._allowed([products[p] for p, _ in places]))
        self.network.eval()
        with torch.inference_mode(), _autocast(self.device, options.precision):
            decoded = self.network.extract(
                batch.to(self.device), threshold=options.threshold, region_weights=options.evidence
            )
        self.count.rows += len(rows)
        self.count.sequences += decoded.pairs
        self._read(decoded, rows, drafts)

    def _allowed(self, products: Sequence[Product]) -> np.ndarray | None:
        if not self.model.config.range.mask_by_category:
            return None
        schema = self.model.schema
        return np.array([[n in schema.allowed(p.category) for n in self.names] for p in products])

    def _read(self, decoded: Decoded, rows: Sequence[Row], drafts: Sequence[_Draft]) -> None:
        """Move a batch's spans and range scores to the drafts of their products."""
        weights = decoded.region_weights.float().cpu().numpy() if decoded.region_weights is not None else None
        if decoded.range_scores is not None and decoded.selected is not None:
            scores, selected = decoded.range_scores.cpu().numpy(), decoded.selected.cpu().numpy()
            for row, attribute in zip(*selected.nonzero(), strict=True):
                drafts[rows[row].product].select(int(attribute), float(scores[row, attribute]))
        most = max((len(r.photos) for r in rows), default=0)  # rows with fewer photos are padded to it
        columns = (decoded.rows, decoded.attributes, decoded.starts, decoded.ends, decoded.probability)
        for row, attribute, start, end, probability in zip(*(c.tolist() for c in columns), strict=True):
            source = rows[row]
            first, last = source.window.owned
            if not first <= start < last:
                continue  # seen with more context by the neighbouring window
            looked = None
            if weights is not None and source.photos:
                tokens = source.window.unit_index[start:end]
                own = weights.shape[2] // most * len(source.photos)
                looked = Weights(weights[row, tokens, :own].mean(0), source.photos)
            drafts[source.product].found.append(_Found(attribute, source, start, end, probability, looked))

    def _finish(self, product: Product, encoded: EncodedProduct, draft: _Draft, options: _Options) -> Prediction:
        if product.error is not None:
            return Prediction(product.id, coverage=0.0, warnings=product.warnings, error=product.error)
        values = [
            value
            for found in draft.found
            for value in self._values(product, encoded, found, draft.range)
            if value.confidence >= options.min_confidence
        ]
        position = {name: i for i, name in enumerate(encoded.fields)}
        values.sort(key=lambda v: (position[v.field], v.start, v.end, v.attribute))
        chosen = sorted(draft.range.items(), key=lambda item: -item[1])
        return Prediction(
            product.id,
            tuple(values),
            {self.names[a]: s for a, s in chosen},
            encoded.coverage,
            tuple(draft.warnings),
        )

    def _values(
        self, product: Product, encoded: EncodedProduct, found: _Found, scores: dict[int, float]
    ) -> Iterator[ExtractedValue]:
        """A found span as values: one, or one per field where the tags ran across a field's end."""
        units = [u for u in found.row.window.units[found.start : found.end] if u is not None]
        evidence = heatmaps(found.weights) if found.weights is not None else ()
        confidence = found.probability * scores.get(found.attribute, 1.0)
        for number in dict.fromkeys(u.field for u in units):
            inside = [u for u in units if u.field == number]
            name, start, end = encoded.fields[number], inside[0].start, inside[-1].end
            yield ExtractedValue(
                self.names[found.attribute],
                product.fields[name][start:end],
                name,
                start,
                end,
                min(max(confidence, 0.0), 1.0),
                evidence,
            )


@dataclass(frozen=True, slots=True)
class _Options:
    batch_size: int
    threshold: float | None
    min_confidence: float
    evidence: bool
    photos: bool
    precision: str


@dataclass(slots=True)
class _Found:
    attribute: int
    row: Row
    start: int
    end: int
    probability: float
    weights: Weights | None


class _Draft:
    """A prediction while its windows come in, in whatever order."""

    def __init__(self, warnings: list[str]) -> None:
        self.warnings = warnings
        self.photos: dict[int, np.ndarray] | None = None
        self.found: list[_Found] = []
        self.range: dict[int, float] = {}

    def select(self, attribute: int, score: float) -> None:
        self.range[attribute] = max(score, self.range.get(attribute, 0.0))


def _autocast(device: torch.device, precision: str) -> torch.autocast | nullcontext[None]:
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()
