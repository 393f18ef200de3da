"""The network as it was trained, run by torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from attrex.encoding.batching import Arrays
from attrex.inference.checkpoint import Model
from attrex.inference.engine import EngineChoices, EngineOutput
from attrex.model.batch import Choices, Inputs
from attrex.model.precision import Half, use_bf16
from attrex.model.system import System


class TorchEngine:
    """Runs batches through a model's network, on a GPU where there is one."""

    name = "torch"
    length_step = 0

    def __init__(self, model: Model, device: str | torch.device | None = None, precision: str | None = None) -> None:
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.network = model.network.to(self.device)
        self.half = Half(self.network) if use_bf16(precision or model.config.training.precision) else None
        self.threads = torch.get_num_threads()
        self.regions = (0, 0)
        if self.network.image is not None and model.transform is not None:
            self.regions = self.network.image.grid(model.transform.size)

    @property
    def chooses_values(self) -> bool:
        """As :class:`~attrex.inference.engine.Engine` says."""
        return self.network.chooses_values

    @property
    def batch_invariant(self) -> bool:
        """As :class:`~attrex.inference.engine.Engine` says: bf16 rounds in batches of different shapes differently."""
        return self.half is None

    @contextmanager
    def parallel(self, batches: int) -> Iterator[int]:
        """On a CPU a batch per core: cores that share a batch wait for each other after every product."""
        if self.device.type != "cpu" or batches < self.threads:
            yield 1
            return
        torch.set_num_threads(1)
        try:
            yield self.threads
        finally:
            torch.set_num_threads(self.threads)

    def image_weights_hash(self) -> str:
        """As :class:`~attrex.inference.engine.Engine` says."""
        found = hashlib.blake2b(b"bf16" if self.half is not None else b"fp32", digest_size=12)
        for name, tensor in self.network.state_dict().items():
            if name.startswith(("image.", "region_norm.")):
                found.update(tensor.cpu().contiguous().numpy())
        if (image := self.network.image) is not None:  # what no weight tells
            settings = self.network.settings.image
            mean, std = settings.mean or image.default_mean, settings.std or image.default_std
            found.update(repr((tuple(mean), tuple(std))).encode())
        return found.hexdigest()

    def encode_images(self, pixels: np.ndarray) -> np.ndarray:
        """As :class:`~attrex.inference.engine.Engine` says."""
        with self.using() as network:
            return _array(network.encode_images(torch.from_numpy(pixels).to(self.device)))

    def run(self, arrays: Arrays, *, threshold: float | None, region_weights: bool) -> EngineOutput:
        """As :class:`~attrex.inference.engine.Engine` says."""
        with self.using() as network:
            inputs = Inputs.from_arrays(arrays, self.device)
            decoded = network.extract(inputs, threshold=threshold, region_weights=region_weights)
        return EngineOutput(
            _array(decoded.rows),
            _array(decoded.attributes),
            _array(decoded.starts),
            _array(decoded.ends),
            _array(decoded.probability),
            None if decoded.range_scores is None else _array(decoded.range_scores),
            None if decoded.selected is None else _array(decoded.selected),
            decoded.pairs,
            None if decoded.region_weights is None else _array(decoded.region_weights),
            decoded.values,
            None if decoded.choices is None else _choices(decoded.choices),
            None if decoded.value_scores is None else _array(decoded.value_scores),
        )

    @contextmanager
    def using(self) -> Iterator[System]:
        """The network as it is run here: without gradients, in the engine's precision."""
        half = self.half
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16, enabled=half is not None):
            yield self.network.eval() if half is None else half()


def _choices(chosen: Choices) -> EngineChoices:
    return EngineChoices(*(None if part is None else _array(part) for part in vars(chosen).values()))  # type: ignore[arg-type]


def _array(tensor: Tensor) -> np.ndarray:
    return (tensor.float() if tensor.is_floating_point() else tensor).cpu().numpy()
