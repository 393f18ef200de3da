from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from seqeval.metrics.sequence_labeling import get_entities
from torch import Tensor, nn

from attrex.errors import ConfigError
from attrex.model.batch import Batch, Decoded, Losses
from attrex.model.image_encoder import ImageEncoder
from attrex.model.network import Network
from attrex.model.region_norm import RegionNorm
from attrex.training.trainer import freeze
from attrex.types import UNKNOWN

Build = Callable[..., Network]
TEXT_ONLY = ("fusion.kind=none", "image.model=null")
FLAT = ("range.kind=none",)
FUSIONS = {
    "none": TEXT_ONLY,
    "concat": ("fusion.kind=concat",),
    "concat_attention": ("fusion.kind=concat_attention",),
    "tir": (),
    "tir_softmax": ("fusion.softmax=true", "fusion.heads=2"),
}
RANGES = {"flat": FLAT, "prototype": (), "dynet": ("guidance.kind=dynet",), "bert": ("guidance.kind=bert",)}


@pytest.fixture(params=FUSIONS)
def fusion(request: pytest.FixtureRequest) -> Sequence[str]:
    return FUSIONS[request.param]


@pytest.fixture(params=RANGES)
def range_(request: pytest.FixtureRequest) -> Sequence[str]:
    return RANGES[request.param]


def choose(network: Network, logits: Sequence[float]) -> Network:
    """Make the classifier say the same of every row."""
    with torch.no_grad():
        network.classifier.output.weight.zero_()
        network.classifier.output.bias.copy_(torch.tensor(logits))
    return network


def changed(batch: Batch, **tensors: Tensor | None) -> Batch:
    """The batch with other tensors."""
    inputs = {k: v for k, v in tensors.items() if hasattr(batch.inputs, k)}
    targets = {k: v for k, v in tensors.items() if hasattr(batch.targets, k)}
    assert len(inputs) + len(targets) == len(tensors)
    return Batch(replace(batch.inputs, **inputs), replace(batch.targets, **targets))


def rows_of(batch: Batch, rows: Sequence[int]) -> Batch:
    """A batch of some of the rows."""
    at = {old: new for new, old in enumerate(rows)}
    kept = [i for i, row in enumerate(batch.targets.pair_rows.tolist()) if row in at]
    per_row = {"input_ids", "token_mask", "unit_index", "unit_mask", "image_index", "cells", "flat_tags"}
    return changed(
        batch,
        **{k: v[list(rows)] for k, v in batch.tensors().items() if k in per_row | {"range_targets"}},
        pair_rows=torch.tensor([at[batch.targets.pair_rows[i].item()] for i in kept], dtype=torch.long),
        pair_attributes=batch.targets.pair_attributes[kept],
        pair_tags=batch.targets.pair_tags[kept],
        pair_weights=batch.targets.pair_weights[kept],
    )


def padded(batch: Batch, more: int = 4) -> Batch:
    """The same batch with more padding."""

    def widen(x: Tensor, value: int) -> Tensor:
        return nn.functional.pad(x, (0, more), value=value)

    return changed(
        batch,
        input_ids=widen(batch.inputs.input_ids, 0),
        token_mask=widen(batch.inputs.token_mask, False),
        unit_index=widen(batch.inputs.unit_index, 0),
        unit_mask=widen(batch.inputs.unit_mask, False),
        pair_tags=widen(batch.targets.pair_tags, 0),
        flat_tags=widen(batch.targets.flat_tags, 0),
    )


def spans(found: Decoded) -> list[tuple[int, ...]]:
    columns = (found.rows, found.attributes, found.starts, found.ends)
    return list(zip(*(c.tolist() for c in columns), strict=True))


