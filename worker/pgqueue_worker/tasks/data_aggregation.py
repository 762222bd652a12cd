"""`data_aggregation`: group, filter and sum inline rows, CSV or JSON text with DuckDB.

The structured form runs in a thread: its SQL is ours and obeys DuckDB's memory limit and interrupt.
The user's own SQL runs in a child process (_sandbox.py says why).
"""

from __future__ import annotations

import asyncio
import contextlib

from pgqueue import Context

from ._aggregation.engine import Aggregation
from ._aggregation.models import AggregationPayload, AggregationResult
from ._sandbox import run_in_child, settled

__all__ = ["AggregationPayload", "AggregationResult", "data_aggregation"]

_MEMORY_BYTES = 1 << 30
_CPU_SECONDS = 120
_CHILD = "pgqueue_worker.tasks._aggregation.child"


async def data_aggregation(ctx: Context, payload: AggregationPayload) -> AggregationResult:
    """Aggregate the rows of the payload; the result is bounded to 10,000 rows and 200 kB.

    Raises InputRefused, which names the columns there are, for unknown columns, wrong types and bad
    SQL. When the task is cancelled or times out, the query has ended before this returns.
    """
    if payload.sql is None:
        result = await _run_in_thread(ctx, payload)
    else:
        request = payload.model_dump_json(by_alias=True, exclude_unset=True).encode()
        result, _ = await run_in_child(
            _CHILD, request, ctx.progress, memory_bytes=_MEMORY_BYTES, cpu_seconds=_CPU_SECONDS
        )
    answer = AggregationResult.model_validate(result)
    ctx.progress(100, f"{answer.row_count:,} result rows")
    return answer


async def _run_in_thread(ctx: Context, payload: AggregationPayload) -> object:
    run = Aggregation(payload, ctx.progress)
    thread = asyncio.ensure_future(asyncio.to_thread(run.run))
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        with contextlib.suppress(asyncio.CancelledError):
            await settled(thread, run.stop)
        thread.exception()
        raise
