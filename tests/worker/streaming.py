"""The app of the tests of `ctx.stream`."""

from pgqueue import Context, PgQueue
from tests.worker.handlers import NOW, opened, passed

app = PgQueue()


@app.task("tokens", max_attempts=2, backoff=NOW)
async def tokens(ctx: Context, payload: dict) -> int:
    """Stream a word at a time, with log lines around, and end at once."""
    ctx.log.info("before")
    for n in range(payload["n"]):
        await ctx.stream(f"word{n} ")
    ctx.log.info("after")
    ctx.stream("the end\0\ud800")
    if ctx.attempt < payload.get("until", 1):
        message = "again"
        raise LookupError(message)
    return payload["n"]


@app.task("tokens_in_thread")
def tokens_in_thread(ctx: Context, payload: dict) -> None:
    for n in range(payload["n"]):
        ctx.stream(f"word{n} ")


@app.task("tokens_in_process", isolation="process")
def tokens_in_process(ctx: Context, payload: dict) -> None:
    for n in range(payload["n"]):
        ctx.stream(f"word{n} ")


@app.task("slow_tokens")
async def slow_tokens(ctx: Context, payload: dict) -> None:
    ctx.stream("first")
    ctx.stream("second")
    passed("streamed")
    await opened("streaming-out")