def observe(network: Network) -> dict[str, Any]:
    """What the CRF's loss is asked in the next steps: pairs as (row, attribute), and their tags or allowed tags."""
    seen: dict[str, Any] = {}
    nll, partial_nll, emissions = network.crf.nll, network.crf.partial_nll, network.emissions

    def watched_nll(scores: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        seen["tags"] = tags
        seen["nll"] = nll(scores, tags, mask)
        return seen["nll"]

    def watched_partial(scores: Tensor, allowed: Tensor, mask: Tensor) -> Tensor:
        seen["allowed"] = allowed
        seen["nll"] = partial_nll(scores, allowed, mask)
        return seen["nll"]

    def watched_emissions(encoded: Any, rows: Tensor, attributes: Tensor) -> Tensor:
        seen["pairs"] = list(zip(rows.tolist(), attributes.tolist(), strict=True))
        return emissions(encoded, rows, attributes)

    network.crf.nll, network.crf.partial_nll = watched_nll, watched_partial  # type: ignore[method-assign]
    network.emissions = watched_emissions  # type: ignore[method-assign]
    return seen


# ---- every variant --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["uls", "fixed", "partial"])
def test_every_variant_trains_and_extracts(
    build: Build, batch: Batch, fusion: Sequence[str], range_: Sequence[str], scheme: str
):
    network = build(*fusion, *range_, f"training.scheme={scheme}", "training.text_layers=1")
    freeze(network, network.settings.training)
    losses = network.train()(**batch.tensors())
    losses.loss.backward()
    assert losses.loss.isfinite()
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            assert parameter.grad.any(), name
        else:
            assert parameter.grad is None, name
    trained = {n.split(".")[0] for n, p in network.named_parameters() if p.requires_grad}
    assert {"decoder", "crf"} <= trained
    assert ("text" in trained) == (scheme != "fixed")
    assert ("image" in trained) == (scheme == "uls" and network.image is not None)

    found = network.eval().extract(batch.inputs, region_weights=True)
    assert ((found.probability > 0) & (found.probability <= 1 + 1e-5)).all()
    assert (found.ends <= batch.inputs.unit_mask.sum(1)[found.rows]).all()
    assert (found.region_weights is not None) == (network.image is not None)


def test_every_variant_runs_in_bf16(build: Build, batch: Batch, fusion: Sequence[str], range_: Sequence[str]):
    network = build(*fusion, *range_)
    with torch.autocast("cpu", torch.bfloat16):
        losses = network(**batch.tensors())
        network.eval().extract(batch.inputs, region_weights=True)
    losses.loss.backward()
    assert losses.loss.dtype == torch.float32
    assert losses.loss.isfinite()
    full = network(**batch.tensors()).loss
    torch.testing.assert_close(losses.loss, full, rtol=0.1, atol=0.1)


def test_the_window_must_fit_the_text_model(build: Build):
    with pytest.raises(ConfigError, match=r"text.max_tokens=41 is more than minilm-l6 reads: 40; lower it"):
        build("text.max_tokens=41")


def test_bert_guidance_needs_an_encoder_as_wide(build: Build):
    network = build()
    config = network.settings.model_copy(
        update={"guidance": network.settings.guidance.model_copy(update={"kind": "bert"})}
    )
    with pytest.raises(ConfigError, match="needs a second text encoder, as wide as the first one"):
        Network(config, 4, network.text, network.image)


def test_a_flat_tagger_has_no_pairs_to_decode(build: Build, batch: Batch):
    network = build(*FLAT)
    with pytest.raises(ConfigError, match=r"range.kind=none has no attribute to guide by; use the flat decoder"):
        network.emissions(network.encode(batch.inputs), torch.tensor([0]), torch.tensor([0]))


# ---- padding, batching, cost ----------------------------------------------------------------------------------------


def test_padding_changes_nothing(build: Build, batch: Batch, fusion: Sequence[str], range_: Sequence[str]):
    network = build(*fusion, *range_).eval()
    one, other = (network.encode(b.inputs, region_weights=True) for b in (batch, padded(batch)))
    torch.testing.assert_close(other.features[:, :7][batch.inputs.unit_mask], one.features[batch.inputs.unit_mask])
    if one.range_logits is not None:
        torch.testing.assert_close(other.range_logits, one.range_logits)
    losses = [network(**b.tensors()).loss for b in (batch, padded(batch))]
    torch.testing.assert_close(*losses)
    assert spans(network.extract(padded(batch).inputs)) == spans(network.extract(batch.inputs))


def test_rows_of_different_ranges_equal_rows_on_their_own(build: Build, batch: Batch, range_: Sequence[str]):
    network = build(*range_, "decoder.reduction=sum").eval()
    if network.classifier is not None:  # decided scores of either sign
        network.classifier.output.weight.data *= 50
        network.classifier.output.bias.data.zero_()
    together = network(**batch.tensors())
    alone = [network(**rows_of(batch, [i]).tensors()) for i in range(3)]
    if together.range_loss is not None:
        assert len({losses.pairs for losses in alone}) > 1
    assert sum(losses.pairs for losses in alone) == together.pairs
    torch.testing.assert_close(sum(losses.tag_loss for losses in alone), together.tag_loss)

    whole = network.extract(batch.inputs)
    parts = [(i, *span[1:]) for i in range(3) for span in spans(network.extract(rows_of(batch, [i]).inputs))]
    assert sorted(spans(whole)) == sorted(parts)


def test_encoders_run_once_and_the_decoder_once_per_selected_pair(
    build: Build, batch: Batch, count_rows: Callable[[nn.Module], list[int]]
):
    network = choose(build(), [9, -9, 9, -9]).eval()
    text, image, decoded = (count_rows(m) for m in (network.text.layers[0], network.image, network.decoder.output))
    found = network.extract(batch.inputs)
    assert (text, image, decoded) == ([3], [2], [6])
    assert found.pairs == int(found.selected.sum()) == 6


def test_large_ranges_are_decoded_in_parts(
    build: Build, batch: Batch, monkeypatch: pytest.MonkeyPatch, count_rows: Callable[[nn.Module], list[int]]
):
    network = choose(build(), [9.0] * 4).eval()
    network.decoder.output.bias.data[1] += 2.0  # some spans to find
    whole = network.extract(batch.inputs)
    monkeypatch.setattr("attrex.model.network.MAX_DECODED_PAIRS", 5)
    decoded = count_rows(network.decoder.output)
    parts = network.extract(batch.inputs)
    assert decoded == [5, 5, 2]
    assert spans(parts) == spans(whole)
    assert len(spans(whole)) > 0
    torch.testing.assert_close(parts.probability, whole.probability)


# ---- photos ---------------------------------------------------------------------------------------------------------


class Blocks(nn.Module):
    """A feature map of mean colours: 64 pixels give 4 x 4 regions."""

    def forward(self, pixels: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(pixels, 16)


def test_a_bright_block_lights_its_own_region_and_no_other(build: Build, batch: Batch):
    network = build()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network.image = ImageEncoder(Blocks(), {"mean": (0, 0, 0), "std": (1, 1, 1), "size": 64})
        network.tir.cross_attention.key = nn.Linear(3, 8, bias=False)
        network.tir.cross_attention.value = nn.Linear(3, 8, bias=False)
    network.pixel_mean.zero_()
    batch.inputs.pixels = torch.zeros(2, 64, 64, 3, dtype=torch.uint8)
    batch.inputs.pixels[0, 16:32, 32:48] = 255  # second row, third column
    weights = network.encode(batch.inputs, region_weights=True).region_weights[0]
    lit = weights.any(0).nonzero().flatten().tolist()
    assert weights.shape == (9, 16)
    assert lit == [4 + 2]


def test_a_row_without_photo_has_no_region_weights_and_reads_as_text_only(build: Build, batch: Batch):
    network = build().eval()
    mixed = network.encode(batch.inputs, region_weights=True)
    bare = changed(batch, pixels=None, image_index=None)
    without = network.encode(bare.inputs, region_weights=True)
    assert not mixed.region_weights[2].any()
    assert not without.region_weights.any()
    torch.testing.assert_close(without.features[2], mixed.features[2])
    assert not torch.allclose(without.features[0], mixed.features[0])
    losses = network(**bare.tensors())
    losses.loss.backward()
    assert losses.loss.isfinite()


@pytest.mark.parametrize("kind", ["concat", "concat_attention"])
def test_concat_without_any_photo_is_the_text_model(build: Build, batch: Batch, kind: str):
    network = build(f"fusion.kind={kind}").eval()
    bare = changed(batch, pixels=None, image_index=None)
    torch.testing.assert_close(network.encode(bare.inputs).features[2], network.encode(batch.inputs).features[2])


def test_several_photos_are_concatenated_and_each_is_encoded_once(
    build: Build, batch: Batch, count_rows: Callable[[nn.Module], list[int]]
):
    network = build().eval()
    encoded = count_rows(network.image)
    batch.inputs.image_index = torch.tensor([[0, 1], [1, -1], [-1, -1]])
    regions, mask = network.regions(batch.inputs)
    assert encoded == [2]
    assert regions.shape == (3, 8, 12)
    torch.testing.assert_close(regions[0, 4:], regions[1, :4])
    assert mask.tolist() == [[True] * 8, [True] * 4 + [False] * 4, [False] * 8]
    assert network.encode(batch.inputs, region_weights=True).region_weights.shape == (3, 9, 8)


def test_calibrated_regions_are_centred_and_scaled_in_training_as_in_use(build: Build, batch: Batch):
    network = build("fusion.region_norm=true")
    plain = build().regions(batch.inputs)[0][:2].flatten(0, 1)
    network.calibrate(batch.inputs.pixels)
    spread = plain.std(0, correction=0)
    expected = (plain - plain.mean(0)) / (spread + 0.1 * spread.mean())
    for mode in (True, False):
        regions, _ = network.train(mode).regions(batch.inputs)
        torch.testing.assert_close(regions[:2].flatten(0, 1), expected, atol=1e-4, rtol=1e-4)


def test_a_silent_channel_does_not_turn_its_first_answer_into_a_huge_one():
    norm = RegionNorm(3)
    regions = torch.randn(40, 4, 3)
    regions[..., 2] = 0  # says nothing on any photo seen before training
    norm.calibrate(regions)
    assert norm(torch.ones(1, 1, 3)).abs().max() < 20
    assert norm(regions)[..., :2].std() == pytest.approx(0.9, abs=0.1)


def test_photos_do_not_depend_on_their_batch(build: Build, batch: Batch):
    network = build("fusion.region_norm=true")
    network.calibrate(batch.inputs.pixels)
    together, _ = network.regions(batch.inputs)
    batch.inputs.pixels, batch.inputs.image_index = batch.inputs.pixels[:1], torch.tensor([[0], [-1], [-1]])
    alone, _ = network.regions(batch.inputs)
    torch.testing.assert_close(alone[0], together[0, :4], atol=1e-3, rtol=1e-3)


def test_photos_are_hidden_at_random_in_training_only(build: Build, batch: Batch):
    network = build("image.dropout=0.25")
    batch.inputs.input_ids = torch.zeros(400, 9, dtype=torch.long)
    batch.inputs.image_index = torch.tensor([[0, 1]]).expand(400, 2)
    torch.manual_seed(0)
    shown = network.train().regions(batch.inputs)[1]
    assert 0.7 < shown.float().mean() < 0.8
    assert torch.equal(shown.any(1), shown.all(1))  # all photos of a product, or none
    assert network.eval().regions(batch.inputs)[1].all()


# ---- range ----------------------------------------------------------------------------------------------------------


def test_a_score_at_the_threshold_is_not_selected(build: Build, batch: Batch):
    network = choose(build(), [0.0, 0.0, 0.001, -0.001]).eval()
    assert network.extract(batch.inputs).selected.tolist() == [[False, False, True, False]] * 3
    assert network.extract(batch.inputs, threshold=0.4).selected.all()


@pytest.mark.parametrize("guidance", ["prototype", "dynet", "bert"])
def test_nothing_selected_gives_nothing_and_teaches_the_classifier_alone(build: Build, batch: Batch, guidance: str):
    network = choose(build(f"guidance.kind={guidance}"), [-9.0] * 4)
    batch.targets.cells = batch.targets.cells.masked_fill(batch.targets.cells == 2, 1)
    losses = network(**batch.tensors())
    assert (losses.pairs, losses.tag_loss) == (0, None)
    assert losses.loss.isfinite()
    losses.loss.backward()
    taught = {n.split(".")[0] for n, p in network.named_parameters() if p.grad is not None}
    assert taught == {"text", "image", "tir", "classifier"}

    found = network.eval().extract(batch.inputs)
    assert spans(found) == []
    assert (found.pairs, len(found.probability)) == (0, 0)


def test_the_decoder_learns_from_the_gold_and_the_predicted_range(build: Build, batch: Batch):
    network = choose(build(), [9, 9, -9, -9])
    seen = observe(network)
    losses = network(**batch.tensors())
    assert seen["pairs"] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0), (2, 1)]
    assert losses.pairs == 7
    gold = {(0, 0): batch.targets.pair_tags[0], (0, 2): batch.targets.pair_tags[1], (1, 1): batch.targets.pair_tags[2]}
    for pair, tags in zip(seen["pairs"], seen["tags"], strict=True):
        assert tags.tolist() == gold.get(pair, torch.zeros(7)).tolist()
    torch.testing.assert_close(losses.tag_loss, seen["nll"].mean())
    torch.testing.assert_close(losses.loss, losses.range_loss + losses.tag_loss)


