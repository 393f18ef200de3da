"""Why a request gets no answer, as RFC 9457 writes it: a status, and what was expected, what came, what to do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from attrex.errors import printable

PROBLEM = "application/problem+json"


class Refused(Exception):
    """A request that is not answered; ``status`` is that of HTTP."""

    def __init__(self, status: int, detail: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, printable(detail, 2000), dict(headers or {})


def busy(detail: str, seconds: float, status: int = 429) -> Refused:
    """The refusal of a request that may be sent again after so many seconds."""
    return Refused(status, detail, headers={"Retry-After": str(max(1, min(600, round(seconds))))})


def problem(refused: Refused) -> Response:
    """The answer that says why."""
    content = {"title": HTTPStatus(refused.status).phrase, "status": refused.status, "detail": refused.detail}
    return Response(dumps(content), refused.status, refused.headers, PROBLEM)


def dumps(content: Any) -> bytes:
    """JSON in ASCII: whatever half characters there are in a text, it can be sent."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False).encode("ascii")
