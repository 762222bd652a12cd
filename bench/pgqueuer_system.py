"""PgQueuer, set up as its documentation recommends for throughput (see docs/bench.md)."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg
import orjson
from pgqueuer.db import AsyncpgPoolDriver
from pgqueuer.queries import Queries

from bench.load import payload
from bench.pgqueuer_worker import BATCH_SIZE


def _encoded(number: int) -> bytes:
    return orjson.dumps(payload(number))


class _Producer:
    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    async def enqueue_many(self, numbers: Sequence[int]) -> None:
        n = len(numbers)
        await self._queries.enqueue(["noop"] * n, [_encoded(i) for i in numbers], [0] * n)

    async def enqueue_stamp(self, number: int) -> None:
        await self._queries.enqueue("stamp", _encoded(number))


class PgQueuerSystem:
    """One worker process on one connection; producers on a pool."""

    name = "PgQueuer"
    settings = (
        f"pgq autovac, durability durable, asyncpg, uvloop, batch size {BATCH_SIZE}; "
        "one connection for the worker, a pool for the producer"
    )
    calls = ()
    span = """
        select
            extract(epoch from
                max(created) filter (where status = 'successful')
                - min(created) filter (where status = 'picked')
            )::float8,
            count(*) filter (where status = 'successful')
        from pgqueuer_log
    """

    def install(self, dsn: str) -> None:
        async def run() -> None:
            async with _queries(dsn) as queries:
                await queries.install()
                await queries.optimize_autovacuum()

        asyncio.run(run())

    @asynccontextmanager
    async def producer(self, dsn: str) -> AsyncIterator[_Producer]:
        async with _queries(dsn) as queries:
            yield _Producer(queries)

    def worker(self, *, drain: bool) -> list[str]:
        command = [sys.executable, "-m", "bench.pgqueuer_worker"]
        return [*command, "drain"] if drain else command

    def environment(self, dsn: str) -> dict[str, str]:
        return {"PGQUEUER_DSN": dsn}


@asynccontextmanager
async def _queries(dsn: str) -> AsyncIterator[Queries]:
    async with asyncpg.create_pool(dsn, min_size=1, max_size=4) as pool:
        yield Queries(AsyncpgPoolDriver(pool))
