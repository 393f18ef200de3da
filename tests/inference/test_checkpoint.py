"""A model directory: complete by itself, the same after loading, and every fault of it named."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

from attrex.config import Config
from attrex.errors import CheckpointError
from attrex.inference.checkpoint import Model, load_model, push_model
from attrex.inference.extractor import Extractor
from attrex.io.atomic import write_json, write_text
from attrex.model.build import pretrained_text, read_names
from attrex.shop.schema import Schema
from attrex.shop.shop import Shop
from attrex.training.train import new_model
from attrex.types import Prediction, Product
from attrex.vocabulary.normalizer import NORMALIZER_FILE


def having(config: Config, **changes: dict[str, Any]) -> Config:
    raw = config.model_dump()
    for section, values in changes.items():
        raw[section] |= values
    return Config.parse(raw)


@pytest.fixture(scope="module")
def model(tiny: Config, schema: Schema) -> Model:
    torch.manual_seed(0)
    return new_model(tiny, Shop(schema=schema))


@pytest.fixture(scope="module")
def saved(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model.save(tmp_path_factory.mktemp("saved") / "model", card="# A model\n")


@pytest.fixture
def directory(saved: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(saved, tmp_path / "model"))


def predictions(model: Model, products: list[Product]) -> list[Prediction]:
    return list(Extractor(model).extract(products[:6], threshold=0.0))


# --- complete by itself -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"range": {"kind": "none"}},
        {"guidance": {"kind": "dynet"}},
        {"guidance": {"kind": "bert"}},
        {"image": {"model": None}, "fusion": {"kind": "none"}},
        {"fusion": {"kind": "concat"}},
    ],
    ids=["ULS-DRAM", "flat", "dynet", "bert", "text-only", "concat"],
)
def test_predicts_the_same_after_loading_without_its_backbones(
    tiny: Config,
    tiny_text: Path,
    tiny_image: Path,
    schema: Schema,
    products: list[Product],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, Any],
) -> None:
    # Copies of the backbones, which are gone when the model is loaded.
    shutil.copytree(tiny_text, tmp_path / "text")
    shutil.copytree(tiny_image, tmp_path / "image")
    photos = {"model": str(tmp_path / "image")} if "image" not in change else {}
    config = having(tiny, **(change | {"text": {"model": str(tmp_path / "text")}}))
    config = having(config, image=photos)
    model = new_model(config, Shop(schema=schema))
    before = predictions(model, products)
    assert any(p.values for p in before)
    model.save(tmp_path / "model")
    shutil.rmtree(tmp_path / "text")
    shutil.rmtree(tmp_path / "image")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("socket.socket.connect", None)  # any connection would fail
    loaded = load_model(tmp_path / "model")
    assert predictions(loaded, products) == before
    assert not loaded.network.training
    assert loaded.config == config
    assert loaded.schema == schema
    assert loaded.transform == model.transform
    assert loaded.thresholds == model.thresholds


def test_a_model_may_be_moved_and_its_thresholds_edited(directory: Path, tmp_path: Path) -> None:
    moved = directory.rename(tmp_path / "elsewhere")
    write_json(moved / "thresholds.json", {"range": 0.3, "confidence": 0.5})
    assert load_model(str(moved)).thresholds == {"range": 0.3, "confidence": 0.5}


def test_a_model_from_before_normalisers_knows_the_values_of_its_schema(directory: Path) -> None:
    (directory / NORMALIZER_FILE).unlink()
    loaded = load_model(directory)
    attribute = next(a for a in loaded.schema.attributes if a.options)
    assert loaded.normalizer.normalize(attribute.name, attribute.options[0].upper()) == attribute.options[0]


def test_a_kill_leaves_the_old_file_or_the_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "metrics.json"
    write_text(path, "old")
    monkeypatch.setattr(os, "replace", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_text(path, "new")
    assert path.read_text() == "old"


# --- a value head -----------------------------------------------------------------------------------------------------

NEW = ("Lilac", "Light Lilac")


@pytest.fixture(scope="module")
def values(choosing: Callable[..., Model], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model that chooses."""
    return choosing().save(tmp_path_factory.mktemp("values") / "model")


@pytest.fixture
def editable(values: Path, tiny_text: Path, tmp_path: Path) -> Path:
    """A copy whose shop.yaml may be edited, beside a copy of its text encoder that may be taken away."""
    shutil.copytree(tiny_text, tmp_path / "text")
    directory = Path(shutil.copytree(values, tmp_path / "model"))
    config = (directory / "config.yaml").read_text(encoding="utf-8")
    assert str(tiny_text) in config
    (directory / "config.yaml").write_text(config.replace(str(tiny_text), str(tmp_path / "text")), encoding="utf-8")
    return directory


