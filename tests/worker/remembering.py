"""The app of the tests of checkpoints, steps and transactions. Its effects are rows, one a call."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import psycopg

from pgqueue import Backoff, Context, PgQueue, Retry, Snooze

app = PgQueue()
GATES = Path(os.environ.get("TEST_GATES", "/nonexistent"))
NOW = Backoff(kind="fixed", base=0)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def mark(ctx: Context, name: str) -> None:
    """Leave a mark of this call of this task: a file that counts."""
    with (GATES / f"{name}-{ctx.task_id}").open("a") as file:
        file.write("x")


async def opened(name: str) -> None:
    while not (GATES / name).exists():
        await asyncio.sleep(0.01)


@app.task("resume", backoff=NOW)
async def resume(ctx: Context, payload: dict) -> object:
    """Count to 3, one a attempt, and end each attempt as the payload says."""
    done = (ctx.last_checkpoint or {"n": 0})["n"]
    if done == 3:
        return {"n": done, "attempt": ctx.attempt}
    await ctx.checkpoint({"n": done + 1})
    assert ctx.last_checkpoint == {"n": done + 1}
    match payload["by"]:
        case "raise":
            message = "again"
            raise LookupError(message)
        case "retry":
            return Retry(after=0)
        case "snooze":
            return Snooze(until=0)
        case _:
            return die()


@app.task("steps", max_attempts=5, backoff=NOW)
async def steps(ctx: Context, payload: dict) -> list:
    async def asynchronous(a: int, *, b: int) -> tuple:
        mark(ctx, "asynchronous")
        return (a, b)

    def plain() -> dict:
        mark(ctx, "plain")
        return {"ü": None}

    one = await ctx.step("asynchronous", asynchronous, 1, b=2)
    if ctx.attempt == 1:
        die()
    two = await ctx.step("plain", plain)
    if ctx.attempt == 2:
        message = "between"
        raise LookupError(message)
    again = await ctx.step("asynchronous", asynchronous, 7, b=7)
    three = await ctx.step("lambda", lambda: asynchronous(3, b=3))
    return [one, two, again, three]


@app.task("thread_steps", max_attempts=5, backoff=NOW)
def thread_steps(ctx: Context, payload: dict) -> list:
    async def asynchronous() -> int:
        await asyncio.sleep(0)
        mark(ctx, "asynchronous")
        return 1

    def plain(x: int) -> int:
        mark(ctx, "plain")
        return x

    values = [ctx.step("asynchronous", asynchronous), ctx.step("plain", plain, 2)]
    ctx.checkpoint([ctx.attempt, *(ctx.last_checkpoint or [])])
    if ctx.attempt == 1:
        die()
    if ctx.attempt == 2:
        message = "again"
        raise LookupError(message)
    return [*values, ctx.last_checkpoint]


@app.task("failing_step", backoff=NOW)
async def failing_step(ctx: Context, payload: dict) -> str:
    def once() -> str:
        mark(ctx, "once")
        if ctx.attempt == 1:
            message = "not yet"
            raise LookupError(message)
        return "done"

    return await ctx.step("once", once)


@app.task("save_when_opened", backoff=NOW)
async def save_when_opened(ctx: Context, payload: dict) -> str:
    (GATES / f"save-in-{ctx.attempt}").touch()
    if ctx.attempt == 1:
        await opened("save-out")
    await ctx.step("step", lambda: ctx.attempt)
    return "saved"


async def swallow(ctx: Context, conn: psycopg.AsyncConnection) -> None:
    with contextlib.suppress(psycopg.errors.DivisionByZero):
        await conn.execute("select 1 / 0")


async def throw(ctx: Context, conn: psycopg.AsyncConnection) -> None:
    message = "inside"
    raise LookupError(message)


async def roll_back(ctx: Context, conn: psycopg.AsyncConnection) -> None:
    raise psycopg.Rollback


async def die_at_first(ctx: Context, conn: psycopg.AsyncConnection) -> None:
    if ctx.attempt == 1:
        die()


INSIDE = {
    "die": die_at_first,
    "swallow": swallow,
    "raise": throw,
    "rollback": roll_back,
    "commit": lambda _, conn: conn.execute("commit"),
    "step": lambda ctx, _: ctx.step("step", int),
}


@app.task("write", max_attempts=5, backoff=NOW)
async def write(ctx: Context, payload: dict) -> object:
    ctx.log.info("before")
    ctx.progress(70, "writing")
    async with ctx.transaction() as conn:
        await conn.execute("insert into effect values (%s, %s)", (ctx.task_id, ctx.attempt))
        ctx.set_result({"attempt": ctx.attempt})
        if payload.get("gate"):
            (GATES / f"{payload['gate']}-in-{ctx.attempt}").touch()
            await opened(f"{payload['gate']}-out")
        if payload.get("inside"):
            await INSIDE[payload["inside"]](ctx, conn)
    match payload.get("after"):
        case "die":
            die()
        case "raise":
            message = "after"
            raise LookupError(message)
        case "report":
            ctx.log.info("too late")
            await ctx.save_artifact("late.txt", b"", "text/plain")
        case "sleep":
            await asyncio.sleep(3600)
    return payload.get("returns")


@app.task("thread_write", max_attempts=5, backoff=NOW)
def thread_write(ctx: Context, payload: dict) -> None:
    ctx.log.info("before")
    with ctx.transaction() as conn:
        conn.execute("insert into effect values (%s, %s)", (ctx.task_id, ctx.attempt))
        ctx.set_result(ctx.attempt)
        if ctx.attempt == 1:
            message = "inside"
            raise LookupError(message)


@app.task("chatty", max_attempts=1)
async def chatty(ctx: Context, payload: dict) -> None:
    async with ctx.transaction():
        for n in range(3_000):
            ctx.log.debug(str(n))


@app.task("thread_chatty", max_attempts=1)
def thread_chatty(ctx: Context, payload: dict) -> None:
    with ctx.transaction():
        for n in range(3_000):
            ctx.log.debug(str(n))


@app.task("deferred", max_attempts=1)
async def deferred(ctx: Context, payload: dict) -> None:
    async with ctx.transaction() as conn:
        await conn.execute("insert into checked values (1)")


@app.task("session", max_attempts=1)
async def session(ctx: Context, payload: dict) -> None:
    """Leave the connection as untidy as a handler can."""
    async with ctx.transaction() as conn:
        row = await (await conn.execute("show work_mem")).fetchone()
        ctx.set_result(list(row))
        await conn.execute("set work_mem = '77MB'")
        await conn.execute("create temp table mine (n int)")
        await conn.execute("insert into mine values (%s)", (1,), prepare=True)
        conn.row_factory = psycopg.rows.dict_row


def deep(levels: int) -> list:
    return [] if levels == 0 else [deep(levels - 1)]


def block(ctx: Context) -> None:
    with ctx.transaction():
        pass


async def enter_twice(ctx: Context) -> None:
    transaction = ctx.transaction()
    async with transaction, transaction:
        pass


WRONG = {
    "a result outside a transaction": lambda ctx: ctx.set_result(1),
    "a transaction that blocks the loop": block,
    "a transaction entered twice": enter_twice,
    "a result of a step that is not JSON": lambda ctx: ctx.step("step", object),
    "a step that wants to end the attempt": lambda ctx: ctx.step("step", Retry, 1),
    "a step without a name": lambda ctx: ctx.step("", int),
    "a step whose name cannot be stored": lambda ctx: ctx.step("\ud800", int),
    "a step that runs already": lambda ctx: asyncio.gather(ctx.step("a", int), ctx.step("a", int)),
    "a large checkpoint": lambda ctx: ctx.checkpoint("x" * 300_000),
    "a deep checkpoint": lambda ctx: ctx.checkpoint(deep(80)),
}


@app.task("wrong", max_attempts=1)
async def wrong(ctx: Context, payload: dict) -> None:
    doing = WRONG[payload["what"]](ctx)
    if doing is not None:
        await doing


for name in ("resume", "steps", "thread_steps", "write", "thread_write"):
    app.task(f"isolated_{name}", isolation="process", max_attempts=5, backoff=NOW)(
        app.types[name].handler
    )
