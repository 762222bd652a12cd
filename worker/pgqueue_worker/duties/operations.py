"""The duty that works on operations over many tasks, part by part."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from pgqueue_worker.duties.duty import SOON_S, Duty

if TYPE_CHECKING:
    from pgqueue_worker.duties.duty import Tools

__all__ = ["DUTIES"]

_log = structlog.get_logger("pgqueue.maintenance")

_INTERVAL_S = 1.0


async def _operations(tools: Tools) -> float | None:
    id, kind, state, error, _, next_due_s = (await tools.link.rows("run_operations"))[0]
    if error is not None:
        _log.error("operation_part_failed", id=str(id), kind=kind, state=state, error=error)
    elif state == "completed":
        _log.info("operation_completed", id=str(id), kind=kind)
    if next_due_s is None or next_due_s > _INTERVAL_S:
        return None
    # its pace is what the operation asked for, not a share of the time
    await asyncio.sleep(max(SOON_S, next_due_s))
    return 0


DUTIES = (Duty("operations", _operations, interval_s=_INTERVAL_S),)
