"""The service as a client meets it: addresses, answers, refusals, tokens, headers, log and figures."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from attrex.errors import ConfigError, DataError
from attrex.inference.extractor import Extractor
from attrex.server.logs import JsonLines
from attrex.server.settings import Limits, ServerSettings, origin, read_tokens
from attrex.types import Product

from .conftest import Serving

LINES = {"Content-Type": "application/x-ndjson"}
TOKEN = "0123456789abcdef-a"


def row(product: Product) -> dict[str, Any]:
    return {"id": product.id, **product.fields}


def test_an_answer_is_what_extract_finds(client: TestClient, model_directory: Path, products: list[Product]) -> None:
    rows = [row(product) for product in products[:5]]
    answer = client.post("/v1/extract", json={"products": rows, "evidence": True}).json()
    found = [p.to_json() for p in Extractor.load(model_directory, deterministic=True).extract(rows)]
    assert [r["id"] for r in answer["results"]] == [r["id"] for r in rows]
    for got, expected in zip(answer["results"], found, strict=True):
        assert [v["value"] for v in got["values"]] == [v["value"] for v in expected["values"]]


def test_a_product_gets_the_same_answer_alone_and_among_others(client: TestClient, products: list[Product]) -> None:
    rows = [row(product) for product in products[:6]]
    together = client.post("/v1/extract", json={"products": rows}).json()["results"]
    alone = [client.post("/v1/extract", json={"product": r}).json()["results"][0] for r in rows]
    for one, other in zip(together, alone, strict=True):
        assert [(v["attribute"], v["value"], v["source"]) for v in one["values"]] == [
            (v["attribute"], v["value"], v["source"]) for v in other["values"]
        ]
        for v, w in zip(one["values"], other["values"], strict=True):
            assert v["confidence"] == pytest.approx(w["confidence"], abs=2e-4)


def test_photos_are_looked_at_in_base64_and_as_files(
    client: TestClient, products: list[Product], photo: bytes, photo64: str
) -> None:
    product = row(products[0])
    asked = {"attributes": ["Color"], "evidence": True, "min_confidence": 0}
    without, *with_photo = (
        client.post("/v1/extract", json={**asked, "product": {**product, "image": image}}).json()["results"]
        for image in (None, photo64, {"bytes": photo64}, f"data:image/png;base64,{photo64}")
    )
    form = {"request": json.dumps({**asked, "product": product})}
    answer = client.post("/v1/extract", data=form, files={"image": ("a.png", photo, "image/png")})
    assert with_photo[0] != without
    assert with_photo[1] == with_photo[0] == with_photo[2] == answer.json()["results"]


def test_blank_cells_are_filled_and_others_stay(client: TestClient, products: list[Product]) -> None:
    product = {**row(products[0]), "attributes": {"Color": "Purple", "Material": ""}}
    (filled,) = client.post("/v1/fill", json={"product": product, "min_confidence": 0}).json()["results"]
    assert filled["table"]["Color"] == ["Purple"]
    new = {c["attribute"] for c in filled["changes"] if c["outcome"] == "filled"}
    assert new
    assert new == set(filled["table"]) - {"Color"}
    assert "values" not in filled


def test_a_precision_that_the_model_cannot_promise_is_refused(client: TestClient) -> None:
    answer = client.post("/v1/fill", json={"product": "red shirt", "precision": 0.9})
    assert answer.status_code == 422
    assert "no held-out cells" in answer.json()["detail"]
    answer = client.post("/v1/fill", json={"product": "red shirt", "precision": 0.9, "min_confidence": 0.5})
    assert "got both" in answer.json()["detail"]


def test_lines_are_answered_by_lines(client: TestClient) -> None:
    body = '{"id": "a", "title": "red shirt"}\n{"id": 3}\n"blue shoe"\n'
    answer = client.post("/v1/extract?evidence=true&attributes=Color&min_confidence=0.1", content=body, headers=LINES)
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    found = [json.loads(line) for line in answer.text.splitlines()]
    assert [(one["id"], one["error"] is None) for one in found] == [("a", True), ("3", False), ("row-3", True)]
    assert "expected text in" in found[1]["error"]


@pytest.mark.parametrize(
    ("request_", "status", "words"),
    [
        ({"content": "{}", "headers": {"Content-Type": "text/plain"}}, 415, "a Content-Type of application/json"),
        ({"content": "{}"}, 415, "got none"),
        ({"content": "{}", "headers": {"Content-Type": "application/json; charset=latin-1"}}, 415, "text as UTF-8"),
        ({"json": {}, "headers": {"Content-Encoding": "gzip"}}, 415, "send it without"),
        ({"json": {"product": "a", "attributes": ["Colour"]}}, 422, "did you mean 'Color'"),
        ({"json": {"product": {"title": "a", "image": "AAAA"}}}, 422, "expected one of JPEG"),
        ({"content": "x", "headers": {"Content-Type": "multipart/form-data"}}, 400, "cannot be read"),
        ({"content": "x", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}, 400, "cannot be read"),
        ({"files": {"a": b"x"}}, 422, "a field 'request'"),
        ({"data": {"request": "{}", "more": "x"}, "files": {"a": b"x"}}, 422, "got the field 'more'"),
        ({"content": '"a"', "headers": LINES, "params": {"product": "b"}}, 422, "as lines of the body"),
        ({"content": '"a"', "headers": LINES, "params": {"evidence": ["true", "false"]}}, 422, "evidence once"),
        ({"json": {"product": "a"}, "headers": {"Origin": "https://elsewhere.example"}}, 403, "got one of"),
        ({"json": {"product": "a"}, "headers": {"Host": "elsewhere.example"}}, 403, "expected a Host of this machine"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_told_why(
    client: TestClient, request_: dict[str, Any], status: int, words: str
) -> None:
    answer = client.post("/v1/extract", **request_)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert words in answer.json()["detail"]
    assert "/" not in answer.json()["title"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/extract", 405),
        ("POST", "/healthz", 405),
        ("GET", "/v1/nothing", 404),
        ("GET", "/assets/..%2fapp.py", 404),
        ("GET", "/assets/../app.py", 404),
        ("GET", "//etc/passwd", 404),
        ("GET", "/%00", 404),
        ("GET", "/" + "a" * 5000, 404),
    ],
)
def test_other_addresses_and_methods_are_refused(client: TestClient, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.json()["status"] == status


def test_more_than_a_request_may_have_is_refused(serving: Serving) -> None:
    few = serving(ServerSettings(limits=Limits(body_bytes=300, products=2, queue=3)))
    assert few.post("/v1/extract", json={"product": "x" * 400}).status_code == 413
    chunks = (b" " * 100 for _ in range(5))
    kind = {"Content-Type": "application/json"}
    assert few.post("/v1/extract", content=chunks, headers=kind).status_code == 413
    assert few.post("/v1/extract", json={"products": ["a"] * 3}).status_code == 413
    assert few.post("/v1/extract", json={"products": ["a"] * 2}).status_code == 200


def test_a_full_queue_is_told_with_a_time(client: TestClient) -> None:
    batches = client.service.batches  # type: ignore[attr-defined]
    for request in ({"json": {"product": "a"}}, {"content": '"a"', "headers": LINES}):
        with batches.places(batches.capacity):
            answer = client.post("/v1/extract", **request)  # type: ignore[arg-type]
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) >= 1
        assert client.post("/v1/extract", **request).status_code == 200  # type: ignore[arg-type]
    assert batches.waiting == 0


def test_memory_for_bodies_is_bounded_until_they_are_answered(client: TestClient) -> None:
    service = client.service  # type: ignore[attr-defined]
    with service.bodies.room() as room:
        room.grow(service.bodies.most - 10)
        answer = client.post("/v1/extract", json={"product": "a shirt"})
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    for request in ({"json": {"product": "a"}}, {"content": '"a"', "headers": LINES}, {"json": 3}):
        client.post("/v1/extract", **request)  # type: ignore[arg-type]
    assert service.bodies.held == 0


def test_a_defect_is_told_without_what_it_said(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*arguments: Any, **options: Any) -> Iterator[Any]:
        raise RuntimeError("red shirt in /srv/secret")

    monkeypatch.setattr(client.service.loaded.extractor, "extract", broken)  # type: ignore[attr-defined]
    monkeypatch.setattr(logging.getLogger("attrex.server"), "propagate", True)
    answer = client.post("/v1/extract", json={"product": "red shirt"})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    told = [json.loads(JsonLines().format(record)) for record in caplog.records]
    assert told[0]["error"] == "RuntimeError"
    assert told[0]["request"] in answer.json()["detail"]
    assert "secret" not in json.dumps(told)
    lines = client.post("/v1/extract", content='"red shirt"\n', headers=LINES)
    assert json.loads(lines.text)["error"] == "a defect of the service, not of the product"


def test_the_log_has_no_texts_unless_asked(serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "attrex.server")
    for texts in (False, True):
        caplog.clear()
        client = serving(ServerSettings(log_texts=texts))
        client.post("/v1/extract?note=crimson", json={"product": {"id": "crimson", "title": "crimson shirt"}})
        (line,) = [json.loads(JsonLines().format(record)) for record in caplog.records]
        assert line["path"] == "/v1/extract"
        assert (line["status"], line["products"]) == (200, 1)
        assert ("crimson" in json.dumps(line)) == texts


def test_browsers_are_told_to_load_nothing_from_elsewhere(client: TestClient) -> None:
    for path in ("/", "/model", "/v1/schema", "/nothing"):
        headers = client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers


def test_tokens_let_in_who_knows_one(serving: Serving) -> None:
    client = serving(ServerSettings(host="0.0.0.0", tokens=("another-token-of-it", TOKEN)))
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": f"Basic {TOKEN}"}, {"Authorization": TOKEN}):
        for path in ("/v1/schema", "/v1/model", "/metrics"):
            answer = client.get(path, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
    assert client.get("/v1/schema", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert {client.get(path).status_code for path in ("/", "/model", "/healthz", "/readyz", "/openapi.json")} == {200}


def test_figures_count_requests_and_products(client: TestClient) -> None:
    client.post("/v1/extract", json={"products": ["red shirt", "blue shoe"]})
    page = client.get("/metrics").text
    assert 'attrex_requests_total{path="/v1/extract",status="200"}' in page
    counted = next(line for line in page.splitlines() if line.startswith("attrex_products_total"))
    assert float(counted.split()[1]) >= 2


def test_the_schema_says_what_products_may_have(client: TestClient) -> None:
    schema = client.get("/v1/schema").json()
    assert schema["columns"]["texts"] == ["title", "description", "bullets", "text"]
    assert "Color" in {a["name"] for a in schema["attributes"]}
    facts = client.get("/v1/model").json()
    assert facts["training"]["products"] == 60
    assert facts["curve"] == [{"step": 5, "f1": 0.5, "minutes": 1.0}]


def test_the_description_has_every_address_and_status(client: TestClient) -> None:
    described = client.get("/openapi.json").json()["paths"]
    assert set(described) == {"/v1/extract", "/v1/fill", "/v1/schema", "/v1/model", "/healthz", "/readyz", "/metrics"}
    post = described["/v1/extract"]["post"]
    assert {"200", "400", "401", "403", "408", "413", "415", "422", "429", "431", "500", "503"} == set(
        post["responses"]
    )
    example = post["requestBody"]["content"]["application/json"]["examples"]["one"]["value"]
    assert client.post("/v1/extract", json=example).status_code == 200


def test_a_model_is_taken_anew_and_a_broken_one_is_not(client: TestClient, model_directory: Path) -> None:
    import asyncio

    service = client.service  # type: ignore[attr-defined]
    before, thresholds = service.loaded, (model_directory / "thresholds.json").read_text()
    try:
        (model_directory / "thresholds.json").write_text('{"range": 0.9}')
        assert asyncio.run(service.reload()) != before.hash
        assert client.post("/v1/extract", json={"product": "a"}).json()["model"] == service.loaded.hash
        (model_directory / "thresholds.json").write_text("{")
        with pytest.raises(Exception, match="damaged"):
            asyncio.run(service.reload())
        assert client.post("/v1/extract", json={"product": "a"}).status_code == 200
    finally:
        (model_directory / "thresholds.json").write_text(thresholds)
        service.loaded = before


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"host": "0.0.0.0"}, "tokens are needed"),
        ({"tokens": ("short",)}, "16 or more"),
        ({"port": 70_000}, "port should be"),
        ({"workers": 0}, "workers should be"),
        ({"photo_origins": ("cdn.shop.com",)}, "origins such as https://cdn.shop.com"),
        ({"photo_origins": ("https://cdn.shop.com/path",)}, "origins such as"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        ServerSettings(**settings)
    with pytest.raises(ConfigError, match="raise queue, or lower products"):
        Limits(products=10, queue=9)


def test_an_origin_is_scheme_host_and_port() -> None:
    assert origin("https://CDN.Shop.com/") == "https://cdn.shop.com:443"
    assert origin("http://cdn.shop.com:8080") == "http://cdn.shop.com:8080"


def test_a_file_of_tokens(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"# who: the importer\n{TOKEN}\n\n")
    assert read_tokens(file) == (TOKEN,)
    file.write_text(TOKEN, encoding="utf-8-sig")
    assert read_tokens(file) == (TOKEN,)
    file.write_text("\n")
    with pytest.raises(DataError, match="got none"):
        read_tokens(file)
