"""The app whose types have no environment: nothing that it imports may need one."""

import os
from pathlib import Path

from pgqueue import Context, PgQueue

app = PgQueue()


@app.task("bare", isolation="process", env=False, max_attempts=1)
def bare(ctx: Context, payload: dict) -> dict:
    with Path("/proc/self/environ").open() as initial:
        return {"env": sorted(os.environ), "initial": initial.read().split("\0"), "id": ctx.task_id}


@app.task("bare_transaction", isolation="process", env=False, max_attempts=1)
def bare_transaction(ctx: Context) -> None:
    with ctx.transaction():
        pass