def test_the_loss_over_pairs_can_be_summed(build: Build, batch: Batch):
    network = choose(build("decoder.reduction=sum"), [9, 9, -9, -9])
    seen = observe(network)
    torch.testing.assert_close(network(**batch.tensors()).tag_loss, seen["nll"].sum())


def test_no_gradient_flows_through_the_selection(build: Build, batch: Batch):
    network = build()
    network(**batch.tensors()).tag_loss.backward()
    assert all(p.grad is None for p in network.classifier.parameters())


def test_pairs_of_a_step_are_bounded_gold_first(build: Build, batch: Batch):
    network = choose(build("range.max_pairs=4"), [9, 8, -9, 7])
    seen = observe(network)
    assert network(**batch.tensors()).pairs == 4
    assert set(seen["pairs"]) > {(0, 0), (0, 2), (1, 1)}


def test_at_first_only_the_range_may_be_learned(build: Build, batch: Batch):
    network = build()
    network.range_only = True
    losses = network(**batch.tensors())
    assert (losses.pairs, losses.tag_loss) == (0, None)
    assert torch.equal(losses.loss, losses.range_loss)


BLANKS = [(1, 3), (2, 0), (2, 3)]
IN_DOUBT = [(2, 0), (1, 2)]  # a blank cell, and one whose value was not found, of which the text names some value


