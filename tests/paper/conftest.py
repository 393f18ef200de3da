"""Every system on the tiny backbones, fresh or trained on a few drawn products."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from transformers import set_seed

from attrex.config import Config
from attrex.encoding.dataset import Collator, LabelledProducts
from attrex.encoding.encoder import ProductEncoder
from attrex.encoding.targets import TargetEncoder
from attrex.inference.checkpoint import Model
from attrex.io.images import ImageLoader
from attrex.model.batch import Batch
from attrex.shop.cells import Cells
from attrex.shop.schema import Schema
from attrex.shop.shop import Shop
from attrex.training.train import labelled_values, new_model, train_model
from attrex.types import Product


@pytest.fixture(scope="session")
def titles(products: list[Product]) -> list[Product]:
    """Twenty drawn products without their descriptions: short texts train fast."""
    return [
        replace(p, fields={"title": p.fields["title"]}, spans=tuple(s for s in p.spans or () if s.field == "title"))
        for p in products[:20]
    ]


@pytest.fixture(scope="session")
def title_schema(titles: list[Product]) -> Schema:
    return Schema.learn(replace(p, table={}) for p in titles)


@pytest.fixture(scope="session")
def configure(tiny: Config, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Config]:
    """``configure("opentag", "decoder.hidden=8")``: a system on the tiny backbones, without noise."""
    path = tmp_path_factory.mktemp("presets") / "tiny.yaml"
    path.write_text(tiny.to_yaml(), encoding="utf-8")

    def configure(system: str, *settings: str) -> Config:
        quiet = ("image.dropout=0", "decoder.dropout=0", "image.size=32", "decoder.hidden=16")
        return Config.load(path, [f"system={system}", *quiet, *settings])

    return configure


@pytest.fixture(scope="session")
def build(configure: Callable[..., Config], title_schema: Schema, titles: list[Product]) -> Callable[..., Model]:
    """``build("opentag")``: a fresh model, the same weights every time."""

    def build(system: str, *settings: str) -> Model:
        set_seed(0)
        model = new_model(configure(system, *settings), Shop(schema=title_schema))
        encoder = ProductEncoder(model.tokenizer, model.config, model.schema)
        data = LabelledProducts(titles, encoder, TargetEncoder(model.schema))
        model.network.build_vocabulary(labelled_values(data))
        model.network.eval()
        return model

    return build


def batch_of(model: Model, products: list[Product]) -> Batch:
    """Short products, one window each, as a labelled batch."""
    encoder = ProductEncoder(model.tokenizer, model.config, model.schema)
    data = LabelledProducts(products, encoder, TargetEncoder(model.schema))
    loader = ImageLoader(model.transform) if model.transform else None
    return Batch.from_tensors(Collator(encoder, loader)([data[i] for i in range(len(data))]))


@pytest.fixture(scope="session")
def batch_for(titles: list[Product]) -> Callable[[Model], Batch]:
    """The first four products."""
    return lambda model: batch_of(model, titles[:4])


@pytest.fixture(scope="session")
def all_titles(titles: list[Product]) -> Callable[[Model], Batch]:
    """All twenty of them."""
    return lambda model: batch_of(model, titles)


@pytest.fixture(scope="session")
def fit(titles: list[Product], title_schema: Schema) -> Callable[..., Model]:
    """Train on the twenty products, and validate on them."""

    shop = Shop(cells=Cells(other_columns="drop"), schema=title_schema)

    def fit(config: Config, directory: Path, **options: bool) -> Model:
        return train_model(titles, titles, directory, config=config, shop=shop, trackers=[], **options)

    return fit
