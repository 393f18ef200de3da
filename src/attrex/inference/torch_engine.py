"""The network as it was trained, run by torch."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import torch
from torch import Tensor

from attrex.data.batching import Arrays
from attrex.inference.checkpoint import Model
from attrex.inference.engine import Found
from attrex.model.batch import Batch


class TorchEngine:
    """Runs batches through a model's network, on a GPU where there is one."""

    name = "torch"

    def __init__(self, model: Model, device: str | torch.device | None = None) -> None:
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.network = model.network.to(self.device)
        self.regions = (0, 0)
        if self.network.image is not None and model.transform is not None:
            self.regions = self.network.image.grid(model.transform.size)

    def run(self, arrays: Arrays, *, threshold: float | None, region_weights: bool, precision: str) -> Found:
        """As :class:`~attrex.inference.engine.Engine` says."""
        self.network.eval()
        with torch.inference_mode(), _autocast(self.device, precision):
            batch = Batch.of(arrays, self.device)
            decoded = self.network.extract(batch, threshold=threshold, region_weights=region_weights, only=batch.asked)
        return Found(
            _array(decoded.rows),
            _array(decoded.attributes),
            _array(decoded.starts),
            _array(decoded.ends),
            _array(decoded.probability),
            None if decoded.range_scores is None else _array(decoded.range_scores),
            None if decoded.selected is None else _array(decoded.selected),
            decoded.pairs,
            None if decoded.region_weights is None else _array(decoded.region_weights),
        )


def _array(tensor: Tensor) -> np.ndarray:
    return (tensor.float() if tensor.is_floating_point() else tensor).cpu().numpy()


def _autocast(device: torch.device, precision: str) -> torch.autocast | nullcontext[None]:
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()
