"""Other systems under the training that ULS-DRAM has: schemes, resuming, what is learned from the products."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from attrex.config import Config
from attrex.inference.checkpoint import Model, load_model
from attrex.inference.extractor import Extractor
from attrex.training.trainer import AttrexTrainer
from attrex.types import Product

Configure = Callable[..., Config]
Fit = Callable[..., Model]


@pytest.mark.parametrize("scheme", ["fixed", "uls"])
def test_m_jave_is_trained_on_frozen_encoders_or_with_them(
    configure: Configure, fit: Fit, tmp_path: Path, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before: dict[str, torch.Tensor] = {}

    def remember(self: AttrexTrainer, checkpoint: Path | None = None) -> None:
        before.update({k: v.clone() for k, v in self.model.named_parameters()})
        original(self, checkpoint)

    original = AttrexTrainer.run
    monkeypatch.setattr(AttrexTrainer, "run", remember)
    model = fit(configure("m-jave-bert", f"training.scheme={scheme}"), tmp_path)
    changed = {k.split(".")[0] for k, v in model.network.named_parameters() if not torch.equal(before[k], v.cpu())}
    assert changed == ({"head"} if scheme == "fixed" else {"head", "text", "image"})
    assert model.network.region_norm.mean.any()  # calibrated as for ULS-DRAM
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert f"- system `m-jave-bert`, scheme `{scheme}`" in card


def test_a_killed_run_of_another_system_ends_as_if_it_had_not_been(
    configure: Configure, fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SUOpenTag draws the attributes that it asks for in each step."""
    config = configure("suopentag", "training.epochs=2", "training.save_every=2", "decoder.dropout=0.2")
    whole = fit(config, tmp_path / "whole").network.state_dict()
    original: Any = AttrexTrainer.training_step
    steps: list[int] = []

    def dies(self: AttrexTrainer, *args: Any, **kwargs: Any) -> Any:
        steps.append(1)
        if len(steps) == 4:
            raise KeyboardInterrupt
        return original(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(AttrexTrainer, "training_step", dies)
        with pytest.raises(KeyboardInterrupt):
            fit(config, tmp_path / "killed")
    killed = fit(config, tmp_path / "killed", resume=True).network.state_dict()
    assert all(torch.equal(whole[name], killed[name]) for name in whole)


def test_mae_model_learns_its_vocabulary_from_the_training_products_and_keeps_it(
    configure: Configure, fit: Fit, titles: list[Product], tmp_path: Path
) -> None:
    model = fit(configure("mae-model"), tmp_path)
    again = load_model(tmp_path)
    assert torch.equal(again.network.value_ids, model.network.value_ids)
    said = {(s.attribute, s.text.lower()) for p in titles for s in p.spans or ()}
    assert len(again.network.value_ids) == len(said)
    one, other = (list(Extractor(m, device="cpu").extract(titles)) for m in (model, again))
    assert one == other
