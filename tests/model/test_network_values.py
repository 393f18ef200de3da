"""The value head in the network: what it learns from, which attributes it is asked for, and what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from attrex.model.attribute_range import RangeClassifier
from attrex.model.batch import Batch, Choices
from attrex.model.losses import choice_nll, value_range_loss
from attrex.model.network import MAX_OPTIONS, Network

Build = Callable[..., Network]
SIZES = (3, 0, 11, 2)
"""Options of the four attributes."""
PLAIN = ("values.alone_weight=0", "values.dropout=0")
TEXT_ONLY = ("fusion.kind=none", "image.model=null")


@pytest.fixture
def cells(batch: Batch) -> Batch:
    """The batch with cells whose options are known: three in row 0, of which one has two options, and one in row 1."""
    known = {
        "choice_rows": torch.tensor([0, 0, 0, 1]),
        "choice_attributes": torch.tensor([0, 2, 3, 2]),
        "choice_options": torch.tensor([[1, -1], [10, 4], [0, -1], [7, -1]]),
    }
    return Batch(batch.inputs, replace(batch.targets, **known))


def say(classifier: RangeClassifier | None, logits: list[float]) -> None:
    """Make a classifier say the same of every row."""
    with torch.no_grad():
        classifier.output.weight.zero_()
        classifier.output.bias.copy_(torch.tensor(logits))


def decided(network: Network) -> Network:
    """Options that differ by more than their names, as after training."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in (network.values.own, network.values.bias, network.values.text_look.query.weight):
            parameter.normal_()
    return network.eval()


def asked(choices: Choices) -> list[tuple[int, int]]:
    return list(zip(choices.rows.tolist(), choices.attributes.tolist(), strict=True))


# ---- learning -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("guidance", ["prototype", "dynet", "bert"])
def test_the_head_teaches_all_that_it_reads(build: Build, cells: Batch, guidance: str):
    network = build(*PLAIN, f"guidance.kind={guidance}", options=SIZES).train()
    network(**cells.tensors()).value_loss.backward()
    taught = {name for name, p in network.named_parameters() if p.grad is not None and p.grad.any()}
    for part in ("text.layers.0.", "image.", "tir.", "value_range.", "values.text_look.", "values.photo_look."):
        assert any(name.startswith(part) for name in taught), part
    prototypes = "value_prototypes" if guidance == "dynet" else "guidance"
    assert any(name.startswith(prototypes) for name in taught)
    assert {
        "values.option.weight",
        "values.own",
        "values.bias",
        "values.attribute.weight",
        "values.row.weight",
    } <= taught
    assert not any(name.startswith(("decoder", "crf", "classifier")) for name in taught)


def test_the_heads_loss_is_summed_over_the_cells_of_a_row_and_weighed(build: Build, cells: Batch):
    network = build(*PLAIN, "values.loss_weight=0.5", "values.blank_weight=0.25", options=SIZES)
    losses = network(**cells.tensors())
    encoded = network.encode(cells.inputs)
    expected = value_range_loss(encoded.value_logits, cells.targets, 0.25)
    for row, attribute, options in zip(*cells.targets.choices, strict=True):
        found, vectors = network.find_values(encoded, row[None], attribute[None])
        ((_, _, logits),) = network.values.choose(
            network.values.combine(vectors, found.text, found.photo), attribute[None]
        )
        expected = expected + choice_nll(logits, options[None]).sum() / 3
    torch.testing.assert_close(losses.value_loss, expected)
    torch.testing.assert_close(losses.loss, losses.range_loss + losses.tag_loss + 0.5 * losses.value_loss)


def test_without_a_known_option_only_having_a_value_is_learned(build: Build, batch: Batch):
    network = build(*PLAIN, options=SIZES)
    losses = network(**batch.tensors())
    expected = value_range_loss(network.encode(batch.inputs).value_logits, batch.targets, 0.3)
    torch.testing.assert_close(losses.value_loss, expected)
    network.zero_grad()
    losses.value_loss.backward()
    assert all(p.grad is None for p in network.values.parameters())


def test_the_head_learns_while_the_decoder_waits(build: Build, cells: Batch):
    network = build(*PLAIN, options=SIZES)
    network.range_only = True
    losses = network(**cells.tensors())
    assert losses.tag_loss is None
    torch.testing.assert_close(losses.loss, losses.range_loss + 0.3 * losses.value_loss)


