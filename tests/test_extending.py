"""The examples of docs/extending.md: they train, are saved, loaded and extract; a model directory alone runs none."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from attrex import systems
from attrex.config import Config
from attrex.errors import CheckpointError, ConfigError
from attrex.inference.checkpoint import Model, load_model
from attrex.inference.extractor import Extractor
from attrex.systems import SystemInfo, known_systems, system_info
from attrex.training.train import train_model
from attrex.types import Product

PAGE = Path(__file__).parent.parent / "docs" / "extending.md"
TAGGER, FUSION, GUIDANCE = "my_shop.tagger:MyTagger", "my_shop.fusion:GatedFusion", "my_shop.guidance:NameGuidance"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The page's code blocks as the package `my_shop`, importable for this test only."""
    blocks = re.findall(r"```python\n# my_shop/(\w+\.py)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert [name for name, _ in blocks] == ["tagger.py", "fusion.py", "guidance.py"]
    home = tmp_path / "code" / "my_shop"
    home.mkdir(parents=True)
    for name, code in [("__init__.py", ""), *blocks]:
        (home / name).write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(home.parent)
    forget()
    yield home
    forget()


def forget() -> None:
    for name in [n for n in sys.modules if n.split(".")[0] == "my_shop"]:
        del sys.modules[name]


def configure(tiny: Config, tmp_path: Path, *settings: str) -> Config:
    (tmp_path / "tiny.yaml").write_text(tiny.to_yaml(), encoding="utf-8")
    return Config.load(tmp_path / "tiny.yaml", settings)


def fit(products: list[Product], config: Config, out: Path, resume: bool = False) -> Model:
    return train_model(products[:24], products[:6], out, config=config, resume=resume, trackers=[])


@pytest.mark.parametrize(
    ("settings", "code", "name"),
    [
        ([f"system={TAGGER}"], TAGGER, "My tagger"),
        ([f"fusion.kind={FUSION}"], FUSION, "ULS-GatedFusion+PAR"),
        ([f"guidance.kind={GUIDANCE}"], GUIDANCE, "ULS-TIR+NameGuidance"),
    ],
    ids=["system", "fusion", "guidance"],
)
def test_an_example_trains_and_comes_back_from_its_directory(
    shop: Path,
    tiny: Config,
    products: list[Product],
    tmp_path: Path,
    settings: list[str],
    code: str,
    name: str,
) -> None:
    config = configure(tiny, tmp_path, *settings)
    assert config.system_name == name
    assert config.code == [code]
    before = list(
        Extractor(fit(products, config, tmp_path / "model"), device="cpu").extract(products[:4], threshold=0.0)
    )
    forget()
    with pytest.raises(CheckpointError, match=rf"{code} names code, which is not run unless you allow it"):
        load_model(tmp_path / "model")
    assert "my_shop" not in sys.modules
    extractor = Extractor.load(tmp_path / "model", device="cpu", allow_code=[code])
    again = list(extractor.extract(products[:4], threshold=0.0))
    assert again == before
    assert all(p.error is None for p in again)
    allowed = Extractor.load(tmp_path / "model", device="cpu", allow_code=[systems.load_code(code)])
    assert list(allowed.extract(products[:4], threshold=0.0)) == again
    with pytest.raises(CheckpointError, match="names code"):
        load_model(tmp_path / "model", allow_code=["my_shop.other:Class"])


def test_the_example_of_a_system_learns_and_is_resumed(
    shop: Path, tiny: Config, products: list[Product], tmp_path: Path
) -> None:
    config = configure(tiny, tmp_path, f"system={TAGGER}", "training.epochs=20")
    model = fit(products, config, tmp_path / "model")
    assert model.metrics["validation"]["tag"]["f1"] > 0.2
    again = fit(products, config, tmp_path / "model", resume=True)
    assert again.config.system == TAGGER


def test_a_registered_system_needs_no_allowance(
    shop: Path, tiny: Config, products: list[Product], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = EntryPoint("my-tagger", TAGGER, systems.GROUP)
    monkeypatch.setattr(systems, "_registered", lambda: {"my-tagger": entry})
    monkeypatch.setattr(systems, "_registered_info", systems._registered_info.__wrapped__)
    assert known_systems() == ["uls-dram", "my-tagger"]
    config = configure(tiny, tmp_path, "system=my-tagger")
    assert config.image.model is None
    assert config.system_name == "My tagger"
    fit(products, config, tmp_path / "model")
    assert load_model(tmp_path / "model").config.system == "my-tagger"

    monkeypatch.setattr(systems, "_registered", dict)
    with pytest.raises(CheckpointError, match=r"no system 'my-tagger'; known are uls-dram\. Install the package that"):
        load_model(tmp_path / "model")


def test_a_package_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("gone", "package_that_is_gone.tagger:Tagger", systems.GROUP)
    monkeypatch.setattr(systems, "_registered", lambda: {"gone": entry})
    with pytest.raises(
        ConfigError, match=r"system 'gone' is registered by the package package_that_is_gone\.tagger as"
    ):
        system_info("gone")
    with pytest.raises(ConfigError, match="no module named 'package_that_is_gone'; install its package"):
        system_info("package_that_is_gone.tagger:Tagger")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "attrex.config:Nothing",
            r"cannot be imported: .*has no attribute 'Nothing'; it should be package\.module:Cla",
        ),
        ("attrex.types:BEGIN", r"should be a class of a system or a SystemInfo, it is 1"),
    ],
)
def test_a_name_that_is_no_class(name: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        system_info(name)


def test_a_class_of_another_kind_is_refused(tiny: Config, products: list[Product], tmp_path: Path) -> None:
    for setting, kind in (
        ("system", "attrex.model.system:System"),
        ("fusion.kind", "attrex.model.fusion:Fusion"),
        ("guidance.kind", "attrex.model.guidance:Guidance"),
    ):
        config = configure(tiny, tmp_path, f"{setting}=attrex.types:Span")
        words = f"{setting}: attrex.types:Span should be a subclass of {kind}"
        with pytest.raises(ConfigError, match=re.escape(words)):
            fit(products, config, tmp_path / setting)


def test_facts_of_a_class_that_gives_none() -> None:
    assert system_info("attrex.model.network:Network") == SystemInfo("Network", code="attrex.model.network:Network")
