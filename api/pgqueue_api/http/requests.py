"""What a request says of itself: who asks, why, and how long it would wait."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pgqueue_api.http import bodies
from pgqueue_api.problems import Invalid

if TYPE_CHECKING:
    from litestar import Request

    from pgqueue_api.services import Services

__all__ = ["asker", "reason_of", "wait_asked", "wait_in"]

_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})\"?", re.IGNORECASE)


def asker(request: Request[Any, Any, Any]) -> str:
    """Return who asks."""
    return f"http {request.client.host if request.client else 'client'}"


async def reason_of(request: Request[Any, Any, Any], services: Services) -> str | None:
    """Return the reason in a body that holds nothing else; an empty one has none."""
    headers = dict(request.scope["headers"])
    content = await bodies.read(request.receive, headers, 10_000, services.bounds.body_s)
    if not content.strip():
        return None
    bodies.require_json(headers)
    given = bodies.parse(content, 1)
    reason = given.get("reason") if isinstance(given, dict) else given
    if not isinstance(given, dict) or set(given) - {"reason"} or not isinstance(reason, str | None):
        raise Invalid('this is not {"reason": "…"}')
    return reason[:1000] if reason else None


def wait_in(prefer: str | None, max_s: float) -> float | None:
    """Return the seconds that ``Prefer: wait`` asks for, at most ``max_s``; None if it does not."""
    asked = _WAIT.search(prefer or "")
    return None if asked is None else min(float(asked[1]), max_s)


def wait_asked(preference: bytes, max_s: float) -> float | None:
    """Return the seconds that a raw ``Prefer: wait`` asks for."""
    return wait_in(preference.decode("latin-1"), max_s)
