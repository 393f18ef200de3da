"""A review by two people over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sqlalchemy")

from fastapi import FastAPI
from starlette.testclient import TestClient

from attrex.errors import StoreUnavailableError
from attrex.review.cells import Kind, Option, ProposedCell
from attrex.review.store import ReviewStore
from attrex.server.bodies import Bodies
from attrex.server.guard import Guard
from attrex.server.metrics import Metrics
from attrex.server.reviewing import add_review
from attrex.server.settings import Limits, ServerSettings


def cell(product: str, *images: str) -> ProposedCell:
    return ProposedCell(
        product, "Neckline", Kind.DOUBTFUL, ("Round Neck",), None, 0.4, 0.6, None, (Option("V Neck", 0.2),),
        {"title": f"shirt {product}, crewneck"}, images, words="crewneck",
    )  # fmt: skip


@pytest.fixture
def client(tmp_path: Path, photo: bytes) -> Iterator[TestClient]:
    (tmp_path / "a.png").write_bytes(photo)
    with ReviewStore(tmp_path / "review.db") as store:
        store.add([cell("a", str(tmp_path / "a.png"), str(tmp_path / "gone.png")), cell("b"), cell("c")])
        app, bodies = FastAPI(), Bodies(2**21)
        add_review(app, store, Limits(), bodies)
        client = TestClient(Guard(app, ServerSettings(), Metrics(), frozenset()), base_url="http://127.0.0.1")
        client.bodies = bodies  # type: ignore[attr-defined]
        yield client


def ask(client: TestClient, action: str, status: int = 200, **asked: Any) -> Any:
    answer = client.post(f"/v1/review/{action}", json=asked)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_two_people_never_get_one_cell(client: TestClient) -> None:
    (first,) = ask(client, "claim", reviewer="ann")["cells"]
    (second,) = ask(client, "claim", reviewer="bob")["cells"]
    assert first["id"] != second["id"]
    assert first["proposal"] == ["Round Neck"]
    assert "gone.png" not in str(first)
    assert (
        "in the hands of 'ann'"
        in ask(client, "decide", 409, cell=first["id"], reviewer="bob", verdict="accept")["detail"]
    )
    assert ask(client, "release", reviewer="bob") == {"released": 1}
    assert ask(client, "claim", reviewer="bob", product=first["product"])["cells"] == []
    (own,) = ask(client, "claim", reviewer="bob", product=second["product"])["cells"]
    assert own["id"] == second["id"]


def test_a_decision_for_the_same_words_is_shown_made_and_taken_back(client: TestClient) -> None:
    (first,) = ask(client, "claim", reviewer="ann")["cells"]
    same = ask(client, "look", cell=first["id"], reviewer="ann")["same"]
    assert len(same["ids"]) == 2
    asked = {"cell": first["id"], "reviewer": "ann", "verdict": "correct", "values": ["V Neck"], "also": same["ids"]}
    decision = ask(client, "decide", **asked)["decision"]
    assert (decision["cells"], decision["values"]) == (3, ["V Neck"])
    assert ask(client, "claim", reviewer="bob")["cells"] == []
    undone = ask(client, "undo", reviewer="ann")["undone"]
    assert (undone["cell"], undone["cells"]) == (first["id"], 3)
    assert ask(client, "undo", 404, reviewer="ann")["status"] == 404
    assert [e["act"] for e in ask(client, "look", cell=first["id"], reviewer="ann")["history"]][-1] == "undone"
    assert ask(client, "stats")


def test_photos_are_shown_by_number(client: TestClient) -> None:
    number = next(c["id"] for c in ask(client, "claim", reviewer="ann", count=3)["cells"] if c["images"] == 2)
    answer = client.post("/v1/review/photo", json={"cell": number})
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.content.startswith(b"\xff\xd8")
    for other in (1, 2):
        detail = ask(client, "photo", 404, cell=number, number=other)["detail"]
        assert "/" not in detail


def test_a_store_that_does_not_answer_is_asked_again_later(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*arguments: Any, **options: Any) -> Any:
        raise StoreUnavailableError("the review store's database does not answer: connection to 10.0.0.7 refused")

    monkeypatch.setattr(ReviewStore, "claim", gone)
    answer = client.post("/v1/review/claim", json={"reviewer": "ann"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "10.0.0.7" not in answer.text


def test_a_body_of_a_review_is_a_short_one(client: TestClient) -> None:
    ask(client, "release", 413, reviewer="ann", cells=[1_000_000] * 150_000)
    assert client.bodies.held == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("action", "asked", "status"),
    [
        ("look", {"cell": 99, "reviewer": "ann"}, 404),
        ("decide", {"cell": 1, "reviewer": "ann", "verdict": "perhaps"}, 422),
        ("decide", {"cell": 1, "reviewer": "ann", "verdict": "correct"}, 422),
        ("claim", {"reviewer": "ann", "kind": "odd"}, 422),
        ("claim", {"reviewer": ""}, 422),
        ("claim", {"reviewer": "ann", "count": 1000}, 422),
        ("claim", {}, 422),
        ("stats", {"all": True}, 422),
        ("undo", {"reviewer": "ann", "decision": 10**30}, 422),
        ("look", {"cell": 2**63, "reviewer": "ann"}, 422),
        ("photo", {"cell": 1, "number": -1}, 422),
    ],
)
def test_what_cannot_be_done_is_told(client: TestClient, action: str, asked: dict[str, Any], status: int) -> None:
    assert len(ask(client, action, status, **asked)["detail"]) > 10