def edit_options(directory: Path, attribute: str, *options: str) -> None:
    """Write other options of an attribute into shop.yaml, as a person would."""
    shop = yaml.safe_load((directory / "shop.yaml").read_text(encoding="utf-8"))
    shop["attributes"][attribute]["options"] = list(options)
    (directory / "shop.yaml").write_text(yaml.safe_dump(shop, sort_keys=False, allow_unicode=True), encoding="utf-8")


def scores(model: Model) -> dict[tuple[str, str], float]:
    """What each option scores against one vector."""
    vectors, bias = model.network.values.all_options()
    found = torch.linspace(-1, 1, vectors.shape[1])
    names = [(a.name, option) for a in model.schema.attributes for option in a.options]
    return dict(zip(names, (vectors @ found + bias).tolist(), strict=True))


def options_of(directory: Path, attribute: str) -> list[str]:
    schema = load_model(directory).schema
    return [*schema.attributes[schema.index(attribute)].options]


def test_a_head_and_its_calibration_come_back(
    choosing: Callable[..., Model], values: Path, products: list[Product]
) -> None:
    loaded = load_model(values)
    assert list(Extractor(loaded).extract(products[:6])) == list(Extractor(choosing()).extract(products[:6]))
    assert loaded.calibration.to_json() == choosing().calibration.to_json()
    state, expected = loaded.network.state_dict(), choosing().network.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], expected[name]) for name in state)  # not edited: the same in every bit


def test_options_may_be_reordered_and_taken_out_by_hand(editable: Path, products: list[Product]) -> None:
    before, whole = scores(load_model(editable)), options_of(editable, "Color")
    shutil.rmtree(editable.parent / "text")  # nothing new is to be read
    edit_options(editable, "Color", *reversed(whole[1:]))
    model = load_model(editable)
    after = scores(model)
    assert before.keys() - after.keys() == {("Color", whole[0])}
    assert [name for a, name in after if a == "Color"] == whole[:0:-1]
    assert all(after[key] == pytest.approx(before[key], abs=1e-5) for key in after)
    chosen = {(v.attribute, v.value) for p in Extractor(model).extract(products) for v in p.values if v.source is None}
    assert chosen <= after.keys()


def test_an_option_that_is_added_by_hand_starts_from_its_name(editable: Path, products: list[Product]) -> None:
    before, whole = scores(load_model(editable)), options_of(editable, "Color")
    edit_options(editable, "Color", NEW[0], *whole, NEW[1])
    model = load_model(editable)
    head, first = model.network.values, int(model.network.values.first[model.schema.index("Color")])
    added = [first, first + 1 + len(whole)]
    assert all(scores(model)[key] == pytest.approx(before[key], abs=1e-5) for key in before)
    assert not head.own[added].any()
    torch.testing.assert_close(head.readings[added], read_names(NEW, pretrained_text(model.config), model.tokenizer))
    assert head.bias[added].tolist() == pytest.approx([head.bias[first + 1 : first + 1 + len(whole)].mean().item()] * 2)
    assert model.normalizer.normalize("Color", "LILAC") == "Lilac"  # as a text may say it
    with torch.no_grad():
        head.bias[added[1]] = 50.0  # it can be chosen
    model.calibration = None  # of so few cells, which knows better
    asked = Extractor(model).extract(products[:2], attributes=["Color"])
    assert all("Light Lilac" in {v.value for v in p.values if v.source is None} for p in asked)


def test_an_edited_model_that_is_saved_needs_its_text_encoder_no_more(editable: Path, products: list[Product]) -> None:
    edit_options(editable, "Color", *options_of(editable, "Color"), *NEW)
    edited = load_model(editable)
    again = edited.save(editable.parent / "again")
    shutil.rmtree(editable.parent / "text")
    assert scores(load_model(again)) == scores(edited)
    assert list(Extractor(load_model(again)).extract(products[:3])) == list(Extractor(edited).extract(products[:3]))


def test_an_option_cannot_be_added_without_the_text_encoder(editable: Path) -> None:
    edit_options(editable, "Color", *options_of(editable, "Color"), *NEW)
    shutil.rmtree(editable.parent / "text")
    with pytest.raises(
        CheckpointError,
        match=r"shop\.yaml has options that the model was not trained on, such as 'Lilac'; to read their names the "
        r"pretrained text encoder is needed: no text model .*; put it there, or take these options out again",
    ):
        load_model(editable)


