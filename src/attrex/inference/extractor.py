"""The class most users meet: load a model, give it products, get values with evidence.

extractor = Extractor.load("runs/shop")
for prediction in extractor.extract(read_products("catalog.jsonl")):
    ...
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from attrex.encoding.batching import BatchItem, collate, load_photos
from attrex.encoding.encoder import EncodedProduct, ProductEncoder, Unit, Window
from attrex.errors import ConfigError
from attrex.inference.engine import Engine, EngineOutput
from attrex.inference.evidence import RegionScores, heatmaps
from attrex.inference.region_cache import RegionCache
from attrex.io.images import ImageLoader
from attrex.types import ExtractedValue, Prediction, Product

if TYPE_CHECKING:
    from attrex.inference.checkpoint import Model
    from attrex.inference.onnx_engine import Exported

CHUNK = 16
"""Batches whose rows are sorted by length together, twice as many where texts have several windows: bounds memory, and
how long the first result takes."""


_Places = Sequence[tuple[int, Window]]
"""Windows of a batch, each with the number of its product in the chunk."""


@dataclass(slots=True)
class Count:
    """What extraction cost: the claims about range sizes are read off here."""

    products: int = 0
    rows: int = 0  #: encoder passes, one per text window
    sequences: int = 0  #: decoded sequences: the sizes of the ranges


class Extractor:
    """Extracts attribute values from products with one model, trained (torch) or exported (ONNX, without torch)."""

    def __init__(
        self,
        model: Model | Exported,
        *,
        device: Any = None,
        precision: str | None = None,
        cache_dir: Path | None = None,
    ) -> None:
        if cache_dir is not None and cache_dir.exists() and not cache_dir.is_dir():
            raise ConfigError(f"the cache of photos should be a directory, but {cache_dir} is a file; choose another")
        self.model = model
        self.engine: Engine = _engine(model, device, precision)
        self.encoder = ProductEncoder(model.tokenizer, model.config, model.schema)
        self.loader = ImageLoader(model.transform, cache_dir=cache_dir) if model.transform else None
        self.cache = RegionCache(cache_dir, self.engine.image_weights_hash()) if cache_dir and model.transform else None
        self.names = model.schema.names
        self.numbers = {name: number for number, name in enumerate(self.names)}
        self.count = Count()

    @classmethod
    def load(
        cls,
        source: str | Path,
        *,
        backend: str = "auto",
        device: Any = None,
        precision: str | None = None,
        cache_dir: Path | None = None,
        allow_code: Iterable[str | type] = (),
    ) -> Self:
        """From the directory of a model or of an export, or from a Hugging Face hub name.

        ``backend``: torch for models, onnx for exports (`attrex export`), auto for whichever is there; ``device`` is
        torch's; ``cache_dir`` keeps photos as they were decoded and encoded, for a catalogue that is run again;
        ``precision``: auto (bf16 where the processor multiplies it natively), fp32 or bf16, by default what
        the model was trained with; an export has its own; ``allow_code``: classes that the directory may name as
        ``package.module:Class`` (docs/extending.md). Raises :class:`CheckpointError`, and :class:`ConfigError`
        where the directory has another backend or precision.
        """
        return cls(_load(source, backend, allow_code), device=device, precision=precision, cache_dir=cache_dir)

    def extract(
        self,
        products: Iterable[Product],
        *,
        batch_size: int | None = None,
        threshold: float | None = None,
        min_confidence: float | None = None,
        evidence: bool = True,
        photos: bool = True,
        given: Callable[[Product], Collection[str]] | None = None,
    ) -> Iterator[Prediction]:
        """One :class:`Prediction` per product, in input order, streaming; memory is bounded by :data:`CHUNK` batches.

        ``threshold`` replaces S_thr; values below ``min_confidence`` are left out; ``evidence=False`` leaves out region
        weights; ``photos=False`` reads the texts only; ``given`` says of a product which attributes to look for, in
        place of those that the model would choose. A product that could not be read comes out marked, with its
        ``error``. Raises :class:`ConfigError` for options out of range.
        """
        limits = self.model.thresholds
        options = _Options(
            self.model.config.training.eval_batch_size if batch_size is None else batch_size,
            limits.get("range") if threshold is None else threshold,
            limits.get("confidence", 0.0) if min_confidence is None else min_confidence,
            evidence,
            photos,
            given,
        )
        return self._stream(iter(products), options)

    def _stream(self, products: Iterator[Product], options: _Options) -> Iterator[Prediction]:
        """Products are read a chunk ahead; long texts are encoded and run a part of the chunk at a time.

        Chunks are counted in products, so that a run that is resumed after whole ones is cut where the first run was.
        """
        size = options.batch_size * CHUNK
        while chunk := list(islice(products, size)):
            drafts: list[_Draft] = []
            rows = 0
            for product in chunk:
                drafts.append(_Draft(product, self.encoder.encode(product) if product.error is None else _NOTHING))
                rows += drafts[-1].left
                if rows >= 2 * size:
                    yield from self._finished(drafts, options)
                    drafts, rows = [], 0
            yield from self._finished(drafts, options)

    def _finished(self, drafts: Sequence[_Draft], options: _Options) -> list[Prediction]:
        """Run the rows of drafts in batches of similar length, and put each product together again."""
        places = [(i, w) for i, draft in enumerate(drafts) for w in draft.encoded.windows]
        places.sort(key=lambda place: -len(place[1].ids))  # the longest first: no core has a long batch left at the end
        batches = [places[at : at + options.batch_size] for at in range(0, len(places), options.batch_size)]
        for found, rows in self._run(batches, drafts, options):
            self.count.rows += len(rows)
            self.count.sequences += found.pairs
            self._read(found, rows, drafts)
        self.count.products += len(drafts)
        return [self._finish(draft, options) for draft in drafts]

    def _run(
        self, batches: Sequence[_Places], drafts: Sequence[_Draft], options: _Options
    ) -> Iterator[tuple[EngineOutput, list[BatchItem]]]:
        """Decode photos and run the engine, as many batches at once as it says; results in the order of the batches."""

        def run(places: _Places) -> tuple[EngineOutput, list[BatchItem]]:
            rows = [self._row(number, drafts[number], window, options) for number, window in places]
            products = [drafts[number].product for number, _ in places]
            batch = collate(rows, self.encoder, self._allowed(products), self._asked(products, options))
            if self.cache is not None and "pixels" in batch:
                batch["seen"] = self.cache.regions(batch.pop("pixels"), self.engine.see)
            for row in rows:
                row.pixels = ()  # results wait for their turn without them
            return self.engine.run(batch, threshold=options.threshold, region_weights=options.evidence), rows

        with self.engine.parallel(len(batches)) as at_once, ThreadPoolExecutor(at_once) as pool:
            yield from map(run, batches) if at_once == 1 else pool.map(run, batches)

    def _row(self, number: int, draft: _Draft, window: Window, options: _Options) -> BatchItem:
        with draft.lock:  # windows of one product can be in batches that run at once
            if draft.photos is None:  # decoded when the first window comes, shared by the others
                loader = self.loader if options.photos else None
                draft.photos, warnings = load_photos(draft.product, loader, self.model.config.image.max_images)
                draft.warnings += warnings
            row = BatchItem(number, window, tuple(draft.photos), tuple(draft.photos.values()))
            draft.left -= 1
            if not draft.left:
                draft.photos = {}  # only so many photos are in memory as the products under way have
            return row

    def _allowed(self, products: Sequence[Product]) -> np.ndarray | None:
        if not self.model.config.range.mask_by_category:
            return None
        return self._marked(self.model.schema.allowed(p.category) for p in products)

    def _asked(self, products: Sequence[Product], options: _Options) -> np.ndarray | None:
        if options.given is None:
            return None
        return self._marked(map(options.given, products))

    def _marked(self, chosen: Iterable[Iterable[str]]) -> np.ndarray:
        """Names chosen for each of B products -> (B, A) bool; names that the model does not know are left out."""
        numbers = [[self.numbers[name] for name in names if name in self.numbers] for names in chosen]
        marked = np.zeros((len(numbers), len(self.names)), bool)
        for row, columns in zip(marked, numbers, strict=True):
            row[columns] = True
        return marked

    def _read(self, found: EngineOutput, rows: Sequence[BatchItem], drafts: Sequence[_Draft]) -> None:
        """Move a batch's spans and range scores to the drafts of their products."""
        weights = found.region_weights
        if found.range_scores is not None and found.selected is not None:
            for row, attribute in zip(*found.selected.nonzero(), strict=True):
                drafts[rows[row].product].select(int(attribute), float(found.range_scores[row, attribute]))
        scrambled = self.model.config.image.region_layout == "raw"  # whose regions are no places of the photo
        columns = (found.rows, found.attributes, found.starts, found.ends, found.probability)
        for row, attribute, start, end, probability in zip(*(c.tolist() for c in columns), strict=True):
            source = rows[row]
            first, last = source.window.owned
            if not first <= start < last:
                continue  # seen with more context by the neighbouring window
            looked = None
            if weights is not None and source.photos and not scrambled:
                looked = self._looked(weights[row, source.window.unit_index[start:end]], source.photos)
            units = [u for u in source.window.units[start:end] if u is not None]
            drafts[source.product].found.append(_Span(attribute, units, probability, looked))

    def _looked(self, weights: np.ndarray, photos: tuple[int, ...]) -> RegionScores:
        """weights (T, R): of a value's T units; regions after those of its own photos are the batch's padding."""
        rows, columns = self.engine.regions
        return RegionScores(weights[:, : rows * columns * len(photos)].mean(0), photos, (rows, columns))

    def _finish(self, draft: _Draft, options: _Options) -> Prediction:
        product, encoded = draft.product, draft.encoded
        if product.error is not None:
            return Prediction(product.id, coverage=0.0, warnings=product.warnings, error=product.error)
        position = {name: i for i, name in enumerate(encoded.fields)}
        values = [value for found in draft.found for value in self._values(draft, found)]
        values.sort(key=lambda v: (position[v.field], v.start, v.end, v.attribute))
        return Prediction(
            product.id,
            tuple(v for v in _apart(values) if v.confidence >= options.min_confidence),
            {self.names[a]: s for a, s in sorted(draft.range.items(), key=lambda item: -item[1])},
            encoded.coverage,
            tuple(draft.warnings),
        )

    def _values(self, draft: _Draft, found: _Span) -> Iterator[ExtractedValue]:
        """A found span as values: one, or one per field where the tags ran across a field's end."""
        evidence = heatmaps(found.weights) if found.weights is not None else ()
        confidence = found.probability * draft.range.get(found.attribute, 1.0)
        for number in dict.fromkeys(u.field for u in found.units):
            inside = [u for u in found.units if u.field == number]
            name, start, end = draft.encoded.fields[number], inside[0].start, inside[-1].end
            yield ExtractedValue(
                self.names[found.attribute],
                draft.product.fields[name][start:end],
                name,
                start,
                end,
                min(max(confidence, 0.0), 1.0),
                evidence,
            )


