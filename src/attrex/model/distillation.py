"""What a smaller network learns from a trained one, on texts without labels (Hinton et al., 2015; Jiao et al., 2020).

The states of its layers, the range, the posteriors of the tags, and what the value head chooses, from both sources and
from each alone. Each is a divergence from what the teacher says of the same batch, and 0 where both say the same.

Shape letters:
    B rows     S tokens     U units     D width     C attributes     N selected (row, attribute) pairs     K tags
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from attrex.config import RangeConfig
from attrex.errors import ConfigError
from attrex.model.attribute_range import cap_pairs, select
from attrex.model.batch import Encoded, Inputs, Losses
from attrex.model.network import Network
from attrex.model.system import System
from attrex.model.text_encoder import TextEncoder

STATES_WEIGHT = 10.0
"""Of the layers' states, whose loss is a share of the teacher's square: beside the others it is small."""


def distillable(network: System) -> Network:
    """The network as one that can be a teacher; :class:`ConfigError` for others."""
    if not isinstance(network, Network) or not network.predicts_range:
        raise ConfigError(
            f"only ULS-DRAM and its variants with a range can be distilled, not {network.settings.system} with "
            f"range.kind={network.settings.range.kind}; export it as it is"
        )
    return network


def kept_layers(layers: int, of: int) -> list[int]:
    """The teacher's layers that a student of so many ``layers`` starts from: evenly spread, the first among them.

    Raises :class:`ConfigError` where there are not fewer of them.
    """
    if not 1 <= layers < of:
        raise ConfigError(f"layers should be from 1 to {of - 1}, for the model's text encoder has {of}; got {layers}")
    return [i * of // layers for i in range(layers)]


def taught_layers(layers: int, of: int) -> list[int]:
    """The teacher's layer whose states each of the student's learns: the last one before the next that was kept."""
    return [*(first - 1 for first in kept_layers(layers, of)[1:]), of - 1]


def distillation_losses(student: Network, teacher: Network, inputs: Inputs) -> Losses:
    """How far the student is from its teacher on a batch.

    Both see the same regions, from an image encoder that they share. Tags are compared in the teacher's range.

    :param student: in training mode, with fewer layers of the same width.
    :param teacher: in evaluation mode.
    """
    regions: tuple[Tensor | None, Tensor | None] = (None, None)
    with torch.no_grad():
        if student.image is not None:
            regions = student.regions(inputs)  # some rows lose their photos in training, the teacher's with them
        with layer_states(teacher.text) as taught:
            told = teacher.encode_text(inputs, *regions)
    with layer_states(student.text) as learned:
        found = student.encode_text(inputs, *regions)
    layers = taught_layers(len(learned), len(taught))
    pairs = zip(learned, (taught[i] for i in layers), strict=True)
    states = torch.stack([states_loss(a, b, inputs.token_mask) for a, b in pairs]).mean() * STATES_WEIGHT
    assert found.range_logits is not None
    assert told.range_logits is not None
    of_range = probabilities_loss(found.range_logits, told.range_logits)
    rows, attributes = _compared_pairs(student.settings.range, told.range_logits)
    of_tags = tags_loss(student, teacher, found, told, rows, attributes)
    losses = Losses(states + of_range + of_tags, of_range, of_tags, len(rows))
    if found.value_logits is not None and told.value_logits is not None:
        losses.value_loss = probabilities_loss(found.value_logits, told.value_logits)
        losses.value_loss = losses.value_loss + choices_loss(student, teacher, found, told)
        losses.loss = losses.loss + losses.value_loss * student.settings.values.loss_weight
    return losses


@contextmanager
def layer_states(encoder: TextEncoder) -> Iterator[list[Tensor]]:
    """What each layer makes of the batch that is encoded in the block, in order: (B, L, D) each."""
    states: list[Tensor] = []
    hooks = [layer.register_forward_hook(lambda _, __, state: states.append(state)) for layer in encoder.layers]
    try:
        yield states
    finally:
        for hook in hooks:
            hook.remove()


def states_loss(found: Tensor, told: Tensor, mask: Tensor) -> Tensor:
    """Squared distance of the tokens' states, as a share of the teacher's square: a scalar.

    :param found: (B, L, D), of which the first S positions are tokens.
    :param told: (B, L, D)
    :param mask: (B, S) bool.
    """
    length = mask.shape[1]
    found, told = found[:, :length][mask].float(), told[:, :length][mask].float()
    return (found - told).square().sum() / told.square().sum()


def probabilities_loss(found: Tensor, told: Tensor) -> Tensor:
    """Divergence of independent probabilities, given as logits (B, C): summed over attributes, the mean over rows."""
    found, told = found.float(), told.float()
    target = told.sigmoid()
    entropy = binary_cross_entropy_with_logits(told, target, reduction="sum")
    return (binary_cross_entropy_with_logits(found, target, reduction="sum") - entropy) / len(found)


def _compared_pairs(settings: RangeConfig, told: Tensor) -> tuple[Tensor, Tensor]:
    """Rows and attributes, (N,) each, of the teacher's range; its logits are (B, C)."""
    scores = told.float().sigmoid()
    theirs = select(scores, settings.threshold)
    rows, attributes = cap_pairs(theirs, theirs, scores, settings.max_pairs).nonzero(as_tuple=True)
    return rows, attributes


