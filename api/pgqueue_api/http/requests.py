"""What a request says about itself: who asks, why, and how long it would wait."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from litestar import Request


__all__ = ["asker", "wait_in"]

_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})\"?", re.IGNORECASE)


def asker(request: Request[Any, Any, Any]) -> str:
    """Return who asks."""
    return f"http {request.client.host if request.client else 'client'}"


def wait_in(prefer: str | None, max_s: float) -> float | None:
    """Return the seconds that ``Prefer: wait`` asks for, at most ``max_s``; None if it does not."""
    asked = _WAIT.search(prefer or "")
    return None if asked is None else min(float(asked[1]), max_s)
