"""Answers made of JSON text that PostgreSQL wrote, which is combined and never parsed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import orjson
from litestar import Response

if TYPE_CHECKING:
    from pgqueue.database.pool import Row

__all__ = ["Json", "items", "page"]

_MAX_BYTES = 4 * 1024**2
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
    """Answer with a list, and fields about it. One that has no ``next`` ends at 4 MiB."""
    kept: list[orjson.Fragment] = []
    size = 0
    for text in texts:
        size += len(text)
        if size > _MAX_BYTES and kept and "next" not in more:
            break
        kept.append(orjson.Fragment(text))
    return Json(orjson.dumps({"items": kept, **more}))


def page(rows: Sequence[Row], limit: int, cursor: Callable[[Row], str | None]) -> Json[Any]:
    """Answer with the first ``limit`` rows; a row beyond them says that there is a next page.

    A row whose item is None is beyond, too: the page has as many bytes as a page may have.
    """
    shown = [row for row in rows[:limit] if row["item"] is not None]
    more = cursor(shown[-1]) if len(rows) > len(shown) else None
    return items([row["item"] for row in shown], next=more)
