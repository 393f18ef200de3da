from __future__ import annotations

import pytest
import torch
from torch import Tensor

from attrex.model.concat import Concat, region_boxes

TEXT = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(1))
REGIONS = torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(2))
TEXT_MASK = torch.arange(5) < torch.tensor([[5], [3], [2]])
REGION_MASK = torch.tensor([[True] * 4, [True, True, False, False], [False] * 4])


def concat(self_attention: bool = False) -> Concat:
    torch.manual_seed(0)
    module = Concat(8, 6, self_attention=self_attention, heads=2).eval()
    torch.nn.init.normal_(module.norm.weight)
    torch.nn.init.normal_(module.kind)
    return module


def test_regions_follow_the_text_in_order():
    module = concat()
    joint, mask = module(TEXT, TEXT_MASK, REGIONS, REGION_MASK)
    assert torch.equal(joint[:, :5], TEXT)
    torch.testing.assert_close(joint[0, 7], module.norm(module.project(REGIONS[0, 2])) + module.kind)
    assert torch.equal(mask, torch.cat([TEXT_MASK, REGION_MASK], 1))


def test_all_regions_start_alike_and_learn_from_the_first_step():
    torch.manual_seed(0)
    module = Concat(8, 6, self_attention=False, heads=2)
    joint, _ = module(TEXT, TEXT_MASK, REGIONS, REGION_MASK)
    assert not joint[:, 5:].any()
    (joint[:, 5:] * REGIONS[..., :1]).sum().backward()
    assert module.norm.weight.grad.any()
    assert module.kind.grad.any()


def attended(module: Concat, text: Tensor, regions: Tensor) -> Tensor:
    return module(text, TEXT_MASK, regions, REGION_MASK)[0]


@pytest.mark.parametrize("training", [False, True])
def test_the_extra_layer_does_not_look_at_padding(training: bool):
    module = concat(self_attention=True)
    module.train(training)
    for part in module.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    module.attention.self_attn.dropout = 0.0
    with torch.set_grad_enabled(training):  # without gradients torch takes another path
        found = attended(module, TEXT, REGIONS)
        other = attended(
            module,
            torch.where(TEXT_MASK[..., None], TEXT, 9.0),
            torch.where(REGION_MASK[..., None], REGIONS, -9.0),
        )
    mask = torch.cat([TEXT_MASK, REGION_MASK], 1)
    torch.testing.assert_close(found[mask], other[mask])


def test_the_extra_layer_lets_text_see_the_photo_and_spares_rows_without_one():
    module = concat(self_attention=True)
    found, other = attended(module, TEXT, REGIONS), attended(module, TEXT, REGIONS.flip(2))
    assert not torch.allclose(found[0, :5], other[0, :5])
    torch.testing.assert_close(found[2, :2], other[2, :2])
    alone = module.attention(TEXT[2:, :2])
    torch.testing.assert_close(found[2, :2], alone[0])


# ---- as other single-stream models do it ----------------------------------------------------------------------------


def styled(style: str, grid: tuple[int, int] = (2, 2)) -> Concat:
    torch.manual_seed(0)
    module = Concat(8, 6, self_attention=False, heads=2, style=style, grid=grid).eval()
    torch.nn.init.normal_(module.kind)
    return module


def test_the_box_of_a_region_is_its_place_in_the_photo():
    boxes = region_boxes(2, 3)
    assert boxes.shape == (6, 7)
    torch.testing.assert_close(boxes[4], torch.tensor([1 / 3, 1 / 2, 2 / 3, 1, 1 / 3, 1 / 2, 1 / 6]))  # below, middle


def test_uniter_adds_a_regions_box_to_what_it_shows():
    module = styled("uniter")
    found = module.positions(REGIONS)
    boxes = region_boxes(2, 2)
    for region in range(4):
        seen = module.norm(module.project(REGIONS[0, region]))
        expected = module.joint_norm(seen + module.box_norm(module.box(boxes[region])) + module.kind)
        torch.testing.assert_close(found[0, region], expected)


def test_vilt_adds_a_patchs_place_which_a_second_photo_has_too():
    module = styled("vilt")
    two = torch.cat([REGIONS, REGIONS], 1)
    found = module.positions(two)
    torch.testing.assert_close(found[0, 1], module.project(REGIONS[0, 1]) + module.place[1] + module.kind)
    torch.testing.assert_close(found[:, :4], found[:, 4:])


def test_pixel_bert_draws_regions_while_training_only(monkeypatch: pytest.MonkeyPatch):
    module = styled("pixel_bert")
    everything, mask = module(TEXT, TEXT_MASK, REGIONS, REGION_MASK)
    torch.testing.assert_close(everything[0, 6], module.project(REGIONS[0, 1]) + module.kind)
    assert everything.shape[1] == mask.shape[1] == 9
    monkeypatch.setattr("attrex.model.concat.SAMPLED", 3)
    assert module(TEXT, TEXT_MASK, REGIONS, REGION_MASK)[0].shape[1] == 9
    some, some_mask = module.train()(TEXT, TEXT_MASK, REGIONS, REGION_MASK)
    assert some.shape[1] == some_mask.shape[1] == 8
    kept = [r for r in range(4) if any(torch.equal(some[0, 5 + i], everything[0, 5 + r]) for i in range(3))]
    assert len(kept) == 3
    assert torch.equal(some_mask[:, 5:], REGION_MASK[:, kept])
