"""The runner by itself: what must not happen inside it, and what follows if it does."""

import asyncio

import pytest
from pgqueue_worker.attempts.attempt_log import AttemptLog
from pgqueue_worker.attempts.deadlines import Deadlines
from pgqueue_worker.attempts.execution import Execution
from pgqueue_worker.attempts.finisher import Finish
from pgqueue_worker.attempts.runner import Runner
from pgqueue_worker.attempts.timeouts import TimeoutEnforcer
from pgqueue_worker.deadline_table import DeadlineTable
from pgqueue_worker.isolation.pool import Pool
from pgqueue_worker.lease import ClaimedTask, Lease
from pgqueue_worker.measurements import Measurements

from pgqueue import Context, PgQueue
from pgqueue.handlers.ending import RELEASED


class Finisher:
    """A finisher that takes finishes and records nothing."""

    waiting = 0

    def __init__(self) -> None:
        self.taken: list[Finish] = []

    def add(self, finish: Finish, after: object = None) -> None:
        self.taken.append(finish)

    async def drained(self) -> None:
        return


class BrokenFinisher(Finisher):
    def add(self, finish: Finish, after: object = None) -> None:
        raise OSError("the log is closed")


class Reporter:
    def attach(self, lease: Lease) -> None:
        return

    def detach(self, lease: Lease) -> None:
        return


def runner_of(app: PgQueue, finisher: Finisher) -> tuple[Runner, TimeoutEnforcer]:
    pool = Pool(None, builtin=False, dsn="", grace_s=1)
    deadlines = Deadlines(DeadlineTable.create(1))
    execution = Execution(
        concurrency=1, reporter=Reporter(), checkpoints=None, pool=pool, deadlines=deadlines
    )
    runner = Runner(
        app.types,
        concurrency=1,
        stop_grace_s=1,
        execution=execution,
        deadlines=deadlines,
        finisher=finisher,
        reporter=Reporter(),
        measurements=Measurements(),
        on_room=lambda: None,
        on_unwell=lambda: None,
    )
    return runner, TimeoutEnforcer(runner, execution, deadlines, stop_grace_s=1)


def lease(id: int, priority: int = 5, *, expired: bool = False) -> Lease:
    row = (f"id-{id}", id, 1, 3, 0, priority, id, "default", "t", None, 0.0, "{}")
    return Lease.claimed(ClaimedTask(*row, None, False, False, expired, None, None), 0.0)


async def test_an_attempt_that_cannot_be_ended_breaks_the_runner_and_not_silently() -> None:
    app = PgQueue()

    @app.task("t")
    async def handler() -> None:
        return

    runner, _ = runner_of(app, BrokenFinisher())
    runner.take([lease(1)])
    with pytest.raises(OSError, match="the log is closed"):
        await asyncio.wait_for(runner.broken, 45)


async def test_what_was_claimed_ahead_gives_way_to_what_comes_first() -> None:
    app = PgQueue()
    started: list[str] = []
    begun, go_on = asyncio.Event(), asyncio.Event()

    @app.task("t")
    async def handler(ctx: Context) -> None:
        started.append(ctx.task_id)
        begun.set()
        await go_on.wait()

    runner, _ = runner_of(app, Finisher())
    runner.take([lease(id) for id in range(1, 101)])
    await begun.wait()
    runner.take([lease(200, priority=0), lease(201, priority=0), lease(202)])
    runner.take([lease(150, priority=0)])
    go_on.set()
    while len(started) < 104:
        await asyncio.sleep(0)
    assert started[:5] == ["id-1", "id-150", "id-200", "id-201", "id-2"]
    assert started[-1] == "id-202"


async def test_what_was_claimed_ahead_of_a_slow_handler_goes_to_others() -> None:
    app = PgQueue()
    go_on = asyncio.Event()

    @app.task("t")
    async def handler(ctx: Context) -> None:
        await go_on.wait()

    finisher = Finisher()
    runner, timeouts = runner_of(app, finisher)
    looking = asyncio.create_task(timeouts.run())
    runner.take([lease(1), lease(2)])
    while not finisher.taken:
        await asyncio.sleep(0.01)
    assert [(end.task_id, end.ending.outcome) for end in finisher.taken] == [("id-2", "released")]
    assert runner.room == 0  # and it is not claimed again
    go_on.set()
    while len(finisher.taken) < 2:
        await asyncio.sleep(0.01)
    looking.cancel()


async def test_an_expired_task_that_was_claimed_is_cancelled_and_not_run() -> None:
    app = PgQueue()
    started: list[str] = []

    @app.task("t")
    async def handler(ctx: Context) -> None:
        started.append(ctx.task_id)

    finisher = Finisher()
    runner, _ = runner_of(app, finisher)
    runner.take([lease(1, expired=True), lease(2)])
    while len(finisher.taken) < 2:
        await asyncio.sleep(0)
    assert started == ["id-2"]
    late = finisher.taken[0]
    assert (late.task_id, late.ending.outcome) == ("id-1", "cancelled")
    assert late.ending.error["message"] == "expired before it started"


async def test_a_released_attempt_is_not_counted() -> None:
    measurements = Measurements()
    AttemptLog(measurements).ended(lease(1), RELEASED, 0.1)
    assert measurements.take() is None
