"""A worker in the test's own process, on a real database."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from pgqueue import Backoff, Context, PgQueue, Snooze
from pgqueue.testing import advance, assert_enqueued, drain


@pytest.fixture
def app(pgqueue_app: PgQueue) -> PgQueue:
    return pgqueue_app


async def test_all_that_is_runnable_runs_and_what_it_enqueues(app: PgQueue) -> None:
    @app.task("first", queue="a")
    async def first(ctx: Context) -> str:
        await ctx.progress(50)
        await app.enqueue("second", {"of": ctx.task_id})
        return "done"

    @app.task("second", queue="b")
    def second(ctx: Context, payload: dict) -> None:
        ctx.log.info("second")
        ctx.save_artifact("a.txt", b"x", "text/plain")

    ids = await app.enqueue_many([{"type": "first"}] * 3)
    later = await app.enqueue("second", delay=3600)
    assert await drain(app) == {"completed": 6}
    assert (await app.get(ids[0])).result == "done"
    for id in ids:
        assert_enqueued("second", payload={"of": id}, status="completed", count=1)
    assert (await app.get(later)).status == "scheduled"
    assert await drain(app) == {}


async def test_retries_and_snoozes_run_when_the_clock_moves_on(app: PgQueue) -> None:
    @app.task("flaky", backoff=Backoff("fixed", base=3000, jitter="none"))
    async def flaky(ctx: Context) -> Snooze | str:
        if ctx.attempt == 1:
            raise ConnectionError
        if ctx.attempt == 2:
            message = "again"
            raise LookupError(message)
        return "at last"

    start = time.monotonic()
    id = await app.enqueue("flaky")
    assert await drain(app) == {"failed": 1}
    task = await app.get(id)
    assert task.status == "retrying"
    assert 2990 < (task.next_retry_at - task.started_at).total_seconds() < 3010
    advance(app, timedelta(seconds=2000))
    assert await drain(app) == {}
    advance(app, 1001)
    assert await drain(app) == {"failed": 1}
    assert await drain(app, advance_clock=True) == {"completed": 1}
    assert (await app.get(id)).attempt == 3
    assert time.monotonic() - start < 30


async def test_a_far_future_is_a_move_of_the_clock_away(app: PgQueue) -> None:
    ran = []

    @app.task("t")
    async def handler(payload: dict) -> Snooze | None:
        ran.append(payload["n"])
        return Snooze(until=86_400) if ran.count(2) == 1 and payload["n"] == 2 else None

    await app.enqueue("t", {"n": 1}, run_at=datetime.now(UTC) + timedelta(days=30))
    await app.enqueue("t", {"n": 2}, delay=timedelta(days=1))
    assert await drain(app, advance_clock=True) == {"completed": 2, "snoozed": 1}
    assert ran == [2, 2, 1]


async def test_only_the_queues_that_are_named_are_drained(app: PgQueue) -> None:
    app.task("t")(lambda: None)
    await app.enqueue("t", queue="a")
    await app.enqueue("t", queue="b")
    assert await drain(app, queues=["a"]) == {"completed": 1}
    assert_enqueued("t", queue="b", status="queued", count=1)


async def test_a_type_that_the_app_lacks_is_left_waiting(app: PgQueue) -> None:
    await app.enqueue("unknown")
    assert await drain(app, advance_clock=True) == {"released": 1}
    (task,) = assert_enqueued("unknown", status="queued")
    assert "no handler" in task.status_reason


async def test_a_handler_of_an_isolated_type_runs_here(app: PgQueue) -> None:
    ran = []
    app.task("t", isolation="process")(lambda: ran.append(1))
    await app.enqueue("t")
    assert await drain(app) == {"completed": 1}
    assert ran == [1]


async def test_what_does_not_end_is_given_up(app: PgQueue) -> None:
    @app.task("t")
    async def handler() -> None:
        await asyncio.Event().wait()

    id = await app.enqueue("t")
    with pytest.raises(TimeoutError, match=r"after 0\.3 s"):
        await drain(app, timeout=0.3)
    assert (await app.get(id)).status == "queued"


async def test_two_tests_do_not_see_each_other(app: PgQueue) -> None:
    assert_enqueued("t", count=0)
    assert set(app.types) == set()
