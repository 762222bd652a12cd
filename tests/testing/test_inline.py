"""Tasks that run as they are enqueued."""

import asyncio
import functools
import threading
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from pgqueue import (
    Cancel,
    Conflict,
    Context,
    NotFound,
    PayloadError,
    PgQueue,
    Retry,
    Snooze,
    UsageError,
)
from pgqueue.testing import assert_enqueued, inline


class Order(BaseModel):
    order: int


@pytest.fixture
def app() -> PgQueue:
    """An app whose database is not there: nothing may look for it."""
    return PgQueue("host=/nonexistent")


async def test_a_task_has_run_when_enqueue_returns(app: PgQueue) -> None:
    @app.task("t", queue="email", max_attempts=4)
    async def handler(ctx: Context, payload: Order) -> dict:
        ctx.log.info("sending", order=payload.order)
        await ctx.progress(50, "half")
        await ctx.stream("dear ")
        ctx.stream("reader")
        await ctx.save_artifact("mail.txt", b"dear", "text/plain")
        return {"sent": payload.order, "by": (ctx.type, ctx.queue, ctx.attempt, ctx.max_attempts)}

    async with inline(app) as ran:
        id = await app.enqueue("t", Order(order=7), priority="high", delay=timedelta(days=1))
        task = await app.get(id)
        assert await app.wait(id) == task
    run = ran[id]
    assert (run.status, run.attempt, run.outcomes) == ("completed", 1, ["completed"])
    assert run.result == {"sent": 7, "by": ["t", "email", 1, 4]}
    assert run.logs == [("info", "sending", {"order": 7})]
    assert run.progress == [(50.0, "half")]
    assert run.text == "dear reader"
    assert run.artifacts == {"mail.txt": (b"dear", "text/plain")}
    assert (task.id, task.result, task.payload, task.priority) == (id, run.result, {"order": 7}, 2)


async def test_a_failure_is_kept_and_the_next_attempt_comes_when_asked_for(app: PgQueue) -> None:
    @app.task("t", max_attempts=2)
    def handler(ctx: Context) -> None:
        message = f"attempt {ctx.attempt}"
        raise LookupError(message)

    async with inline(app) as ran:
        id = await app.enqueue("t")
        run = ran[id]
        assert (run.status, run.attempt) == ("retrying", 1)
        assert (type(run.exception), str(run.exception)) == (LookupError, "attempt 1")
        assert (run.error["type"], run.error["message"]) == ("LookupError", "attempt 1")
        assert "raise LookupError(message)" in run.error["traceback"]
        with pytest.raises(TimeoutError):
            await app.wait(id)
        await ran.again(id)
        assert (run.status, run.attempt, run.error["message"]) == ("failed", 2, "attempt 2")
        with pytest.raises(Conflict):
            await ran.again(id)
        assert await app.retry(id) == "retrying"
        assert (run.attempt, run.max_attempts) == (3, 4)
        assert await app.cancel(id, "enough") == "cancelled"
        assert (await app.get(id)).status_reason == "enough"


async def test_errors_are_raised_where_that_is_asked_for(app: PgQueue) -> None:
    @app.task("t")
    async def handler() -> None:
        raise LookupError

    async with inline(app, raise_errors=True) as ran:
        with pytest.raises(LookupError):
            await app.enqueue("t")
        assert ran.runs[0].status == "retrying"


@pytest.mark.parametrize(
    ("value", "status", "attempt"),
    [
        (Retry(after=5), "retrying", 1),
        (Snooze(until=5, reason="later"), "scheduled", 0),
        (Cancel("not needed"), "cancelled", 1),
        (object(), "failed", 1),
    ],
)
async def test_outcomes_end_an_attempt_as_on_a_worker(
    app: PgQueue, value: object, status: str, attempt: int
) -> None:
    @app.task("t")
    async def handler() -> object:
        return value

    async with inline(app) as ran:
        run = ran[await app.enqueue("t")]
    assert (run.status, run.attempt) == (status, attempt)


