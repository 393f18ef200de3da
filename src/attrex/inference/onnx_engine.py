"""An exported model, run by onnxruntime: what :mod:`attrex.inference.export` writes. Nothing here imports torch.

text.onnx      tokens + regions -> features, range logits      export.json    format, special tokens, CRF, parity
image.onnx     photos -> regions (models with photos)          tokenizer/tokenizer.json
decoder.onnx   features of selected pairs -> emissions         and as in a model directory: config.yaml, shop.yaml,
                                                               thresholds.json, metrics.json, image.json,
values.onnx    with a value head, see onnx_values.py           normalizer.json, calibration.json

Shape letters:
    B rows     S tokens     U units     D width     C attributes     M photos     I photos per row
    r regions per photo     R = I r     V region width     N pairs     K tags
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from attrex.config import Config
from attrex.encoding.batching import Arrays
from attrex.errors import CheckpointError, ConfigError, short
from attrex.inference.calibration import Calibration, read_calibration
from attrex.inference.decoding import Transitions, span_probability, spans, viterbi
from attrex.inference.directory import (
    EXPORT_FORMAT,
    check_complete,
    check_format,
    named_after,
    read_json,
    read_thresholds,
)
from attrex.inference.engine import EngineOutput
from attrex.inference.onnx_values import OPTIONS_FILE, VALUES_FILE, ValueGraph
from attrex.io.images import ImageTransform
from attrex.plain_yaml import load_plain
from attrex.shop.schema import Schema
from attrex.shop.shop import SHOP_FILE, Shop
from attrex.vocabulary.normalizer import NORMALIZER_FILE, ValueNormalizer

EXPORT_FILES = (
    "export.json",
    "config.yaml",
    SHOP_FILE,
    "thresholds.json",
    "metrics.json",
    "image.json",
    "tokenizer/tokenizer.json",
    "text.onnx",
    "decoder.onnx",
)
LENGTH_STEP = 16
"""Tokens: rows of an int8 export run beside rows of their own length, rounded up to it."""
PAIRS_AT_ONCE = 2048
"""Most pairs decoded together: bounds memory however many attributes are selected."""


@dataclass(frozen=True)
class ExportedTokenizer:
    """What :class:`~attrex.encoding.encoder.ProductEncoder` asks a tokenizer for."""

    backend_tokenizer: Any  #: tokenizers.Tokenizer
    cls_token_id: int
    sep_token_id: int
    pad_token_id: int
    unk_token_id: int
    all_special_ids: list[int]

    def get_vocab(self) -> dict[str, int]:
        return self.backend_tokenizer.get_vocab()


@dataclass
class Exported:
    """An export with all that belongs to it; takes the place of :class:`attrex.inference.checkpoint.Model`."""

    engine: OnnxEngine
    tokenizer: ExportedTokenizer
    config: Config
    shop: Shop
    transform: ImageTransform | None
    thresholds: dict[str, float]
    metrics: dict[str, Any] = field(default_factory=dict)  #: of the model that was exported
    about: dict[str, Any] = field(default_factory=dict)  #: export.json: what was exported, and its parity
    normalizer: ValueNormalizer = field(default_factory=ValueNormalizer.fit)  #: what the shop calls its values
    calibration: Calibration | None = None  #: one confidence for tags and options; None without a value head

    @property
    def schema(self) -> Schema:
        """The attributes, in the order of the graphs' outputs."""
        return self.shop.schema


