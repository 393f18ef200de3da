from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attrex.model.tags import flat_spans_from_tags, spans_from_tags


def spans_by_loop(tags: list[int]) -> list[tuple[int, int, int]]:
    """(attribute, start, end) by the rule of conlleval, one tag after another."""
    spans: list[tuple[int, int, int]] = []
    opened: tuple[int, int] | None = None
    for unit, tag in enumerate([*tags, 0]):
        attribute, is_inside = (tag - 1) // 2, tag > 0 and tag % 2 == 0
        if opened and not (is_inside and attribute == opened[0]):
            spans.append((*opened, unit))
            opened = None
        if tag > 0 and opened is None:
            opened = (attribute, unit)
    return spans


def batch(rows: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(map(len, rows)) or 1
    padding = 4  # what lies behind the end must not matter
    tags = torch.tensor([row + [padding] * (width - len(row)) for row in rows])
    return tags, torch.arange(width) < torch.tensor([len(row) for row in rows])[:, None]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 6), max_size=12), min_size=1, max_size=4))
def test_flat_spans_equal_a_plain_loop(rows: list[list[int]]):
    found = torch.stack(flat_spans_from_tags(*batch(rows)), 1).tolist()
    assert found == [[n, *span] for n, row in enumerate(rows) for span in spans_by_loop(row)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 2), max_size=12), min_size=1, max_size=4))
def test_spans_equal_a_plain_loop(rows: list[list[int]]):
    found = torch.stack(spans_from_tags(*batch(rows)), 1).tolist()
    assert found == [[n, start, end] for n, row in enumerate(rows) for _, start, end in spans_by_loop(row)]


def test_an_inside_tag_without_a_beginning_opens_a_span():
    rows, starts, ends = spans_from_tags(*batch([[0, 2, 2, 1, 1, 2], [2, 0]]))
    assert list(zip(rows.tolist(), starts.tolist(), ends.tolist(), strict=True)) == [
        (0, 1, 3),
        (0, 3, 4),
        (0, 4, 6),
        (1, 0, 1),
    ]


def test_an_inside_tag_of_another_attribute_opens_a_span():
    _, attributes, starts, ends = flat_spans_from_tags(*batch([[1, 2, 4, 4, 3]]))
    assert (attributes.tolist(), starts.tolist(), ends.tolist()) == ([0, 1, 1], [0, 2, 4], [2, 4, 5])


def test_other_tag_numbers():
    tags = torch.tensor([[0, 1, 2, 1, 1]])  # B = 0, I = 1, O = 2
    rows, starts, ends = spans_from_tags(tags, torch.ones_like(tags, dtype=torch.bool), begin=0, inside=1)
    assert (rows.tolist(), starts.tolist(), ends.tolist()) == ([0, 0], [0, 3], [2, 5])
