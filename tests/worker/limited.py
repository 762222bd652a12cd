"""The app whose types have limits, and call functions in other processes."""

import os
import tempfile
import time

from pgqueue import Context, PgQueue
from tests.worker import isolated
from tests.worker import isolated_functions as functions

app = PgQueue()
app.include(isolated.app)


@app.task("computing", isolation="process", cpu_limit=1, timeout=60, max_attempts=1)
def computing(ctx: Context, payload: dict) -> dict:
    """Take as much processor time as told."""
    until = time.process_time() + payload["seconds"]
    while time.process_time() < until:
        pass
    return {"pid": os.getpid()}


@app.task("writing", isolation="process", file_limit="1KB", max_attempts=1)
def writing(ctx: Context, payload: dict) -> int:
    with tempfile.TemporaryFile() as file:
        return file.write(b"x" * payload["size"])


@app.task("calls", max_attempts=1)
async def calls(ctx: Context, payload: dict) -> dict:
    return {"pid": await ctx.run_isolated(functions.pid)}


@app.task("calls_in_a_thread", max_attempts=1, timeout=60)
def calls_in_a_thread(ctx: Context, payload: dict) -> dict:
    function = functions.waiting if payload.get("wait") else functions.pid
    return {"pid": ctx.run_isolated(function)}


@app.task("calls_in_a_child", isolation="process", max_attempts=1)
def calls_in_a_child(ctx: Context) -> None:
    ctx.run_isolated(functions.pid)