async def test_an_exception_that_is_not_retried_ends_the_task(app: PgQueue) -> None:
    @app.task("t", no_retry=(LookupError,))
    async def handler() -> None:
        raise KeyError

    async with inline(app) as ran:
        assert ran[await app.enqueue("t")].status == "failed"


async def test_a_handler_that_takes_too_long_times_out(app: PgQueue) -> None:
    @app.task("t", timeout=0.02)
    async def handler() -> None:
        await asyncio.Event().wait()

    async with inline(app) as ran:
        run = ran[await app.enqueue("t")]
    assert run.outcomes == ["timed_out"]
    assert run.error["message"] == "not done within 0.02 s"


async def test_a_payload_is_checked_when_enqueued_and_decoded_when_run(app: PgQueue) -> None:
    got = []

    @app.task("t")
    async def handler(payload: Order) -> None:
        got.append(payload)

    async with inline(app) as ran:
        with pytest.raises(PayloadError):
            await app.enqueue("t", {"order": "x"})
        await app.enqueue("t", {"order": 7})
        assert got == [Order(order=7)]
        with pytest.raises(UsageError, match="no handler"):
            await app.enqueue("unknown")
        with pytest.raises(NotFound):
            await app.get("01a20000-0000-7000-8000-000000000000")
    assert len(ran.runs) == 1


async def test_a_plain_function_runs_in_a_thread(app: PgQueue) -> None:
    @app.task("t")
    def handler(ctx: Context) -> str:
        ctx.save_artifact("a", b"", "x/y")
        ctx.checkpoint({"page": 3})
        return threading.current_thread().name

    async with inline(app) as ran:
        run = ran[await app.enqueue("t")]
    assert run.result != threading.current_thread().name
    assert set(run.artifacts) == {"a"}


async def test_steps_and_checkpoints_reach_the_next_attempt(app: PgQueue) -> None:
    calls = []

    @app.task("t")
    async def handler(ctx: Context) -> list:
        before = ctx.last_checkpoint
        step = await ctx.step("charge", calls.append, ctx.attempt)
        await ctx.checkpoint({"attempt": ctx.attempt})
        if ctx.attempt == 1:
            raise ConnectionError
        return [before, step]

    async with inline(app) as ran:
        run = await ran.again(await app.enqueue("t"))
    assert (run.result, calls) == ([{"attempt": 1}, None], [1])


async def test_a_transaction_says_that_there_is_no_database(app: PgQueue) -> None:
    @app.task("t")
    async def handler(ctx: Context) -> None:
        async with ctx.transaction():
            pass

    async with inline(app, raise_errors=True):
        with pytest.raises(UsageError, match="drain"):
            await app.enqueue("t")


async def test_a_task_enqueued_by_a_handler_runs_too(app: PgQueue) -> None:
    @app.task("first")
    async def first() -> None:
        await app.enqueue_many([{"type": "second", "payload": {"n": n}} for n in range(2)])

    @app.task("second")
    async def second(payload: dict) -> int:
        return payload["n"]

    async with inline(app) as ran:
        await app.enqueue("first")
        assert_enqueued("second", payload={"n": 1}, status="completed")
    assert [(run.type, run.result) for run in ran.runs] == [
        ("first", None),
        ("second", 0),
        ("second", 1),
    ]


async def test_the_app_is_itself_again_afterwards(app: PgQueue) -> None:
    before = dict(vars(app))
    with pytest.raises(ZeroDivisionError):
        async with inline(app):
            raise ZeroDivisionError
    assert vars(app) == before


async def test_a_wrapper_is_awaited_and_a_raised_outcome_is_no_error(app: PgQueue) -> None:
    async def handler(ctx: Context, payload: dict) -> str:
        if ctx.attempt == 1:
            raise Retry(after=5, reason="busy")
        return payload["say"]

    @app.task("t")
    @functools.wraps(handler)
    def wrapper(*args: Any) -> Any:
        return handler(*args)

    async with inline(app, raise_errors=True) as ran:
        id = await app.enqueue("t", {"say": "hello"})
        assert (ran[id].status, ran[id].error) == (
            "retrying",
            {"type": "Retry", "message": "busy"},
        )
        assert (await ran.again(id)).result == "hello"
