from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
import torch
from seqeval.metrics.sequence_labeling import get_entities
from torch import Tensor
from torchcrf import CRF as Oracle

from attrex.model.crf import CRF, DISALLOWED, FORBIDDEN

NO_ILL_FORMED = [(None, 2), (0, 2)]  # I must not follow the start or O


def make(
    num_tags: int = 3, rows: int = 5, units: int = 6, scale: float = 1.0, **kw
) -> tuple[CRF, Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    crf = CRF(num_tags, **kw)
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter.normal_()
    lengths = torch.arange(rows) % units + 1
    mask = torch.arange(units) < lengths[:, None]
    return crf, torch.randn(rows, units, num_tags) * scale, torch.randint(num_tags, (rows, units)), mask


def oracle_of(crf: CRF) -> Oracle:
    oracle = Oracle(crf.num_tags, batch_first=True)
    oracle.load_state_dict(crf.state_dict())
    return oracle


def paths_of(crf: CRF, emissions: Tensor, length: int) -> tuple[list[tuple[int, ...]], Tensor]:
    """Every tag sequence of one row with its score, by enumeration, in float64."""
    start = (crf.start_transitions + crf.forbidden_start).double()
    transitions = (crf.transitions + crf.forbidden_transitions).double()
    paths = list(itertools.product(range(crf.num_tags), repeat=length))
    scores = [
        start[p[0]]
        + sum(emissions[u, t].double() for u, t in enumerate(p))
        + sum(transitions[a, b] for a, b in itertools.pairwise(p))
        + crf.end_transitions[p[-1]].double()
        for p in paths
    ]
    return paths, torch.stack(scores)


def test_parameters_can_be_exchanged_with_pytorch_crf():
    assert {k: v.shape for k, v in CRF(4).state_dict().items()} == {
        k: v.shape for k, v in Oracle(4).state_dict().items()
    }
    assert CRF(50).transitions.abs().max() <= 0.1


@pytest.mark.parametrize("num_tags", [2, 3, 21])  # 21: the matrix-product recursion
def test_nll_viterbi_and_gradients_equal_pytorch_crf(num_tags: int):
    crf, emissions, tags, mask = make(num_tags, rows=9, units=7)
    oracle = oracle_of(crf)
    ours, theirs = emissions.clone().requires_grad_(), emissions.clone().requires_grad_()

    loss = crf.nll(ours, tags, mask)
    expected = -oracle(theirs, tags, mask, reduction="none")
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-5)

    loss.sum().backward()
    expected.sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(crf.transitions.grad, oracle.transitions.grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(crf.end_transitions.grad, oracle.end_transitions.grad, rtol=1e-4, atol=1e-5)

    decoded = crf.viterbi(emissions, mask)
    assert [row[m].tolist() for row, m in zip(decoded, mask, strict=True)] == oracle.decode(emissions, mask)
    assert not decoded[~mask].any()


@pytest.mark.parametrize("num_tags", [3, 17])
@pytest.mark.parametrize("forbidden", [(), NO_ILL_FORMED])
def test_sums_over_paths_equal_enumeration(num_tags: int, forbidden: list):
    units = 5 if num_tags == 3 else 3
    crf, emissions, _, mask = make(num_tags, rows=units, units=units, forbidden=forbidden)
    allowed = torch.rand(units, units, num_tags) < 0.6
    allowed[..., 0] = True
    log_z, partial = crf.log_partition(emissions, mask), crf.partial_nll(emissions, allowed, mask)
    marginals = crf.marginals(emissions, mask)
    for row, length in enumerate(mask.sum(1).tolist()):
        paths, scores = paths_of(crf, emissions[row], length)
        assert log_z[row].item() == pytest.approx(scores.logsumexp(0).item(), abs=1e-4)

        inside = torch.tensor([all(allowed[row, u, t] for u, t in enumerate(p)) for p in paths])
        expected = (scores.logsumexp(0) - scores[inside].logsumexp(0)).item()
        assert partial[row].item() == pytest.approx(expected, abs=1e-4)

        probability = scores.softmax(0)
        for unit in range(length):
            here = torch.tensor([p[unit] for p in paths])
            expected = torch.zeros(num_tags).double().index_add(0, here, probability)
            torch.testing.assert_close(marginals[row, unit].double(), expected, rtol=1e-4, atol=1e-5)
    assert not marginals[~mask].any()


def read_off(tags: Sequence[int]) -> set[tuple[int, int, int]]:
    """(attribute, start, end) of the spans that seqeval reads off flat BIO tags."""
    names = ["O" if t == 0 else f"{'IB'[t % 2]}-{(t - 1) // 2}" for t in tags]
    return {(int(a), start, last + 1) for a, start, last in get_entities(names)}


@pytest.mark.parametrize("forbidden", [(), NO_ILL_FORMED])
def test_probability_of_a_segment_equals_enumeration(forbidden: list):
    crf, emissions, _, mask = make(rows=5, units=5, forbidden=forbidden)
    cases = [(n, s, e) for n in range(5) for s in range(n + 1) for e in range(s + 1, n + 2)]
    rows, starts, ends = torch.tensor(cases).unbind(1)
    found = crf.segment_log_probability(emissions, mask, rows=rows, starts=starts, ends=ends).exp()
    for (row, start, end), probability in zip(cases, found.tolist(), strict=True):
        paths, scores = paths_of(crf, emissions[row], row + 1)
        is_it = [(0, start, end) in read_off(p) for p in paths]
        expected = scores.softmax(0)[torch.tensor(is_it)].sum().item()
        assert probability == pytest.approx(expected, abs=1e-5)


def test_segments_may_differ_in_their_tags():
    crf, emissions, _, mask = make(num_tags=5, rows=4, units=4)
    rows, starts, ends = torch.tensor([[3, 0, 3], [3, 2, 4], [3, 1, 2]]).unbind(1)
    begin, inside = torch.tensor([1, 3, 3]), torch.tensor([2, 4, 4])
    together = crf.segment_log_probability(
        emissions, mask, rows=rows, starts=starts, ends=ends, begin_tag=begin, inside_tag=inside
    )
    paths, scores = paths_of(crf, emissions[3], 4)
    for m, is_it in enumerate(
        (
            [(0, 0, 3) in read_off(p) for p in paths],
            [(1, 2, 4) in read_off(p) for p in paths],
            [(1, 1, 2) in read_off(p) for p in paths],
        )
    ):
        expected = scores.softmax(0)[torch.tensor(is_it)].sum().item()
        assert together[m].exp().item() == pytest.approx(expected, abs=1e-5)


def test_no_segments_give_no_probabilities():
    crf, emissions, _, mask = make()
    none = torch.zeros(0, dtype=torch.long)
    assert crf.segment_log_probability(emissions, mask, rows=none, starts=none, ends=none).shape == (0,)


def test_one_allowed_tag_is_the_nll_and_all_allowed_is_zero():
    crf, emissions, tags, mask = make()
    one = torch.nn.functional.one_hot(tags, 3).bool()
    torch.testing.assert_close(crf.partial_nll(emissions, one, mask), crf.nll(emissions, tags, mask))
    torch.testing.assert_close(crf.partial_nll(emissions, torch.ones_like(one), mask), torch.zeros(5))


def test_a_unit_that_allows_nothing_costs_a_finite_lot():
    crf, emissions, _, mask = make()
    loss = crf.partial_nll(emissions.requires_grad_(), torch.zeros_like(emissions, dtype=torch.bool), mask)
    loss.sum().backward()
    assert (loss >= -0.99 * DISALLOWED).all()
    assert loss.isfinite().all()
    assert emissions.grad.isfinite().all()


@pytest.mark.parametrize("num_tags", [3, 17])
def test_rows_without_units_and_padding_change_nothing(num_tags: int):
    crf, emissions, tags, mask = make(num_tags)
    mask[1] = False
    dirty = emissions.masked_fill(~mask[..., None], float("nan")).requires_grad_()
    loss = crf.nll(dirty, tags.masked_fill(~mask, -100), mask)
    partial = crf.partial_nll(dirty, dirty > 0, mask)
    assert loss[1] == partial[1] == crf.log_partition(dirty, mask)[1] == 0
    torch.testing.assert_close(loss, crf.nll(emissions, tags, mask))
    (loss.sum() + partial.sum()).backward()
    assert dirty.grad.isfinite().all()
    assert not dirty.grad[~mask].any()
    assert all(p.grad.isfinite().all() for p in crf.parameters())
    assert crf.marginals(dirty, mask).isfinite().all()


@pytest.mark.parametrize("num_tags", [2, 17])
def test_gradients_are_exact(num_tags: int):
    crf, emissions, tags, mask = make(num_tags, rows=2, units=3)
    crf, emissions = crf.double(), emissions.double().requires_grad_()
    allowed = torch.nn.functional.one_hot(tags, num_tags).bool()
    allowed[..., 0] = True
    for function in (
        lambda e, *_: crf.nll(e, tags, mask),
        lambda e, *_: crf.partial_nll(e, allowed, mask),
        lambda e, *_: crf.log_partition(e, mask),
    ):
        assert torch.autograd.gradcheck(function, (emissions, *crf.parameters()), fast_mode=num_tags > 3)


def test_forbidden_transitions_are_not_decoded_and_a_gold_path_through_one_stays_finite():
    crf, emissions, _, mask = make(rows=40, units=8, scale=3, forbidden=NO_ILL_FORMED)
    decoded = crf.viterbi(emissions, mask)
    assert not (decoded[:, 0] == 2).any()
    assert not ((decoded[:, :-1] == 0) & (decoded[:, 1:] == 2)).any()

    gold = torch.zeros_like(decoded)
    gold[:, 1] = 2
    loss = crf.nll(emissions, gold, mask)
    assert loss.isfinite().all()
    assert (loss[mask[:, 1]] > -0.9 * FORBIDDEN).all()
    allowed = torch.nn.functional.one_hot(gold, 3).bool()
    torch.testing.assert_close(crf.partial_nll(emissions, allowed, mask), loss, rtol=1e-4, atol=0.2)


@pytest.mark.parametrize("transition", [(0, 3), (-1, 0), (None, 5), (0, None)])
def test_forbidding_a_tag_that_is_not_there_is_an_error(transition: tuple):
    with pytest.raises(ValueError, match="tags should be 0 to 2"):
        CRF(3, forbidden=[transition])


@pytest.mark.parametrize("num_tags", [3, 17])
def test_large_emissions_keep_their_precision(num_tags: int):
    crf, emissions, tags, mask = make(num_tags, rows=4, units=200, scale=300)
    mask[:] = True
    emissions = emissions.clamp(-1000, 1000).requires_grad_()
    best = crf.viterbi(emissions, mask)
    exact = crf.double().nll(emissions.double(), best, mask)
    assert crf.float().nll(emissions, best, mask).tolist() == pytest.approx(exact.tolist(), abs=0.05)
    loss = crf.nll(emissions, tags, mask)
    loss.sum().backward()
    assert loss.isfinite().all()
    assert emissions.grad.isfinite().all()
    assert crf.marginals(emissions, mask).sum(-1).sub(1).abs().max() < 1e-3


def test_half_precision_is_computed_in_float32():
    crf, emissions, tags, mask = make(num_tags=17)
    half = emissions.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = crf.nll(half, tags, mask)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, crf.nll(half.float(), tags, mask))
