"""Duties that move tokens: what is due becomes runnable, and what was lost runs again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from pgqueue_worker.duties.duty import FULL_STEP, SOON_S, Duty

if TYPE_CHECKING:
    from pgqueue.database.link import Link
    from pgqueue_worker.duties.duty import Tools
    from pgqueue_worker.duties.pooled_link import PooledLink

__all__ = ["DUTIES", "rescue"]

_log = structlog.get_logger("pgqueue.maintenance")

_PROMOTE_S = 0.25
_NOTHING_AGES_S = 10.0


async def rescue(link: Link | PooledLink, dead: list[int]) -> None:
    """Have the tasks of dead workers run again: of these, and of those whose lease ran out."""
    rescued, queues, task_ids = (await link.rows("rescue", {"dead": dead}))[0]
    if rescued:
        _log.warning("tasks_rescued", n=rescued, queues=queues)
        if queues:
            await link.rows("ring", {"queues": queues})
        await link.rows("announce_tasks", {"ids": task_ids})


async def _promote(tools: Tools) -> float | None:
    moved, queues, next_due_s = (await tools.link.rows("promote"))[0]
    if moved:
        tools.ring(queues)
        await tools.link.rows("ring", {"queues": queues})
    if next_due_s is None:
        return None
    return min(_PROMOTE_S, max(0.0, float(next_due_s)) + 0.001)


async def _unblock(tools: Tools) -> None:
    moved, queues = (await tools.link.rows("unblock_waiting"))[0]
    if moved:
        tools.ring(queues)
        await tools.link.rows("ring", {"queues": queues})


async def _rescue(tools: Tools) -> None:
    await rescue(tools.link, [])


async def _expire(tools: Tools) -> float | None:
    ((looked_at,),) = await tools.link.rows("expire")
    return SOON_S if looked_at >= FULL_STEP else None


async def _age(tools: Tools) -> float | None:
    ((raised,),) = await tools.link.rows("age_tasks")
    if raised is None:
        return _NOTHING_AGES_S
    return SOON_S if raised >= FULL_STEP else None


DUTIES = (
    Duty("promote", _promote, interval_s=_PROMOTE_S, urgent=True),
    Duty("unblock", _unblock, interval_s=0.25, urgent=True),
    # a lease that ran out while nobody could renew it says nothing about its worker
    Duty("rescue", _rescue, interval_s=1.0, settle_s=5.0, urgent=True),
    Duty("expire", _expire, interval_s=0.5, urgent=True),
    Duty("age", _age, interval_s=1.0, urgent=True),
)
