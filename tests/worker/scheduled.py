"""An app that declares schedules, as the environment says."""

import os

import orjson

from pgqueue import Context, PgQueue

app = PgQueue()


@app.task("due")
async def due(ctx: Context, payload: dict) -> str | None:
    return None if ctx.run_at is None else ctx.run_at.isoformat()


@app.task("due-apart", isolation="process")
def due_apart(ctx: Context, payload: dict) -> str | None:
    return None if ctx.run_at is None else ctx.run_at.isoformat()


for name, options in orjson.loads(os.environ.get("TEST_SCHEDULES", "{}")).items():
    app.schedule(name, "due", **options)
