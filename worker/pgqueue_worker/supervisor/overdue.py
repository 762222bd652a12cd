"""Ends the attempts of a process that was killed because a handler blocked its event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from pgqueue.handlers.ending import Ending
from pgqueue.handlers.failure import Failure
from pgqueue.models.tasks.status import Outcome

if TYPE_CHECKING:
    from pgqueue.database.link import Link

__all__ = ["settle_overdue"]

_TIMED_OUT = Ending(
    Outcome.TIMED_OUT,
    error=Failure(
        type="TimedOut",
        message="not done in time, and its process could not act: a handler blocked it",
    ),
)
_RELEASED = Ending(
    Outcome.RELEASED, reason="its process was ended: a handler blocked it past a timeout"
)


async def settle_overdue(link: Link, worker_id: int, overdue: set[int]) -> None:
    """End the attempts of a dead worker: overdue ones as timed out, the others without a charge."""
    held = await link.rows("held_by", {"worker": worker_id})
    results = [
        {
            "task_id": task_id,
            "lease_id": lease_id,
            **(_TIMED_OUT if lease_id in overdue else _RELEASED).as_json(),
        }
        for task_id, lease_id, _ in held
    ]
    await link.rows(
        "finish_attempts",
        {"results": orjson.dumps(results).decode(), "task_ids": [], "lease_ids": []},
    )
    await link.rows("set_worker_state", {"worker": worker_id, "state": "stopped"})
    await link.rows("ring", {"queues": sorted({queue for *_, queue in held})})
    await link.rows("announce_tasks", {"ids": [task_id for task_id, *_ in held]})
