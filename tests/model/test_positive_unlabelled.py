"""The non-negative PU risk against the formula written out cell by cell."""

from __future__ import annotations

import math

import pytest
import torch

from attrex.model.positive_unlabelled import pu_risk


def loss(logit: float, label: int) -> float:
    return math.log1p(math.exp(-logit if label else logit))


def by_hand(logits: list[list[float]], positive: list[list[int]], unlabelled: list[list[int]], prior: float) -> float:
    """Kiryo et al., Eq. 6, for each attribute (column), times its unlabelled cells."""
    total = 0.0
    for column in range(len(logits[0])):
        p = [row[column] for row, is_it in zip(logits, positive, strict=True) if is_it[column]]
        u = [row[column] for row, is_it in zip(logits, unlabelled, strict=True) if is_it[column]]
        if p and u:
            positive_risk = prior * sum(loss(x, 1) for x in p) / len(p)
            negative_risk = sum(loss(x, 0) for x in u) / len(u) - prior * sum(loss(x, 0) for x in p) / len(p)
            total += len(u) * (positive_risk + max(0.0, negative_risk))
    return total


LOGITS = [[2.0, -1.0, 0.5], [-0.3, 0.4, 1.5], [-2.0, 3.0, -0.7], [1.0, -0.2, 0.1]]
POSITIVE = [[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0]]
UNLABELLED = [[0, 1, 1], [0, 1, 0], [1, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize("prior", [0.1, 0.5, 0.9])
def test_it_is_the_formula(prior: float) -> None:
    risk = pu_risk(
        torch.tensor(LOGITS), torch.tensor(POSITIVE).bool(), torch.tensor(UNLABELLED).bool(), torch.full((3,), prior)
    )
    assert risk.item() == pytest.approx(by_hand(LOGITS, POSITIVE, UNLABELLED, prior), rel=1e-5)


def test_each_attribute_has_its_own_prior() -> None:
    tensors = torch.tensor(LOGITS), torch.tensor(POSITIVE).bool(), torch.tensor(UNLABELLED).bool()
    both = pu_risk(*tensors, torch.tensor([0.2, 0.8, 0.5]))
    alone = [pu_risk(*(t[:, [a]] for t in tensors), torch.tensor([p])) for a, p in enumerate((0.2, 0.8, 0.5))]
    torch.testing.assert_close(both, sum(alone))


def test_a_negative_difference_is_cut_off() -> None:
    logits = torch.tensor([[4.0], [-4.0]], requires_grad=True)  # the unlabelled cell is already taken as negative
    positive, unlabelled = torch.tensor([[True], [False]]), torch.tensor([[False], [True]])
    risk = pu_risk(logits, positive, unlabelled, torch.tensor([0.5]))
    assert risk.item() == pytest.approx(0.5 * loss(4.0, 1), rel=1e-5)
    risk.backward()
    assert logits.grad[1] == 0  # nothing is gained by pushing it further
    assert logits.grad[0] < 0


def test_without_a_positive_cell_the_unlabelled_ones_teach_nothing() -> None:
    logits = torch.randn(3, 2, requires_grad=True)
    none = torch.zeros(3, 2, dtype=torch.bool)
    risk = pu_risk(logits, none, ~none, torch.tensor([0.5, 0.5]))
    risk.backward()
    assert risk == 0
    assert not logits.grad.any()


def test_a_risk_of_a_large_sample_is_that_of_the_true_labels() -> None:
    """Unlabelled cells of which 30 % are positive, drawn as the labelled ones: the estimate finds the true risk."""
    torch.manual_seed(0)
    cells, prior = 50_000, 0.3
    labelled = torch.randn(cells) + 1.5
    hidden = torch.arange(cells) < prior * cells
    unlabelled = torch.randn(cells) + torch.where(hidden, 1.5, -1.5)
    logits = torch.cat([labelled, unlabelled])[:, None]
    positive = (torch.arange(2 * cells) < cells)[:, None]
    estimate = pu_risk(logits, positive, ~positive, torch.tensor([prior])) / cells
    truth = torch.nn.functional.binary_cross_entropy_with_logits(unlabelled, hidden.float())
    assert estimate.item() == pytest.approx(truth.item(), rel=0.05)
