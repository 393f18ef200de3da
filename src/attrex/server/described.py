"""The description of each address (OpenAPI): what it takes, what it gives, with examples that work."""

from __future__ import annotations

from typing import Any

from attrex.server.bodies import FORM, JSON, LINES
from attrex.server.reading import Extraction, Filling
from attrex.server.refusals import PROBLEM

PRODUCT = {
    "id": "p1",
    "title": "Men's navy blue round neck t-shirt",
    "description": "Soft cotton, short sleeves.",
    "attributes": {"Material": "", "Fit": "Regular Fit"},
}
_TEXT, _NUMBER, _NO = {"type": "string"}, {"type": "number"}, {"type": "null"}
_PLACE = {
    "type": "object",
    "properties": {"field": _TEXT, "start": {"type": "integer"}, "end": {"type": "integer"}, "text": _TEXT},
    "required": ["field", "start", "end", "text"],
    "description": "Characters of the field, end exclusive.",
}
_VALUE = {
    "type": "object",
    "properties": {
        "attribute": _TEXT,
        "value": _TEXT,
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "source": {"anyOf": [_PLACE, _NO], "description": "Where the text says it; null: the text does not."},
        "regions": {
            "type": "array",
            "items": {"type": "object"},
            "description": "Weights of regions, a grid per photo.",
        },
        "decided_by": {"enum": ["text", "photo", "both"]},
        "words": {"type": "array", "items": {"type": "object"}, "description": "Words that spoke for it."},
    },
    "required": ["attribute", "value", "confidence", "source"],
}
_TEXTS = {"type": "array", "items": _TEXT}
_COMMON = {
    "id": _TEXT,
    "coverage": {**_NUMBER, "description": "Share of the text that was read."},
    "warnings": _TEXTS,
    "error": {"anyOf": [_TEXT, _NO], "description": "Why there is nothing, of a line that could not be read."},
}
_FOUND = {
    "type": "object",
    "properties": {
        **_COMMON,
        "values": {"type": "array", "items": _VALUE},
        "range": {"type": "object", "additionalProperties": _NUMBER},
    },
    "required": ["id", "error"],
}
_CHANGE = {
    "type": "object",
    "properties": {
        "attribute": _TEXT,
        "outcome": {"enum": ["filled", "agrees", "differs", "further", "unknown", "below", "kept"]},
        "cell": {**_TEXTS, "description": "What the shop has there."},
        "value": {**_TEXT, "description": "The shop's word for what was found."},
        "known": {"type": "boolean", "description": "Whether the shop has a word for it."},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
    },
    "required": ["attribute", "outcome", "cell", "value", "known", "confidence"],
}
_FILLED = {
    "type": "object",
    "properties": {
        **_COMMON,
        "table": {"type": "object", "additionalProperties": _TEXTS, "description": "The cells afterwards."},
        "changes": {"type": "array", "items": _CHANGE, "description": "Every value and what became of it."},
        "values": {"type": "array", "items": _VALUE, "description": "With evidence: true."},
    },
    "required": ["id", "error"],
}
_PROBLEM = {
    "type": "object",
    "properties": {"title": _TEXT, "status": {"type": "integer"}, "detail": _TEXT},
    "required": ["title", "status", "detail"],
}
_WHY = {
    400: "The body cannot be read as what it says it is.",
    401: "There is no token, or none that the service knows.",
    403: "The request is one of another site, or names another host.",
    404: "There is no such address, or nothing of this number.",
    405: "The address takes another method.",
    409: "Somebody else has the cell, or has decided it.",
    408: "The body came too slowly.",
    413: "The body, or what is in it, is more than a request may have.",
    415: "The body is of a kind that is not read here.",
    422: "The body can be read, but an option or a product in it cannot.",
    429: "Too much waits already: ask again after Retry-After seconds.",
    431: "The header is more than a request may have.",
    500: "A defect of the service.",
    503: "Not now: ask again after Retry-After seconds.",
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The descriptions of refusals."""
    return {s: {"description": _WHY[s], "content": {PROBLEM: {"schema": _PROBLEM}}} for s in statuses}


def _work(summary: str, form: type[Extraction], row: dict[str, Any], example: dict[str, Any]) -> dict[str, Any]:
    schema = form.model_json_schema()
    schema["properties"]["product"] |= {"anyOf": [{"type": "object"}, _TEXT, _NO]}
    schema["properties"]["products"] |= {
        "anyOf": [{"type": "array", "items": {"anyOf": [{"type": "object"}, _TEXT]}}, _NO]
    }
    answer = {
        "type": "object",
        "properties": {"model": _TEXT, "results": {"type": "array", "items": row}},
        "required": ["model", "results"],
    }
    options = [
        {
            "name": name,
            "in": "query",
            "required": False,
            "schema": part,
            "description": "Of lines, which have no other place.",
        }
        for name, part in schema["properties"].items()
        if name not in ("product", "products")
    ]
    content = {
        JSON: {
            "schema": schema,
            "examples": {"one": {"value": {"product": PRODUCT}}, "texts": {"value": {"products": [PRODUCT["title"]]}}},
        },
        LINES: {"schema": {"type": "string", "description": "A product a line."}},
        FORM: {
            "schema": {
                "type": "object",
                "properties": {
                    "request": {"type": "string", "description": "What a JSON body would be."},
                    "photo": {"type": "array", "items": {"type": "string", "format": "binary"}},
                },
                "required": ["request"],
            }
        },
    }
    return {
        "summary": summary,
        "responses": {
            200: {
                "description": "A result per product, in their order; for lines a line per product.",
                "content": {
                    JSON: {"schema": answer, "example": {"model": "4f1c9a52d0b3e687", "results": [example]}},
                    LINES: {"schema": {"type": "string"}},
                },
            },
            **refusals(400, 401, 403, 408, 413, 415, 422, 429, 431, 500, 503),
        },
        "openapi_extra": {"requestBody": {"required": True, "content": content}, "parameters": options},
    }


def _shown(summary: str, *statuses: int, kind: str = JSON) -> dict[str, Any]:
    schema = {"type": "object"} if kind == JSON else {"type": "string"}
    good = {"description": "As it is now.", "content": {kind: {"schema": schema}}}
    return {"summary": summary, "responses": {200: good, **refusals(403, 431, *statuses)}}


def describe(path: str) -> dict[str, Any]:
    """What FastAPI is told of an address."""
    found = {"attribute": "Color", "value": "Navy Blue", "confidence": 0.98}
    place = {"field": "title", "start": 6, "end": 15, "text": "navy blue"}
    beside = {"coverage": 1.0, "warnings": [], "error": None}
    change = {**found, "outcome": "filled", "cell": [], "known": True}
    match path:
        case "/v1/extract":
            example = {
                "id": "p1",
                "values": [{**found, "source": place, "regions": []}],
                "range": {"Color": 0.99},
                **beside,
            }
            return _work("Values, each with the characters it stands on", Extraction, _FOUND, example)
        case "/v1/fill":
            table = {"Fit": ["Regular Fit"], "Color": ["Navy Blue"]}
            return _work(
                "The blank cells of products filled",
                Filling,
                _FILLED,
                {"id": "p1", "table": table, "changes": [change], **beside},
            )
        case "/v1/schema":
            return _shown("Columns and attributes of the shop", 401)
        case "/v1/model":
            return _shown("What was measured of the model", 401)
        case "/v1/catalogue":
            return _shown("What a run of fill made of the table, and what limits for a precision buy", 401)
        case "/healthz":
            return _shown("Whether the process works", 503)
        case "/readyz":
            return _shown("Whether requests are taken", 503)
        case _:
            return _shown("Figures for Prometheus", 401, kind="text/plain")