class OnnxEngine:
    """Runs batches through the graphs of an export."""

    name = "onnx"

    def __init__(
        self,
        directory: Path,
        config: Config,
        about: dict[str, Any],
        cores: int | None = None,
        option_counts: Sequence[int] = (),
    ) -> None:
        self.directory, self.config = directory, config
        down, across, self.region_width = (_size(n) for n in (*about["regions"], about["region_width"]))
        self.regions: tuple[int, int] = (down, across)
        self.crf = Transitions.from_json(about["crf"])
        self.flat = config.range.kind == "none"
        self.batch_invariant: bool = about.get("weights") != "int8" or about.get("scales") == "token"
        self.length_step = LENGTH_STEP if about.get("scales") == "token" else 0
        self.cores = cores or _cores()
        self.text = Graph(directory / "text.onnx", ("features",))
        self.decoder = Graph(directory / "decoder.onnx", ("emissions",))
        self.image = Graph(directory / "image.onnx", ("regions",)) if self.region_width else None
        graph = directory / VALUES_FILE
        wanted = ("both", "by_text", "by_photo", "unit_weights")
        self.values = ValueGraph(Graph(graph, wanted), directory, option_counts) if graph.exists() else None

    @property
    def chooses_values(self) -> bool:
        """As :class:`~attrex.inference.engine.Engine` says."""
        return self.values is not None

    def parallel(self, batches: int) -> AbstractContextManager[int]:
        """A batch per core: cores that share a batch wait for each other after every product."""
        return nullcontext(max(1, min(batches, self.cores)))

    def image_weights_hash(self) -> str:
        """As :class:`~attrex.inference.engine.Engine` says."""
        graph = self.directory / "image.onnx"
        return hashlib.blake2b(graph.read_bytes() if graph.exists() else b"", digest_size=12).hexdigest()

    def encode_images(self, pixels: np.ndarray) -> np.ndarray:
        """As :class:`~attrex.inference.engine.Engine` says."""
        assert self.image is not None
        return self.image.run(["regions"], {"pixels": pixels})[0]

    def run(self, arrays: Arrays, *, threshold: float | None, region_weights: bool) -> EngineOutput:
        """As :class:`~attrex.inference.engine.Engine` says.

        Raises :class:`CheckpointError` where the files of the export do not fit each other.
        """
        try:
            return self._run(arrays, threshold, region_weights)
        except (ValueError, TypeError, IndexError, KeyError, MemoryError) as exc:
            raise CheckpointError(
                f"{self.directory} is damaged: what its graphs give does not fit the other files "
                f"({type(exc).__name__}: {short(str(exc), 200)}); copy the export again"
            ) from exc

    def _run(self, arrays: Arrays, threshold: float | None, region_weights: bool) -> EngineOutput:
        inputs = {name: arrays[name] for name in ("input_ids", "token_mask", "unit_index")}
        if self.image is not None:
            inputs["regions"], inputs["region_mask"] = self._regions(arrays)
        outputs = dict(zip(self.text.outputs, self.text.run(None, inputs), strict=True))
        features, weights = outputs["features"], outputs.get("weights") if region_weights else None
        mask = arrays["unit_mask"]
        if self.flat:
            emissions = self.decoder.run(["emissions"], {"features": features, "unit_mask": mask})[0]
            spans = self._spans(emissions, mask)
            wanted = arrays.get("attributes", arrays.get("allowed") if self.config.range.mask_by_category else None)
            if wanted is not None:
                kept = wanted[spans[0], spans[1]]
                spans = (spans[0][kept], spans[1][kept], spans[2][kept], spans[3][kept], spans[4][kept])
            return EngineOutput(*spans, None, None, len(features), weights)
        scores = 1 / (1 + np.exp(-outputs["range_logits"].astype(np.float32)))
        selected = scores > (self.config.range.threshold if threshold is None else threshold)
        if "allowed" in arrays and self.config.range.mask_by_category:
            selected &= arrays["allowed"]
        selected = arrays.get("attributes", selected)
        rows, attributes = selected.nonzero()
        parts = [
            self._pairs(features, mask, rows[at : at + PAIRS_AT_ONCE], attributes[at : at + PAIRS_AT_ONCE])
            for at in range(0, max(1, len(rows)), PAIRS_AT_ONCE)
        ]
        found, attributes, starts, ends, probability = (np.concatenate(column) for column in zip(*parts, strict=True))
        output = EngineOutput(found, attributes, starts, ends, probability, scores, selected, len(rows), weights)
        if self.values is None:
            return output
        value_scores = 1 / (1 + np.exp(-outputs["value_logits"].astype(np.float32)))
        asked = selected | (value_scores > self.config.values.threshold)
        if "allowed" in arrays and self.config.range.mask_by_category:
            asked &= arrays["allowed"]
        asked = arrays.get("attributes", asked)
        source = {"features": features, "unit_mask": mask, "state": outputs["state"]}
        source |= {name: inputs[name] for name in ("regions", "region_mask") if name in inputs}
        return replace(output, choices=self.values.choose(source, asked), value_scores=value_scores)

    def _regions(self, arrays: Arrays) -> tuple[np.ndarray, np.ndarray]:
        """Regions of each row (B, R, V) and their mask (B, R); each photo is encoded once, whoever shows it."""
        rows = len(arrays["input_ids"])
        if "image_index" not in arrays:
            return np.zeros((rows, 1, self.region_width), np.float32), np.zeros((rows, 1), bool)
        features = arrays.get("image_features")  # (M, r, V)
        if features is None:
            features = self.encode_images(arrays["pixels"])
        index = arrays["image_index"]
        regions = features[np.maximum(index, 0)]  # (B, I, r, V)
        mask = np.broadcast_to((index >= 0)[..., None], regions.shape[:3])
        return regions.reshape(rows, -1, self.region_width), mask.reshape(rows, -1)

    def _pairs(self, features: np.ndarray, mask: np.ndarray, rows: np.ndarray, attributes: np.ndarray) -> _Spans:
        if not len(rows):
            return rows, attributes, rows, rows, np.zeros(0)
        inputs = {"features": features, "unit_mask": mask, "rows": rows, "attributes": attributes}
        emissions = self.decoder.run(["emissions"], inputs)[0]  # (N, U, K)
        pairs, _, starts, ends, probability = self._spans(emissions, mask[rows])
        return rows[pairs], attributes[pairs], starts, ends, probability

    def _spans(self, emissions: np.ndarray, mask: np.ndarray) -> _Spans:
        found = spans(viterbi(emissions, mask, self.crf), mask)
        sequences, position = np.unique(found[0], return_inverse=True)  # most sequences hold nothing
        if not len(sequences):
            return (*found, np.zeros(0))
        return (*found, span_probability(emissions[sequences], mask[sequences], self.crf, position, *found[1:]))


