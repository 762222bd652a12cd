"""A worker in the test's own process, on a real database."""

import asyncio
import functools
import os
import time
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pgqueue import Backoff, Cancel, Context, PgQueue, Retry, Snooze
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
    assert await drain(app, advance_clock=True) == {}
    (task,) = assert_enqueued("unknown", status="queued")
    assert task.attempt == 0


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


def _sync_wrapper(handler: Any) -> Any:
    @functools.wraps(handler)
    def wrapper(*args: Any) -> Any:
        request.set("of the wrapper")
        return handler(*args)

    return wrapper


request: ContextVar[str] = ContextVar("request", default="none")


async def test_what_a_wrapper_returns_is_awaited_and_what_yields_is_refused(app: PgQueue) -> None:
    @app.task("wrapped")
    @_sync_wrapper
    async def wrapped(ctx: Context, payload: dict) -> list:
        await asyncio.sleep(0)
        return [request.get(), payload["n"]]

    @app.task("forgot")
    async def forgot(payload: dict) -> Any:
        return wrapped(None, payload)

    @app.task("yields")
    @_sync_wrapper
    def yields(payload: dict) -> Any:
        yield payload

    ids = [await app.enqueue(type, {"n": 7}) for type in ("wrapped", "forgot", "yields")]
    assert await drain(app) == {"completed": 2, "failed": 1}
    tasks = [await app.get(id) for id in ids]
    assert [task.result for task in tasks[:2]] == [["of the wrapper", 7]] * 2
    assert tasks[2].status == "failed"
    assert "yields" in tasks[2].error["message"]


async def test_an_outcome_that_is_raised_is_as_one_that_is_returned(app: PgQueue) -> None:
    @app.task("retry", no_retry=(Exception,))
    async def retry(ctx: Context) -> str:
        if ctx.attempt == 1:
            raise Retry(after=1000, reason="busy")
        return "done"

    @app.task("snooze")
    def snooze(ctx: Context, payload: dict) -> str:
        if (ctx.run_at or ctx.attempt) == 1:
            raise Snooze(until=1000, reason="not yet")
        return "done"

    @app.task("cancel")
    async def cancel() -> None:
        raise Cancel

    ids = [await app.enqueue(type) for type in ("retry", "snooze", "cancel")]
    assert await drain(app) == {"failed": 1, "snoozed": 1, "cancelled": 1}
    tasks = [await app.get(id) for id in ids]
    assert [task.status for task in tasks] == ["retrying", "scheduled", "cancelled"]
    assert tasks[0].error["message"] == "busy"


async def test_handlers_with_limits_of_their_process_are_drained_in_this_one(app: PgQueue) -> None:
    @app.task("limited", isolation="process", memory_limit="512MB", cpu_limit=5, env=False)
    def limited(payload: dict) -> int:
        return os.getpid()

    @app.task("isolates")
    async def isolates(ctx: Context) -> int:
        return await ctx.run_isolated("tests.testing.test_drain:_pid", memory_limit="512MB")

    ids = [await app.enqueue(type) for type in ("limited", "isolates")]
    assert await drain(app) == {"completed": 2}
    assert (await app.get(ids[0])).result == os.getpid()


def _pid(ctx: Context) -> int:
    return os.getpid()
