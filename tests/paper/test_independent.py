"""Tags of all attributes at once: probabilities against an enumeration of every tag sequence."""

from __future__ import annotations

import itertools

import pytest
import torch
from attrex_paper.systems.independent import Independent

from attrex.model.crf import CRF
from attrex.model.decode import decode_flat
from attrex.model.tags import flat_spans_from_tags

ATTRIBUTES, UNITS = 2, 4
TAGS = 2 * ATTRIBUTES + 1


@pytest.fixture
def emissions() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(2, UNITS, TAGS) * 2


@pytest.fixture
def mask() -> torch.Tensor:
    return torch.tensor([[True] * 4, [True, True, True, False]])


def spans_of(tags: tuple[int, ...]) -> set[tuple[int, int, int]]:
    row = torch.tensor([tags])
    _, attributes, starts, ends = flat_spans_from_tags(row, torch.ones_like(row, dtype=torch.bool))
    return set(zip(attributes.tolist(), starts.tolist(), ends.tolist(), strict=True))


def test_independent_probability_is_that_of_reading_exactly_this_span(emissions, mask):
    layer, log = Independent(), emissions.log_softmax(-1)
    for row in range(2):
        length = int(mask[row].sum())
        expected: dict[tuple[int, int, int], float] = {}
        for tags in itertools.product(range(TAGS), repeat=length):
            probability = sum(log[row, u, t] for u, t in enumerate(tags)).exp().item()
            for span in spans_of(tags):
                expected[span] = expected.get(span, 0.0) + probability
        for (attribute, start, end), probability in expected.items():
            found = layer.segment_log_probability(
                emissions,
                mask,
                torch.tensor([row]),
                torch.tensor([start]),
                torch.tensor([end]),
                begin_tag=torch.tensor([2 * attribute + 1]),
                inside_tag=torch.tensor([2 * attribute + 2]),
            )
            assert found.exp().item() == pytest.approx(probability, abs=1e-5), (row, attribute, start, end)


def test_independent_loss_is_cross_entropy_over_the_units_that_are_there(emissions, mask):
    tags = torch.tensor([[0, 1, 2, 3], [4, 0, 1, 2]])
    by_hand = [-sum(emissions[r, u].log_softmax(-1)[tags[r, u]] for u in range(n)) for r, n in ((0, 4), (1, 3))]
    assert torch.allclose(Independent().nll(emissions, tags, mask), torch.stack(by_hand), atol=1e-5)


def test_independent_tags_are_those_of_a_crf_without_transitions(emissions, mask):
    crf = CRF(TAGS)
    for parameter in crf.parameters():
        torch.nn.init.zeros_(parameter)
    assert torch.equal(Independent().viterbi(emissions, mask), crf.viterbi(emissions, mask))


@pytest.mark.parametrize("layer", [Independent(), CRF(TAGS)], ids=["softmax", "crf"])
def test_spans_of_other_attributes_are_left_out(layer, emissions, mask):
    rows, attributes, *_ = decode_flat(layer, emissions, mask)
    assert set(attributes.tolist()) == {0, 1}
    wanted = torch.tensor([[True, False], [True, False]])
    chosen = decode_flat(layer, emissions, mask, wanted)
    assert chosen[1].tolist() == [0] * int((attributes == 0).sum())
    assert chosen[0].tolist() == rows[attributes == 0].tolist()