_Spans = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def load_export(
    directory: Path, cores: int | None = None, *, allow_code: Iterable[str | type] = (), calibrated: bool = True
) -> Exported:
    """Read what `attrex export` wrote, to run on so many ``cores`` (None: all).

    ``allow_code`` and ``calibrated`` are those of :func:`~attrex.inference.checkpoint.load_model`.

    Raises :class:`CheckpointError` that names what is missing or damaged.
    """
    check_format(directory, "export.json", EXPORT_FORMAT)
    check_complete(directory, EXPORT_FILES)
    about = read_json(directory / "export.json")
    thresholds, transform = read_thresholds(directory), read_json(directory / "image.json")
    with named_after(directory):
        from tokenizers import Tokenizer

        raw = load_plain((directory / "config.yaml").read_text(encoding="utf-8"))
        config = Config.parse(raw, allow_code=allow_code)
        if config.values.head and config.range.kind == "predicted":
            check_complete(directory, (VALUES_FILE, OPTIONS_FILE))
        tokenizer = ExportedTokenizer(
            Tokenizer.from_file(str(directory / "tokenizer" / "tokenizer.json")), **about["special_tokens"]
        )
        shop = Shop.load(directory / SHOP_FILE)
        words = directory / NORMALIZER_FILE  # exports of older models have none, and know the values of their schema
        return Exported(
            OnnxEngine(directory, config, about, cores, [len(a.options) for a in shop.schema.attributes]),
            tokenizer,
            config,
            shop,
            ImageTransform.from_json(transform) if transform else None,
            thresholds,
            read_json(directory / "metrics.json"),
            about,
            ValueNormalizer.load(words) if words.exists() else ValueNormalizer.fit(shop=shop),
            read_calibration(directory) if calibrated else None,
        )


class Graph:
    """One graph of an export, run by onnxruntime.

    :param outputs: those that it must have, by name.

    Raises :class:`CheckpointError` for a graph that is damaged or another one, when it is read or when it is run.
    """

    def __init__(self, path: Path, outputs: Iterable[str]) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise ConfigError("an export runs with onnxruntime; install it: pip install 'attrex[onnx]'") from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # the cores have batches of their own
        options.log_severity_level = 3
        self.path = path
        with self._as_fault():
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        lacking = [name for name in outputs if name not in self.outputs]
        if lacking:
            raise CheckpointError(
                f"{path} is another graph: expected the outputs {', '.join(outputs)}, got "
                f"{short(self.outputs, 80)}; copy the export again"
            )

    @property
    def outputs(self) -> list[str]:
        return [output.name for output in self._session.get_outputs()]

    def run(self, outputs: Sequence[str] | None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        """The named outputs, or all of them."""
        with self._as_fault():
            return self._session.run(outputs, inputs)

    @contextmanager
    def _as_fault(self) -> Iterator[None]:
        try:
            yield
        except Exception as exc:  # onnxruntime's errors have no root of their own
            raise CheckpointError(
                f"{self.path} is damaged, or does not fit the other files of the export ({short(str(exc), 200)}); "
                "copy the export again"
            ) from exc


def _size(number: Any) -> int:
    """A size that export.json tells; none of a model is near the limit."""
    if type(number) is not int or not 0 <= number <= 2**16:
        raise CheckpointError(f"export.json: expected a size from 0 to {2**16:,}, got {short(number)}; export again")
    return number


def _cores() -> int:
    """Cores this process may use; OMP_NUM_THREADS, where it is set, is what the user wants."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdigit() and int(wanted):
        return int(wanted)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
