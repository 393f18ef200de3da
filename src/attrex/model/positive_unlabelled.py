"""Learning the attribute range from cells that are positive or unlabelled (Kiryo et al., 2017).

Shapes: B rows, C attributes.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus


def pu_risk(logits: Tensor, positive: Tensor, unlabelled: Tensor, prior: Tensor) -> Tensor:
    """The non-negative risk of the unlabelled cells, summed over them: a scalar.

    With pi the share of unlabelled cells that are positive, and l+, l- the losses of a cell taken as positive and as
    negative, the mean loss of an attribute's unlabelled cells is

        pi * mean_P l+  +  max(0, mean_U l- - pi * mean_P l-)

    for the unlabelled cells are negative but for a share pi that looks like the positive ones. The difference cannot be
    negative; where a sample makes it so, it is cut off, else a large network would drive it down without end. An
    attribute without a positive cell in the batch cannot be told apart: its unlabelled cells are left out.

    ``logits`` (B, C), ``positive`` and ``unlabelled`` (B, C) bool, apart from each other, ``prior`` (C,) pi.
    """
    as_positive, as_negative = softplus(-logits), softplus(logits)
    unlabelled_loss = _mean(as_negative, unlabelled) - prior * _mean(as_negative, positive)
    risk = prior * _mean(as_positive, positive) + unlabelled_loss.clamp(min=0)
    return (risk * unlabelled.sum(0) * positive.any(0)).sum()


def _mean(loss: Tensor, cells: Tensor) -> Tensor:
    """The mean over the cells of each attribute: (C,); 0 where there are none."""
    return (loss * cells).sum(0) / cells.sum(0).clamp(min=1)
