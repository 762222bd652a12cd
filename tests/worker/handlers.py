"""The app that the tests' workers run. Handlers wait at gates, never for a time, but for a nap."""

import asyncio
import os
import threading
from pathlib import Path

from pydantic import BaseModel

from pgqueue import Backoff, Cancel, Context, PgQueue, Retry, Snooze

app = PgQueue()
GATES = Path(os.environ.get("TEST_GATES", "/nonexistent"))
NOW = Backoff(kind="fixed", base=0)


class Order(BaseModel):
    number: int


def passed(name: str) -> None:
    """Leave a mark that a test waits for."""
    (GATES / name).touch()


async def opened(name: str) -> None:
    """Wait for a test to open a gate."""
    while not (GATES / name).exists():
        await asyncio.sleep(0.01)


@app.task("echo", backoff=NOW)
async def echo(ctx: Context, payload: dict) -> dict:
    return {"payload": payload, "attempt": ctx.attempt, "type": ctx.type, "queue": ctx.queue}


@app.task("talkative", max_attempts=1)
async def talkative(ctx: Context, payload: dict) -> None:
    for n in range(payload["lines"]):
        ctx.log.info("line", n=n)


@app.task("nap")
async def nap(ctx: Context, payload: dict) -> None:
    """Take a while, for tests that measure how many do at once."""
    await asyncio.sleep(payload["seconds"])


@app.task("slowed")
async def slowed(ctx: Context, payload: dict) -> object:
    """Hear that a service wants to be left alone, the first time."""
    if ctx.attempt > 1:
        return "sent"
    return Retry(after=payload.get("after", 1), slow=payload["slow"], reason="429")


@app.task("plain")
def plain(ctx: Context, payload: dict) -> str:
    ctx.progress(50, "half")
    ctx.log.info("in a thread", thread=threading.current_thread().name)
    ctx.save_artifact("thread.txt", b"from a thread", "text/plain")
    return threading.current_thread().name


@app.task("order")
async def order(ctx: Context, payload: Order) -> Order:
    return Order(number=payload.number + 1)


@app.task("gate", max_attempts=5, backoff=NOW)
async def gate(ctx: Context, payload: dict) -> str:
    passed(f"{payload['name']}-in-{ctx.attempt}")
    await opened(f"{payload['name']}-out")
    return "through"


@app.task("report")
async def report(ctx: Context, payload: dict) -> str:
    for step in range(1, 4):
        message = f"step {step}"
        ctx.log.info(message, step=step)
        await ctx.progress(step * 25, f"step {step}")
    await ctx.save_artifact("note.txt", b"hello", "text/plain")
    await opened("report-out")
    return "reported"


@app.task("fail", backoff=NOW)
async def fail(ctx: Context, payload: dict) -> None:
    if ctx.attempt <= payload.get("times", 99):
        message = f"attempt {ctx.attempt}"
        raise LookupError(message)


@app.task("final", no_retry=(KeyError,))
async def final(ctx: Context, payload: dict) -> None:
    raise KeyError("never again")


@app.task("slow", timeout=0.2, max_attempts=1)
async def slow(ctx: Context, payload: dict) -> None:
    await asyncio.sleep(3600)


@app.task("deaf", timeout=0.2, max_attempts=1)
async def deaf(ctx: Context, payload: dict) -> None:
    """Swallow the first cancel, obey the second."""
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        await asyncio.sleep(3600)


@app.task("stubborn", timeout=0.2, max_attempts=1)
def stubborn(ctx: Context, payload: dict) -> None:
    """A thread that does not know of cancels."""
    while not (GATES / "stubborn-out").exists():
        threading.Event().wait(0.01)


@app.task("immortal", timeout=0.2, max_attempts=1)
async def immortal(ctx: Context, payload: dict) -> str:
    """Swallow every cancel."""
    passed("immortal-in")
    while not (GATES / "immortal-out").exists():
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            passed("immortal-cancelled")
    return "too late"


@app.task("stuck", timeout=0.2, backoff=NOW)
async def stuck(ctx: Context, payload: dict) -> str:
    """Block the event loop, the first time."""
    if ctx.attempt == 1 or payload.get("always"):
        passed(f"stuck-in-{ctx.attempt}")
        while True:
            pass
    return "through"


@app.task("retry")
async def retry(ctx: Context, payload: dict) -> object:
    return "done" if ctx.attempt > 1 else Retry(after=0, reason="not yet")


@app.task("snooze", max_attempts=1)
async def snooze(ctx: Context, payload: dict) -> object:
    mark = GATES / "snoozed"
    if mark.exists():
        return ctx.attempt
    mark.touch()
    return Snooze(until=0, reason="later")


@app.task("quit")
async def quit_(ctx: Context, payload: dict) -> object:
    return Cancel("no use")


@app.task("die")
async def die(ctx: Context, payload: dict) -> None:
    os._exit(1)


@app.task("block")
async def block(ctx: Context, payload: dict) -> str:
    """Hold the event loop itself until the gate opens."""
    passed("block-in")
    while not (GATES / "block-out").exists():
        pass
    return "unharmed"


@app.task("ledger", max_attempts=5, backoff=NOW)
async def ledger(ctx: Context, payload: dict) -> int:
    """Write down each execution, as the ledger checker wants it."""
    await asyncio.sleep(payload.get("seconds", 0))
    return ctx.lease_id


leaked: dict[str, str] = {}


@app.task("environment")
async def environment(ctx: Context, payload: dict) -> dict:
    return {"value": os.environ.get(payload["name"])}
