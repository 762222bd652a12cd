"""/openapi.json, and /docs: a page of our own that shows it.

The well-known viewers are 1 to 4 MB of somebody's JavaScript, usually from a CDN, and most need
``unsafe-inline``. This one is some 200 lines, works offline and under the strictest policy.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency

__all__ = ["ROUTES"]

_SITE = Path(__file__).parent.parent / "site"
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "Cache-Control": "no-cache",
}


@get("/openapi.json")
async def openapi(document: NamedDependency[bytes]) -> Response[bytes]:
    """Give the OpenAPI document."""
    return Response(document, media_type="application/json")


@get("/docs")
async def docs() -> Response[bytes]:
    """Give the page."""
    return _file("docs.html", "text/html; charset=utf-8")


@get("/docs/docs.css")
async def docs_style() -> Response[bytes]:
    """Give its looks."""
    return _file("docs.css", "text/css; charset=utf-8")


@get("/docs/docs.js")
async def docs_script() -> Response[bytes]:
    """Give its script."""
    return _file("docs.js", "text/javascript; charset=utf-8")


ROUTES: list[Any] = [openapi, docs, docs_style, docs_script]


def _file(name: str, media_type: str) -> Response[bytes]:
    return Response((_SITE / name).read_bytes(), media_type=media_type, headers=_HEADERS)