@pytest.fixture
def doubtful(batch: Batch) -> Batch:
    """The batch with mentions: in the two cells above, and beside the located value of row 0's attribute 0."""
    beside, blank, filled = [0, 1, 2, 0, UNKNOWN, 0, 0], [0, UNKNOWN, UNKNOWN, 0, 0, 0, 0], [0, 0, 0, UNKNOWN, 0, 0, 0]
    return changed(
        batch,
        pair_rows=torch.tensor([0, 0, 1, 2, 1]),
        pair_attributes=torch.tensor([0, 2, 1, 0, 2]),
        pair_tags=torch.cat([torch.tensor([beside]), batch.targets.pair_tags[1:], torch.tensor([blank, filled])]),
        pair_weights=torch.zeros(5),
    )


@pytest.mark.parametrize(("unknown", "blank", "in_doubt"), [("negative", 1.0, 1.0), ("masked", 0.25, 0.0)])
def test_cells_count_as_told(build: Build, doubtful: Batch, unknown: str, blank: float, in_doubt: float):
    network = choose(
        build(f"range.unknown={unknown}", "range.unknown_weight=0.25", "range.reduction=sum"), [0.1, 0.2, 0.3, 0.4]
    )
    seen = observe(network)
    losses = network(**doubtful.tensors())
    counts = torch.where(doubtful.targets.cells == 0, blank, 1.0)
    counts[tuple(zip(*IN_DOUBT, strict=True))] = in_doubt
    error = network.classifier.output.bias.sigmoid() - (doubtful.targets.cells == 2).float()
    (gradient,) = torch.autograd.grad(losses.range_loss, network.classifier.output.bias, retain_graph=True)
    torch.testing.assert_close(gradient, (error * counts).sum(0) / 3)

    assert set(seen["pairs"]) > {*BLANKS, *IN_DOUBT}
    each = torch.tensor([blank if pair in {*BLANKS, *IN_DOUBT} else 1.0 for pair in seen["pairs"]])
    torch.testing.assert_close(losses.tag_loss, (seen["nll"] * each).mean())


