"""Answers made of JSON text that PostgreSQL wrote: put together, never taken apart."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, TypeVar, cast

import orjson
from litestar import Response

__all__ = ["Json", "items"]

T = TypeVar("T")


class Json(Response[T], Generic[T]):
    """JSON text of the model ``T``, which documents it. The text is not parsed here."""

    def __init__(
        self, content: str | bytes, *, status: int | None = None, **headers: str | None
    ) -> None:
        super().__init__(
            cast("T", content),
            media_type="application/json",
            status_code=status,
            headers={
                name.replace("_", "-"): value
                for name, value in headers.items()
                if value is not None
            },
        )


def items(texts: Iterable[str | bytes], **more: str | None) -> Json[Any]:
    """Answer with a list, and what is said of it."""
    page = {"items": [orjson.Fragment(text) for text in texts], **more}
    return Json(orjson.dumps(page))
