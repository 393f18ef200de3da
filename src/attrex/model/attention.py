"""How the text encoder's layers attend: torch's fused kernel, or plain products where that one is slow.

In bf16 on a CPU the fused kernel's backward pass takes about five times as long as the products it saves.
Shapes: B rows, H heads, L tokens, D width of a head.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import sdpa_mask

ATTENTION = "attrex"
"""Under which transformers finds :func:`attend`."""


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """softmax(Q K^T * scaling + mask) V: (B, H, L, D) -> (B, L, H, D); no weights are given back."""
    bias = None if attention_mask is None else attention_mask.to(query.dtype)
    if query.device.type == "cpu" and query.dtype == torch.bfloat16:
        scale = query.shape[-1] ** -0.5 if scaling is None else scaling
        # Autocast would take the softmax to fp32 and its result back: the kernel adds up in fp32 by itself.
        with torch.autocast("cpu", enabled=False):
            scores = (query * scale) @ key.transpose(-1, -2)
            weights = (scores if bias is None else scores + bias).softmax(-1)
            found = F.dropout(weights, dropout, module.training) @ value
    else:
        found = F.scaled_dot_product_attention(query, key, value, bias, dropout_p=dropout, scale=scaling)
    return found.transpose(1, 2), None


AttentionInterface.register(ATTENTION, attend)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
