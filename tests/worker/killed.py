"""An app whose first attempts stop at a point of their payload's choosing, and wait there for ever.

Most points are inside the library, so its classes are wrapped here: in the worker process that
imports this app, and nowhere else.
"""

import asyncio
import os
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import psycopg
from pgqueue_worker.reports import transaction_pools
from pgqueue_worker.reports.checkpoints import Checkpoints
from pgqueue_worker.reports.completion import Completion

from pgqueue import Context, PgQueue

app = PgQueue()
GATES = Path(os.environ.get("TEST_GATES", "/nonexistent"))

POINTS = (
    "before the step",
    "in the step",
    "before its result is saved",
    "after its result is saved",
    "before the checkpoint",
    "after the checkpoint",
    "before the write",
    "after the write",
    "before the finish",
    "between the finish and the commit",
    "after the commit",
    "after the transaction",
)

_stop_at: ContextVar[tuple[str, str]] = ContextVar("stop_at", default=("", "nowhere"))


async def reached(point: str) -> None:
    """Wait to be killed, if this is where the attempt stops."""
    task_id, stop = _stop_at.get()
    if stop == point:
        (GATES / f"reached-{task_id}").touch()
        await asyncio.Event().wait()


def wrapped(before: str, call: Callable[..., Any], after: str = "") -> Callable[..., Any]:
    async def wrapper(*arguments: Any) -> Any:
        await reached(before)
        result = await call(*arguments)
        await reached(after)
        return result

    return wrapper


async def leave_and_lose_the_answer(self: psycopg.AsyncTransaction, *error: Any) -> Any:
    result = await _leave(self, *error)
    if _stop_at.get()[1] == "the answer is lost":
        message = "the connection is lost"
        raise psycopg.OperationalError(message)
    return result


_leave = psycopg.AsyncTransaction.__aexit__


def stop_inside_the_library() -> None:
    save = Checkpoints.save
    save_step = wrapped("before its result is saved", save, "after its result is saved")

    async def save_any(self: Checkpoints, task_id: str, lease: int, name: str, data: bytes) -> None:
        await (save_step if name else save)(self, task_id, lease, name, data)

    Checkpoints.save = save_any
    Completion.settle = wrapped("before the finish", Completion.settle)
    psycopg.AsyncTransaction.__aexit__ = wrapped(
        "between the finish and the commit", leave_and_lose_the_answer, "after the commit"
    )
    transaction_pools._MAX_SIZE = 50  # attempts that wait for ever keep their connections


if "TEST_GATES" in os.environ:
    stop_inside_the_library()


@app.task("killed")
async def killed(ctx: Context, payload: dict) -> None:
    async def call() -> str:
        with (GATES / f"called-{ctx.task_id}").open("a") as file:
            file.write("x")
        await reached("in the step")
        return "called"

    if ctx.attempt == 1:
        _stop_at.set((ctx.task_id, payload["point"]))
    await reached("before the step")
    assert await ctx.step("call", call) == "called"
    await reached("before the checkpoint")
    await ctx.checkpoint({"attempt": ctx.attempt})
    await reached("after the checkpoint")
    async with ctx.transaction() as conn:
        await reached("before the write")
        await conn.execute("insert into effect values (%s, %s)", (ctx.task_id, ctx.attempt))
        await reached("after the write")
        ctx.set_result(ctx.attempt)
    await reached("after the transaction")
