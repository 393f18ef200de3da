"""The model that answers, and what becomes of a request that was read. Nothing here knows of HTTP."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrex.errors import CheckpointError, did_you_mean
from attrex.filling.fill import MIN_CONFIDENCE, fill_table
from attrex.inference.directory import locate_model
from attrex.inference.extractor import Extractor
from attrex.inference.selection import load_held_out
from attrex.io.content import model_hash
from attrex.io.images import ImageLoader
from attrex.io.rows import shortlist
from attrex.server.batches import Options, SharedBatches
from attrex.server.bodies import Bodies
from attrex.server.reading import Asked, Extraction, Filling, Reader
from attrex.server.refusals import Refused
from attrex.server.settings import MiB, ServerSettings
from attrex.types import Prediction, Product
from attrex.vocabulary.normalizer import NORMALIZER_FILE, ValueNormalizer

if TYPE_CHECKING:
    from attrex.inference.selection import Cutoff

PHOTO_CACHE = 64 * MiB
"""Of decoded photos: from their check until they are in a batch, and for those that come again."""
OPTIONS_SHOWN = 200  #: of an attribute


@dataclass(frozen=True)
class Loaded:
    """A model that answers, with all that reading and filling need of it."""

    extractor: Extractor
    normalizer: ValueNormalizer  #: of its own: the extractor's works in another thread
    directory: Path
    hash: str
    reader: Reader

    @classmethod
    def load(cls, model: str | Path, settings: ServerSettings, allow_code: Iterable[str | type] = ()) -> Loaded:
        """Raises :class:`~attrex.errors.AttrexError` for a model that cannot be loaded, or whose answers would depend
        on what shares a batch."""
        directory = locate_model(model)
        extractor = Extractor.load(directory, deterministic=True, allow_code=allow_code)
        if extractor.model.transform is not None:
            transform = extractor.model.transform
            transform = replace(transform, max_pixels=min(transform.max_pixels, settings.limits.pixels))
            extractor.loader = ImageLoader(transform, PHOTO_CACHE)
        words = directory / NORMALIZER_FILE
        shop = extractor.model.shop
        normalizer = ValueNormalizer.load(words) if words.exists() else ValueNormalizer.fit(shop=shop)
        reader = Reader(shop, extractor.loader, settings)
        return cls(extractor, normalizer, directory, model_hash(directory), reader)

    def check(self, asked: Extraction) -> None:
        """Raises :class:`Refused` for options that do not fit the model."""
        for name in asked.attributes or ():
            if name not in self.extractor.numbers:
                names = self.extractor.names
                raise Refused(
                    422,
                    f"attributes: expected some that the model knows, {shortlist(names)}, got {name!r}"
                    f"{did_you_mean(name, names)}",
                )

    def limits(self, asked: Filling) -> dict[str, Any]:
        """What is sure enough to be filled in; raises :class:`Refused` where the model cannot promise it."""
        if asked.precision is None:
            return {"min_confidence": MIN_CONFIDENCE if asked.min_confidence is None else asked.min_confidence}
        if asked.min_confidence is not None:
            raise Refused(422, "expected precision or min_confidence, got both; give only one")
        try:
            return {"cutoffs": _cutoffs(self.directory, self.hash, round(asked.precision, 4))}
        except CheckpointError:
            detail = "precision: this model has no held-out cells to choose limits on; give min_confidence"
            raise Refused(422, detail) from None

    def facts(self) -> dict[str, Any]:
        """What every answer says of the model."""
        return {"model": self.hash}

    def schema(self) -> dict[str, Any]:
        """What products may have, and which attributes are looked for."""
        shop, columns = self.extractor.model.shop, self.extractor.model.shop.columns
        return {
            "model": self.hash,
            "columns": {
                "id": columns.id,
                "texts": list(columns.texts or ("title", "description", "bullets", "text")),
                "photos": list(columns.images or ("image", "images")) if self.extractor.loader else [],
                "category": columns.category,
                "table": columns.attributes if isinstance(columns.attributes, str) else list(columns.attributes),
            },
            "attributes": [
                {
                    "name": a.name,
                    "options": list(a.options[:OPTIONS_SHOWN]),
                    "more_options": len(a.options) > OPTIONS_SHOWN,
                }
                for a in shop.schema.attributes
            ],
            "categories": {name: list(attributes) for name, attributes in shop.schema.categories.items()},
        }


@lru_cache(64)
def _cutoffs(directory: Path, content: str, precision: float) -> Mapping[str, Cutoff]:
    """The limits of a model's attributes for a precision; ``content``: its hash, for what is in a directory changes."""
    return load_held_out(directory).cutoffs(precision)


