"""A process that hears the doorbell itself: nobody needs to pass a ring on."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable

import psycopg
import pytest

from pgqueue.database.link import Link
from pgqueue.database.options import Options
from tests.worker.conftest import Bench, eventually

PATIENCE_S = 45
QUIET = """
    select 1 from pg_stat_activity
    where datname = current_database() and application_name = 'pgqueue worker claim'
        and state = 'idle' and clock_timestamp() - state_change > '2 s'
"""
RING = "select pg_notify('pgqueue_ready', %s)"


class Ear:
    """A link that hears, and what it has heard."""

    def __init__(self, dsn: str) -> None:
        self._rings: asyncio.Queue[str] = asyncio.Queue()
        hears = Options("test ear", listen="listen_ready", on_notify=self._rings.put_nowait)
        self.link = Link(dsn, hears)

    async def next(self) -> str:
        return await asyncio.wait_for(self._rings.get(), PATIENCE_S)

    @property
    def silent(self) -> bool:
        return self._rings.empty()


@pytest.fixture
async def ear(direct: str) -> AsyncIterator[Ear]:
    ear = Ear(direct)
    await ear.link.rows("ping")
    yield ear
    await ear.link.close()


@pytest.fixture
def other(connect: Callable[..., psycopg.Connection]) -> psycopg.Connection:
    return connect(session=True)


async def test_it_hears_while_nothing_is_asked(ear: Ear, other: psycopg.Connection) -> None:
    with ear.link.hearing():
        other.execute(RING, ["mail,pdf"])
        assert await ear.next() == "mail,pdf"
        other.execute(RING, ["pdf"])
        assert await ear.next() == "pdf"


async def test_it_hears_what_came_with_an_answer(ear: Ear, other: psycopg.Connection) -> None:
    other.execute(RING, ["mail"])
    await ear.link.rows("ping")
    with ear.link.hearing():
        assert await ear.next() == "mail"
    assert ear.silent


async def test_it_looks_at_everything_when_the_server_has_ended_it(
    ear: Ear, other: psycopg.Connection
) -> None:
    with ear.link.hearing():
        other.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'test ear' and datname = current_database()"
        )
        assert await ear.next() == ""
    await ear.link.rows("ping")
    with ear.link.hearing():
        other.execute(RING, ["mail"])
        assert await ear.next() == "mail"


@pytest.mark.unpooled("behind a pooler its supervisor hears for it")
def test_one_process_needs_no_supervisor_to_hear(bench: Bench) -> None:
    supervisor = bench.start(PGQUEUE_POLL_S="3600")
    eventually(lambda: bench.rows("select 1 from pgqueue_private.listener"), "the process waits")
    eventually(lambda: bench.rows(QUIET), "it looks no more by itself")
    os.kill(supervisor.pid, signal.SIGSTOP)
    try:
        task = bench.enqueue("echo")
        assert bench.ended(task)["status"] == "completed"
    finally:
        os.kill(supervisor.pid, signal.SIGCONT)
