"""Duties share a few connections, and each counts the time that it has one."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from pgqueue_worker.duties.pooled_link import PooledLink

from pgqueue.database.options import Options, Timeouts
from pgqueue.database.pool import Pool
from tests.worker.conftest import Bench, eventually

PATIENCE_S = 45
LIMITS = Timeouts(statement_s=30, lock_s=2)


@pytest.fixture
async def pool(direct: str) -> AsyncIterator[Pool]:
    pool = Pool(direct, Options("test pooled link"), size=1)
    yield pool
    await pool.close()


async def test_the_wait_for_a_connection_is_not_counted(pool: Pool) -> None:
    first, waiting = PooledLink(pool, LIMITS), PooledLink(pool, LIMITS)
    began = time.monotonic()
    async with first.transaction() as held:
        call = asyncio.create_task(waiting.rows("ping"))
        await asyncio.sleep(0.2)
        assert await held.rows("ping")
        assert not call.done()
    assert await asyncio.wait_for(call, PATIENCE_S)
    assert first.took_s >= 0.2
    assert waiting.took_s < time.monotonic() - began - 0.1


def test_a_supervisor_makes_few_connections(bench: Bench) -> None:
    bench.start()
    done = "select count(*) > 15 from pgqueue.maintenance where last_finished_at > '-infinity'"
    eventually(lambda: bench.value(done), "nearly all duties have run")
    names = bench.rows(
        "select application_name as name from pg_stat_activity"
        " where datname = current_database() and application_name like 'pgqueue %'"
    )
    assert len([1 for row in names if "worker" not in row["name"]]) <= 9, names