def test_a_network_without_a_head_has_none_of_it(build: Build, cells: Batch):
    network = build()
    assert not network.chooses_values
    assert network(**cells.tensors()).value_loss is None
    found = network.eval().extract(cells.inputs)
    assert (found.choices, found.value_scores) == (None, None)
    with_head = build(options=SIZES)
    assert with_head.chooses_values
    assert {n.split(".")[0] for n in with_head.state_dict()} - {n.split(".")[0] for n in network.state_dict()} == {
        "values",
        "value_range",
    }


def test_the_head_learns_from_text_and_photo_alone_besides(build: Build, cells: Batch):
    def value_loss(weight: float) -> float:
        network = build("values.dropout=0", f"values.alone_weight={weight}", options=SIZES)
        return float(network(**cells.tensors()).value_loss.detach())

    network = build(*PLAIN, options=SIZES)
    rows, attributes, options = cells.targets.choices
    encoded = network.encode(cells.inputs)
    found, vectors = network.find_values(encoded, rows, attributes)
    _, *alone = network.values.compare(vectors, found)
    expected = 0.0
    for compared in alone:
        for _, pairs, scores in network.values.choose(compared, attributes):
            nll = choice_nll(scores, options[pairs])
            expected += float(nll[encoded.region_mask.any(1)[rows[pairs]]].sum().detach()) / len(encoded.features)
    assert expected > 0.1
    assert value_loss(0.3) - value_loss(0) == pytest.approx(0.3 * expected, rel=1e-4)


def test_frequencies_are_where_it_starts(build: Build):
    network = build(options=SIZES)
    options = torch.arange(sum(SIZES), dtype=torch.float)
    network.init_bias(torch.full((4,), 0.25), torch.tensor([0.5, 0.1, 0.9, 0.2]), options)
    torch.testing.assert_close(network.classifier.output.bias.sigmoid(), torch.full((4,), 0.25))
    torch.testing.assert_close(network.value_range.output.bias.sigmoid(), torch.tensor([0.5, 0.1, 0.9, 0.2]))
    torch.testing.assert_close(
        network.values.bias[3:14].softmax(0), (options[3:14] + 0.5) / (options[3:14] + 0.5).sum()
    )


# ---- choosing -------------------------------------------------------------------------------------------------------


def test_attributes_are_asked_that_are_said_or_that_a_product_may_have(build: Build, batch: Batch):
    network = decided(build("values.threshold=0.2", options=SIZES))
    say(network.classifier, [9, 9, -9, -9])
    say(network.value_range, [-9, 9, -1, -2])  # 0.27, 0.12
    found = network.extract(batch.inputs)
    assert asked(found.choices) == [(row, a) for row in range(3) for a in (0, 2)]  # 1 has no options
    torch.testing.assert_close(found.value_scores[0], torch.tensor([-9.0, 9, -1, -2]).sigmoid())
    say(network.classifier, [-9.0] * 4)
    say(network.value_range, [-9.0] * 4)
    nothing = network.extract(batch.inputs).choices
    assert asked(nothing) == []
    assert nothing.probability.shape == (0, MAX_OPTIONS)


def test_attributes_that_are_given_or_ruled_out(build: Build, batch: Batch):
    network = decided(build("range.mask_by_category=true", options=SIZES))
    say(network.value_range, [9.0] * 4)
    allowed = torch.tensor([[True, True, False, True], [False] * 4, [False, False, True, False]])
    found = network.extract(replace(batch.inputs, allowed=allowed))
    assert asked(found.choices) == [(0, 0), (0, 3), (2, 2)]
    given = network.extract(replace(batch.inputs, attributes=allowed.roll(1, 0)))
    assert asked(given.choices) == [(0, 2), (1, 0), (1, 3)]