def tags_loss(
    student: Network, teacher: Network, found: Encoded, told: Encoded, rows: Tensor, attributes: Tensor
) -> Tensor:
    """Divergence of the tags' posteriors, summed over units, the mean over pairs: a scalar.

    :param rows: (N,) long.
    :param attributes: (N,) long.
    """
    if not len(rows):
        return found.features.sum() * 0
    mask = found.unit_mask[rows]
    with torch.no_grad():
        target = teacher.crf.log_marginals(teacher.emissions(told, rows, attributes), mask)
    posterior = student.crf.log_marginals(student.emissions(found, rows, attributes), mask)
    return (divergence(posterior, target) * mask).sum() / len(rows)


def choices_loss(student: Network, teacher: Network, found: Encoded, told: Encoded) -> Tensor:
    """Divergence of the options' probabilities, from text and photo and from each alone, the sum over a row's cells.

    Cells that the teacher would choose a value for are compared.
    """
    assert student.values is not None
    assert teacher.values is not None
    assert told.value_logits is not None
    settings = student.settings.values
    asked = select(told.value_logits.float().sigmoid(), settings.threshold) & (teacher.values.sizes > 0)
    rows, attributes = asked.nonzero(as_tuple=True)
    if not len(rows):
        return found.features.sum() * 0
    with torch.no_grad():
        theirs = _compared_options(teacher, told, rows, attributes)
    ours = _compared_options(student, found, rows, attributes)
    shown = torch.zeros_like(rows) if found.region_mask is None else found.region_mask.any(1)[rows]
    weights = (torch.ones_like(shown), shown * settings.alone_weight, shown * settings.alone_weight)
    loss = found.features.sum() * 0
    for weight, mine, target in zip(weights, ours, theirs, strict=True):
        for (_, pairs, logits), (_, _, wanted) in zip(mine, target, strict=True):
            apart = divergence(logits.float().log_softmax(-1), wanted.float().log_softmax(-1))
            loss = loss + (apart * weight[pairs]).sum() / len(asked)
    return loss


def _compared_options(
    network: Network, encoded: Encoded, rows: Tensor, attributes: Tensor
) -> list[Sequence[tuple[int, Tensor, Tensor]]]:
    """As :meth:`ValueHead.choose`, by text and photo, by the text and by the photo."""
    assert network.values is not None
    seen, vectors = network.find_values(encoded, rows, attributes)
    return [network.values.choose(compared, attributes) for compared in network.values.compare(vectors, seen)]


def divergence(found: Tensor, told: Tensor) -> Tensor:
    """Kullback-Leibler divergence of distributions over the last dimension from the teacher's; both are logarithms.

    :param found: (..., K)
    :param told: (..., K)
    :return: (...)
    """
    return (told.exp() * (told - found)).sum(-1)
