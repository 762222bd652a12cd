"""The runner by itself: what must not happen inside it, and what follows if it does."""

import asyncio

import pytest
from pgqueue_worker.deadlines import Deadlines
from pgqueue_worker.handling import Handling
from pgqueue_worker.isolation.pool import Pool
from pgqueue_worker.lease import Lease
from pgqueue_worker.runner import Runner
from pgqueue_worker.tally import Tally
from pgqueue_worker.watch import Watch

from pgqueue import PgQueue


class Finisher:
    """A finisher that cannot take a finish."""

    waiting = 0

    def add(self, result: dict, after: object = None) -> None:
        raise OSError("the log is closed")

    async def drained(self) -> None:
        return


class Reporter:
    def attach(self, lease: Lease) -> None:
        return

    def detach(self, lease: Lease) -> None:
        return


async def test_an_attempt_that_cannot_be_ended_breaks_the_runner_and_not_silently() -> None:
    app = PgQueue()

    @app.task("t")
    async def handler() -> None:
        return

    pool = Pool(None, builtin=False, dsn="", grace_s=1)
    deadlines = Deadlines(Watch.create(1))
    runner = Runner(
        app.types,
        concurrency=1,
        stop_grace_s=1,
        handling=Handling(
            concurrency=1, reporter=Reporter(), checkpoints=None, pool=pool, deadlines=deadlines
        ),
        deadlines=deadlines,
        finisher=Finisher(),
        reporter=Reporter(),
        tally=Tally(),
        on_room=lambda: None,
        on_unwell=lambda: None,
    )
    row = ("id", 1, 1, 3, 0, 5, 1, "default", "t", None, 0.0, "{}", None, False, False, False)
    runner.take([Lease.claimed(row, 0.0)])
    with pytest.raises(OSError, match="the log is closed"):
        await asyncio.wait_for(runner.broken, 5)
