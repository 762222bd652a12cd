"""The app that pgqueue's worker runs here, and what every system's handlers share."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

from bench.systems import STARTS
from pgqueue import Context, PgQueue

app = PgQueue()

_starts = (
    os.open(os.environ[STARTS], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    if STARTS in os.environ
    else None
)


def note_start(number: int) -> None:
    """Note that the task of this number starts now, by the machine's monotonic clock."""
    if _starts is not None:
        os.write(_starts, b"%d %d\n" % (number, time.monotonic_ns()))


@app.task("noop")
async def noop(ctx: Context, payload: dict[str, Any]) -> None:
    """Complete at once."""


@app.task("stamp")
async def stamp(ctx: Context, payload: dict[str, Any]) -> None:  # noqa: ARG001
    """Note when it starts."""
    note_start(payload["i"])


@app.task("forever")
async def forever(ctx: Context, payload: dict[str, Any]) -> None:  # noqa: ARG001
    """Note the start, and stay until killed."""
    note_start(0)
    await asyncio.Event().wait()
