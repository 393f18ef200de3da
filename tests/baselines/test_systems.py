"""What every system of :mod:`attrex.systems` does: train, extract, be saved and loaded, be resumed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from attrex.inference.checkpoint import Model
from attrex.model.batch import Batch
from attrex.systems import SYSTEMS
from attrex.training.trainer import freeze

Build = Callable[..., Model]
OTHERS = [name for name in SYSTEMS if name != "uls-dram"]


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

    found = network.eval().extract(batch, region_weights=True)
    rows, units = batch.unit_mask.shape
    info = SYSTEMS[system]
    assert found.pairs == (rows * len(model.schema.names) if info.attribute_given else rows)
    assert len({len(c) for c in (found.rows, found.attributes, found.starts, found.ends, found.probability)}) == 1
    assert ((found.starts >= 0) & (found.starts < found.ends) & (found.ends <= units)).all()
    assert batch.unit_mask[found.rows, found.ends - 1].all()
    assert ((found.probability >= 0) & (found.probability <= 1 + 1e-5)).all()
    if found.range_scores is not None:
        assert found.range_scores.shape == (rows, len(model.schema.names))
    if info.photos:
        assert found.region_weights is not None
        assert found.region_weights.shape[:2] == batch.input_ids.shape
