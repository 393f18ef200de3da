"""The class most users meet: load a model, give it products, get values with evidence.

extractor = Extractor.load("runs/shop")
for prediction in extractor.extract(read_products("catalog.jsonl")):
    ...
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np

from attrex.encoding.batching import BatchItem, collate
from attrex.encoding.encoder import ProductEncoder, Window
from attrex.errors import ConfigError, did_you_mean
from attrex.inference.assembly import NO_WINDOWS, Draft, Naming, collect
from attrex.inference.candidates import Candidate
from attrex.inference.directory import locate_model
from attrex.inference.engine import Engine, EngineOutput
from attrex.inference.finds_cache import FindsCache, product_key
from attrex.inference.region_cache import RegionCache
from attrex.io.content import model_hash
from attrex.io.images import ImageLoader
from attrex.io.rows import as_products, shortlist
from attrex.types import Prediction, Product

if TYPE_CHECKING:
    from attrex.inference.calibration import Calibration
    from attrex.inference.checkpoint import Model
    from attrex.inference.onnx_engine import Exported

T = TypeVar("T")
CHUNK = 16
"""Batches whose rows are sorted by length together, twice as many where texts have several windows: bounds memory, and
how long the first result takes."""


Attributes = Callable[[Product], Collection[str]] | Mapping[str, Collection[str]] | Collection[str]
"""Which attributes to look for: names for all products, names by a product's id, or what says them of a product."""
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
        deterministic: bool = False,
    ) -> None:
        if cache_dir is not None and cache_dir.exists() and not cache_dir.is_dir():
            raise ConfigError(f"the cache of photos should be a directory, but {cache_dir} is a file; choose another")
        self.model = model
        self.engine: Engine = _engine(model, device, precision, deterministic)
        self.encoder = ProductEncoder(model.tokenizer, model.config, model.schema)
        self.loader = ImageLoader(model.transform, cache_dir=cache_dir) if model.transform else None
        self.cache = RegionCache(cache_dir, self.engine.image_weights_hash()) if cache_dir and model.transform else None
        self.finds: FindsCache | None = None  #: of a directory's model, see :meth:`load`
        self.model_hash = ""
        self.names = model.schema.names
        self.numbers = {name: number for number, name in enumerate(self.names)}
        options = [a.options for a in model.schema.attributes]
        self.naming = Naming(
            self.names, options, model.normalizer.normalize, self.encoder.units.decode, model.calibration
        )
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
        deterministic: bool = False,
        allow_code: Iterable[str | type] = (),
        calibrated: bool = True,
    ) -> Self:
        """From the directory of a model or of an export, or from a Hugging Face hub name.

        ``backend``: torch for models, onnx for exports (`attrex export`), auto for whichever is there; ``device`` is
        torch's; ``cache_dir`` keeps photos as they were decoded and encoded, and what was found in each product, for a
        catalogue that is run again;
        ``precision``: auto (bf16 where the processor multiplies it natively), fp32 or bf16, by default what
        the model was trained with; an export has its own; ``deterministic``: a product gets the same values alone as
        among any others (torch in fp32, or an export); ``allow_code``: classes that the directory may name as
        ``package.module:Class`` (docs/extending.md); ``calibrated=False`` does not read its calibration. Raises
        :class:`CheckpointError`, and :class:`ConfigError` where the directory has another backend or precision, or
        cannot be deterministic.
        """
        directory = locate_model(source)
        model = _load(source, directory, backend, allow_code, calibrated)
        extractor = cls(model, device=device, precision=precision, cache_dir=cache_dir, deterministic=deterministic)
        if cache_dir is not None and not allow_code:  # code of the user's own may have changed without a trace
            extractor.finds, extractor.model_hash = FindsCache(cache_dir), model_hash(directory)
        return extractor

    @property
    def chooses_values(self) -> bool:
        """Whether the model has a value head."""
        return self.engine.chooses_values

    def use_calibration(self, calibration: Calibration) -> None:
        """Take confidences from ``calibration``, here and in the model; finds are cached no longer."""
        self.finds = None
        self.model.calibration = calibration
        self.naming = replace(self.naming, calibration=calibration)

    def extract(
        self,
        products: Iterable[Product | Mapping[str, Any] | str],
        *,
        batch_size: int | None = None,
        threshold: float | None = None,
        min_confidence: float | None = None,
        evidence: bool = True,
        photos: bool = True,
        attributes: Attributes | None = None,
    ) -> Iterator[Prediction]:
        """One :class:`Prediction` per product, in input order, streaming; memory is bounded by :data:`CHUNK` batches.

        ``products``: as :func:`read_products` gives them, or dicts with the columns that it reads (texts in title,
        description, bullets or text), or strings, each the text of one product; a row without an id has its number.
        ``threshold`` replaces S_thr; values below ``min_confidence`` are left out; ``evidence=False`` leaves out region
        weights; ``photos=False`` reads the texts only; ``attributes`` are those to look for, in place of those that the
        model would choose (of an id that a mapping lacks: none). A product that could not be read comes out marked,
        with its ``error``. Raises :class:`ConfigError` for options out of range, :class:`DataError` for what is no
        product.
        """
        options = self._options(batch_size, threshold, min_confidence, evidence, photos, attributes)
        source = as_products(products)
        return self._predictions(source, options) if self.finds is None else self._with_cache(source, options)

    def cells(
        self, products: Iterable[Product], *, photos: bool = True, batch_size: int | None = None
    ) -> Iterator[dict[str, list[Candidate]]]:
        """What the cells of each product may hold, by attribute, surest first: what :meth:`extract` makes values of.

        Of a product that could not be read: nothing.
        """
        options = self._options(batch_size, None, None, evidence=False, photos=photos, attributes=None)
        names = self.naming.attributes
        return self._stream(
            iter(products), options, lambda draft: {names[a]: c for a, c in draft.cells(self.naming).items()}
        )

    def _options(
        self,
        batch_size: int | None,
        threshold: float | None,
        min_confidence: float | None,
        evidence: bool,
        photos: bool,
        attributes: Attributes | None,
    ) -> _Options:
        limits = self.model.thresholds
        return _Options(
            self.model.config.training.eval_batch_size if batch_size is None else batch_size,
            limits.get("range") if threshold is None else threshold,
            limits.get("confidence", 0.0) if min_confidence is None else min_confidence,
            evidence,
            photos,
            self._chooser(attributes),
        )

    def _chooser(self, attributes: Attributes | None) -> Callable[[Product], Collection[str]] | None:
        if attributes is None or callable(attributes):
            return attributes
        if isinstance(attributes, Mapping):
            return lambda product: attributes.get(product.id, ())
        names = [attributes] if isinstance(attributes, str) else list(attributes)
        for name in names:
            if name not in self.numbers:
                raise ConfigError(
                    f"attributes should be names that the model knows, got {name!r}{did_you_mean(name, self.names)}; "
                    f"it knows {shortlist(self.names)}"
                )
        return lambda product: names

    def _predictions(self, products: Iterator[Product], options: _Options) -> Iterator[Prediction]:
        return self._stream(products, options, lambda draft: draft.prediction(self.naming, options.min_confidence))

    def _with_cache(self, products: Iterator[Product], options: _Options) -> Iterator[Prediction]:
        """Predictions, of which only those are made that are not known.

        More products at a time than of :meth:`_stream`: most of them are known, and the others still fill batches.
        """
        assert self.finds is not None
        loader = self.loader if options.photos else None
        model = [self.model_hash, self.engine.name, self.engine.image_weights_hash()]
        while chunk := list(islice(products, options.batch_size * CHUNK * 4)):
            keys = [product_key(product, loader, [*model, *options.record(product)]) for product in chunk]
            yield from self.finds.completed(chunk, keys, lambda new: self._predictions(iter(new), options))

    def _stream(self, products: Iterator[Product], options: _Options, finish: Callable[[Draft], T]) -> Iterator[T]:
        """Products are read a chunk ahead; long texts are encoded and run a part of the chunk at a time.

        Chunks are counted in products, so that a run that is resumed after whole ones is cut where the first run was.
        """
        size = options.batch_size * CHUNK
        while chunk := list(islice(products, size)):
            drafts: list[Draft] = []
            rows = 0
            for product in chunk:
                drafts.append(Draft(product, self.encoder.encode(product) if product.error is None else NO_WINDOWS))
                rows += drafts[-1].left
                if rows >= 2 * size:
                    self._complete(drafts, options)
                    yield from map(finish, drafts)
                    drafts, rows = [], 0
            self._complete(drafts, options)
            yield from map(finish, drafts)

    def _complete(self, drafts: Sequence[Draft], options: _Options) -> None:
        """Run the rows of drafts in batches of similar length, and put each product together again.

        Padding moves the last digits, and with them what an int8 engine rounds: it gets rows of one length, which so
        hangs on the product alone.
        """
        places = [(i, w) for i, draft in enumerate(drafts) for w in draft.encoded.windows]
        places.sort(key=lambda place: -len(place[1].ids))  # the longest first: no core has a long batch left at the end
        alike = (list(rows) for _, rows in groupby(places, lambda place: self._length(place[1])))
        batches = [r[at : at + options.batch_size] for r in alike for at in range(0, len(r), options.batch_size)]
        for output, rows in self._run(batches, drafts, options):
            self.count.rows += len(rows)
            self.count.sequences += output.pairs
            collect(output, rows, drafts, self.engine.regions, evidence=options.evidence)
        self.count.products += len(drafts)

    def _length(self, window: Window) -> int:
        """Tokens that a window is padded to by itself; 0: to the longest of its batch."""
        step = self.engine.length_step
        return step and -(-len(window.ids) // step) * step

    def _run(
        self, batches: Sequence[_Places], drafts: Sequence[Draft], options: _Options
    ) -> Iterator[tuple[EngineOutput, list[BatchItem]]]:
        """Decode photos and run the engine, as many batches at once as it says; results in the order of the batches."""
        loader, most = self.loader if options.photos else None, self.model.config.image.max_images

        def run(places: _Places) -> tuple[EngineOutput, list[BatchItem]]:
            rows = []
            for number, window in places:
                pixels = drafts[number].take_photos(loader, most)
                rows.append(BatchItem(number, window, tuple(pixels), tuple(pixels.values())))
            products = [drafts[number].product for number, _ in places]
            allowed = wanted = None
            if self.model.config.range.mask_by_category:
                allowed = self._mask(self.model.schema.allowed(p.category) for p in products)
            if options.attributes is not None:
                wanted = self._mask(map(options.attributes, products))
            batch = collate(rows, self.encoder.pad, allowed, wanted, length=self._length(places[0][1]))
            if self.cache is not None and "pixels" in batch:
                batch["image_features"] = self.cache.regions(batch.pop("pixels"), self.engine.encode_images)
            for row in rows:
                row.pixels = ()  # results wait for their turn without them
            return self.engine.run(batch, threshold=options.threshold, region_weights=options.evidence), rows

        with self.engine.parallel(len(batches)) as at_once, ThreadPoolExecutor(at_once) as pool:
            yield from map(run, batches) if at_once == 1 else pool.map(run, batches)

    def _mask(self, chosen: Iterable[Iterable[str]]) -> np.ndarray:
        """Names chosen for each of B products -> (B, C) bool; names that the model does not know are left out."""
        numbers = [[self.numbers[name] for name in names if name in self.numbers] for names in chosen]
        mask = np.zeros((len(numbers), len(self.names)), bool)
        for row, columns in zip(mask, numbers, strict=True):
            row[columns] = True
        return mask


@dataclass(frozen=True, slots=True)
class _Options:
    batch_size: int
    threshold: float | None
    min_confidence: float
    evidence: bool
    photos: bool
    attributes: Callable[[Product], Collection[str]] | None = None

    def record(self, product: Product) -> list[Any]:
        """What the finds in a product hang on besides model and product, JSON."""
        wanted = None if self.attributes is None else sorted(self.attributes(product))
        return [self.threshold, self.min_confidence, self.evidence, self.photos, wanted]

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ConfigError(f"batch_size should be at least 1, got {self.batch_size}")
        for name in ("threshold", "min_confidence"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ConfigError(f"{name} should be between 0 and 1, got {value}")


def _load(
    source: str | Path, directory: Path, backend: str, allow_code: Iterable[str | type], calibrated: bool
) -> Model | Exported:
    if backend not in ("auto", "torch", "onnx"):
        raise ConfigError(f"backend should be auto, torch or onnx, got {backend!r}")
    exported = (directory / "export.json").exists()
    if exported and backend == "torch":
        raise ConfigError(f"{source} is an export, which runs with backend onnx; for torch give the model itself")
    if not exported and backend == "onnx":
        raise ConfigError(f"{source} is no export; make one: attrex export {source} --out DIR")
    if exported:
        from attrex.inference.onnx_engine import load_export

        return load_export(directory, allow_code=allow_code, calibrated=calibrated)
    from attrex.inference.checkpoint import load_model

    return load_model(directory, allow_code=allow_code, calibrated=calibrated)


def _engine(model: Model | Exported, device: Any, precision: str | None, deterministic: bool) -> Engine:
    from attrex.inference.onnx_engine import Exported

    if precision not in (None, "auto", "fp32", "bf16"):
        raise ConfigError(f"precision should be auto, fp32 or bf16, got {precision!r}")
    engine: Engine
    if isinstance(model, Exported):
        if precision not in (None, "auto"):
            raise ConfigError(f"precision={precision} is for torch: an export has its own, made by `attrex export`")
        engine = model.engine
    else:
        from attrex.inference.torch_engine import TorchEngine

        engine = TorchEngine(model, device, "fp32" if deterministic and precision != "bf16" else precision)
    if deterministic:
        check_deterministic(engine)
    return engine


def check_deterministic(engine: Engine) -> None:
    """Raise :class:`ConfigError` where a product's values depend a little on the products beside it."""
    if engine.batch_invariant:
        return
    if engine.name == "onnx":
        why, what = (
            "this int8 export has one scale for a whole batch",
            "export the model again, which gives each token one",
        )
    else:
        why, what = "bf16 rounds a product a little differently in another batch", "take `precision` fp32"
    raise ConfigError(f"`deterministic` means the same values in any batch, but {why}; {what}, or leave it out")
