"""A model that was not trained, and a catalogue of three shards."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch

from attrex.config import Config
from attrex.inference.extractor import Extractor
from attrex.shop.schema import Schema
from attrex.shop.shop import Shop
from attrex.training.train import new_model
from attrex.types import Product
from attrex.vocabulary.normalizer import ValueNormalizer

ROWS = 12  #: of the catalogue; in shards of 5


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory, tiny: Config, schema: Schema, products: list[Product]) -> Path:
    torch.manual_seed(0)
    model = new_model(tiny, Shop(schema=schema))
    model.normalizer = ValueNormalizer.fit(products, shop=model.shop)
    model.thresholds = {"range": 0.47}  # about half of the attributes
    return model.save(tmp_path_factory.mktemp("model"))


@pytest.fixture
def catalogue(tmp_path: Path, products: list[Product]) -> Path:
    """Twelve rows of JSON with a table; the eighth is broken."""
    path = tmp_path / "catalogue.jsonl"
    rows = [
        json.dumps({"id": p.id, **p.fields, "attributes": {a: list(v) for a, v in p.table.items()}})
        for p in products[:ROWS]
    ]
    rows[7] = "{broken"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def loaded(model_dir: Path) -> Extractor:
    return Extractor.load(model_dir)


@pytest.fixture
def quick_to_load(loaded: Extractor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Extractor, "load", lambda *arguments, **options: copy.copy(loaded))
