import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attrex.model.attention import attend

MASK = torch.zeros(2, 1, 1, 7)
MASK[1, ..., 5:] = torch.finfo(torch.float32).min


def heads(dtype: torch.dtype) -> list[Tensor]:
    random = torch.Generator().manual_seed(0)
    return [torch.randn(2, 3, 7, 8, generator=random).to(dtype).requires_grad_() for _ in range(3)]


@pytest.mark.parametrize("mask", [None, MASK], ids=["all seen", "padding hidden"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_both_ways_give_the_same_states_and_gradients(dtype: torch.dtype, mask: Tensor | None):
    inputs, exact = heads(dtype), heads(torch.float32)
    found, weights = attend(nn.Identity(), *inputs, mask)
    expected = F.scaled_dot_product_attention(*exact, mask).transpose(1, 2)
    assert weights is None
    assert found.dtype == dtype
    tolerance = 2e-2 if dtype == torch.bfloat16 else 1e-5
    torch.testing.assert_close(found.float(), expected, atol=tolerance, rtol=tolerance)
    for got, wanted in zip(
        torch.autograd.grad(found.float().square().sum(), inputs),
        torch.autograd.grad(expected.square().sum(), exact),
        strict=True,
    ):
        torch.testing.assert_close(got.float(), wanted, atol=5 * tolerance, rtol=5 * tolerance)


def test_dropout_is_of_training_only():
    module = nn.Identity()
    inputs = heads(torch.bfloat16)
    plain, _ = attend(module, *inputs, None)
    assert not torch.equal(attend(module, *inputs, None, dropout=0.5)[0], plain)
    assert torch.equal(attend(module.eval(), *inputs, None, dropout=0.5)[0], plain)
