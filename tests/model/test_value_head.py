"""The value head: what a prototype finds in text and photo, and which of its attribute's options it chooses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from attrex.model.value_head import HEADS, Found, ValueHead

WIDTH, IMAGE_WIDTH, READING = 8, 5, 6
SIZES = (3, 0, 2)
"""Options of three attributes: the second has none."""


def make(sizes: tuple[int, ...] = SIZES, image_width: int | None = IMAGE_WIDTH, dropout: float = 0.0) -> ValueHead:
    """A head whose options differ by more than their names, as after some training."""
    torch.manual_seed(0)
    readings = nn.functional.normalize(torch.randn(sum(sizes), READING), dim=-1)
    head = ValueHead(WIDTH, image_width, sizes, readings, dropout=dropout)
    with torch.no_grad():
        for parameter in (head.own, head.bias, head.option.weight, *(p.query.weight for p in looks(head))):
            parameter.normal_()
    return head.eval()


def looks(head: ValueHead) -> list[Any]:
    return [look for look in (head.text_look, head.photo_look) if look is not None]


@pytest.fixture
def head() -> ValueHead:
    return make()


@pytest.fixture
def asked() -> dict[str, Tensor]:
    """Five pairs of three rows and two attributes. Row 1 has fewer units, and one region; row 2 has no photo."""
    torch.manual_seed(1)
    return {
        "vectors": torch.randn(2, WIDTH),
        "rows": torch.tensor([0, 0, 1, 2, 2]),
        "position": torch.tensor([0, 1, 1, 0, 1]),
        "features": torch.randn(3, 4, WIDTH),
        "unit_mask": torch.tensor([[True] * 4, [True, True, False, False], [True] * 4]),
        "state": torch.randn(3, WIDTH),
        "regions": torch.randn(3, 6, IMAGE_WIDTH),
        "region_mask": torch.tensor([[True] * 6, [True] + [False] * 5, [False] * 6]),
    }


# ---- finding --------------------------------------------------------------------------------------------------------


def test_each_pair_finds_a_vector_and_says_where(head: ValueHead, asked: dict[str, Tensor]):
    found = head.find(**asked)
    assert found.text.shape == found.photo.shape == (5, WIDTH)
    assert found.unit_weights.shape == (5, 4)
    assert found.region_weights.shape == (5, 6)
    assert head.combine(asked["vectors"][asked["position"]], found.text, found.photo).shape == (5, WIDTH)
    torch.testing.assert_close(found.unit_weights.sum(1), torch.ones(5))
    torch.testing.assert_close(found.region_weights.sum(1), torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0]))


def test_what_is_found_is_the_attention_of_each_pair_by_itself(head: ValueHead, asked: dict[str, Tensor]):
    found = head.find(**asked)
    seen = head.see(asked["regions"])
    for n, (row, at) in enumerate(zip(asked["rows"], asked["position"], strict=True)):
        vector = asked["vectors"][at]
        for look, source, mask in (
            (head.text_look, asked["features"][row], asked["unit_mask"][row]),
            (head.photo_look, seen[row], asked["region_mask"][row]),
        ):
            if not mask.any():
                continue
            queries = (look.query.weight @ vector).view(HEADS, WIDTH)
            weights = (queries @ source[mask].T).softmax(-1)
            expected = look.output((weights @ source[mask]).flatten())
            if look is head.text_look:
                torch.testing.assert_close(found.text[n], expected + head.row.weight @ asked["state"][row])
                torch.testing.assert_close(found.unit_weights[n, mask], weights.mean(0))
            else:
                torch.testing.assert_close(found.photo[n], expected)
                torch.testing.assert_close(found.region_weights[n, mask], weights.mean(0))


def test_masked_units_and_regions_say_nothing(head: ValueHead, asked: dict[str, Tensor]):
    found = head.find(**asked)
    for source, mask in (("features", "unit_mask"), ("regions", "region_mask")):
        asked[source] = asked[source].masked_fill(~asked[mask][..., None], 1e3)
    again = head.find(**asked)
    for one, other in zip(vars(found).values(), vars(again).values(), strict=True):
        assert torch.equal(one, other)
    assert not found.unit_weights[~asked["unit_mask"][asked["rows"]]].any()
    assert not found.region_weights[~asked["region_mask"][asked["rows"]]].any()


def test_a_row_without_photo_finds_by_its_text_alone(head: ValueHead, asked: dict[str, Tensor]):
    found = head.find(**asked)
    bare = head.find(**asked | {"regions": None, "region_mask": None})
    assert not found.photo[3:].any()
    assert found.photo[:3].any(1).all()
    assert torch.equal(found.text, bare.text)
    assert not bare.photo.any()
    assert bare.region_weights is None


def test_a_text_only_head_takes_no_regions(asked: dict[str, Tensor]):
    found = make(image_width=None).find(**asked)
    assert not found.photo.any()
    assert found.region_weights is None


def test_queries_are_made_once_per_attribute_and_answers_once_per_pair(
    head: ValueHead, asked: dict[str, Tensor], count_rows: Callable[[nn.Module], list[int]]
):
    counts = {name: count_rows(head.get_submodule(name)) for name in ("text_look.query", "text_look.output", "see")}
    head.find(**asked)
    assert counts == {"text_look.query": [2], "text_look.output": [5], "see": [3]}


def test_text_and_photo_can_be_taken_away(head: ValueHead, asked: dict[str, Tensor]):
    vectors, found = asked["vectors"][asked["position"]], head.find(**asked)
    nothing = torch.zeros_like(found.text)
    both, by_text, by_photo = head.compare(vectors, found)
    torch.testing.assert_close(both, head.combine(vectors, found.text, found.photo))
    torch.testing.assert_close(by_text, head.combine(vectors, found.text, nothing))
    torch.testing.assert_close(by_photo, head.combine(vectors, nothing, found.photo))
    assert torch.equal(both[3:], by_text[3:])  # no photo to take away
    assert not torch.isclose(both[:3], by_text[:3]).all(1).any()
    again = head.compare(vectors, Found(torch.randn_like(found.text), found.photo, found.unit_weights, None))
    assert torch.equal(again[2], by_photo)


# ---- choosing -------------------------------------------------------------------------------------------------------

PAIRS = torch.tensor([2, 0, 1, 2, 0, 0])


def test_choosing_equals_comparing_each_pair_with_each_option(head: ValueHead):
    found = torch.randn(6, WIDTH)
    chosen = head.choose(found, PAIRS)
    assert [(attribute, pairs.tolist()) for attribute, pairs, _ in chosen] == [(0, [1, 4, 5]), (2, [0, 3])]
    first = {0: 0, 2: 3}
    for attribute, pairs, logits in chosen:
        assert logits.shape == (len(pairs), SIZES[attribute])
        for n, scores in zip(pairs, logits, strict=True):
            for k, score in enumerate(scores):
                o = first[attribute] + k
                option = head.option.weight @ head.readings[o] + head.own[o]
                torch.testing.assert_close(score, found[n] @ option + head.bias[o])


def test_all_options_are_those_of_each_attribute_in_order(head: ValueHead):
    parts = [head.options(attribute) for attribute in range(len(SIZES))]
    for whole, column in zip(head.all_options(), zip(*parts, strict=True), strict=True):
        torch.testing.assert_close(torch.cat(column), whole)


def test_nothing_asked_nothing_chosen(head: ValueHead):
    assert head.choose(torch.zeros(0, WIDTH), torch.zeros(0, dtype=torch.long)) == []
    assert head.choose(torch.randn(1, WIDTH), torch.tensor([1])) == []  # an attribute without options


def test_only_options_of_asked_attributes_are_made(head: ValueHead, count_rows: Callable[[nn.Module], list[int]]):
    made = count_rows(head.option)
    head.choose(torch.randn(4, WIDTH), torch.tensor([2, 1, 2, 2]))
    assert made == [2]


def test_other_attributes_options_change_nothing(head: ValueHead):
    found = torch.randn(6, WIDTH)
    many = head.with_options([[0, 1, 2], [-1] * 40, [1, 0]], torch.randn(40, READING))
    one, other = ({a: logits for a, _, logits in h.choose(found, PAIRS)} for h in (head, many))
    assert set(other) == {0, 1, 2}
    assert torch.equal(one[0], other[0])
    assert torch.equal(one[2], other[2].flip(1))


# ---- the start ------------------------------------------------------------------------------------------------------


def test_options_of_one_name_start_with_one_score_and_part_when_they_are_met():
    torch.manual_seed(0)
    name, other = nn.functional.normalize(torch.randn(2, READING), dim=-1)
    near = nn.functional.normalize(name + 0.01 * other, dim=-1)
    head = ValueHead(WIDTH, None, (2, 2), torch.stack([name, other, name, near]), dropout=0.0)
    found = torch.randn(1, WIDTH).expand(2, -1)
    (_, _, one), (_, _, two) = head.choose(found, torch.tensor([0, 1]))
    assert one[0, 0] == two[0, 0]
    assert abs(two[0, 1] - two[0, 0]) < 0.05 * abs(one[0, 1] - one[0, 0])
    one[0, 0].backward()
    assert head.own.grad[0].any()
    assert not head.own.grad[1:].any()  # what is learned of an option by itself
    assert head.option.weight.grad.any()  # and what all options learn of it


def test_every_place_counts_alike_at_the_start(asked: dict[str, Tensor]):
    torch.manual_seed(0)
    head = ValueHead(WIDTH, IMAGE_WIDTH, SIZES, torch.randn(5, READING), dropout=0.0)
    found = head.find(**asked)
    torch.testing.assert_close(found.unit_weights[0], torch.full((4,), 1 / 4), atol=0.03, rtol=0)
    torch.testing.assert_close(found.region_weights[0], torch.full((6,), 1 / 6), atol=0.03, rtol=0)


def test_biases_start_at_how_often_each_option_is_met(head: ValueHead):
    counts = torch.tensor([7.5, 1.5, 0.0, 3.0, 3.0])
    head.init_bias(counts)
    torch.testing.assert_close(head.bias[:3].softmax(0), torch.tensor([8.0, 2.0, 0.5]) / 10.5)
    torch.testing.assert_close(head.bias[3:].softmax(0), torch.tensor([0.5, 0.5]))


def test_what_was_found_is_dropped_in_training_only(asked: dict[str, Tensor]):
    head = make(dropout=0.5)
    vectors, found = asked["vectors"][asked["position"]], head.find(**asked)
    at_rest = [head.combine(vectors, found.text, found.photo) for _ in range(2)]
    assert torch.equal(*at_rest)
    head.train()
    assert not torch.equal(*(head.combine(vectors, found.text, found.photo) for _ in range(2)))


# ---- other options --------------------------------------------------------------------------------------------------


def test_options_are_reordered_taken_out_and_added(head: ValueHead):
    before = {name: value.clone() for name, value in head.state_dict().items()}
    new = torch.randn(2, READING)
    changed = head.with_options([[2, -1, 0], [-1], []], new)
    assert changed.sizes.tolist() == [3, 1, 0]
    assert changed.first.tolist() == [0, 3, 4, 4]
    vectors, bias = head.all_options()
    found, found_bias = changed.all_options()
    torch.testing.assert_close(found[[0, 2]], vectors[[2, 0]])
    torch.testing.assert_close(found_bias[[0, 2]], bias[[2, 0]])
    # A new one is what its name is, and as frequent as its attribute's are in the mean; where there were none, at 0.
    torch.testing.assert_close(found[[1, 3]], new @ head.option.weight.T)
    torch.testing.assert_close(found_bias[[1, 3]], torch.stack([bias[:3].mean(), torch.tensor(0.0)]))
    assert {n: tuple(v.shape) for n, v in changed.state_dict().items() if n in ("own", "bias", "readings")} == {
        "own": (4, WIDTH),
        "bias": (4,),
        "readings": (4, READING),
    }
    for name, value in head.state_dict().items():  # the head itself is as it was
        assert torch.equal(value, before[name])
    assert head.sizes.tolist() == list(SIZES)


def test_the_same_options_are_the_same_head(head: ValueHead):
    same = head.with_options([[0, 1, 2], [], [0, 1]], torch.zeros(0, READING))
    found = torch.randn(6, WIDTH)
    for one, other in zip(head.choose(found, PAIRS), same.choose(found, PAIRS), strict=True):
        assert torch.equal(one[2], other[2])


# ---- learning -------------------------------------------------------------------------------------------------------


def test_a_colour_that_only_the_photo_shows_is_learned_from_the_photo():
    torch.manual_seed(0)
    head = ValueHead(WIDTH, 3, (3,), nn.functional.normalize(torch.randn(3, READING), dim=-1), dropout=0.0)
    rows, prototype = 60, torch.randn(1, WIDTH)
    colour = torch.arange(rows) % 3
    regions = 0.3 * torch.randn(rows, 4, 3)
    shown = torch.arange(rows) % 4  # one of four regions shows it
    regions[torch.arange(rows), shown] += 3 * nn.functional.one_hot(colour, 3)
    pairs = {"rows": torch.arange(rows), "position": torch.zeros(rows, dtype=torch.long)}
    text = {"features": torch.randn(rows, 5, WIDTH), "unit_mask": torch.ones(rows, 5, dtype=torch.bool)}
    mask = torch.ones(rows, 4, dtype=torch.bool)

    def logits(*, photo: bool) -> Tensor:
        source = {"regions": regions, "region_mask": mask} if photo else {"regions": None, "region_mask": None}
        found = head.find(prototype, **pairs, **text, state=torch.zeros(rows, WIDTH), **source)
        combined = head.combine(prototype.expand(rows, -1), found.text, found.photo)
        return head.choose(combined, pairs["position"])[0][2]

    optimiser = torch.optim.Adam(head.parameters(), 0.02)
    losses = []
    for _ in range(40):
        loss = nn.functional.cross_entropy(logits(photo=True), colour)
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        right = {photo: (logits(photo=photo).argmax(1) == colour).float().mean().item() for photo in (True, False)}
    assert losses[0] == pytest.approx(torch.log(torch.tensor(3.0)).item(), abs=0.1)
    assert losses[-1] < 0.1 * losses[0]
    assert right[True] == 1.0
    assert right[False] < 0.67
