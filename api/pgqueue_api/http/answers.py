"""Answers made of JSON text that PostgreSQL wrote: put together, never taken apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from litestar import Response

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["items", "json_answer"]


def json_answer(content: bytes) -> Response[bytes]:
    """Answer with JSON."""
    return Response(content, media_type="application/json")


def items(texts: Iterable[str | bytes], **more: str | None) -> Response[bytes]:
    """Answer with a list, and what is said of it."""
    page = {"items": [orjson.Fragment(text) for text in texts], **more}
    return Response(orjson.dumps(page), media_type="application/json")
