"""Requests that schemathesis makes of the service's own description: no 5xx, and no answer that is not described.

A tiny model and a review store, in this process; ``ATTREX_TRIES`` is the share of the 5,000 requests that are made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from attrex.config import Config
from attrex.shop.schema import Schema
from attrex.shop.shop import Shop
from attrex.training.train import new_model

from .conftest import tries

pytest.importorskip("schemathesis")
pytest.importorskip("sqlalchemy")

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS
from starlette.testclient import TestClient

from attrex.review.cells import Kind, Option, ProposedCell
from attrex.review.store import ReviewStore
from attrex.server.app import create_app
from attrex.server.service import Service
from attrex.server.settings import Limits, ServerSettings

REQUESTS, HOST = 5000, {"Host": "127.0.0.1"}
HELD = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)


@pytest.fixture(scope="module")
def app(tiny: Config, schema: Schema, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    home = tmp_path_factory.mktemp("service")
    new_model(tiny, Shop(schema=schema)).save(home / "model")
    with ReviewStore(home / "review.db") as store:
        store.add(
            ProposedCell(
                f"p{n}", "Neck", Kind.DOUBTFUL, ("Round",), None, 0.4, 0.6, None, (Option("V", 0.2),), {"t": "x"}
            )
            for n in range(50)
        )
    limits = Limits(body_bytes=2**20, products=20, text=2000, queue=100)
    application = create_app(Service(home / "model", ServerSettings(reviews=str(home / "review.db"), limits=limits)))
    with TestClient(application, base_url="http://127.0.0.1"):  # keeps it running
        yield application


def test_every_answer_is_one_that_is_described(app: Any) -> None:
    described = schemathesis.openapi.from_asgi("/openapi.json", app, headers=HOST)
    operations = [found.ok() for found in described.get_all_operations()]
    checks, counts = CHECKS.get_by_names(HELD), Counter[int]()
    of_each = -(-tries(REQUESTS) // sum(operation.method == "post" for operation in operations))
    for operation in operations:
        cases = operation.as_strategy()
        if operation.method == "post":  # the others take nothing that could be wrong
            cases |= operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)

        @seed(0)
        @settings(
            max_examples=of_each,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=cases)
        def ask(case: Any) -> None:
            response = case.call(headers=HOST)
            counts[response.status_code] += 1
            case.validate_response(response, checks=checks)

        ask()
        print(operation.label, counts.total(), dict(counts), flush=True)
    assert counts.total() >= tries(REQUESTS)
    assert counts[200] > 0
