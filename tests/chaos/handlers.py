"""The app of the workers that are broken: handlers of other tests, and some with worse manners."""

import asyncio
import ctypes
import re

from pgqueue import Context, LeaseLost, PgQueue
from tests.worker import isolated
from tests.worker.handlers import GATES, NOW, opened, passed

app = PgQueue()
app.include(isolated.app)


@app.task("effect", max_attempts=5, backoff=NOW)
async def effect(ctx: Context, payload: dict) -> None:
    """Leave a row in the transaction that completes the task, and a mark if it is refused."""
    passed(f"effect-in-{ctx.attempt}")
    await opened("effect-out")
    try:
        async with ctx.transaction() as connection:
            await connection.execute("insert into effect values (%s)", (ctx.attempt,))
    except LeaseLost:
        passed(f"effect-refused-{ctx.attempt}")
        raise


@app.task("counted", max_attempts=5, backoff=NOW)
async def counted(ctx: Context, payload: dict) -> None:
    """Write down each execution, and take a while."""
    with (GATES / "executions").open("a") as file:
        file.write(f"{ctx.task_id}\n")
    await asyncio.sleep(0.1)


@app.task("match")
async def match(ctx: Context, payload: dict) -> None:
    """Hold the GIL, too: a regex that backtracks runs in C for seconds and never lets go of it."""
    passed("match-in")
    while not (GATES / "match-out").exists():
        re.match(r"(a+)+$", "a" * 25 + "b")


@app.task("careless", isolation="process", memory_limit="300MB", max_attempts=1, backoff=NOW)
def careless(ctx: Context, payload: dict) -> None:
    """Take memory as native code may that never looks whether it got any."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes = [ctypes.c_size_t]
    libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
    while True:
        libc.memset(libc.malloc(10_000_000), 1, 10_000_000)
