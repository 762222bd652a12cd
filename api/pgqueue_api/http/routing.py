"""What Litestar's routing leaves to us: HEAD, slashes in names, and query parameters.

- Every path that has GET has HEAD: the same answer without its body.
- A name in a path may hold a slash, which is sent as %2F. The server in front decodes a path before
  it is routed, so an encoded slash is routed as a lone surrogate, which no URL can hold.
- A query parameter that an operation does not have is refused: a misspelt filter would return
  everything.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl, unquote_to_bytes

from litestar.routes import HTTPRoute

from pgqueue_api.problems import Invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from litestar.handlers import HTTPRouteHandler
    from litestar.routes import BaseRoute
    from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

__all__ = ["Queries", "answer_head", "names_in", "with_slashes"]

_MAX_ERRORS = 20
_SLASH = "\udc2f"


def with_slashes(scope: HTTPScope) -> HTTPScope:
    """Return a scope whose path keeps apart the slashes of names, and those between names."""
    raw: bytes = scope.get("raw_path") or b""
    if b"%2f" not in raw and b"%2F" not in raw:
        return scope
    parts = raw.partition(b"?")[0].split(b"/")
    decoded = (unquote_to_bytes(part).decode("utf-8", "replace") for part in parts)
    path = "/".join(part.replace("/", _SLASH) for part in decoded)
    return cast("HTTPScope", {**scope, "path": path})


def names_in(path_params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a path, with the slashes of names."""
    return {
        name: value.replace(_SLASH, "/") if isinstance(value, str) else value
        for name, value in path_params.items()
    }


async def answer_head(app: ASGIApp, scope: HTTPScope, receive: Receive, send: Send) -> None:
    """Answer a HEAD as ``app`` would answer a GET, and stop it where the body would begin."""
    answered = False

    async def send_head(message: Message) -> None:
        nonlocal answered
        if not answered and message["type"] == "http.response.start":
            await send(message)
            answered = True
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            answering.cancel()

    got = cast("Scope", {**scope, "method": "GET"})
    answering = asyncio.ensure_future(app(got, receive, send_head))
    try:
        await answering
    except asyncio.CancelledError:
        answering.cancel()
        if not answered:
            raise


class Queries:
    """The query parameters of each operation."""

    def __init__(
        self, routes: Iterable[BaseRoute], takes_any: Callable[[HTTPRouteHandler], bool]
    ) -> None:
        self._names: dict[tuple[str, str], frozenset[str]] = {}
        for route in routes:
            if not isinstance(route, HTTPRoute):
                continue
            for method, (handler, model) in route.route_handler_map.items():
                if not takes_any(handler):
                    names = frozenset(one.field_alias for one in model.expected_query_params)
                    self._names[route.path_format, method] = names

    def check(self, path: str, method: str, query: bytes) -> None:
        """Raise ``Invalid`` for a parameter that the operation does not have."""
        known = self._names.get((path, method)) if query else None
        if known is None:
            return
        given = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        unknown = sorted({name for name, _ in given} - known)
        if unknown:
            takes = f"it takes {', '.join(sorted(known))}" if known else "it takes none"
            raise Invalid(
                "the operation has no such query parameter",
                errors=[
                    {"parameter": name[:100], "message": f"unknown: {takes}"}
                    for name in unknown[:_MAX_ERRORS]
                ],
                hint=takes,
            )
