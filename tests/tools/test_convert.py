from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from attrex.config import Config
from attrex.errors import CheckpointError
from attrex.inference.checkpoint import load_model
from attrex.inference.directory import model_shop
from attrex.shop.schema import Schema
from attrex.shop.shop import Shop
from attrex.tools.convert import _config, convert, main
from attrex.training.train import new_model

GONE = {
    "text": {"pad_mask": True},
    "image": {"region_layout": "spatial", "freeze_batchnorm": False},
    "fusion": {"pad_mask": True, "trainable": True},
    "range": {"train_on": "predicted", "no_attribute_class": False, "prior_bias": True},
    "decoder": {"overlaps": "overwrite", "pad_tag": False, "continuation_tag": False},
    "training": {"rounds": 3, "round_agreement": 0.9},
}


@pytest.fixture
def old(tiny: Config, schema: Schema, tmp_path: Path) -> Path:
    """A model directory as format 1 had it."""
    directory = new_model(tiny, Shop(schema=schema)).save(tmp_path / "model")
    config = yaml.safe_load((directory / "config.yaml").read_text())
    for section, values in GONE.items():
        config[section] |= values
    (directory / "config.yaml").write_text(yaml.safe_dump(config))
    (directory / "schema.yaml").write_text(yaml.safe_dump(schema.to_plain(), allow_unicode=True, sort_keys=False))
    (directory / "shop.yaml").unlink()
    (directory / "attrex.json").write_text(json.dumps({"format": 1, "system": "ULS-DRAM"}))
    record = {"settings": {}, "schema": hashlib.sha256((directory / "schema.yaml").read_bytes()).hexdigest()}
    (directory / "run.json").write_text(json.dumps(record))
    return directory


def test_an_older_model_says_how_it_is_converted(old: Path) -> None:
    for load in (load_model, model_shop):
        with pytest.raises(CheckpointError, match=rf"reads 2; convert it: python -m attrex\.tools\.convert {old}"):
            load(old)


def test_a_converted_model_is_the_same_model(old: Path, schema: Schema, capsys: pytest.CaptureFixture[str]) -> None:
    weights = (old / "model.safetensors").read_bytes()
    main([str(old)])
    model = load_model(old)
    assert model.schema == schema
    assert model.shop == model_shop(old) == Shop(schema=schema)
    assert (old / "model.safetensors").read_bytes() == weights
    assert not (old / "schema.yaml").exists()
    record = json.loads((old / "run.json").read_text())
    assert record == {"settings": {}, "shop": hashlib.sha256(Shop(schema=schema).to_yaml().encode()).hexdigest()}
    main([str(old)])
    assert capsys.readouterr().out == f"{old}: converted\n{old}: nothing to do\n"


def test_a_kill_leaves_a_directory_that_can_be_converted(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from attrex.tools import convert as module

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_json", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            convert(old)
    assert convert(old)
    load_model(old)


def edit(change: Callable[[dict[str, Any]], Any]) -> str:
    raw = Config.load("small").model_dump(mode="json")
    change(raw)
    return yaml.safe_dump(raw)


def test_a_setting_that_is_gone_is_left_out_where_it_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from attrex.tools import convert as module

    monkeypatch.setattr(module, "UNCHANGED_AT", {"text.gone": True})
    monkeypatch.setattr(module, "OF_TRAINING", frozenset({"training.gone"}))
    monkeypatch.setattr(module, "VALUES", {"range.unknown": {"odd": "masked"}})
    config = _config(
        edit(lambda c: (c["text"].update(gone=True), c["training"].update(gone=7), c["range"].update(unknown="odd")))
    )
    assert config == Config.load("small", ["range.unknown=masked"])
    with pytest.raises(CheckpointError, match=r"text\.gone: False, which no longer exists and changes what the model"):
        _config(edit(lambda c: c["text"].update(gone=False)))
    with pytest.raises(CheckpointError, match=r"text\.odd: 1, which no longer exists"):
        _config(edit(lambda c: c["text"].update(odd=1)))


def test_what_is_no_older_model_is_refused(old: Path, tmp_path: Path) -> None:
    (old / "attrex.json").write_text('{"format": 9}')
    with pytest.raises(CheckpointError, match="has format 9; expected 1, which is converted to 2"):
        convert(old)
    with pytest.raises(CheckpointError, match="is not an Attrex model"):
        convert(tmp_path)
    with pytest.raises(SystemExit, match="is not an Attrex model"):
        main([str(tmp_path)])


def test_a_model_keeps_its_shop(tiny: Config, schema: Schema, tmp_path: Path) -> None:
    shop = replace(Shop(schema=schema), languages=("de",), word_forms={"rote": "rot"})
    new_model(tiny, shop).save(tmp_path)
    assert load_model(tmp_path).shop == shop
    assert Shop.load(tmp_path) == shop
