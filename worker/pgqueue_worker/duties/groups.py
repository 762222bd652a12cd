"""Duties for groups of tasks: fold the counts of batches, and follow up on many endings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pgqueue_worker.duties.duty import FULL_STEP, SOON_S, Duty

if TYPE_CHECKING:
    from pgqueue_worker.duties.duty import Tools

__all__ = ["DUTIES"]

_FULL_FOLD = 20_000
_BUSY_S = 0.25  # what is not folded is added up by each call that ends a task


async def _fold_batches(tools: Tools) -> float | None:
    ((folded,),) = await tools.link.rows("fold_batches")
    if folded >= _FULL_FOLD:
        return SOON_S
    return _BUSY_S if folded else None


async def _follow_up(tools: Tools) -> float | None:
    ((followed,),) = await tools.link.rows("follow_up")
    return SOON_S if followed >= FULL_STEP else None


DUTIES = (
    Duty("fold_batches", _fold_batches, interval_s=1.0, urgent=True),
    Duty("follow_up", _follow_up, interval_s=1.0, urgent=True),
)
