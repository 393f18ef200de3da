"""The pages: static files of the package, without a build step and without anything from elsewhere."""

from __future__ import annotations

from importlib import resources

from fastapi import FastAPI, Request
from starlette.responses import Response

PAGES = {
    "/": ("server", "try.html", "text/html; charset=utf-8"),
    "/model": ("server", "model.html", "text/html; charset=utf-8"),
    "/assets/theme.css": ("reports", "theme.css", "text/css; charset=utf-8"),
    "/assets/pages.css": ("server", "pages.css", "text/css; charset=utf-8"),
    "/assets/heat.js": ("reports", "heat.js", "text/javascript; charset=utf-8"),
    "/assets/pages.js": ("server", "pages.js", "text/javascript; charset=utf-8"),
    "/assets/try.js": ("server", "try.js", "text/javascript; charset=utf-8"),
    "/assets/model.js": ("server", "model.js", "text/javascript; charset=utf-8"),
    "/assets/icon.svg": ("server", "icon.svg", "image/svg+xml"),
}
"""Address -> package, file, media type: theme and heat-maps are those of the report. Nothing else is given out."""


def add_pages(app: FastAPI) -> None:
    """Give the pages out, each read once."""
    for path, (package, name, kind) in PAGES.items():
        content = (resources.files(f"attrex.{package}") / "assets" / name).read_bytes()

        async def page(request: Request, content: bytes = content, kind: str = kind) -> Response:
            return Response(content, media_type=kind, headers={"Cache-Control": "no-cache"})

        app.add_route(path, page, ["GET"], include_in_schema=False)