def test_the_tags_of_cells_in_doubt_can_be_left_out(build: Build, doubtful: Batch):
    network = choose(build("range.unknown=masked", "range.unknown_weight=0.25"), [9.0] * 4)
    seen = observe(network)
    network(**doubtful.tensors())
    assert set(seen["pairs"]) > {*BLANKS, *IN_DOUBT}
    network.drop_uncertain = True
    losses = network(**doubtful.tensors())
    certain = {*BLANKS} - {*IN_DOUBT}
    assert set(seen["pairs"]).isdisjoint(IN_DOUBT)
    assert set(seen["pairs"]) > certain
    each = torch.tensor([0.25 if pair in certain else 1.0 for pair in seen["pairs"]])
    torch.testing.assert_close(losses.tag_loss, (seen["nll"] * each).mean())


def test_without_partial_labels_words_in_doubt_are_no_values(build: Build, doubtful: Batch):
    network = choose(build("range.unknown=masked", "range.partial_labels=false"), [9.0] * 4)
    seen = observe(network)
    network(**doubtful.tensors())
    assert "allowed" not in seen
    tags = dict(zip(seen["pairs"], seen["tags"].tolist(), strict=True))
    assert tags[0, 0] == [0, 1, 2, 0, 0, 0, 0]
    assert all(not any(tags[pair]) for pair in IN_DOUBT)

    flat = build("range.kind=none", "range.unknown=masked", "range.partial_labels=false")
    plain = flat(**changed(doubtful, pair_tags=doubtful.targets.pair_tags.clamp(min=0)).tensors())
    torch.testing.assert_close(flat(**doubtful.tensors()).loss, plain.loss)


