"""pgqueue, run as its README says."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import psycopg

from bench.handlers import app
from bench.load import payload
from pgqueue import NewTask, PgQueue
from pgqueue.database.migrations import migrate
from pgqueue.database.queries import query


class _Producer:
    def __init__(self, app: PgQueue) -> None:
        self._app = app

    async def enqueue_many(self, numbers: Sequence[int]) -> None:
        await self._app.enqueue_many([NewTask("noop", payload(number)) for number in numbers])

    async def enqueue_stamp(self, number: int) -> None:
        await self._app.enqueue("stamp", payload(number))


class Pgqueue:
    """One worker process with the default settings."""

    name = "pgqueue"
    settings = "defaults (concurrency 10); enqueue_many of 1,000; psycopg, uvloop"
    calls = ("pgqueue_private.claim", "pgqueue_private.finish")
    span = """
        select extract(epoch from max(finished_at) - min(started_at))::float8, count(*)
        from pgqueue_private.attempt where outcome = 'completed'
    """

    stored = "select count(*) from pgqueue.tasks"

    def install(self, dsn: str) -> None:
        migrate(dsn)
        # as a worker does when it starts: the API refuses types that it does not know
        types = orjson.dumps([kind.published() for kind in app.types.values()]).decode()
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(query("register_types"), {"types": types})

    @asynccontextmanager
    async def producer(self, dsn: str) -> AsyncIterator[_Producer]:
        async with PgQueue(dsn) as app:
            yield _Producer(app)

    def worker(self, *, drain: bool) -> list[str]:
        command = [str(Path(sys.executable).with_name("pgqueue")), "worker"]
        command += ["--app", "bench.handlers:app"]
        return [*command, "--burst"] if drain else command

    def api(self, port: int) -> list[str]:
        """Return the command of an API process."""
        return [str(Path(sys.executable).with_name("pgqueue")), "api", "--port", str(port)]

    def environment(self, dsn: str) -> dict[str, str]:
        return {"PGQUEUE_DATABASE_URL": dsn, "PGQUEUE_LOG_LEVEL": "warning"}
