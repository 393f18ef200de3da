"""The pages: static files of the package, without a build step and without anything from elsewhere."""

from __future__ import annotations

from importlib import resources

from fastapi import FastAPI, Request
from starlette.responses import Response

HTML, CSS, SCRIPT = (f"text/{kind}; charset=utf-8" for kind in ("html", "css", "javascript"))
PAGES = {
    "/": ("server", "try.html", HTML),
    "/review": ("server", "review.html", HTML),
    "/catalogue": ("server", "catalogue.html", HTML),
    "/model": ("server", "model.html", HTML),
    "/assets/theme.css": ("reports", "theme.css", CSS),
    "/assets/heat.js": ("reports", "heat.js", SCRIPT),
    **{f"/assets/{name}.css": ("server", f"{name}.css", CSS) for name in ("pages", "review", "catalogue")},
    **{
        f"/assets/{name}.js": ("server", f"{name}.js", SCRIPT)
        for name in (
            "pages",
            "evidence",
            "try",
            "review",
            "review-cell",
            "catalogue",
            "catalogue-cells",
            "plots",
            "model",
        )
    },
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