def test_cells_of_no_weight_are_not_decoded(build: Build, doubtful: Batch):
    network = choose(build("range.unknown=masked", "range.unknown_weight=0"), [9.0] * 4)
    seen = observe(network)
    network(**doubtful.tensors())
    assert set(seen["pairs"]).isdisjoint({*BLANKS, *IN_DOUBT})


def test_the_mean_range_loss_is_over_the_cells_that_count(build: Build, batch: Batch):
    settings = ("range.unknown=masked", "range.unknown_weight=0", "range.loss_weight=2")
    network = choose(build(*settings), [0.1, 0.2, 0.3, 0.4])
    network.range_only = True
    logits, known = torch.tensor([[0.1, 0.2, 0.3, 0.4]]).expand(3, 4), batch.targets.cells != 0
    expected = nn.functional.binary_cross_entropy_with_logits(logits[known], (batch.targets.cells == 2).float()[known])
    torch.testing.assert_close(network(**batch.tensors()).loss, 2 * expected)


def test_what_a_teacher_labelled_counts_as_it_is_sure(build: Build, doubtful: Batch):
    """It labelled a blank cell, whose words are in doubt no longer, and is half sure of a filled one."""
    settings = ("range.unknown=masked", "range.unknown_weight=0.25", "range.reduction=sum", "range.threshold=0.9")
    network = choose(build(*settings), [0.1, 0.2, 0.3, 0.4])
    doubtful.targets.pair_tags[3] = torch.tensor([0, 1, 2, 0, 0, 0, 0])
    doubtful.targets.pair_weights = torch.tensor([0, 0, 0, 0.9, 0])
    doubtful.targets.range_targets = torch.zeros(3, 4)
    doubtful.targets.range_targets[2, 0], doubtful.targets.range_targets[1, 2] = 0.8, 0.5
    seen = observe(network)
    losses = network(**doubtful.tensors())
    assert seen["pairs"] == [(0, 0), (0, 2), (1, 1), (2, 0)]
    torch.testing.assert_close(losses.tag_loss, (seen["nll"] * torch.tensor([1, 1, 1, 0.9])).mean())
    assert seen["allowed"][3, 1:3].tolist() == [[False, True, False], [False, False, True]]

    target, counts = (doubtful.targets.cells == 2).float(), torch.where(doubtful.targets.cells == 0, 0.25, 1.0)
    target[2, 0], target[1, 2] = 0.8, 0.5
    counts[2, 0] = counts[1, 2] = 1.0
    (gradient,) = torch.autograd.grad(losses.range_loss, network.classifier.output.bias)
    error = network.classifier.output.bias.sigmoid() - target
    torch.testing.assert_close(gradient, (error * counts).sum(0) / 3)


def test_the_category_can_rule_attributes_out(build: Build, batch: Batch):
    batch.inputs.allowed = torch.tensor([[True, False, True, False]] * 3)
    assert choose(build(), [9.0] * 4).eval().extract(batch.inputs).selected.all()
    network = choose(build("range.mask_by_category=true"), [9.0] * 4).eval()
    assert torch.equal(network.extract(batch.inputs).selected, batch.inputs.allowed)


def test_a_flat_tagger_keeps_to_the_category(build: Build, batch: Batch):
    emissions = 9 * torch.randn(3, batch.inputs.unit_mask.shape[1], 9, generator=torch.Generator().manual_seed(3))
    batch.inputs.allowed = torch.tensor([[True, False, True, False]] * 3)
    found = {}
    for by_category in ("false", "true"):
        network = build(*FLAT, f"range.mask_by_category={by_category}").eval()
        network.decoder.flat = lambda features, mask: emissions  # type: ignore[method-assign]
        found[by_category] = spans(network.extract(batch.inputs))
    assert {a for _, a, _, _ in found["false"]} == {0, 1, 2, 3}
    assert found["true"] == [span for span in found["false"] if span[1] in (0, 2)]


def test_given_attributes_can_be_asked_for(build: Build, batch: Batch):
    network = choose(build(), [-9.0] * 4).eval()
    wanted = torch.zeros(3, 4, dtype=torch.bool)
    wanted[0, 1] = wanted[2, 3] = True
    found = network.extract(changed(batch, attributes=wanted).inputs)
    assert found.pairs == 2
    assert torch.equal(found.selected, wanted)
    assert set(zip(found.rows.tolist(), found.attributes.tolist(), strict=True)) <= {(0, 1), (2, 3)}


