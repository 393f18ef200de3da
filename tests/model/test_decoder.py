from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from attrex.model.crf import CRF
from attrex.model.decode import decode_pairs, surest_pairs
from attrex.model.decoder import DirectEmissions, SpanDecoder, reversal

RANDOM = torch.Generator().manual_seed(0)
LENGTHS = torch.tensor([7, 1, 4, 6])
MASK = torch.arange(7) < LENGTHS[:, None]


def torch_order(ours: Tensor) -> Tensor:
    """Rows of gates: ours are input, forget, output, candidate; torch's input, forget, candidate, output."""
    entry, keep, emit, candidate = ours.chunk(4)
    return torch.cat([entry, keep, candidate, emit])


def as_torch(decoder: SpanDecoder, width: int) -> nn.LSTM:
    """The same weights in a torch.nn.LSTM."""
    lstm = nn.LSTM(width, decoder.lstm.hidden, bidirectional=True, batch_first=True)
    weights = [decoder.own.weight] + ([decoder.guided.weight] if decoder.guided is not None else [])
    weight, bias = torch.cat(weights, 1).chunk(2), decoder.own.bias.chunk(2)
    with torch.no_grad():
        for way, suffix in enumerate(("l0", "l0_reverse")):
            getattr(lstm, f"weight_ih_{suffix}").copy_(torch_order(weight[way]))
            getattr(lstm, f"weight_hh_{suffix}").copy_(torch_order(decoder.lstm.recurrent[way].T))
            getattr(lstm, f"bias_ih_{suffix}").copy_(torch_order(bias[way]))
            getattr(lstm, f"bias_hh_{suffix}").zero_()
    return lstm


def run_torch(lstm: nn.LSTM, features: Tensor, mask: Tensor) -> Tensor:
    packed = pack_padded_sequence(features, mask.sum(1), batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(lstm(packed)[0], batch_first=True, total_length=mask.shape[1])[0]


def make(width: int, guided: bool) -> SpanDecoder:
    torch.manual_seed(1)
    decoder = SpanDecoder(width, 6, 3, guided=guided, dropout=0.0)
    nn.init.normal_(decoder.own.bias)
    return decoder


def test_the_flat_decoder_is_torchs_lstm_on_ragged_rows_gradients_too():
    decoder = make(5, guided=False)
    lstm = as_torch(decoder, 5)
    features = torch.randn(4, 7, 5, generator=RANDOM, requires_grad=True)
    weight = torch.randn(4, 7, 3, generator=RANDOM) * MASK[..., None]
    ours = decoder.flat(features, MASK)
    theirs = decoder.output(run_torch(lstm, features, MASK))
    torch.testing.assert_close(ours[MASK], theirs[MASK])

    found = torch.autograd.grad((ours * weight).sum(), [features, decoder.lstm.recurrent, decoder.own.weight])
    expected = torch.autograd.grad((theirs * weight).sum(), [features, *lstm.parameters()])
    torch.testing.assert_close(found[0], expected[0])
    names = dict(zip([n for n, _ in lstm.named_parameters()], expected[1:], strict=True))
    for way, suffix in enumerate(("l0", "l0_reverse")):
        torch.testing.assert_close(torch_order(found[1][way].T), names[f"weight_hh_{suffix}"])
        torch.testing.assert_close(torch_order(found[2].chunk(2)[way]), names[f"weight_ih_{suffix}"])


def test_pairs_are_torchs_lstm_on_their_concatenated_features():
    decoder = make(5, guided=True)
    lstm = as_torch(decoder, 10)
    features, second = torch.randn(4, 7, 5, generator=RANDOM), torch.randn(5, 7, 5, generator=RANDOM)
    rows = torch.tensor([0, 0, 1, 2, 3])
    theirs = decoder.output(run_torch(lstm, torch.cat([features[rows], second], -1), MASK[rows]))
    ours = decoder.concatenated(features, second, rows, MASK)
    torch.testing.assert_close(ours[MASK[rows]], theirs[MASK[rows]])

    scale = torch.randn(5, 7, generator=RANDOM)
    scaled = torch.cat([features[rows], scale[..., None] * features[rows]], -1)
    theirs = decoder.output(run_torch(lstm, scaled, MASK[rows]))
    torch.testing.assert_close(decoder.scaled(features, scale, rows, MASK)[MASK[rows]], theirs[MASK[rows]])


def test_padding_never_reaches_a_valid_unit():
    decoder = make(5, guided=True)
    features, rows, scale = torch.randn(4, 7, 5, generator=RANDOM), torch.arange(4), torch.rand(4, 7)
    junk = torch.where(MASK[..., None], features, 50.0)
    found, other = (decoder.scaled(f, scale, rows, MASK) for f in (features, junk))
    assert torch.equal(found[MASK], other[MASK])


def test_a_row_is_reversed_up_to_its_end():
    assert reversal(torch.tensor([[True, True, True, False], [False] * 4])).tolist() == [[2, 1, 0, 3], [0, 1, 2, 3]]


def test_dropout_is_between_lstm_and_emissions_and_only_in_training():
    decoder = SpanDecoder(5, 6, 3, guided=False, dropout=0.9)
    features = torch.randn(4, 7, 5, generator=RANDOM)
    assert not torch.equal(decoder.flat(features, MASK), decoder.flat(features, MASK))
    decoder.eval()
    assert torch.equal(decoder.flat(features, MASK), decoder.flat(features, MASK))


@pytest.mark.parametrize("guided", [False, True])
def test_bf16_stays_near_fp32(guided: bool):
    decoder = make(5, guided)
    features, rows, scale = torch.randn(4, 7, 5, generator=RANDOM), torch.arange(4), torch.rand(4, 7)

    def run() -> Tensor:
        return decoder.scaled(features, scale, rows, MASK) if guided else decoder.flat(features, MASK)

    with torch.autocast("cpu", torch.bfloat16):
        half = run()
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), run(), atol=0.05, rtol=0.05)


