"""What every system of :mod:`attrex.systems` does: train, extract, be saved and loaded, be resumed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from attrex_paper.systems.values import unit_pieces

import attrex
from attrex.errors import ConfigError
from attrex.evaluation.metrics import score
from attrex.evaluation.placing import places, with_places
from attrex.inference.checkpoint import Model
from attrex.inference.extractor import Extractor
from attrex.model.batch import Batch
from attrex.systems import known_systems, system_info
from attrex.training.trainer import freeze
from attrex.types import Product

Build = Callable[..., Model]
OTHERS = [name for name in known_systems() if name != "uls-dram"]
NAMING = ("mae-model", "pam")
"""Systems whose values have no place in the text."""
LEARNING = {"mae-model": (300, 2e-3), "adatag": (100, 5e-3)}
"""Steps and learning rate of systems that need others."""


@pytest.mark.parametrize("system", OTHERS)
def test_a_system_trains_and_extracts(system: str, build: Build, batch_for: Callable[[Model], Batch]) -> None:
    model = build(system)
    network, batch = model.network, batch_for(model)
    freeze(network, model.config.training)
    losses = network.train()(**batch.tensors())
    losses.loss.backward()
    assert losses.loss.isfinite()
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name

    found = network.eval().extract(batch.inputs, region_weights=True)
    rows, units = batch.inputs.unit_mask.shape
    info = system_info(system)
    assert found.pairs == (rows * len(model.schema.names) if info.attribute_given else rows)
    assert len({len(c) for c in (found.rows, found.attributes, found.starts, found.ends, found.probability)}) == 1
    assert ((found.starts >= 0) & (found.starts < found.ends) & (found.ends <= units)).all()
    assert batch.inputs.unit_mask[found.rows, found.ends - 1].all()
    assert ((found.probability >= 0) & (found.probability <= 1 + 1e-5)).all()
    if found.range_scores is not None:
        assert found.range_scores.shape == (rows, len(model.schema.names))
    if info.photos and not info.attribute_given:
        assert found.region_weights is not None
        assert found.region_weights.shape[:2] == batch.inputs.input_ids.shape


@pytest.mark.parametrize("system", OTHERS)
def test_a_system_trains_and_extracts_in_bf16(
    system: str, build: Build, batch_for: Callable[[Model], Batch], titles: list[Product]
) -> None:
    model = build(system)
    network, batch = model.network, batch_for(model)
    torch.manual_seed(0)
    with torch.autocast("cpu", torch.bfloat16):
        losses = network.train()(**batch.tensors())
        found = network.eval().extract(batch.inputs)
    losses.loss.backward()
    torch.manual_seed(0)
    plain = network.train()(**batch.tensors())
    assert losses.loss.item() == pytest.approx(plain.loss.item(), rel=0.1, abs=0.1)
    assert found.probability.isfinite().all()
    assert len(list(Extractor(model, device="cpu", precision="bf16").extract(titles[:2]))) == 2


def places_of(extractor: Extractor, batch: Batch, titles: list[Product]) -> set[tuple[object, ...]]:
    """Where a naming system's values stand by the token ids that it gave them, in products of one window."""
    found = set()
    reserved = torch.tensor(sorted(extractor.encoder.units.reserved))
    for row, attribute, ids, probability in extractor.model.network.extract(batch.inputs).values:
        [window] = extractor.encoder.encode(titles[row]).windows
        for start, end in places(unit_pieces(batch.inputs, row, reserved), ids):
            first, last = window.units[start], window.units[end - 1]
            assert first is not None
            assert last is not None
            place = (extractor.names[attribute], "title", first.start, last.end)
            found.add((titles[row].id, *place, round(probability, 5)))
    assert found
    return found


@pytest.mark.parametrize("system", OTHERS)
def test_a_system_learns_twenty_products_by_heart_and_comes_back_from_its_directory(
    system: str, build: Build, all_titles: Callable[[Model], Batch], titles: list[Product], tmp_path: Path
) -> None:
    model = build(system, "training.scheme=uls", *(["decoder.hidden=64"] if system == "mae-model" else []))
    network, batch = model.network.train(), all_titles(model)
    # Word embeddings start small and learn slowly.
    steps, rate = LEARNING.get(system, (100, 2e-2) if system_info(system).words else (60, 5e-3))
    optimizer = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], lr=rate, weight_decay=0)
    for _ in range(steps):
        optimizer.zero_grad()
        losses = network(**batch.tensors())
        losses.loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    network.eval()
    extractor = Extractor(model, device="cpu")
    found = list(extractor.extract(titles))
    if system == "mae-model":  # it has a value for every question: only the right ones are asked
        found = list(extractor.extract(titles, attributes=lambda p: {s.attribute for s in p.spans}))
    f1 = score(titles, with_places(titles, found, extractor.encoder), bootstrap=0).tag.f1
    assert f1 > 0.9
    if system in NAMING:
        assert not any(p.spans for p in found)
        assert places_of(extractor, batch, titles) == {
            (p.id, *v.key, round(v.confidence, 5))
            for p in with_places(titles, extractor.extract(titles), extractor.encoder)
            for v in p.values
        }

    again = Extractor.load(model.save(tmp_path), device="cpu")
    assert again.model.config.system == system
    assert list(again.extract(titles)) == list(Extractor(model, device="cpu").extract(titles))


@pytest.mark.parametrize("system", NAMING)
def test_a_system_that_places_nothing_is_judged_by_the_table(system: str, build: Build, titles: list[Product]) -> None:
    extractor = Extractor(build(system), device="cpu")
    found = attrex.evaluate_table(extractor, titles, attributes=["Color", "Brand"], bootstrap=0)
    assert found.readings["own"].overall.shares["answered"].part > 0


def test_a_flat_tagger_reports_no_attribute_that_was_not_asked_for(
    build: Build, batch_for: Callable[[Model], Batch]
) -> None:
    model = build("joint-bert")
    torch.nn.init.constant_(model.network.label.bias, 9.0)  # it believes that every product has every attribute
    batch = batch_for(model)
    wanted = torch.zeros(len(batch.inputs.input_ids), len(model.schema.names), dtype=torch.bool)
    wanted[:, 1] = True
    assert model.network.eval().extract(batch.inputs).selected.all()
    batch.inputs.attributes = wanted
    assert torch.equal(model.network.extract(batch.inputs).selected, wanted)


def test_the_mae_model_takes_an_odd_width(build: Build, batch_for: Callable[[Model], Batch]) -> None:
    model = build("mae-model", "decoder.hidden=17")
    assert torch.isfinite(model.network(**batch_for(model).tensors()).loss)
    with pytest.raises(ConfigError, match=r"decoder\.hidden should be at least 2 for system=mae-model, got 1"):
        build("mae-model", "decoder.hidden=1")