def test_nothing_is_fetched_because_a_model_names_it(editable: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edit_options(editable, "Color", *options_of(editable, "Color"), *NEW)
    config = (editable / "config.yaml").read_text(encoding="utf-8")
    named = config.replace(str(editable.parent / "text"), "somebody/encoder")
    assert named != config
    (editable / "config.yaml").write_text(named, encoding="utf-8")
    monkeypatch.setattr("attrex.inference.checkpoint.pretrained_text", lambda config: pytest.fail("fetched"))
    with pytest.raises(CheckpointError, match="no text model 'somebody/encoder' here, and none is fetched"):
        load_model(editable)


def test_a_model_without_a_head_takes_any_options(tiny: Config, schema: Schema, tmp_path: Path) -> None:
    plain = new_model(having(tiny, values={"head": False}), Shop(schema=schema))
    plain.save(tmp_path / "model")
    edit_options(tmp_path / "model", "Color", *NEW)
    loaded = load_model(tmp_path / "model")
    assert not loaded.network.chooses_values
    assert loaded.schema.attributes[loaded.schema.index("Color")].options == NEW
    assert "options" not in json.loads((tmp_path / "model" / "architecture.json").read_text(encoding="utf-8"))


# --- every fault named ------------------------------------------------------------------------------------------------


def edit_json(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def more_attributes(path: Path) -> None:
    path.write_text(path.read_text().replace("attributes:\n", "attributes:\n  Extra: {}\n", 1))


@pytest.mark.parametrize(
    ("file", "damage", "words"),
    [
        ("attrex.json", lambda p: p.unlink(), r"is not an Attrex model: attrex\.json missing; expected the directory"),
        ("attrex.json", lambda p: edit_json(p, format=9), r"has format 9, this version reads 2; train or export it"),
        ("attrex.json", lambda p: edit_json(p, format=1), r"reads 2; convert it: python -m attrex\.tools\.convert /"),
        ("attrex.json", lambda p: p.write_text("{"), r"attrex\.json is damaged: .*; copy the model again"),
        ("attrex.json", lambda p: p.write_bytes(b"\xff\xfe"), r"attrex\.json is damaged: .*; copy the model again"),
        (
            "thresholds.json",
            lambda p: edit_json(p, range="abc"),
            r"range should be a number between 0 and 1, found 'abc'",
        ),
        ("thresholds.json", lambda p: p.write_text("[]"), r"damaged: it should hold a JSON object, found \[\]; copy"),
        ("config.yaml", lambda p: p.write_text("text: [1"), r"is damaged: its network cannot be built from config"),
        ("config.yaml", lambda p: p.write_text("texts: {}"), r"unknown key texts; did you mean 'text'"),
        ("config.yaml", lambda p: p.write_bytes(b"\xff\xfe\x00"), r"its network cannot be built .*UnicodeDecodeError"),
        ("shop.yaml", lambda p: p.write_text("colums: {}"), r"unknown key 'colums'; did you mean 'columns'"),
        ("shop.yaml", more_attributes, r"does not fit its own config\.yaml and shop\.yaml; undo what was changed"),
        (
            "architecture.json",
            lambda p: p.write_text("{}"),
            r"its network cannot be built .*KeyError.*; copy the model",
        ),
        ("normalizer.json", truncate, r"normalizer\.json is not JSON: .*; copy the model again"),
        ("image.json", lambda p: p.write_text("{}"), r"image transform: key 'size' is missing"),
        ("image.json", lambda p: edit_json(p, size=-1), r"size should be a whole number from 1 to 4,096, found -1"),
        ("model.safetensors", truncate, r"model\.safetensors is damaged: .*; copy the model again"),
        ("model.safetensors", lambda p: p.write_bytes(b""), r"model\.safetensors is damaged"),
        ("tokenizer/tokenizer.json", lambda p: p.unlink(), r"is damaged: tokenizer/tokenizer\.json missing; copy the"),
        ("tokenizer/tokenizer.json", truncate, r"its network cannot be built from .*tokenizer/"),
    ],
)
def test_damaged_files(directory: Path, file: str, damage: Callable[[Path], Any], words: str) -> None:
    damage(directory / file)
    with pytest.raises(CheckpointError, match=words):
        Extractor.load(directory)


@pytest.mark.parametrize(
    ("section", "before"),
    [("system", "system: uls-dram"), ("fusion.kind", "kind: tir"), ("guidance.kind", "kind: prototype")],
)
def test_reading_a_model_runs_no_code_that_it_names(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: str, before: str
) -> None:
    marker = tmp_path / "it_was_run"
    (tmp_path / "trap.py").write_text(f"open({str(marker)!r}, 'w').close()\nclass Trap: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    config = (directory / "config.yaml").read_text()
    assert config.count(before) == 1
    (directory / "config.yaml").write_text(config.replace(before, f"{before.split(':', maxsplit=1)[0]}: trap:Trap"))
    with pytest.raises(CheckpointError, match=rf"{section}=trap:Trap names code, which is not run unless you allow it"):
        Extractor.load(directory)
    assert not marker.exists()
    assert "trap" not in sys.modules
    with pytest.raises(CheckpointError, match="trap:Trap"):
        load_model(directory, allow_code=["trap:Trap"])  # a class that is nothing of the kind, but the trap works
    assert marker.exists()
    del sys.modules["trap"]  # not by monkeypatch, which would bring it back


def test_all_missing_files_are_named_at_once(directory: Path) -> None:
    (directory / "shop.yaml").unlink()
    (directory / "image.json").unlink()
    with pytest.raises(CheckpointError, match=r"shop\.yaml, image\.json missing"):
        load_model(directory)


def test_an_unfinished_training_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(CheckpointError, match="missing; its training is not finished, resume it; expected"):
        load_model(tmp_path)


# --- the hub ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def hub(directory: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A stand-in for the hub that holds one model and notes what it is asked."""
    hub = SimpleNamespace(asked=[], uploads=[], fault=None)

    def snapshot_download(name: str, *, allow_patterns: list[str]) -> str:
        hub.asked.append((name, allow_patterns))
        if hub.fault:
            raise hub.fault
        return str(directory)

    class Api:
        def create_repo(self, name: str, *, private: bool, exist_ok: bool) -> None:
            if hub.fault:
                raise hub.fault
            hub.uploads.append((name, private))

        def upload_folder(self, *, repo_id: str, folder_path: str, ignore_patterns: list[str]) -> None:
            hub.uploads.append((repo_id, folder_path, ignore_patterns))

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    monkeypatch.setattr("huggingface_hub.HfApi", Api)
    return hub


def test_pull_by_name(hub: SimpleNamespace, products: list[Product], model: Model) -> None:
    pulled = load_model("shop/fashion-model")
    assert predictions(pulled, products) == predictions(model, products)
    [(name, patterns)] = hub.asked
    assert name == "shop/fashion-model"
    assert not any("bin" in p or "pt" in p or p.endswith("*") for p in patterns)  # nothing that could be a pickle


@pytest.mark.parametrize(
    "name", ["./shop/model", "../shop/model", "/shop/model", "~/model", "model", "a/b/c", "shop\\model", "", "runs/shp"]
)
def test_nothing_is_fetched_for_what_looks_like_a_path(
    hub: SimpleNamespace, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work" / "runs").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    with pytest.raises(CheckpointError):
        load_model(name)
    assert not hub.asked


def test_a_path_object_is_never_a_hub_name(hub: SimpleNamespace) -> None:
    with pytest.raises(CheckpointError, match=r"no model directory shop/model; expected what `attrex train --out DIR`"):
        load_model(Path("shop/model"))
    assert not hub.asked


def test_a_name_the_hub_does_not_give(hub: SimpleNamespace) -> None:
    hub.fault = LocalEntryNotFoundError("offline")
    with pytest.raises(
        CheckpointError, match="no directory shop/model, and the Hugging Face hub did not give it either"
    ):
        load_model("shop/model")


def test_push_sends_the_model_and_nothing_else(hub: SimpleNamespace, directory: Path) -> None:
    assert push_model(directory, "shop/fashion-model") == "https://huggingface.co/shop/fashion-model"
    (created, private), (name, folder, ignored) = hub.uploads
    assert (created, private, name) == ("shop/fashion-model", True, "shop/fashion-model")
    assert folder == str(directory)
    assert ignored == ["checkpoints/*", "logs/*", "run.json", "*.part"]


def test_push_of_half_a_model(hub: SimpleNamespace, directory: Path) -> None:
    (directory / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"model\.safetensors missing"):
        push_model(directory, "shop/model")
    with pytest.raises(CheckpointError, match="no model directory nowhere/at-all"):
        push_model("nowhere/at-all", "shop/model")
    assert not hub.uploads


def test_push_that_the_hub_refuses(hub: SimpleNamespace, directory: Path) -> None:
    hub.fault = HFValidationError("bad name")
    with pytest.raises(
        CheckpointError, match=r"did not take a b: bad name; the name should be owner/model, and `hf auth"
    ):
        push_model(directory, "a b")