def test_direct_emissions_are_products_of_units_with_the_vectors_of_their_attribute():
    direct = DirectEmissions(attributes=4, width=5, tags=3)
    features = torch.randn(2, 7, 5, generator=RANDOM)
    rows, attributes = torch.tensor([1, 0, 1]), torch.tensor([2, 0, 0])
    found = direct(features, rows, attributes)
    for n, (row, attribute) in enumerate([(1, 2), (0, 0), (1, 0)]):
        vectors = direct.vectors.weight[attribute].view(3, 5)
        torch.testing.assert_close(found[n], features[row] @ vectors.T)


def test_a_decoder_that_starts_at_nothing_learns():
    decoder = make(5, guided=True)
    decoder.start_at_nothing()
    features, scale = torch.randn(4, 7, 5, generator=RANDOM), torch.randn(4, 7, generator=RANDOM)
    emissions = decoder.scaled(features, scale, torch.arange(4), MASK)
    assert not emissions.any()
    emissions.sum().backward()
    assert decoder.output.weight.grad.any()


def test_the_surest_segment_is_found_even_where_the_best_path_has_none():
    crf = CRF(3, [(None, 2), (0, 2)])
    for parameter in crf.parameters():
        nn.init.zeros_(parameter)
    emissions = torch.zeros(2, 4, 3)
    emissions[:, :, 0] = 3.0  # more probably no value than any one
    emissions[0, 1, 1], emissions[0, 2, 2] = 2.5, 3.3
    emissions[1, 3, 1] = 9.0  # padding
    emissions[1, 0, 1] = 2.0
    mask = torch.tensor([[True] * 4, [True] * 2 + [False] * 2])
    rows, attributes = torch.tensor([0, 5]), torch.tensor([7, 8])
    assert not len(decode_pairs(crf, emissions, mask, rows, attributes).rows)
    found = surest_pairs(crf, emissions, mask, rows, attributes)
    assert [x.tolist() for x in found[:4]] == [[0, 5], [7, 8], [1, 0], [3, 1]]
    pairs = torch.tensor([0, 1])
    exact = crf.segment_log_probability(emissions, mask, pairs, found.starts, found.ends)
    torch.testing.assert_close(found.probability, exact.exp())
    assert (found.probability < 0.5).all()
