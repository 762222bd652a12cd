"""Background duties that any supervisor may do, each on its own loop: none holds up another.

Two that meet do no harm: the database lets one through or makes them share.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import structlog

from pgqueue.database import Link
from pgqueue.errors import DatabaseUnavailable, PgQueueError
from pgqueue_worker.retrying import Patience

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Duty = Callable[[Link], Awaitable[float]]

_log = structlog.get_logger("pgqueue.maintenance")

_PROMOTE_S = 0.25
_RESCUE_S = 1.0
_EXPIRE_S = 0.5
_FOLD_S = 10.0
_SAMPLE_S = 2.0
_LETTERS_S = 10.0
_OPERATIONS_S = 1.0
_OPERATING_S = 0.05
_AGE_S = 1.0
_NOTHING_AGES_S = 10.0
_HOUSEKEEPING_S = 600.0
_FULL_STEP = 1_000  # what age_tasks and prune_dedup do at most in one call
_SHARE = 20  # a duty that took t runs again after 20 t at the earliest
_DAYS_AHEAD = 8


class Maintenance:
    """The duties of one supervisor."""

    def __init__(
        self,
        dsn: str,
        ring: Callable[[list[str]], None],
        on_samples: Callable[[list[tuple[Any, ...]]], None],
        on_letters: Callable[[list[tuple[Any, ...]]], None],
    ) -> None:
        self._dsn = dsn
        self._ring = ring
        self._on_samples = on_samples
        self._on_letters = on_letters

    async def run(self) -> None:
        """Do them all, for ever."""
        duties: dict[str, Duty] = {
            "promote": self._promote,
            "rescue": self._rescue,
            "expire": self._expire,
            "fold": self._fold,
            "sample": self._sample,
            "letters": self._letters,
            "operations": self._operations,
            "age": self._age,
            "housekeeping": self._housekeeping,
        }
        async with asyncio.TaskGroup() as group:
            for name, duty in duties.items():
                group.create_task(self._repeat(name, duty))

    async def _repeat(self, name: str, duty: Duty) -> None:
        loop = asyncio.get_running_loop()
        link = Link(self._dsn, f"pgqueue {name}")
        patience = Patience(name)
        try:
            while True:
                began = loop.time()
                try:
                    pause = await duty(link)
                except DatabaseUnavailable as error:
                    await patience.failed(error)
                    continue
                except PgQueueError as error:
                    _log.error("duty_failed", duty=name, error=str(error))
                    pause = 5.0
                else:
                    patience.succeeded()
                pause = max(pause, _SHARE * (loop.time() - began)) if pause else 0
                await asyncio.sleep(pause * (0.9 + random.random() / 5))  # noqa: S311
        finally:
            await link.close()

    async def _promote(self, link: Link) -> float:
        moved, queues, next_due_s = (await link.rows("promote"))[0]
        if moved:
            self._ring(queues)
            await link.rows("ring", {"queues": queues})
        if next_due_s is None:
            return _PROMOTE_S
        return min(_PROMOTE_S, max(0.0, float(next_due_s)) + 0.001)

    async def _rescue(self, link: Link) -> float:
        await rescue(link, [])
        return _RESCUE_S

    async def _expire(self, link: Link) -> float:
        ((looked_at,),) = await link.rows("expire")
        return 0.05 if looked_at >= 1_000 else _EXPIRE_S

    async def _fold(self, link: Link) -> float:
        ((folded,),) = await link.rows("fold_rollups")
        return 0.05 if folded >= 20_000 else _FOLD_S

    async def _age(self, link: Link) -> float:
        ((raised,),) = await link.rows("age_tasks")
        if raised is None:
            return _NOTHING_AGES_S
        return 0.05 if raised >= _FULL_STEP else _AGE_S

    async def _sample(self, link: Link) -> float:
        await link.rows("sample_queues")
        self._on_samples(await link.rows("read_samples"))
        return _SAMPLE_S

    async def _letters(self, link: Link) -> float:
        for kind, queue, message, data in await link.rows("watch_dead_letters"):
            growing = kind == "dead_letters_growing"
            say = _log.warning if growing else _log.info
            say(kind, queue=queue, said=message, last_hour=data["last_hour"])
        self._on_letters(await link.rows("read_dead_letter_levels"))
        return _LETTERS_S

    async def _operations(self, link: Link) -> float:
        id, kind, state, error, _, next_due_s = (await link.rows("run_operations"))[0]
        if error is not None:
            _log.error("operation_part_failed", id=str(id), kind=kind, state=state, error=error)
        elif state == "completed":
            _log.info("operation_completed", id=str(id), kind=kind)
        if next_due_s is None or next_due_s > _OPERATIONS_S:
            return _OPERATIONS_S
        # throttled by itself: its pace is what was asked for, not a share of the time
        await asyncio.sleep(max(_OPERATING_S, next_due_s))
        return 0

    async def _housekeeping(self, link: Link) -> float:
        await link.rows("make_partitions", {"days": _DAYS_AHEAD})
        await link.rows("prune")
        while (await link.rows("prune_dead_letters"))[0][0]:
            pass
        while (await link.rows("prune_dedup"))[0][0] >= _FULL_STEP:
            pass
        return _HOUSEKEEPING_S


async def rescue(link: Link, dead: list[int]) -> None:
    """Take the tasks of dead workers, the named ones and those whose lease ran out."""
    rescued, queues, task_ids = (await link.rows("rescue", {"dead": dead}))[0]
    if rescued:
        _log.warning("tasks_rescued", n=rescued, queues=queues)
        if queues:
            await link.rows("ring", {"queues": queues})
        await link.rows("announce_tasks", {"ids": task_ids})
