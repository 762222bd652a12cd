"""Duties about days: they are made ahead, and what has had its time goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pgqueue_worker.duties.duty import FULL_STEP, Duty

if TYPE_CHECKING:
    from pgqueue_worker.duties.duty import Tools

__all__ = ["DUTIES"]

_DAYS_AHEAD = 8
_HOUSEKEEPING_S = 600.0
_SLOTS_PRUNED = 5_000  # what prune_schedule_slots does at most in one call


async def _make_days(tools: Tools) -> None:
    await tools.link.rows("make_partitions", {"days": _DAYS_AHEAD})


async def _prune(tools: Tools) -> None:
    await tools.link.rows("prune")
    while (await tools.link.rows("prune_dead_letters"))[0][0]:
        pass
    while (await tools.link.rows("prune_schedule_slots"))[0][0] >= _SLOTS_PRUNED:
        pass
    while (await tools.link.rows("prune_dedup"))[0][0] >= FULL_STEP:
        pass


DUTIES = (
    Duty("make_days", _make_days, interval_s=_HOUSEKEEPING_S),
    Duty("prune", _prune, interval_s=_HOUSEKEEPING_S),
)
