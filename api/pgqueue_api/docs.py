"""/openapi.json, and /docs: a page of our own that shows it.

The well-known viewers are 1 to 4 MB of somebody's JavaScript, usually from a CDN, and most need
``unsafe-inline``. This one is some 200 lines, works offline and under the strictest policy.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency

from pgqueue_api.openapi.operation import PUBLIC, Answer, operation

__all__ = ["ROUTES"]

_SITE = Path(__file__).parent / "site"
_ICON = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path fill="#336791" '
    b'd="M1 2h14v3H1zM1 6.5h10v3H1zM1 11h6v3H1z"/></svg>'
)
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "Cache-Control": "no-cache",
}


@operation(
    "GET /openapi.json",
    Answer(200, "The document.", schema={"type": "object"}),
    tag="health",
    public=True,
)
async def openapi(document: NamedDependency[bytes]) -> Response[bytes]:
    """Read this document.

    OpenAPI 3.1.
    """
    return Response(document, media_type="application/json")


@operation(
    "GET /docs",
    Answer(200, "The page.", media_type="text/html", schema={"type": "string"}),
    tag="health",
    public=True,
)
async def docs() -> Response[bytes]:
    """Read this document as a page.

    It works offline.
    """
    return _file("docs.html", "text/html")


@get("/docs/docs.css", opt={PUBLIC: True})
async def docs_style() -> Response[bytes]:
    """Return its style."""
    return _file("docs.css", "text/css")


@get("/docs/docs.js", opt={PUBLIC: True})
async def docs_script() -> Response[bytes]:
    """Return its script."""
    return _file("docs.js", "text/javascript")


@get("/", status_code=302, opt={PUBLIC: True})
async def start() -> Response[bytes]:
    """Lead to the dashboard, by a relative path: a proxy may serve us under any."""
    return Response(b"", headers={"Location": "ui"}, status_code=302, media_type="text/html")


@get("/favicon.ico", opt={PUBLIC: True})
async def icon() -> Response[bytes]:
    """Return the icon, which browsers ask for by this name."""
    return Response(_ICON, media_type="image/svg+xml", headers=_HEADERS)


ROUTES: list[Any] = [openapi, docs, docs_style, docs_script, start, icon]


def _file(name: str, media_type: str) -> Response[bytes]:
    return Response((_SITE / name).read_bytes(), media_type=media_type, headers=_HEADERS)
