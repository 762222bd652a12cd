"""`data_aggregation`: group, filter and sum inline rows, CSV or JSON text, or a file, with DuckDB.

The structured form runs in a thread: its SQL is ours and obeys DuckDB's memory limit and interrupt.
The user's own SQL, and anything that reads a file, runs in a process of its own (_sandbox.py says
why).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from pgqueue import Context

from ._aggregation.engine import Aggregation
from ._aggregation.models import AggregationPayload, AggregationResult
from ._aggregation.source import fetched
from ._sandbox import sandboxed

__all__ = ["AggregationPayload", "AggregationResult", "data_aggregation"]

_CPU_SECONDS = 120
_FILE_CPU_SECONDS = 240


async def data_aggregation(ctx: Context, payload: AggregationPayload) -> AggregationResult:
    """Aggregate the rows of the payload; the result is bounded to 10,000 rows and 200 kB.

    Raise InputRefused, which names the existing columns, for unknown columns, wrong types and bad
    SQL. When the task is cancelled or times out, the query has ended before this returns.
    """
    if payload.artifact is not None:
        async with fetched(ctx, payload) as file:
            result = await _run_isolated(ctx, payload, file)
    elif payload.sql is None:
        result = await _run_in_thread(ctx, payload)
    else:
        result = await _run_isolated(ctx, payload, None)
    answer = AggregationResult.model_validate(result)
    ctx.progress(100, f"{answer.row_count:,} result rows")
    return answer


async def _run_isolated(
    ctx: Context, payload: AggregationPayload, file: dict[str, str] | None
) -> object:
    return await sandboxed(
        ctx,
        "_aggregation.engine:aggregate",
        payload,
        file,
        memory_limit="1GiB",
        cpu_limit=_CPU_SECONDS if file is None else _FILE_CPU_SECONDS,
    )


async def _run_in_thread(ctx: Context, payload: AggregationPayload) -> object:
    run = Aggregation(payload, ctx.progress)
    thread = asyncio.ensure_future(asyncio.to_thread(run.run))
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        with contextlib.suppress(asyncio.CancelledError):
            await _stopped(thread, run.stop)
        thread.exception()
        raise


async def _stopped(thread: asyncio.Future[Any], stop: Callable[[], object]) -> None:
    """Tell the thread to stop, every 20 ms, until it has: however often this task is cancelled."""
    cancelled = False
    while not thread.done():
        stop()
        try:
            await asyncio.wait({thread}, timeout=0.02)
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError
