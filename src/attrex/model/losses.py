"""What a partly filled table teaches: the losses of the range and of the tags, cell by cell (`range.unknown`).

A cell is *uncertain* where it has no located value while its text names one that may be its own. With `unknown:
negative` blank and uncertain cells count as absent; with `masked` uncertain ones are left out of the range's loss, and
blank ones count with `unknown_weight`. Complete products have neither.

Shape letters:
    B rows     C attributes     N decoded pairs     U units     K tags
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot

from attrex.config import RangeConfig
from attrex.model.attribute_range import cap_pairs, select
from attrex.model.batch import BLANK, LOCATED, Targets
from attrex.model.crf import CRF
from attrex.model.tags import BEGIN, INSIDE, OUTSIDE
from attrex.types import UNKNOWN


def uncertain_cells(targets: Targets) -> Tensor:
    """Cells without a located value whose text names one that may be theirs: (B, C) bool."""
    uncertain = torch.zeros_like(targets.cells, dtype=torch.bool)
    unknown = (targets.pair_tags == UNKNOWN).any(1)
    uncertain[targets.pair_rows[unknown], targets.pair_attributes[unknown]] = True
    return uncertain & (targets.cells != LOCATED)


def cell_weights(cells: Tensor, uncertain: Tensor, settings: RangeConfig) -> Tensor:
    """How much each cell counts: blank and uncertain ones as `range.unknown` says, all others fully.

    :param cells: (B, C) `CellState`.
    :param uncertain: (B, C) bool, from :func:`uncertain_cells`.
    :return: (B, C) float.
    """
    unknown = (cells == BLANK) | uncertain
    return torch.where(unknown, 1.0 if settings.unknown == "negative" else settings.unknown_weight, 1.0)


def range_loss(logits: Tensor, targets: Targets, uncertain: Tensor, settings: RangeConfig) -> Tensor:
    """Binary cross entropy of the range classifier, a scalar. A cell with a teacher's score is uncertain no longer.

    :param logits: (B, C)
    :param uncertain: (B, C) bool, from :func:`uncertain_cells`.
    """
    target = (targets.cells == LOCATED).to(logits.dtype)
    weight = cell_weights(targets.cells, uncertain, settings)
    scored = targets.range_targets > 0
    uncertain = uncertain & ~scored
    target = torch.where(scored, targets.range_targets.to(target.dtype), target)
    weight = weight.masked_fill(scored, 1)
    if settings.unknown == "masked":
        weight = weight.masked_fill(uncertain, 0)
    total = binary_cross_entropy_with_logits(logits, target, weight=weight, reduction="sum")
    return total / (weight.sum().clamp(min=1) if settings.reduction == "mean" else len(weight))


def value_range_loss(logits: Tensor, targets: Targets, blank_weight: float) -> Tensor:
    """Binary cross entropy of having a value, said in the text or not: a scalar, per row.

    A filled cell has one, an absent one has none, and so has a blank one as far as ``blank_weight`` goes.

    :param logits: (B, C)
    """
    cells = targets.cells if targets.value_cells is None else targets.value_cells
    filled = cells >= LOCATED
    if targets.choices is not None:
        filled[targets.choices[0], targets.choices[1]] = True
    weight = torch.where((cells == BLANK) & ~filled, blank_weight, 1.0)
    if targets.choices is not None and targets.choice_weights is not None:
        rows, attributes, _ = targets.choices
        weight[rows, attributes] = targets.choice_weights.to(weight.dtype)
    total = binary_cross_entropy_with_logits(logits, filled.to(logits.dtype), weight=weight, reduction="sum")
    return total / len(logits)


def choice_nll(logits: Tensor, options: Tensor) -> Tensor:
    """Negative log-likelihood of choosing, each of a cell's options counting alike: (n,).

    :param logits: (n, K)
    :param options: (n, o) long, -1 is padding.
    """
    known = options >= 0
    nll = -logits.float().log_softmax(-1).gather(1, options.clamp(min=0))
    return (nll * known).sum(1) / known.sum(1)


def training_pairs(
    scores: Tensor, targets: Targets, uncertain: Tensor, settings: RangeConfig, *, drop_uncertain: bool
) -> tuple[Tensor, Tensor]:
    """The pairs that the decoder learns from, gold and predicted ones, and how much each counts.

    :param scores: (B, C) range scores.
    :param uncertain: (B, C) bool, from :func:`uncertain_cells`.
    :param drop_uncertain: leave uncertain cells out. Nearly all of such a sequence is known to be O and the rest is
        open: where there are more of these than of others, they teach O.
    :return: selected (B, C) bool, weight (B, C) float.
    """
    gold = targets.cells == LOCATED
    weight = cell_weights(targets.cells, uncertain, settings)
    if drop_uncertain:
        weight = weight.masked_fill(uncertain, 0)
    weight, gold = with_pseudo_labels(targets, weight, gold)
    selected = select(scores, settings.threshold) | gold
    return cap_pairs(selected & (weight > 0), gold, scores, settings.max_pairs), weight


def with_pseudo_labels(targets: Targets, weight: Tensor, gold: Tensor) -> tuple[Tensor, Tensor]:
    """The same with the pairs that a teacher labelled: they count with its confidence.

    :param weight: (B, C) float.
    :param gold: (B, C) bool.
    """
    labelled = targets.pair_weights > 0
    rows, attributes = targets.pair_rows[labelled], targets.pair_attributes[labelled]
    weight, gold = weight.clone(), gold.clone()
    weight[rows, attributes] = targets.pair_weights[labelled].to(weight.dtype)
    gold[rows, attributes] = True
    return weight, gold


def pair_nll(crf: CRF, emissions: Tensor, tags: Tensor, mask: Tensor, *, partial_labels: bool) -> Tensor:
    """Negative log-likelihood of sequences that each tag one attribute: (N,), exact whatever is not known.

    :param emissions: (N, U, K)
    :param tags: (N, U) long, UNKNOWN where a unit may have any tag.
    :param mask: (N, U) bool.
    :param partial_labels: sum over what is unknown; without it an unknown unit is O.
    """
    unknown = tags == UNKNOWN
    if not unknown.any() or not partial_labels:
        return crf.nll(emissions, tags.masked_fill(unknown, OUTSIDE), mask)
    allowed = one_hot(tags.clamp(min=0), crf.num_tags).bool()
    allowed |= unknown[..., None]
    return crf.partial_nll(emissions, allowed, mask)


def flat_nll(crf: CRF, emissions: Tensor, targets: Targets, mask: Tensor, *, partial_labels: bool) -> Tensor:
    """Negative log-likelihood of sequences that tag all attributes: (B,).

    :param emissions: (B, U, K)
    :param mask: (B, U) bool.
    :param partial_labels: an unknown unit may be O or a value of the attributes that it is unknown for; without it it
        is O.
    """
    pairs, units = (targets.pair_tags == UNKNOWN).nonzero(as_tuple=True)
    if not len(pairs) or not partial_labels:
        return crf.nll(emissions, targets.flat_tags, mask)
    allowed = one_hot(targets.flat_tags, crf.num_tags).bool()
    rows, attributes = targets.pair_rows[pairs], targets.pair_attributes[pairs]
    outside = targets.flat_tags[rows, units] == OUTSIDE
    for tag in (BEGIN, INSIDE):
        allowed[rows[outside], units[outside], 2 * attributes[outside] + tag] = True
    return crf.partial_nll(emissions, allowed, mask)
