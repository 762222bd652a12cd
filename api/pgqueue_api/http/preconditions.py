"""ETag and If-Match: what was read must still be there when it is changed."""

from __future__ import annotations

import re
from typing import Literal

from pgqueue.errors import Stale

__all__ = ["etags_in", "stale", "versions_in"]

_TAG = re.compile(r'(?<!W/)"[!#-~]*"')
_STRONG = re.compile(r'(?<!W/)"([1-9]\d{0,17})"')


def versions_in(if_match: str | None) -> list[int] | Literal["*"] | None:
    """Return the versions that an If-Match names; None if there is none."""
    if if_match is None:
        return None
    return "*" if if_match.strip() == "*" else [int(tag) for tag in _STRONG.findall(if_match)]


def etags_in(if_match: str | None) -> list[str] | Literal["*"] | None:
    """Return the strong ETags that an If-Match names; None if there is none."""
    if if_match is None:
        return None
    return "*" if if_match.strip() == "*" else _TAG.findall(if_match)


def stale(what: str) -> Stale:
    """Return the error for an If-Match that names another version."""
    return Stale(
        f"the {what} is not at the version of If-Match", hint="read it again, then decide again"
    )