# ---- tags and probabilities -----------------------------------------------------------------------------------------


class Paths:
    """All tag sequences of one row (U, K) with their probabilities, one by one."""

    def __init__(self, network: Network, emissions: Tensor) -> None:
        self.tags = list(itertools.product(range(network.crf.num_tags), repeat=len(emissions)))
        mask = torch.ones(len(self.tags), len(emissions), dtype=torch.bool)
        nll = network.crf.nll(emissions.expand(len(self.tags), -1, -1), torch.tensor(self.tags), mask)
        self.probabilities = (-nll.detach()).exp().tolist()

    def sum(self, accept: Callable[[Sequence[int]], bool]) -> float:
        return sum(p for p, path in zip(self.probabilities, self.tags, strict=True) if accept(path))

    def segment(self, start: int, end: int, begin: int = 1, inside: int = 2) -> float:
        """That of B I ... I from start to end and no further, or of I ... I that continues nothing."""

        def is_it(path: Sequence[int]) -> bool:
            opens = path[start] == begin or (path[start] == inside and not {*path[:start][-1:]} & {begin, inside})
            goes_on = path[start + 1 : end] == (inside,) * (end - start - 1)
            return opens and goes_on and path[end : end + 1] != (inside,)

        return self.sum(is_it)


@pytest.fixture
def short(batch: Batch) -> Batch:
    """Rows of four units, so that all paths can be listed."""
    return changed(
        batch, unit_index=batch.inputs.unit_index[:, :4].clamp(min=1), unit_mask=torch.ones(3, 4, dtype=torch.bool)
    )


def test_flat_spans_are_those_of_seqeval_and_their_probability_is_the_segments(build: Build, short: Batch):
    network = build(*FLAT, "decoder.constrained=false").eval()
    emissions = 3 * torch.randn(3, 4, 9, generator=torch.Generator().manual_seed(3))
    network.decoder.flat = lambda features, mask: emissions  # type: ignore[method-assign]
    found = network.extract(short.inputs)
    tags = network.crf.viterbi(emissions, short.inputs.unit_mask)
    names = ["O", *(f"{kind}-{a}" for a in range(4) for kind in "BI")]
    expected = [
        (row, int(attribute), start, end + 1)
        for row in range(3)
        for attribute, start, end in get_entities([names[t] for t in tags[row]])
    ]
    assert len(expected) > 3
    assert spans(found) == expected
    assert found.pairs == 3
    paths = [Paths(network, row) for row in emissions]
    exact = [paths[row].segment(start, end, 2 * a + 1, 2 * a + 2) for row, a, start, end in spans(found)]
    torch.testing.assert_close(found.probability, torch.tensor(exact), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("constrained", ["true", "false"])
def test_a_pairs_probability_is_that_of_its_segment(build: Build, short: Batch, constrained: str):
    network = choose(build(f"decoder.constrained={constrained}"), [9, -9, -9, -9]).eval()
    emissions = 2 * torch.randn(3, 4, 3, generator=torch.Generator().manual_seed(5))
    emissions[0] = torch.tensor([[4, 0, 0], [0, 1, 4], [0, 0, 4], [4, 0, 0]])  # O I I O
    network.emissions = lambda *_: emissions  # type: ignore[method-assign]
    found = network.extract(short.inputs)
    assert (0, 0, 1, 3) in spans(found)
    exact = [Paths(network, emissions[row]).segment(start, end) for row, _, start, end in spans(found)]
    torch.testing.assert_close(found.probability, torch.tensor(exact), atol=1e-5, rtol=1e-4)


def brute_force(network: Network, emissions: Tensor, accept: Callable[[Sequence[int]], bool]) -> Tensor:
    """-log of the probability of the accepted paths of one row (U, K), path by path, with its gradient."""
    tags = list(itertools.product(range(network.crf.num_tags), repeat=len(emissions)))
    mask = torch.ones(len(tags), len(emissions), dtype=torch.bool)
    log_probability = -network.crf.nll(emissions.expand(len(tags), -1, -1), torch.tensor(tags), mask)
    return -log_probability[[accept(path) for path in tags]].logsumexp(0)


def test_what_a_unit_may_be_is_summed_over(build: Build, short: Batch):
    network = choose(build("range.unknown=masked", "decoder.reduction=sum"), [-9.0] * 4)
    emissions = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(5)).requires_grad_()
    network.emissions = lambda *_: emissions  # type: ignore[method-assign]
    short.targets.cells = torch.tensor([[2, 1, 1, 1], [1, 1, 1, 2], [1, 1, 1, 1]])
    short.targets.pair_rows, short.targets.pair_attributes = torch.tensor([0, 1]), torch.tensor([0, 3])
    short.targets.pair_weights = torch.zeros(2)
    short.targets.pair_tags = torch.tensor([[1, 2, UNKNOWN, 0], [0, 1, 2, 0]])
    loss = network(**short.tensors()).tag_loss
    expected = brute_force(network, emissions[0], lambda p: p[:2] == (1, 2) and p[3] == 0)
    expected = expected + brute_force(network, emissions[1], lambda p: p == (0, 1, 2, 0))
    torch.testing.assert_close(loss, expected)
    ours, theirs = (torch.autograd.grad(x, emissions, retain_graph=True)[0] for x in (loss, expected))
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_a_pair_of_which_nothing_is_known_teaches_nothing(build: Build, short: Batch):
    network = choose(build("range.unknown=masked"), [-9.0] * 4)
    short.targets.pair_rows, short.targets.pair_attributes = torch.tensor([0, 0, 1]), torch.tensor([0, 2, 1])
    short.targets.pair_tags = torch.full((3, 4), UNKNOWN)
    losses = network(**short.tensors())
    assert losses.pairs == 3
    torch.testing.assert_close(losses.tag_loss, torch.tensor(0.0), atol=1e-5, rtol=0)


