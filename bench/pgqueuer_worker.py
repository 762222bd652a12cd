"""PgQueuer's consumer: ``python -m bench.pgqueuer_worker [drain]``.

``pgqueuer.run`` under uvloop is what ``pgq run`` does; that command itself fails with
version 1.6.0 and newer versions of typer.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import orjson
import pgqueuer
import uvloop
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.types import QueueExecutionMode

from bench.handlers import note_start

BATCH_SIZE = 500
"""The fastest of 10 (its default), 50, 100, 200, 500 and 1,000 with no-op jobs."""


@asynccontextmanager
async def consumer() -> AsyncIterator[pgqueuer.PgQueuer]:
    """Make the consumer, on one connection of its own as its documentation advises."""
    connection = await asyncpg.connect(os.environ["PGQUEUER_DSN"])
    consumer = pgqueuer.PgQueuer(AsyncpgDriver(connection))

    @consumer.entrypoint("noop")
    async def noop(job: Job) -> None:
        pass

    @consumer.entrypoint("stamp")
    async def stamp(job: Job) -> None:
        note_start(orjson.loads(job.payload or b"")["i"])

    try:
        yield consumer
    finally:
        await connection.close()


if __name__ == "__main__":
    mode = QueueExecutionMode.drain if sys.argv[1:] == ["drain"] else QueueExecutionMode.continuous
    size = int(os.environ.get("BENCH_BATCH_SIZE", BATCH_SIZE))
    uvloop.run(pgqueuer.run(consumer, batch_size=size, mode=mode))
