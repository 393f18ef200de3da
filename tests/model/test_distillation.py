"""What a student learns from its teacher: each loss by hand, and that all parts of the student get nearer by them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from attrex.errors import ConfigError
from attrex.model.batch import Batch
from attrex.model.distillation import (
    distillable,
    distillation_losses,
    divergence,
    kept_layers,
    layer_states,
    probabilities_loss,
    states_loss,
    taught_layers,
)
from attrex.model.network import Network

Build = Callable[..., Network]


@pytest.mark.parametrize(
    ("layers", "of", "kept", "taught"),
    [(3, 6, [0, 2, 4], [1, 3, 5]), (2, 6, [0, 3], [2, 5]), (4, 6, [0, 1, 3, 4], [0, 2, 3, 5]), (1, 2, [0], [1])],
)
def test_a_student_has_layers_from_all_depths_and_learns_the_last_before_the_next(
    layers: int, of: int, kept: list[int], taught: list[int]
) -> None:
    assert kept_layers(layers, of) == kept
    assert taught_layers(layers, of) == taught


@pytest.mark.parametrize("layers", [0, 6, 7])
def test_a_student_has_fewer_layers(layers: int) -> None:
    with pytest.raises(ConfigError, match=rf"from 1 to 5, for the model's text encoder has 6; got {layers}"):
        kept_layers(layers, 6)


def test_states_are_compared_where_there_are_tokens() -> None:
    told = torch.tensor([[[3.0, 4.0], [1.0, 0.0], [9.0, 9.0]]])  # two tokens, and a region behind them
    found = torch.tensor([[[0.0, 4.0], [8.0, 8.0], [7.0, 7.0]]])
    assert states_loss(found, told, torch.tensor([[True, False]])).item() == pytest.approx(9 / 25)


def test_independent_probabilities_diverge() -> None:
    found = torch.tensor([[0.0, 0.0], [0.0, 0.0]])
    told = torch.tensor([[0.0, 1.0986123], [0.0, 0.0]])  # of log(3): 3/4
    expected = 0.75 * 0.4054651 + 0.25 * -0.6931472  # 3/4 log(3/2) + 1/4 log(1/2), in one of two rows
    assert probabilities_loss(found, told).item() == pytest.approx(expected / 2, abs=1e-6)
    assert probabilities_loss(told, told).item() == pytest.approx(0, abs=1e-6)


def test_distributions_diverge() -> None:
    told, found = torch.tensor([0.5, 0.5, 0.0]), torch.tensor([0.25, 0.25, 0.5])
    assert divergence(found.log(), (told + 1e-12).log()).item() == pytest.approx(0.6931472, abs=1e-5)
    assert divergence(found.log(), found.log()).item() == 0


def test_states_of_the_layers_are_noted_in_the_block_alone(build: Build, batch: Batch) -> None:
    text = build("fusion.kind=none", "image.model=null").text.eval()
    with layer_states(text) as states:
        last, before = text.encode(text.embed(batch.inputs.input_ids), batch.inputs.token_mask)
    assert torch.equal(states[-1], last)
    assert torch.equal(states[-2], before)
    text.encode(text.embed(batch.inputs.input_ids), batch.inputs.token_mask)
    assert len(states) == 2


@pytest.mark.parametrize(
    "settings",
    [
        ("range.threshold=0.01",),
        ("range.threshold=0.01", "fusion.kind=concat"),
        ("fusion.kind=none", "image.model=null"),
    ],
    ids=["TIR", "concat", "text"],
)
def test_a_student_gets_nearer_to_its_teacher_in_all(build: Build, batch: Batch, settings: tuple[str, ...]) -> None:
    settings = ("values.dropout=0", "range.threshold=0.01", *settings)
    teacher, student = (build(*settings, options=(3, 0, 11, 2)) for _ in range(2))
    teacher.eval()
    student.text.layers = student.text.layers[:1]
    if student.image is not None:
        student.image.requires_grad_(False)
    learned = [p for p in student.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(learned, lr=1e-2)
    losses = []
    for _ in range(10):
        found = distillation_losses(student.train(), teacher, batch.inputs)
        losses.append(
            [found.loss.item(), *(part.item() for part in (found.range_loss, found.tag_loss, found.value_loss))]
        )
        optimizer.zero_grad()
        found.loss.backward()
        optimizer.step()
    assert found.pairs
    assert all(last < 0.7 * first for first, last in zip(losses[0], losses[-1], strict=True))
    assert all(p.grad is None for p in teacher.parameters())
    silent = {n.split(".")[0] for n, p in student.named_parameters() if p.requires_grad and p.grad is None}
    assert silent == set()


def test_a_photo_that_the_student_does_not_see_is_hidden_from_its_teacher(build: Build, batch: Batch) -> None:
    teacher, student = (build("image.dropout=0.999", "range.threshold=0.01") for _ in range(2))
    seen = []
    for network in (teacher, student):
        encode = network.encode_text

        def noting(inputs, regions, mask, encode=encode):
            seen.append(mask)
            return encode(inputs, regions, mask)

        network.encode_text = noting
    student.text.layers = student.text.layers[:1]
    distillation_losses(student.train(), teacher.eval(), batch.inputs)
    assert torch.equal(*seen)
    assert not seen[0].any()


def test_only_systems_with_a_range_are_distilled(build: Build) -> None:
    with pytest.raises(ConfigError, match=r"variants with a range can be distilled, not uls-dram with range.kind=none"):
        distillable(build("range.kind=none"))
