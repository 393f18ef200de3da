"""How the text encoder's layers attend: torch's fused kernel, or plain products where that one is slow.

In bf16 on a CPU the fused kernel takes one and a half times as long as plain products, and several times in its
backward pass.
Shape letters:
    B rows     H heads     L tokens     D width of a head
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
    if query.device.type == "cpu" and query.dtype == torch.bfloat16:
        scale = query.shape[-1] ** -0.5 if scaling is None else scaling
        with torch.autocast("cpu", enabled=False):
            scores = ((query * scale) @ key.transpose(-1, -2)).float()  # a softmax in bf16 takes three times as long
            if attention_mask is not None:
                scores += attention_mask
            weights = F.dropout(_softmax(scores).to(query.dtype), dropout, module.training)
            attended = weights @ value
    else:
        bias = None if attention_mask is None else attention_mask.to(query.dtype)
        attended = F.scaled_dot_product_attention(query, key, value, bias, dropout_p=dropout, scale=scaling)
    return attended.transpose(1, 2), None


def _softmax(scores: Tensor) -> Tensor:
    """Over the last dimension, in place where no gradient needs the scores: fresh memory costs as much as the sums."""
    return scores.softmax(-1) if scores.requires_grad else torch.softmax(scores, -1, out=scores)


AttentionInterface.register(ATTENTION, attend)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