def test_a_flat_tagger_leaves_open_what_words_in_doubt_are(build: Build, short: Batch):
    network = build(*FLAT, "range.unknown=masked", "decoder.reduction=sum")
    emissions = torch.randn(3, 4, 9, generator=torch.Generator().manual_seed(5)).requires_grad_()
    network.decoder.flat = lambda features, mask: emissions  # type: ignore[method-assign]
    short.targets.flat_tags = torch.tensor([[0, 1, 2, 0], [3, 0, 0, 0], [0] * 4])  # attribute 0; attribute 1; nothing
    short.targets.pair_rows, short.targets.pair_attributes = torch.tensor([0, 0]), torch.tensor([0, 2])
    short.targets.pair_tags = torch.tensor([[UNKNOWN, 1, 2, 0], [UNKNOWN, UNKNOWN, 0, UNKNOWN]])
    loss = network(**short.tensors()).tag_loss
    # The first unit may be of attribute 0 or 2; the second is a label of attribute 0; the last may be of attribute 2.
    first, last = (0, 1, 2, 5, 6), (0, 5, 6)
    expected = brute_force(network, emissions[0], lambda p: p[0] in first and p[1:3] == (1, 2) and p[3] in last)
    expected = expected + brute_force(network, emissions[1], lambda p: p == (3, 0, 0, 0))
    expected = expected + brute_force(network, emissions[2], lambda p: p == (0, 0, 0, 0))
    torch.testing.assert_close(loss, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("settings", "tags", "expected"),
    [
        ((), 3, {(None, 2), (0, 2)}),
        (("decoder.constrained=false",), 3, set()),
    ],
)
def test_transitions_that_make_no_sense_are_forbidden(build: Build, settings: Sequence[str], tags: int, expected: set):
    crf = build(*settings).crf
    assert crf.num_tags == tags
    start = {(None, t) for t in crf.forbidden_start.nonzero().flatten().tolist()}
    assert start | {tuple(pair) for pair in crf.forbidden_transitions.nonzero().tolist()} == expected


def test_flat_tags_of_one_attribute_do_not_continue_anothers(build: Build):
    crf = build(*FLAT).crf
    allowed = {(s, t) for s in range(9) for t in range(9) if not crf.forbidden_transitions[s, t] and t and t % 2 == 0}
    assert allowed == {(s, t) for t in (2, 4, 6, 8) for s in (t - 1, t)}


def test_losses_can_be_indexed_as_the_trainer_does():
    losses = Losses(torch.tensor(2.0), None, None, 3)
    assert losses["pairs"] == 3
    assert losses[0] is losses.loss


def test_a_batch_is_its_tensors_by_name_and_leaves_out_what_it_lacks(batch: Batch):
    again = Batch.from_tensors(changed(batch, pixels=None).tensors())
    assert again.inputs.pixels is None
    assert torch.equal(again.targets.cells, batch.targets.cells)
    assert "pixels" not in again.tensors()