def _apart(values: Iterable[ExtractedValue]) -> Iterator[ExtractedValue]:
    """Sorted values without those that reach into an earlier one of the same attribute.

    One window never gives two such; two windows do when they read differently what they both see.
    """
    reached: dict[tuple[str, str], int] = {}
    for value in values:
        if value.start >= reached.get((value.attribute, value.field), 0):
            reached[value.attribute, value.field] = value.end
            yield value


@dataclass(frozen=True, slots=True)
class _Options:
    batch_size: int
    threshold: float | None
    min_confidence: float
    evidence: bool
    photos: bool
    given: Callable[[Product], Collection[str]] | None = None

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ConfigError(f"batch_size should be at least 1, got {self.batch_size}")
        for name in ("threshold", "min_confidence"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ConfigError(f"{name} should be between 0 and 1, got {value}")


@dataclass(slots=True)
class _Span:
    attribute: int
    units: list[Unit]
    probability: float
    weights: RegionScores | None


class _Draft:
    """A prediction while its windows come in, in whatever order."""

    def __init__(self, product: Product, encoded: EncodedProduct) -> None:
        self.product, self.encoded = product, encoded
        self.warnings = [*product.warnings, *encoded.warnings]
        self.left = len(encoded.windows)
        self.lock = Lock()
        self.photos: dict[int, np.ndarray] | None = None
        self.found: list[_Span] = []
        self.range: dict[int, float] = {}

    def select(self, attribute: int, score: float) -> None:
        self.range[attribute] = max(score, self.range.get(attribute, 0.0))


_NOTHING = EncodedProduct([], 0.0, [])


def _load(source: str | Path, backend: str, allow_code: Iterable[str | type]) -> Model | Exported:
    from attrex.inference.directory import locate_model

    if backend not in ("auto", "torch", "onnx"):
        raise ConfigError(f"backend should be auto, torch or onnx, got {backend!r}")
    directory = locate_model(source)
    exported = (directory / "export.json").exists()
    if exported and backend == "torch":
        raise ConfigError(f"{source} is an export, which runs with --backend onnx; for torch give the model itself")
    if not exported and backend == "onnx":
        raise ConfigError(f"{source} is no export; make one: attrex export {source} --out DIR")
    if exported:
        from attrex.inference.onnx_engine import load_export

        return load_export(directory, allow_code=allow_code)
    from attrex.inference.checkpoint import load_model

    return load_model(directory, allow_code=allow_code)


def _engine(model: Model | Exported, device: Any, precision: str | None) -> Engine:
    from attrex.inference.onnx_engine import Exported

    if precision not in (None, "auto", "fp32", "bf16"):
        raise ConfigError(f"precision should be auto, fp32 or bf16, got {precision!r}")
    if isinstance(model, Exported):
        if precision not in (None, "auto"):
            raise ConfigError(f"precision={precision} is for torch: an export has its own, made by `attrex export`")
        return model.engine
    from attrex.inference.torch_engine import TorchEngine

    return TorchEngine(model, device, precision)
