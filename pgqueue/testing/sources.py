"""The app that a test means when it names none, and its tasks."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pgqueue.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pgqueue.client.app import PgQueue
    from pgqueue.models.tasks.task import Task

    Tasks = Callable[[], list[Task]]

__all__ = ["shown", "tasks_of"]

_shown: list[tuple[PgQueue, Tasks]] = []


@contextmanager
def shown(app: PgQueue, tasks: Tasks) -> Iterator[None]:
    """Have ``tasks_of`` find the tasks of this app with a function, for the time of a block."""
    entry = (app, tasks)
    _shown.append(entry)
    try:
        yield
    finally:
        _shown.remove(entry)


def tasks_of(app: PgQueue | None, otherwise: Callable[[PgQueue], list[Task]]) -> list[Task]:
    """Return the tasks of an app, by default the one shown last, oldest first."""
    for known, tasks in reversed(_shown):
        if app is None or known is app:
            return tasks()
    if app is None:
        raise UsageError(
            "no app is given, and none runs inline or on_database",
            hint="pass it: assert_enqueued(…, app=app)",
        )
    return otherwise(app)
