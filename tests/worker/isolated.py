"""The app with the handlers that run in processes of their own, beside the others."""

import asyncio
import functools
import os
import signal
import subprocess
import time

from pgqueue import Cancel, Context, PgQueue
from tests.worker import handlers
from tests.worker.handlers import NOW, opened, passed

app = PgQueue()
app.include(handlers.app)


@app.task("isolated", isolation="process", backoff=NOW)
def isolated(ctx: Context, payload: dict) -> dict:
    ctx.progress(50, "half")
    ctx.log.info("in a process", pid=os.getpid())
    ctx.save_artifact("child.txt", b"from a child", "text/plain")
    passed(f"{payload.get('name', 'isolated')}-in-{ctx.attempt}")
    return {"pid": os.getpid(), "worker": os.getppid(), "attempt": ctx.attempt, **payload}


@app.task("isolated_async", isolation="process", backoff=NOW)
async def isolated_async(ctx: Context, payload: dict) -> dict:
    await ctx.progress(50, "half")
    ctx.log.info("in a process", pid=os.getpid())
    await ctx.save_artifact("child.txt", b"from a child", "text/plain")
    passed(f"{payload.get('name', 'isolated')}-in-{ctx.attempt}")
    await asyncio.sleep(0)
    return {"pid": os.getpid()}


@app.task("isolated_wrapped", isolation="process", backoff=NOW)
@functools.wraps(isolated_async)
def isolated_wrapped(*args: object) -> object:
    return isolated_async(*args)


@app.task("isolated_cancel", isolation="process")
def isolated_cancel(payload: dict) -> None:
    raise Cancel(reason=payload["why"])


@app.task("parents", isolation="process", backoff=NOW)
def parents(ctx: Context) -> dict:
    return {"of": [parent.id for parent in ctx.parents], "batch": ctx.batch_id}


@app.task("parents_async", isolation="process", backoff=NOW)
async def parents_async(ctx: Context) -> dict:
    return {"of": [parent.id for parent in await ctx.parents], "batch": ctx.batch_id}


@app.task("hang", isolation="process", timeout=0.2, max_attempts=1)
def hang(ctx: Context, payload: dict) -> None:
    """Never give way, in the manner asked for."""
    if payload.get("deaf"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if payload.get("child"):
        subprocess.Popen(["sleep", "3600"])
    passed(f"hang-{os.getpid()}")
    try:
        while True:
            time.sleep(0.01)
    except asyncio.CancelledError:
        passed("told-to-stop")
        raise


@app.task("hang_async", isolation="process", timeout=0.2, max_attempts=1)
async def hang_async(ctx: Context, payload: dict) -> None:
    passed(f"hang-{os.getpid()}")
    try:
        while payload.get("busy"):
            pass
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        passed("told-to-stop")
        raise


@app.task("wait", isolation="process", max_attempts=1)
async def wait(ctx: Context, payload: dict) -> str:
    passed(f"wait-{payload['name']}")
    await opened(f"{payload['name']}-out")
    return "through"


@app.task("greedy", isolation="process", memory_limit="300MB", max_attempts=1)
def greedy(ctx: Context, payload: dict) -> None:
    held = []
    while True:
        held.append(bytearray(10_000_000))


@app.task("die_alone", isolation="process", max_attempts=1)
def die_alone(ctx: Context, payload: dict) -> None:
    os.kill(os.getpid(), payload.get("signal", signal.SIGKILL))
