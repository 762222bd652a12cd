"""The database of an app as tests read it: with a connection and blocking calls of their own."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads

from pgqueue.client.app import PgQueue
from pgqueue.client.calls import with_text_ids
from pgqueue.database.connection import connected, decode
from pgqueue.database.queries import query
from pgqueue.models.tasks.task import Task
from pgqueue.models.values import encode, seconds
from pgqueue.testing.sources import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import timedelta

__all__ = ["advance", "dsn_of", "on_database", "stored_tasks"]


def dsn_of(app: PgQueue) -> str:
    """Return the connection string that an app uses."""
    return app._calls.dsn  # noqa: SLF001  one library


@contextmanager
def on_database(app: PgQueue, database_url: str) -> Iterator[PgQueue]:
    """Have an app work on this database, with its types published there, inside the block.

    Types that are declared inside it are forgotten at its end, and connections that are still open
    are dropped: the loop that they belong to may be gone.
    """
    before, types, declared = dict(vars(app)), dict(app.types), dict(app.declared)
    settings = app.settings.model_copy(update={"database_url": database_url, "listen_url": None})
    PgQueue.__init__(
        app, database_url, settings=settings
    )  # so that nothing of another test's loop is left
    app.types.update(types)
    app.declared.update(declared)
    try:
        _rows(app, "register_types", {"types": _published(app)})
        with shown(app, lambda: stored_tasks(app)):
            yield app
    finally:
        app._calls.abandon()  # noqa: SLF001
        vars(app).clear()
        vars(app).update(before)


def advance(app: PgQueue, by: timedelta | float) -> None:
    """Set the clock of the app's database forward by seconds or a ``timedelta``, for everyone.

    It stays so until ``pgqueue_private.shift_clock('0')``. Tasks that become due wait for
    ``drain``.
    """
    _rows(app, "advance_clock", {"seconds": seconds(by)})


def stored_tasks(app: PgQueue) -> list[Task]:
    """Return the tasks in the app's database, oldest first, at most 10,000."""
    return [Task(**with_text_ids(row)) for row in _rows(app, "stored_tasks", {})]


def _published(app: PgQueue) -> str:
    return encode([kind.published() for kind in app.types.values()]).decode()


def _rows(app: PgQueue, name: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    with connected(dsn_of(app), "pgqueue testing") as connection:
        set_json_loads(decode, connection)
        cursor = connection.cursor(row_factory=dict_row).execute(query(name), parameters)
        return cursor.fetchall()
