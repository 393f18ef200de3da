from __future__ import annotations

import pytest
import torch
from torch import Tensor

from attrex.model.tir import TIR, Attention, bound


def by_hand(attention: Attention, text: Tensor, source: Tensor, mask: Tensor) -> Tensor:
    """Eq. 1-2, head by head, masked keys left out of the sums."""
    weights = [layer.weight.unflatten(0, (attention.heads, -1)) for layer in attention.children()]
    query, key, value = (
        torch.einsum("hwd,bsd->bhsw", w, x) for w, x in zip(weights, (text, source, source), strict=True)
    )
    scores = torch.einsum("bhsw,bhrw->bhsr", query, key) / query.shape[-1] ** 0.5
    if attention.softmax:
        hidden = scores.exp() * mask[:, None, None, :]
        scores = hidden / hidden.sum(-1, keepdim=True)
    attended = torch.einsum("bhsr,bhrw,br->bshw", scores, value, mask.to(value.dtype))
    return attended.flatten(2)


@pytest.fixture
def text() -> Tensor:
    return torch.randn(3, 5, 12, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def regions() -> Tensor:
    return torch.randn(3, 4, 7, generator=torch.Generator().manual_seed(2))


TEXT_MASK = torch.tensor([[True] * 5, [True, True, True, False, False], [True, True, False, False, False]])
REGION_MASK = torch.tensor([[True] * 4, [True, True, False, False], [True, False, False, False]])
NO_PHOTO = torch.zeros(3, 4, dtype=torch.bool)


def tir(softmax: bool = False, heads: int = 1) -> TIR:
    torch.manual_seed(0)
    return TIR(12, 7, width=6, heads=heads, softmax=softmax, init_std=0.5)


@pytest.mark.parametrize("softmax", [False, True])
@pytest.mark.parametrize("heads", [1, 3])
def test_equations_1_to_5_by_hand(text: Tensor, regions: Tensor, softmax: bool, heads: int):
    module = tir(softmax, heads)
    found, weights = module(text, TEXT_MASK, regions, REGION_MASK)
    own = by_hand(module.self_attention, text, text, TEXT_MASK)
    cross = by_hand(module.cross_attention, text, regions, REGION_MASK)
    torch.testing.assert_close(found, text + module.output(own + cross))
    assert found.shape == (3, 5, 12)
    assert weights.shape == (3, 5, 4)


def test_without_softmax_weights_are_scaled_dot_products(text: Tensor, regions: Tensor):
    module = tir()
    _, weights = module(text, None, regions, torch.ones(3, 4, dtype=torch.bool))
    query, key = module.cross_attention.query(text), module.cross_attention.key(regions)
    torch.testing.assert_close(weights, query @ key.mT / 6**0.5)


@pytest.mark.parametrize("softmax", [False, True])
def test_masked_keys_contribute_nothing(text: Tensor, regions: Tensor, softmax: bool):
    module = tir(softmax)
    found, weights = module(text, TEXT_MASK, regions, REGION_MASK)
    other_text = torch.where(TEXT_MASK[..., None], text, 100.0)
    again, _ = module(other_text, TEXT_MASK, torch.where(REGION_MASK[..., None], regions, -100.0), REGION_MASK)
    torch.testing.assert_close(again[TEXT_MASK], found[TEXT_MASK])
    assert not weights.masked_select(~REGION_MASK[:, None]).any()


def test_without_text_mask_padding_is_seen_as_in_the_release(text: Tensor, regions: Tensor):
    module = tir()
    seen, _ = module(text, None, regions, REGION_MASK)
    hidden, _ = module(text, TEXT_MASK, regions, REGION_MASK)
    torch.testing.assert_close(seen[0], hidden[0])
    assert not torch.allclose(seen[1, :3], hidden[1, :3])


@pytest.mark.parametrize("softmax", [False, True])
def test_a_product_without_photo_gets_exactly_nothing_from_its_regions(text: Tensor, regions: Tensor, softmax: bool):
    module = tir(softmax)
    attended, weights = module.cross_attention(text, regions, NO_PHOTO)
    assert not attended.any()
    assert not weights.any()
    found, _ = module(text, TEXT_MASK, regions, NO_PHOTO)
    own, _ = module.self_attention(text, text, TEXT_MASK)
    assert torch.equal(found, text + module.output(own))


def test_black_regions_leave_self_attention(text: Tensor):
    module = tir()
    found, _ = module(text, TEXT_MASK, torch.zeros(3, 4, 7), REGION_MASK)
    own, _ = module.self_attention(text, text, TEXT_MASK)
    assert torch.equal(found, text + module.output(own))


@pytest.mark.parametrize(("init_std", "expected"), [(0.01, 0.09), (0.02, 0.74)])
def test_what_is_added_at_the_start_is_small_beside_the_embeddings(init_std: float, expected: float):
    torch.manual_seed(0)
    module = TIR(512, 2048, width=200, init_std=init_std)
    text, regions = torch.randn(2, 48, 512), torch.randn(2, 49, 2048)
    with torch.no_grad():
        found, _ = module(text, None, regions, torch.ones(2, 49, dtype=torch.bool))
    assert (found - text).std().item() == pytest.approx(expected, rel=0.15)


def test_bounded_attention_cannot_run_away_and_a_missing_photo_still_gives_nothing():
    torch.manual_seed(0)
    tir = TIR(8, 12, width=6, bounded=True)
    for parameter in tir.parameters():
        torch.nn.init.normal_(parameter, std=5.0)  # as after a training that ran away
    text, regions = torch.randn(2, 4, 8), torch.randn(2, 3, 12)
    mask, shown = torch.ones(2, 4, dtype=torch.bool), torch.ones(2, 3, dtype=torch.bool)

    found, _ = tir.self_attention(text, text, mask)
    seen, _ = tir.cross_attention(text, regions, shown)
    own, cross = (x / (1 + (x**2).mean(-1, keepdim=True)) ** 0.5 for x in (found, seen))
    assert found.square().mean(-1).sqrt().max() > 100
    assert own.square().mean(-1).sqrt().max() <= 1.001
    expected = text + (own + cross) @ tir.output.weight.T + tir.output.bias
    torch.testing.assert_close(tir(text, mask, regions, shown)[0], expected)

    blind, _ = tir(text, mask, regions, ~shown)
    torch.testing.assert_close(blind, text + own @ tir.output.weight.T + tir.output.bias)


def test_the_bound_leaves_what_is_small_as_it_is():
    small = torch.randn(4, 6) * 1e-3
    torch.testing.assert_close(bound(small), small, rtol=1e-5, atol=0)
