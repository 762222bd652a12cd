"""Requests whose tasks belong together: stored all or none, and errors that point into them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pgqueue.errors import PgQueueError, UsageError
from pgqueue_api.problems import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pgqueue_api.submit.submission import Submission

__all__ = ["all_or_none", "pointing"]


@contextmanager
def pointing(of: str, at: str) -> Iterator[None]:
    """Make errors that point into what was stored point into the request."""
    try:
        yield
    except UsageError as error:
        if not error.errors:
            raise
        places = [
            {**place, "pointer": at + place.get("pointer", "").removeprefix(of)}
            for place in error.errors
        ]
        raise Invalid(error.message, errors=places, hint=error.hint) from error


def all_or_none(checked: Sequence[Submission | PgQueueError]) -> list[Submission]:
    """Return the tasks of a request, or raise what is wrong with any of them."""
    places: list[dict[str, str]] = []
    for n, one in enumerate(checked):
        if isinstance(one, PgQueueError):
            found = getattr(one, "errors", None)
            places += found or [{"pointer": f"/tasks/{n}", "message": one.message}]
    if places:
        raise Invalid("nothing was stored: these tasks are stored all or none", errors=places[:100])
    return [one for one in checked if not isinstance(one, PgQueueError)]
