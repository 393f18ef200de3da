"""The review store behind HTTP: several people decide cells at once, from pages or programs of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Request
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, StrictStr
from starlette.responses import Response

from attrex.errors import AttrexError, ReviewError, StoreUnavailableError, UnknownCellError
from attrex.io.images import decode_whole
from attrex.review.store import ReviewStore
from attrex.server.bodies import JSON, Bodies, kind_of_body, parse, read_bytes
from attrex.server.described import refusals
from attrex.server.guard import guarded
from attrex.server.logs import tell
from attrex.server.reading import checked
from attrex.server.refusals import Refused, busy, dumps
from attrex.server.settings import Limits, MiB

SIDE = 1024  #: pixels of the longer side of a photo that is shown
MOST = 100  #: cells that are handed out at once
EXAMPLES = 12  #: cells with the same words that are shown before they are decided
LONGEST = MiB  #: bytes of a body: the numbers of 100,000 cells
Number = Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]


class Form(BaseModel):
    """What is asked, of which nothing is passed over."""

    model_config = ConfigDict(extra="forbid")


class Claim(Form):
    """The next cells for a reviewer; nobody else gets them meanwhile."""

    reviewer: StrictStr
    count: Annotated[int, Field(strict=True, ge=1, le=MOST)] = 1
    attribute: StrictStr | None = None
    kind: StrictStr | None = None
    product: StrictStr | None = Field(None, description="Its id.")


class Release(Form):
    """Cells back, which the reviewer has not decided."""

    reviewer: StrictStr
    cells: list[Number] | None = Field(None, description="These alone; default: all that the reviewer has.")


class Look(Form):
    """One cell: itself, what happened to it, and the others that the same decision would settle."""

    cell: Number
    reviewer: StrictStr


class Decide(Form):
    """A verdict on a cell."""

    cell: Number
    reviewer: StrictStr
    verdict: StrictStr = Field(description="accept, correct, reject, does_not_apply or unsure.")
    values: list[StrictStr] = Field([], description="Of correct: what the cell has.")
    also: list[Number] = Field([], description="Other cells with the same words, of those that were shown.")


class Undo(Form):
    """A decision taken back."""

    reviewer: StrictStr
    decision: Number | None = Field(None, description="Its number; default: the reviewer's last one.")
    only: list[Number] | None = Field(None, description="These of its cells alone.")


class Stats(Form):
    """How far the review is, and how right the sure cells are."""


class Photo(Form):
    """A photo of a cell's product, as JPEG."""

    cell: Number
    number: Number = Field(0, description="From 0.")


@dataclass(frozen=True)
class Desk:
    """What may be asked of a store."""

    store: ReviewStore

    def claim(self, asked: Claim) -> Any:
        found = self.store.claim(
            asked.reviewer, count=asked.count, attribute=asked.attribute, kind=asked.kind, product=asked.product
        )
        return {"cells": [cell.to_json() for cell in found]}

    def release(self, asked: Release) -> Any:
        return {"released": self.store.release(asked.reviewer, asked.cells)}

    def look(self, asked: Look) -> Any:
        same = self.store.same_words(asked.cell, asked.reviewer, examples=EXAMPLES)
        return {
            "cell": self.store.cell(asked.cell).to_json(),
            "history": [event.to_json() for event in self.store.history(asked.cell)],
            "same": same and same.to_json(),
        }

    def decide(self, asked: Decide) -> Any:
        decision = self.store.decide(asked.cell, asked.reviewer, asked.verdict, asked.values, also=asked.also)
        return {"decision": decision.to_json()}

    def undo(self, asked: Undo) -> Any:
        number = asked.decision
        if number is None:
            last = self.store.last_decision(asked.reviewer)
            if last is None:
                raise UnknownCellError("there is no decision of this reviewer that could be taken back")
            number = last.id
        return {"undone": self.store.undo(number, asked.reviewer, only=asked.only).to_json()}

    def stats(self, asked: Stats) -> Any:
        return self.store.stats().to_json()

    def photo(self, asked: Photo) -> bytes:
        """Decoded and written anew: what lies in a shop's folder of photos is not passed on as it is."""
        images = self.store.cell(asked.cell).proposed.images
        if asked.number >= len(images):
            raise UnknownCellError(f"cell {asked.cell} has {len(images)} photos")
        try:
            pixels = decode_whole(Path(images[asked.number]), SIDE)
        except AttrexError:
            raise UnknownCellError(f"photo {asked.number} of cell {asked.cell} cannot be read any more") from None
        content = BytesIO()
        Image.fromarray(pixels).save(content, "JPEG", quality=85)
        return content.getvalue()


def add_review(app: FastAPI, store: ReviewStore, limits: Limits, bodies: Bodies) -> None:
    """The addresses of a review, each a POST of what it is to do: /v1/review/claim and the others."""
    desk = Desk(store)
    actions: dict[str, tuple[type[Form], Callable[[Any], Any]]] = {
        "claim": (Claim, desk.claim),
        "release": (Release, desk.release),
        "look": (Look, desk.look),
        "decide": (Decide, desk.decide),
        "undo": (Undo, desk.undo),
        "stats": (Stats, desk.stats),
        "photo": (Photo, desk.photo),
    }
    for name, (form, act) in actions.items():
        add_action(app, f"/v1/review/{name}", form, act, limits, bodies)


def add_action(
    app: FastAPI, path: str, form: type[Form], act: Callable[[Any], Any], limits: Limits, bodies: Bodies
) -> None:
    """An address that takes a POST of a form's JSON and answers with JSON, or with a photo."""
    limits = replace(limits, body_bytes=min(LONGEST, limits.body_bytes))
    answer = guarded(_answering(form, act, limits, bodies))
    app.add_api_route(path, answer, methods=["POST"], response_model=None, **_described(path, form))


def _answering(form: type[Form], act: Callable[[Any], Any], limits: Limits, bodies: Bodies) -> Callable[[Request], Any]:
    def work(body: bytes) -> Any:
        asked = checked(form, parse(body, limits))
        try:
            return act(asked)
        except UnknownCellError as exc:
            raise Refused(404, str(exc)) from exc
        except ReviewError as exc:
            raise Refused(409, str(exc)) from exc
        except StoreUnavailableError as exc:
            tell("no review store", level=40, error=str(exc))
            raise busy("expected the review store to answer, but it does not now; ask again", 5, 503) from exc
        except AttrexError as exc:
            raise Refused(422, str(exc)) from exc

    async def answer(request: Request) -> Response:
        kind_of_body(request, (JSON,))
        with bodies.room() as room:
            found = await asyncio.to_thread(work, await read_bytes(request, limits, room))
        if isinstance(found, bytes):
            return Response(found, media_type="image/jpeg")
        return Response(dumps(found), media_type=JSON)

    return answer


def _described(path: str, form: type[Form]) -> dict[str, Any]:
    content = {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}
    good = {
        "description": "Done.",
        "content": content if path.endswith("/photo") else {JSON: {"schema": {"type": "object"}}},
    }
    schema = form.model_json_schema()
    return {
        "summary": str(form.__doc__).rstrip("."),
        "responses": {200: good, **refusals(400, 401, 403, 404, 408, 409, 413, 415, 422, 431, 500, 503)},
        "openapi_extra": {"requestBody": {"required": True, "content": {JSON: {"schema": schema}}}},
    }
