"""ETag and If-Match: what was read must still be there when it is changed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from pgqueue.errors import Stale
from pgqueue_api.problems import VersionNeeded

if TYPE_CHECKING:
    from litestar import Request

__all__ = ["etag", "if_match", "needed", "stale", "tags"]

_TAG = re.compile(r'(?<!W/)"[!#-~]*"')
_STRONG = re.compile(r'(?<!W/)"([1-9]\d{0,17})"')


def etag(version: int) -> dict[str, str]:
    """Give the header that names a version."""
    return {"ETag": f'"{version}"'}


def if_match(request: Request[Any, Any, Any]) -> list[int] | Literal["*"] | None:
    """Give the versions that the client would change; None where it says nothing of them."""
    given = request.headers.get("if-match")
    if given is None:
        return None
    return "*" if given.strip() == "*" else [int(tag) for tag in _STRONG.findall(given)]


def tags(request: Request[Any, Any, Any]) -> list[str] | Literal["*"] | None:
    """Give the strong ETags that the client names; None where it names none at all."""
    given = request.headers.get("if-match")
    if given is None:
        return None
    return "*" if given.strip() == "*" else _TAG.findall(given)


def needed(what: str) -> VersionNeeded:
    """Give the error that an If-Match left out is."""
    return VersionNeeded(
        f"{what} is there: which version of it is this to change?",
        hint="read it, and send its ETag as If-Match",
    )


def stale(what: str) -> Stale:
    """Give the error that an If-Match of another version is."""
    return Stale(
        f"{what} is not at the version of If-Match", hint="read it again, and decide again"
    )
