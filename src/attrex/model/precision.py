"""Where bf16 pays, and the network as extraction runs it there."""

from __future__ import annotations

from copy import copy, deepcopy
from threading import Lock
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from attrex.model.system import System


def use_bf16(precision: str) -> bool:
    """`auto`: bf16 where the processor multiplies it natively; emulated it is many times slower than fp32."""
    if precision != "auto":
        return precision == "bf16"
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


class Half:
    """A network whose text layers hold their matrices in bf16, for use under autocast; all else is the network's own.

    Outside of training, autocast would cast them anew in every batch. The copy is made again when the network was in
    training since, or when torch says that a weight was written: its fused optimizers do not say so. A system
    without a text encoder is used as it is.
    """

    def __init__(self, network: System) -> None:
        self.network = network
        self.made: tuple[list[tuple[int, int]], System] | None = None
        self.lock = Lock()  # several threads extract with one network

    def __call__(self) -> System:
        """The copy, in evaluation mode, as the network itself then is."""
        with self.lock:
            if self.network.training:
                self.made = None
                self.network.eval()
            return self._copy()

    def _copy(self) -> System:
        if self.network.text is None:
            return self.network
        state = [(p.data_ptr(), p._version) for p in self.network.text.layers.parameters()]
        if self.made is None or self.made[0] != state:
            text, twin = copy(self.network.text), copy(self.network)
            layers = deepcopy(self.network.text.layers)
            for module in layers.modules():
                if isinstance(module, nn.Linear):
                    module.to(torch.bfloat16)
            text._modules = text._modules | {"layers": layers}
            twin._modules = twin._modules | {"text": text}
            self.made = state, twin
        return self.made[1]
