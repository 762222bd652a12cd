"""The app whose handlers come to an end whatever they are given, for calls made up at random."""

from pydantic import BaseModel

from pgqueue import Context, PgQueue

app = PgQueue()


class Order(BaseModel):
    number: int


@app.task("echo")
async def echo(ctx: Context, payload: dict) -> dict:
    return payload


@app.task("order")
async def order(ctx: Context, payload: Order) -> Order:
    return payload


@app.task("fail")
async def fail(ctx: Context, payload: dict) -> None:
    """Fail once: a task may have been given a thousand attempts."""
    if ctx.attempt == 1:
        raise LookupError(payload)


@app.task("webhook_processing")
async def webhook_processing(ctx: Context, payload: dict) -> dict:
    """Take what comes to /v1/hooks."""
    return payload