def test_the_surest_options_are_told_with_their_probabilities(build: Build, batch: Batch):
    network = decided(build(options=SIZES))
    say(network.value_range, [9.0] * 4)
    chosen, encoded = network.extract(batch.inputs).choices, network.encode(batch.inputs)
    assert chosen.options.shape == chosen.probability.shape == (9, MAX_OPTIONS)
    for n, (row, attribute) in enumerate(asked(chosen)):
        pair = torch.tensor([row]), torch.tensor([attribute])
        found, vectors = network.find_values(encoded, *pair)
        both, text, photo = (
            network.values.choose(compared, pair[1])[0][2][0].softmax(0)
            for compared in network.values.compare(vectors, found)
        )
        told = min(SIZES[attribute], MAX_OPTIONS)
        top = both.sort(descending=True)
        assert chosen.options[n, :told].tolist() == top.indices[:told].tolist()
        assert chosen.options[n, told:].tolist() == [-1] * (MAX_OPTIONS - told)
        torch.testing.assert_close(chosen.probability[n, :told], top.values[:told])
        assert not chosen.probability[n, told:].any()
        torch.testing.assert_close(chosen.by_text[n, :told], text[top.indices[:told]])
        torch.testing.assert_close(chosen.by_photo[n, :told], photo[top.indices[:told]] * (row < 2))  # 2 has no photo
        assert not chosen.by_text[n, told:].any()
        assert not chosen.by_photo[n, told:].any()
        torch.testing.assert_close(chosen.unit_weights[n], found.unit_weights[0])
        torch.testing.assert_close(chosen.region_weights[n], found.region_weights[0])


def test_encoders_run_once_and_the_head_once_per_asked_pair(
    build: Build, batch: Batch, count_rows: Callable[[nn.Module], list[int]]
):
    network = decided(build(options=SIZES))
    say(network.classifier, [-9.0] * 4)
    say(network.value_range, [9, 9, -9, 9])
    parts: dict[str, Any] = {
        "text": network.text.layers[0],
        "image": network.image,
        "values": network.values.text_look.output,
    }
    parts |= {"options": network.values.option, "decoder": network.decoder.output}
    counts = {name: count_rows(part) for name, part in parts.items()}
    network.extract(batch.inputs)
    # Options of the two asked attributes, for text and photo together and for each alone.
    assert counts == {"text": [3], "image": [2], "values": [6], "options": [3, 2] * 3, "decoder": []}


def test_a_row_alone_says_what_it_says_in_company(build: Build, batch: Batch):
    network = decided(build(options=SIZES))
    say(network.value_range, [9.0] * 4)
    together = network.extract(batch.inputs).choices
    length, units = [9, 8, 6], [7, 6, 4]
    for row in range(3):
        inputs = replace(
            batch.inputs,
            input_ids=batch.inputs.input_ids[[row], : length[row]],
            token_mask=batch.inputs.token_mask[[row], : length[row]],
            unit_index=batch.inputs.unit_index[[row], : units[row]],
            unit_mask=batch.inputs.unit_mask[[row], : units[row]],
            image_index=batch.inputs.image_index[[row]],
        )
        alone, rows = network.extract(inputs).choices, together.rows == row
        assert torch.equal(alone.options, together.options[rows])
        for name in ("probability", "by_text", "by_photo"):
            torch.testing.assert_close(getattr(alone, name), getattr(together, name)[rows])
        torch.testing.assert_close(alone.unit_weights, together.unit_weights[rows, : units[row]])
        torch.testing.assert_close(alone.region_weights, together.region_weights[rows])
        assert not together.unit_weights[rows, units[row] :].any()


def test_a_batch_without_photos_is_decided_by_its_text(build: Build, batch: Batch):
    network = decided(build(options=SIZES))
    say(network.value_range, [9.0] * 4)
    bare = network.extract(replace(batch.inputs, pixels=None, image_index=None)).choices
    torch.testing.assert_close(bare.by_text, bare.probability)
    assert not bare.by_photo.any()
    text_only = decided(build(*TEXT_ONLY, options=SIZES))
    say(text_only.value_range, [9.0] * 4)
    chosen = text_only.extract(batch.inputs).choices
    assert chosen.region_weights is None
    assert not chosen.by_photo.any()


def test_it_runs_in_bf16(build: Build, cells: Batch):
    network = build(*PLAIN, options=SIZES)
    full = network(**cells.tensors()).value_loss
    with torch.autocast("cpu", torch.bfloat16):
        half = network(**cells.tensors()).value_loss
        chosen = network.eval().extract(cells.inputs).choices
    half.backward()
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, full, rtol=0.1, atol=0.1)
    assert chosen.probability.isfinite().all()
