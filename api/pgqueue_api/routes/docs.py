"""/openapi.json and /docs."""

from __future__ import annotations

from typing import Any

from litestar import Response, get

from pgqueue_api.openapi import DOCUMENT

__all__ = ["ROUTES"]


@get("/openapi.json")
async def openapi() -> Response[bytes]:
    """Give the OpenAPI document."""
    return Response(DOCUMENT, media_type="application/json")


ROUTES: list[Any] = [openapi]
