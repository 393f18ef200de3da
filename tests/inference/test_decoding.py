"""Decoding beside an export gives what the torch CRF gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from attrex.inference.decoding import Transitions, span_probability, spans, viterbi
from attrex.model.crf import CRF
from attrex.model.tags import flat_spans_from_tags


def case(
    tags: int, seed: int, rows: int = 7, units: int = 11, size: float = 3
) -> tuple[CRF, torch.Tensor, torch.Tensor, Transitions]:
    """A CRF that forbids O -> I of the first attribute, emissions, a mask of every length from 1, and its scores."""
    rng = torch.Generator().manual_seed(seed)
    crf = CRF(tags, [(0, 2), (None, 2)])
    for parameter in crf.parameters():
        torch.nn.init.normal_(parameter, generator=rng)
    emissions = size * torch.randn(rows, units, tags, generator=rng)
    lengths = torch.randint(1, units + 1, (rows,), generator=rng)
    lengths[0] = units
    mask = torch.arange(units) < lengths[:, None]
    start, end = crf.start_transitions + crf.forbidden_start, crf.end_transitions
    scores = (x.detach().double().numpy() for x in (start, crf.transitions + crf.forbidden_transitions, end))
    return crf, emissions, mask, Transitions(*scores)


@pytest.mark.parametrize("tags", [3, 7, 41])
@pytest.mark.parametrize("seed", range(3))
def test_paths_spans_and_probabilities_are_those_of_the_torch_crf(tags: int, seed: int) -> None:
    crf, emissions, mask, scores = case(tags, seed)
    expected = crf.viterbi(emissions, mask)
    found = viterbi(emissions.numpy(), mask.numpy(), scores)
    assert found.tolist() == expected.tolist()

    rows, attributes, starts, ends = flat_spans_from_tags(expected, mask)
    places = spans(found, mask.numpy())
    assert len(rows) > 5
    for one, other in zip(places, (rows, attributes, starts, ends), strict=True):
        assert one.tolist() == other.tolist()

    log = crf.segment_log_probability(
        emissions.double(), mask, rows, starts, ends, begin_tag=2 * attributes + 1, inside_tag=2 * attributes + 2
    )
    assert span_probability(emissions.numpy(), mask.numpy(), scores, *places) == pytest.approx(
        log.exp().detach().numpy(), abs=1e-6
    )


@pytest.mark.parametrize(("units", "size"), [(1, 3), (1, 300), (2, 3), (160, 100)])
def test_texts_of_one_word_and_long_ones_of_any_size_of_numbers(units: int, size: float) -> None:
    crf, emissions, mask, scores = case(3, 1, 40, units, size)
    rows, attributes, starts, ends = spans(viterbi(emissions.numpy(), mask.numpy(), scores), mask.numpy())
    assert len(rows) > 5
    log = crf.segment_log_probability(emissions.double(), mask, *map(torch.as_tensor, (rows, starts, ends)))
    found = span_probability(emissions.numpy(), mask.numpy(), scores, rows, attributes, starts, ends)
    assert found == pytest.approx(log.exp().detach().numpy(), abs=1e-9)


def test_what_padding_holds_changes_nothing() -> None:
    _, emissions, mask, scores = case(3, 0)
    hidden = torch.where(mask[..., None], emissions, 1e4).numpy()
    found = viterbi(hidden, mask.numpy(), scores)
    assert found.tolist() == viterbi(emissions.numpy(), mask.numpy(), scores).tolist()
    places = spans(found, mask.numpy())
    plain = span_probability(emissions.numpy(), mask.numpy(), scores, *places)
    assert span_probability(hidden, mask.numpy(), scores, *places) == pytest.approx(plain, abs=1e-12)


def test_an_inside_that_continues_nothing_opens_a_span() -> None:
    tags, mask = np.array([[2, 2, 0, 1, 1, 2], [4, 2, 0, 0, 0, 0]]), np.ones((2, 6), bool)
    assert list(zip(*(x.tolist() for x in spans(tags, mask)), strict=True)) == [
        (0, 0, 0, 2),
        (0, 0, 3, 4),
        (0, 0, 4, 6),
        (1, 1, 0, 1),
        (1, 0, 1, 2),
    ]


def test_scores_travel_as_json() -> None:
    *_, scores = case(3, 0)
    again = Transitions.from_json(scores.to_json())
    assert again.between.tolist() == scores.between.tolist()
    with pytest.raises(KeyError, match="end"):
        Transitions.from_json({"start": [], "between": []})
