from __future__ import annotations

from collections.abc import Callable

import torch

from attrex.model.decoder import SpanDecoder
from attrex.model.guidance import DyNetGuidance, PrototypeGuidance, TextGuidance, cosine, guide, pair_cosine
from attrex.model.text_encoder import TextEncoder

RANDOM = torch.Generator().manual_seed(0)
FEATURES = torch.randn(2, 5, 8, generator=RANDOM)
ROWS, ATTRIBUTES = torch.tensor([0, 0, 1, 1]), torch.tensor([2, 0, 1, 2])
MASK = torch.arange(5) < torch.tensor([[5], [3]])


def test_a_token_that_is_the_prototype_is_doubled():
    features = FEATURES[:1, :1]
    torch.testing.assert_close(guide(features, 3 * features[:, 0])[..., 8:], features)


def test_a_prototype_turned_around_turns_the_second_half_around():
    vectors = torch.randn(2, 8, generator=RANDOM)
    one, other = guide(FEATURES, vectors), guide(FEATURES, -vectors)
    torch.testing.assert_close(one[..., :8], FEATURES)
    torch.testing.assert_close(other[..., 8:], -one[..., 8:])
    assert one[..., 8:].any()


def test_only_the_direction_of_a_prototype_counts():
    vectors = torch.randn(2, 8, generator=RANDOM)
    torch.testing.assert_close(cosine(FEATURES, vectors), cosine(FEATURES, 100 * vectors))


def test_zero_vectors_give_zero_and_finite_gradients():
    features = torch.zeros(1, 3, 8, requires_grad=True)
    vectors = torch.zeros(1, 8, requires_grad=True)
    guided = guide(features, vectors)
    assert not guided.any()
    guided.sum().backward()
    assert features.grad.isfinite().all()
    assert vectors.grad.isfinite().all()


def test_pairs_have_the_cosines_of_equation_8():
    guidance = PrototypeGuidance(3, 8)
    expected = cosine(FEATURES[ROWS], guidance.prototypes.weight[ATTRIBUTES])
    torch.testing.assert_close(pair_cosine(FEATURES, guidance, ROWS, ATTRIBUTES), expected)


def test_the_fast_decoder_equals_the_printed_concatenation():
    torch.manual_seed(0)
    guidance, decoder = PrototypeGuidance(3, 8), SpanDecoder(8, 6, 3, guided=True, dropout=0.0)
    fast = decoder.scaled(FEATURES, pair_cosine(FEATURES, guidance, ROWS, ATTRIBUTES), ROWS, MASK)
    printed = guide(FEATURES[ROWS], guidance.prototypes.weight[ATTRIBUTES])
    slow = decoder.concatenated(FEATURES, printed[..., 8:], ROWS, MASK)
    torch.testing.assert_close(fast, slow)

    def gradients(emissions: torch.Tensor) -> list[torch.Tensor]:
        loss = (emissions * MASK[ROWS][..., None]).square().sum()
        return list(torch.autograd.grad(loss, [guidance.prototypes.weight, *decoder.parameters()]))

    for one, other in zip(gradients(fast), gradients(slow), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_dynet_applies_each_attributes_matrix_in_the_order_of_the_pairs():
    guidance = DyNetGuidance(3, 8)
    matrices = guidance.matrices.weight.view(3, 8, 8)[ATTRIBUTES]
    expected = torch.einsum("nud,nde->nue", FEATURES[ROWS], matrices)
    torch.testing.assert_close(guidance(FEATURES, ROWS, ATTRIBUTES), expected)


def test_bert_guidance_is_the_first_state_of_the_name(encoder: TextEncoder):
    ids = torch.tensor([[2, 7, 3], [2, 8, 9], [2, 11, 0]])
    mask = torch.tensor([[True] * 3, [True] * 3, [True, True, False]])
    guidance = TextGuidance(encoder, ids, mask).eval()
    alone, _ = encoder.encode(encoder.embed(torch.tensor([[2, 11]])), None)
    torch.testing.assert_close(guidance.vectors(torch.tensor([2, 0]))[0], alone[0, 0])


def test_bert_guidance_reads_each_name_once(encoder: TextEncoder, count_rows: Callable[..., list[int]]):
    guidance = TextGuidance(encoder, torch.tensor([[2, 7], [2, 8], [2, 9]]), torch.ones(3, 2, dtype=torch.bool))
    features = torch.randn(2, 5, encoder.width, generator=RANDOM)
    read = count_rows(encoder.layers[0])
    rows, attributes = torch.tensor([0, 0, 1, 1, 1]), torch.tensor([0, 2, 0, 2, 2])
    found = pair_cosine(features, guidance, rows, attributes)
    assert read == [2]
    expected = cosine(features[rows], guidance.vectors(attributes))
    torch.testing.assert_close(found, expected)
