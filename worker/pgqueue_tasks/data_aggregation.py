"""`data_aggregation`: group, filter and sum inline rows, CSV or JSON text, or a file, with DuckDB.

All of it runs in a process of its own (_sandbox.py says why): reading a user's text takes memory
and time in Python, too, before DuckDB's limits count.
"""

from __future__ import annotations

from contextlib import nullcontext

from pgqueue import Context

from ._aggregation.models import AggregationPayload, AggregationResult
from ._aggregation.source import fetched
from ._sandbox import sandboxed

__all__ = ["AggregationPayload", "AggregationResult", "data_aggregation"]

_MEMORY = "1GiB"
_CPU_SECONDS = 120
_FILE_CPU_SECONDS = 240


async def data_aggregation(ctx: Context, payload: AggregationPayload) -> AggregationResult:
    """Aggregate the rows of the payload; the result is bounded to 10,000 rows and 200 kB.

    Raise InputRefused, which names the existing columns, for unknown columns, wrong types, bad SQL,
    and for what needs more than 1 GiB of memory, 120 s of processor time, or 240 s for a file.
    """
    async with nullcontext() if payload.artifact is None else fetched(ctx, payload) as file:
        result = await sandboxed(
            ctx,
            "_aggregation.engine:aggregate",
            payload,
            file,
            memory_limit=_MEMORY,
            cpu_limit=_CPU_SECONDS if file is None else _FILE_CPU_SECONDS,
        )
    answer = AggregationResult.model_validate(result)
    ctx.progress(100, f"{answer.row_count:,} result rows")
    return answer
