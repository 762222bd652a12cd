"""The scheduler: enqueues the tasks of due schedules. Any number may run at once; none leads.

A batch is one transaction: it locks due schedules (each scheduler gets others), computes their
times, and enqueues and advances them in one call. One that dies in between leaves them due.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson

from pgqueue.planning import DueSchedule, Plan, plan
from pgqueue_worker.duties.duty import SOON_S, Duty

if TYPE_CHECKING:
    from pgqueue_worker.duties.duty import Tools

__all__ = ["DUTIES"]

_INTERVAL_S = 0.5
_BATCH = 500
_MAX_SLOTS = 5_000  # of a batch: a schedule may bring a thousand


async def _schedules(tools: Tools) -> float | None:
    link = tools.link
    rows = await link.rows("next_schedule")
    if not rows:
        return None
    wait_s = float(rows[0][0])
    if wait_s > 0:
        return min(_INTERVAL_S, wait_s + 0.001)

    async with link.transaction() as held:
        taken = await held.rows("due_schedules", {"max_schedules": _BATCH})
        if not taken:
            return SOON_S  # others have locked them
        # in a thread: an expression may take a while, and this one sends heartbeats
        plans = await asyncio.to_thread(_plan, taken)
        fired = await held.rows("fire_schedules", {"plans": orjson.dumps(plans).decode()})
    ((_, task_ids, queues),) = fired
    if queues:
        tools.ring(queues)
        await link.rows("ring_submitted", {"queues": queues, "ids": task_ids})
    return 0


def _plan(rows: list[tuple[Any, ...]]) -> list[Plan]:
    plans: list[Plan] = []
    slots = 0
    for row in rows:
        planned = plan(DueSchedule(*row))
        slots += len(planned.get("slots", ()))
        if plans and slots > _MAX_SLOTS:
            break  # the others stay due
        plans.append(planned)
    return plans


DUTIES = (Duty("schedules", _schedules, interval_s=_INTERVAL_S, urgent=True),)
