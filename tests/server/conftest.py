"""A service of an untrained tiny model, asked without a network."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from attrex.config import Config
from attrex.server.app import create_app
from attrex.server.service import Loaded, Service
from attrex.server.settings import ServerSettings
from attrex.shop.schema import Schema
from attrex.shop.shop import Shop
from attrex.training.train import new_model
from attrex.types import Product
from attrex.vocabulary.normalizer import ValueNormalizer

Serving = Callable[..., TestClient]


@pytest.fixture(scope="session")
def model_directory(
    tiny: Config, schema: Schema, products: list[Product], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    model = new_model(tiny, Shop(schema=schema))
    model.normalizer = ValueNormalizer.fit(products, shop=model.shop)
    model.thresholds = {"range": 0.3}
    model.metrics = {"training_products": 60, "history": [{"step": 5, "eval_tag_f1": 0.5, "eval_minutes": 1.0}]}
    return model.save(tmp_path_factory.mktemp("served"))


@pytest.fixture
def serving(client: TestClient, model_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    """``serving(settings)``: a client of a service with these settings, and the model that is loaded already."""
    loaded: Loaded = client.service.loaded  # type: ignore[attr-defined]
    others: list[TestClient] = []

    def serve(settings: ServerSettings) -> TestClient:
        same = replace(loaded, reader=replace(loaded.reader, settings=settings))
        monkeypatch.setattr(Loaded, "load", lambda *arguments: same)
        other = TestClient(create_app(Service(model_directory, settings)), base_url="http://127.0.0.1")
        others.append(other.__enter__())
        return other

    yield serve
    for other in others:
        other.__exit__(None, None, None)


@pytest.fixture(scope="package")
def client(model_directory: Path) -> Iterator[TestClient]:
    service = Service(model_directory, ServerSettings())
    with TestClient(create_app(service), base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        client.service = service  # type: ignore[attr-defined]
        yield client


@pytest.fixture(scope="session")
def photo() -> bytes:
    content = BytesIO()
    Image.new("RGB", (40, 30), "navy").save(content, "PNG")
    return content.getvalue()


@pytest.fixture(scope="session")
def photo64(photo: bytes) -> str:
    return base64.b64encode(photo).decode()