@dataclass
class Service:
    """One process's model, queue and threads."""

    source: str | Path
    settings: ServerSettings
    allow_code: Sequence[str | type] = ()
    loaded: Loaded = field(init=False)
    batches: SharedBatches = field(init=False)
    bodies: Bodies = field(init=False)
    readers: ThreadPoolExecutor = field(init=False)
    filler: ThreadPoolExecutor = field(init=False)  #: one thread, for the normalizer is one
    draining: bool = False  #: SIGTERM came: what was accepted is finished

    def __post_init__(self) -> None:
        self.loaded = Loaded.load(self.source, self.settings, self.allow_code)
        lanes = max(1, (os.cpu_count() or 1) // self.settings.workers)
        size = self.loaded.extractor.model.config.training.eval_batch_size * lanes
        self.batches = SharedBatches(size, lanes, self.settings.limits.queue)
        self.bodies = Bodies(self.settings.limits.bodies_bytes)
        self.readers = ThreadPoolExecutor(4, thread_name_prefix="reader")
        self.filler = ThreadPoolExecutor(1, thread_name_prefix="filler")

    def start(self) -> None:
        self.batches.start()

    def close(self) -> None:
        """End the threads, when all that was accepted is done."""
        self.batches.close()
        self.readers.shutdown()
        self.filler.shutdown()

    async def reload(self) -> str:
        """Answer with the directory's model as it is now; what was asked before is still answered by the one before.

        Returns the hash of the model. Raises :class:`~attrex.errors.AttrexError` where it cannot be loaded; then
        nothing changes.
        """
        load = Loaded.load
        self.loaded = await asyncio.to_thread(load, self.source, self.settings, self.allow_code)
        return self.loaded.hash

    async def extracted(
        self, loaded: Loaded, asked: Asked
    ) -> AsyncGenerator[tuple[Product, Prediction | Exception], None]:
        """What is found in each product, in order; a product that could not be read is marked."""
        how, confidence = asked.options, None if isinstance(asked.options, Filling) else asked.options.min_confidence
        options = Options(
            None if how.attributes is None else tuple(how.attributes), confidence, how.evidence, how.photos
        )
        seconds = self.settings.limits.answer_seconds
        async with aclosing(self.batches.extract(loaded.extractor, asked.products, options, seconds)) as found:
            number = 0
            async for one in found:
                yield asked.products[number], one
                number += 1

    async def results(self, loaded: Loaded, asked: Asked) -> AsyncGenerator[dict[str, Any] | Exception, None]:
        """The answer's part on each product, in order; an exception in place of what could not be found."""
        limits = loaded.limits(asked.options) if isinstance(asked.options, Filling) else None
        async with aclosing(self.extracted(loaded, asked)) as found:
            async for product, one in found:
                if isinstance(one, Exception):
                    yield one
                elif limits is None:
                    yield _of_prediction(one)
                else:
                    assert isinstance(asked.options, Filling)
                    loop = asyncio.get_running_loop()
                    yield await loop.run_in_executor(
                        self.filler, _of_filling, loaded, product, one, asked.options, limits
                    )


def _of_prediction(found: Prediction) -> dict[str, Any]:
    row = found.to_json()
    row.pop("content", None)
    return row


def _of_filling(
    loaded: Loaded, product: Product, found: Prediction, asked: Filling, limits: Mapping[str, Any]
) -> dict[str, Any]:
    (row,) = fill_table([product], [found], loaded.normalizer, known_only=asked.known_only, **limits)
    changes = [entry.to_json() for entry in row.entries]
    for change in changes:
        del change["id"]
    answer = {"id": row.id, "table": {a: list(values) for a, values in row.table.items()}, "changes": changes}
    if asked.evidence:
        answer["values"] = [value.to_json() for value in found.values]
    return answer | {"coverage": round(found.coverage, 4), "warnings": list(found.warnings), "error": row.error}
