"""Which app a test means when it names none, and where its tasks are."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pgqueue.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pgqueue.client.app import PgQueue
    from pgqueue.models.task import Task

    Tasks = Callable[[], list[Task]]

__all__ = ["shown", "tasks_of"]

_shown: list[tuple[PgQueue, Tasks]] = []


@contextmanager
def shown(app: PgQueue, tasks: Tasks) -> Iterator[None]:
    """Look for the tasks of this app here."""
    entry = (app, tasks)
    _shown.append(entry)
    try:
        yield
    finally:
        _shown.remove(entry)


def tasks_of(app: PgQueue | None, otherwise: Callable[[PgQueue], list[Task]]) -> list[Task]:
    """Give the tasks of an app (None: the one that is shown last), oldest first."""
    for known, tasks in reversed(_shown):
        if app is None or known is app:
            return tasks()
    if app is None:
        message = "which app is meant?"
        raise UsageError(message, hint="name it: assert_enqueued(…, app=app)")
    return otherwise(app)
