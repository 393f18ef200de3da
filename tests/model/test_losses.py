"""The value head's losses against numbers worked out by hand."""

from __future__ import annotations

from math import log

import pytest
import torch
from torch import Tensor

from attrex.model.batch import Targets
from attrex.model.losses import choice_nll, value_range_loss

BLANK, ABSENT, LOCATED, NOT_LOCATED = range(4)


def targets(cells: list[list[int]], **choices: Tensor) -> Targets:
    shape = len(cells), len(cells[0])
    nothing = torch.zeros(0, dtype=torch.long)
    return Targets(
        torch.tensor(cells, dtype=torch.uint8),
        torch.zeros(shape[0], 1, dtype=torch.long),
        nothing,
        nothing,
        torch.zeros(0, 1, dtype=torch.long),
        torch.zeros(0),
        torch.zeros(shape),
        **choices,
    )


def logit(p: float) -> float:
    return log(p / (1 - p))


# ---- having a value -------------------------------------------------------------------------------------------------

SCORES = torch.tensor([[logit(0.8), logit(0.1), logit(0.6), logit(0.5)]])


@pytest.mark.parametrize("blank_weight", [0.0, 0.3, 1.0])
def test_filled_cells_have_a_value_absent_ones_none_and_blank_ones_by_their_weight(blank_weight: float):
    loss = value_range_loss(SCORES, targets([[LOCATED, ABSENT, BLANK, NOT_LOCATED]]), blank_weight)
    expected = -log(0.8) - log(1 - 0.1) - blank_weight * log(1 - 0.6) - log(0.5)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_rows_count_alike_however_many_there_are():
    cells = [LOCATED, ABSENT, BLANK, NOT_LOCATED]
    one = value_range_loss(SCORES, targets([cells]), 0.3)
    assert value_range_loss(SCORES.expand(3, -1), targets([cells] * 3), 0.3).item() == pytest.approx(one.item())


@pytest.mark.parametrize("state", [BLANK, ABSENT])
def test_a_cell_with_a_known_option_has_a_value_whatever_its_window_says(state: int):
    known = {
        "choice_rows": torch.tensor([0]),
        "choice_attributes": torch.tensor([2]),
        "choice_options": torch.tensor([[5]]),
    }
    loss = value_range_loss(SCORES, targets([[ABSENT, ABSENT, state, ABSENT]], **known), 0.3)
    expected = -log(1 - 0.8) - log(1 - 0.1) - log(0.6) - log(1 - 0.5)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


# ---- choosing -------------------------------------------------------------------------------------------------------

CHANCES = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]]).log()


def test_the_option_that_a_cell_has_should_be_chosen():
    assert choice_nll(CHANCES, torch.tensor([[1], [2]])).tolist() == pytest.approx([-log(0.3), -log(0.8)])


def test_several_options_of_a_cell_count_alike_and_padding_not_at_all():
    found = choice_nll(CHANCES + 7, torch.tensor([[0, 2, -1], [1, -1, -1]]))  # scores are up to a constant
    assert found.tolist() == pytest.approx([-(log(0.5) + log(0.2)) / 2, -log(0.1)])


def test_padding_teaches_nothing():
    scores = torch.zeros(1, 3, requires_grad=True)
    choice_nll(scores, torch.tensor([[2, -1]])).sum().backward()
    torch.testing.assert_close(scores.grad, torch.tensor([[1 / 3, 1 / 3, -2 / 3]]))


def test_likelihoods_are_summed_in_full_precision():
    assert choice_nll(CHANCES.bfloat16(), torch.tensor([[1], [2]])).dtype == torch.float32
