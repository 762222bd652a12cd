"""Another app, with types of its own, whose tasks take so long that its backlog stays."""

from __future__ import annotations

import asyncio
from typing import Any

from pgqueue import Context, PgQueue

app = PgQueue()


@app.task("foreign")
async def foreign(ctx: Context, payload: dict[str, Any]) -> None:  # noqa: ARG001
    """Take a second."""
    await asyncio.sleep(1)
