"""Linear-chain conditional random field (Lafferty et al., 2001), vectorised over sequences.

Computed in float32 (float64 for float64 emissions), also under autocast. What padded positions hold never matters.

The recursions loop over units with rows as the last, contiguous dimension. A log-depth associative scan does K times
the work: with 3 tags it wins a few milliseconds on a handful of short rows and is 4 times slower on a batch of 2,000.

Shape letters:
    N sequences     U units     K tags     M segments
    emissions (N, U, K) float, mask (N, U) bool: the valid units, a prefix of each row
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

FORBIDDEN = -1e4  #: score of a forbidden transition: finite, so that a gold path that takes one keeps a finite loss
DISALLOWED = -1e6  #: score of a tag outside ``allowed``: far below any number of forbidden transitions
_EXACT_TAGS = 16  #: up to so many tags, sums over paths are taken in log space


class CRF(nn.Module):
    """Scores of tag sequences: ``start[t_0] + sum emissions[t_u] + sum transitions[t_u-1, t_u] + end[t_last]``.

    Parameters have the names, shapes and initialisation of pytorch-crf, so weights can be exchanged. ``forbidden``
    lists transitions (from, to) that training and decoding avoid; from None is the start of the sequence.
    Raises ValueError for a tag number outside 0..num_tags-1.
    """

    forbidden_start: Tensor
    forbidden_transitions: Tensor

    def __init__(self, num_tags: int, forbidden: Iterable[tuple[int | None, int]] = ()) -> None:
        super().__init__()
        self.num_tags = num_tags
        self.start_transitions = nn.Parameter(torch.empty(num_tags).uniform_(-0.1, 0.1))
        self.end_transitions = nn.Parameter(torch.empty(num_tags).uniform_(-0.1, 0.1))
        self.transitions = nn.Parameter(torch.empty(num_tags, num_tags).uniform_(-0.1, 0.1))
        self.register_buffer("forbidden_start", torch.zeros(num_tags), persistent=False)
        self.register_buffer("forbidden_transitions", torch.zeros(num_tags, num_tags), persistent=False)
        for source, target in forbidden:
            if not all(tag is None or 0 <= tag < num_tags for tag in (source, target)) or target is None:
                raise ValueError(f"forbidden transition {(source, target)}: tags should be 0 to {num_tags - 1}")
            if source is None:
                self.forbidden_start[target] = FORBIDDEN
            else:
                self.forbidden_transitions[source, target] = FORBIDDEN

    def nll(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """Negative log-likelihood of tag sequences.

        :param emissions: (N, U, K)
        :param tags: (N, U) long.
        :param mask: (N, U) bool.
        :return: (N,), 0 for a row without units.
        """
        with _no_autocast(emissions):
            scores, _ = _shift(emissions, mask)
            return self._log_sum(scores, mask) - self._path_score(scores, tags, mask)

    def partial_nll(self, emissions: Tensor, allowed: Tensor, mask: Tensor) -> Tensor:
        """-log of the probability that every unit has one of its allowed tags.

        The exact marginal over what is not known (partial-label CRF, Tsuboi et al., 2008). One allowed tag per unit
        gives :meth:`nll`, all tags allowed gives 0. A unit without any allowed tag costs about ``-DISALLOWED``: the
        loss stays finite, but shows the caller's mistake.

        :param emissions: (N, U, K)
        :param allowed: (N, U, K) bool.
        :param mask: (N, U) bool.
        :return: (N,)
        """
        with _no_autocast(emissions):
            scores, _ = _shift(emissions, mask)
            banned = (~allowed & mask[..., None]).permute(1, 2, 0)
            both = torch.cat([scores, scores + DISALLOWED * banned], -1)
            free, bound = self._log_sum(both, mask.repeat(2, 1)).chunk(2)
            return free - bound

    def log_partition(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """log of the sum over all tag sequences of exp(score): (N,), 0 for a row without units."""
        with _no_autocast(emissions):
            scores, offset = _shift(emissions, mask)
            return self._log_sum(scores, mask) + offset

    @torch.no_grad()
    def viterbi(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """The best tag sequence of each row: (N, U) long, 0 at padded positions."""
        with _no_autocast(emissions):
            scores, _ = _shift(emissions, mask)
            start, transitions, end = self._transition_scores(scores)
            best = [scores[0] + start[:, None]]
            for score, valid in zip(scores[1:], mask.t()[1:], strict=True):
                reached = (best[-1][:, None] + transitions[..., None]).amax(0) + score
                best.append(torch.where(valid, reached, best[-1]))
            path = [(best[-1] + end[:, None]).argmax(0)]
            for state, valid in zip(best[-2::-1], mask.t().flip(0), strict=False):
                # The best predecessor of the one tag on the path: cheaper than keeping it for all K tags.
                path.append(torch.where(valid, (state + transitions[:, path[-1]]).argmax(0), path[-1]))
            return torch.stack(path[::-1], 1).masked_fill(~mask, 0)

    def marginals(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """Posterior probability of each tag at each unit: (N, U, K), 0 at padded positions."""
        return self.log_marginals(emissions, mask).exp() * mask[..., None]

    def log_marginals(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """log of the posterior probability of each tag at each unit: (N, U, K); of padding nothing is said."""
        with _no_autocast(emissions):
            scores, _ = _shift(emissions, mask)
            joint = self._forward(scores, mask) + self._backward(scores, mask)
            return joint.log_softmax(1).permute(2, 0, 1)

    def segment_log_probability(
        self,
        emissions: Tensor,
        mask: Tensor,
        rows: Tensor,
        starts: Tensor,
        ends: Tensor,
        *,
        begin_tag: int | Tensor = 1,
        inside_tag: int | Tensor = 2,
    ) -> Tensor:
        """log of the posterior probability that exactly this segment is read off the tags.

        It opens with its B, or with an I that continues nothing (what a constrained CRF forbids), goes on with I, and
        the unit after it, if there is one, is no I. Sums over all other tags. The cost does not depend on the segments'
        lengths.

        :param emissions: (N, U, K)
        :param mask: (N, U) bool.
        :param rows: (M,) long, the sequence of each segment.
        :param starts: (M,) long.
        :param ends: (M,) long, exclusive.
        :param begin_tag: B, one for all or (M,) long.
        :param inside_tag: I, likewise.
        :return: (M,)
        """
        with _no_autocast(emissions):
            scores, _ = _shift(emissions, mask)
            start, transitions, end = self._transition_scores(scores)
            begin = torch.as_tensor(begin_tag, device=rows.device).expand_as(rows)
            inside = torch.as_tensor(inside_tag, device=rows.device).expand_as(rows)
            alpha, beta = self._forward(scores, mask), self._backward(scores, mask)

            before = alpha[starts.clamp(min=1) - 1, :, rows] + transitions.t()[inside]  # (M, K)
            before = before.scatter(1, torch.stack([begin, inside], 1), -torch.inf).logsumexp(1)
            fresh = torch.where(starts > 0, before, start[inside]) + scores[starts, inside, rows]

            running = scores.double().cumsum(0)  # differences of long sums lose digits: float64
            run = (running[ends - 1, inside, rows] - running[starts, inside, rows]).to(scores.dtype)
            several, closes = ends - starts > 1, ends == mask.sum(1)[rows]
            next_unit = (scores + beta)[ends.clamp(max=mask.shape[1] - 1), :, rows].scatter(
                1, inside[:, None], -torch.inf
            )

            def tagged(first: Tensor, opened: Tensor) -> Tensor:
                steps = transitions[first, inside] + (ends - starts - 2) * transitions[inside, inside]
                last = torch.where(several, inside, first)
                onward = (transitions[last] + next_unit).logsumexp(1)
                return opened + torch.where(several, run + steps, 0) + torch.where(closes, end[last], onward)

            either = torch.logaddexp(tagged(begin, alpha[starts, begin, rows]), tagged(inside, fresh))
            return either - torch.logsumexp(alpha[-1] + end[:, None], 0)[rows]

    def _transition_scores(self, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        start = self.start_transitions.to(like) + self.forbidden_start.to(like)
        return start, self.transitions.to(like) + self.forbidden_transitions.to(like), self.end_transitions.to(like)

    def _path_score(self, scores: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        start, transitions, end = self._transition_scores(scores)
        tags, valid = tags.masked_fill(~mask, 0).t(), mask.t()
        emitted = scores.gather(1, tags[:, None])[:, 0]
        moves = (tags[:-1] * self.num_tags + tags[1:]).flatten()
        moved = transitions.flatten().index_select(0, moves).view(valid[1:].shape)
        last = tags.gather(0, (valid.sum(0, keepdim=True) - 1).clamp(min=0))[0]
        total = (emitted * valid).sum(0) + (moved * valid[1:]).sum(0) + start[tags[0]] + end[last]
        return total * valid[0]

    def _log_sum(self, scores: Tensor, mask: Tensor) -> Tensor:
        _, _, end = self._transition_scores(scores)
        return torch.logsumexp(self._forward(scores, mask)[-1] + end[:, None], 0) * mask[:, 0]

    def _forward(self, scores: Tensor, mask: Tensor) -> Tensor:
        """alpha (U, K, N): log-sum over all beginnings that end in a tag; padding repeats the last valid one."""
        start, transitions, _ = self._transition_scores(scores)
        step = _step(transitions)
        first, *rest = scores.unbind()  # unbind: one gradient for all units, not one full tensor per unit
        alphas = [first + start[:, None]]
        for score, valid in zip(rest, mask.t()[1:], strict=True):
            alphas.append(torch.where(valid, step(alphas[-1]) + score, alphas[-1]))
        return torch.stack(alphas)

    def _backward(self, scores: Tensor, mask: Tensor) -> Tensor:
        """beta (U, K, N): log-sum over all continuations of a tag, with the end score."""
        _, transitions, end = self._transition_scores(scores)
        step = _step(transitions.t())
        betas = [end[:, None].expand_as(scores[0])]
        for score, valid in zip(scores.unbind()[:0:-1], mask.t().flip(0), strict=False):
            betas.append(torch.where(valid, step(betas[-1] + score), betas[0]))
        return torch.stack(betas[::-1])


def _step(transitions: Tensor) -> Callable[[Tensor], Tensor]:
    """One step of a recursion over (K, K) transitions: log-sums (K, N) -> (K, N).

    With few tags exact in log space. With many, K x K x N values at every unit would take seconds and gigabytes: there,
    a matrix product of float64 exponentials, exact as long as the scores that matter are within 600 of a unit's best.
    """
    if transitions.shape[0] <= _EXACT_TAGS:
        return lambda state: torch.logsumexp(state[:, None] + transitions[..., None], 0)
    weights = transitions.t().double().exp()

    def product(state: Tensor) -> Tensor:
        top = state.detach().amax(0)
        sums = weights @ (state - top).double().exp()
        return sums.clamp(min=1e-300).log().to(state.dtype) + top

    return product


def _shift(emissions: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Emissions (U, K, N) in full precision with the best tag of each unit, and padding, at 0; what was taken off (N,).

    Probabilities do not change by it, and long sums keep their digits.
    """
    scores = emissions if emissions.dtype == torch.float64 else emissions.float()
    scores = scores.masked_fill(~mask[..., None], 0).permute(1, 2, 0).contiguous()
    top = scores.detach().amax(1)  # what is taken off here is added again or cancels: no gradient either way
    return scores - top[:, None], top.sum(0)


def _no_autocast(emissions: Tensor) -> torch.autocast:
    return torch.autocast(emissions.device.type, enabled=False)
