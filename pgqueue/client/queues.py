"""Queues and limits: set, paused and read."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pgqueue.client.calls import Part, given
from pgqueue.errors import NotFound
from pgqueue.models.queues.limit import Limit, Rate, as_setting
from pgqueue.models.queues.queue import Queue
from pgqueue.models.queues.retention import Retention
from pgqueue.models.tasks.backoff import Backoff
from pgqueue.models.values import seconds
from pgqueue.processes import shell_user

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta
    from types import EllipsisType

__all__ = ["Queues"]

_FIRST_LOOK_S = 0.05
_LOOK_S = 1.0


class Queues(Part):
    """The part of a client that is about queues and limits."""

    async def set_queue(
        self,
        name: str,
        *,
        max_attempts: int | EllipsisType | None = ...,
        retry: Backoff | EllipsisType | None = ...,
        ageing: timedelta | float | EllipsisType | None = ...,
        concurrency: int | EllipsisType | None = ...,
        rate: Rate | Sequence[Rate] | EllipsisType | None = ...,
        per_key: Limit | EllipsisType | None = ...,
        fairness: Mapping[str, int] | EllipsisType | None = ...,
        retention: Retention | EllipsisType | None = ...,
    ) -> None:
        """Set what is given of a queue's settings, making the queue if there is none.

        What is left out stays; ``None`` removes a setting. Types and tasks that say otherwise take
        precedence. ``ageing`` (in seconds or a ``timedelta``): how long a task waits for each step
        of priority that it gains. ``concurrency`` and ``rate`` hold over all workers; ``per_key``
        is what each ``limit_key`` is allowed that has no limit of its name: see ``set_limit``.
        With ``fairness`` keys take turns, each with one task, or as many as the mapping says.
        """
        settings = given(
            max_attempts=max_attempts,
            retry=retry.as_policy() if isinstance(retry, Backoff) else retry,
            ageing_s=ageing if ageing is ... else seconds(ageing, "ageing"),
            concurrency=concurrency,
            rate=_rate_setting(rate),
            per_key=per_key.as_setting() if isinstance(per_key, Limit) else per_key,
            fairness=fairness if fairness is None or fairness is ... else {"weights": {**fairness}},
            retention=retention.as_setting() if isinstance(retention, Retention) else retention,
        )
        await self._calls.rows("patch_queue", name=name, settings=settings, versions=None)

    async def queue(self, name: str) -> Queue:
        """Return a queue as it is now; ``NotFound`` if there is none."""
        row = await self._calls.row("get_queue", name=name)
        if row is None:
            raise NotFound(
                f"there is no queue {name!r}",
                hint="a queue exists once a task or a worker has named it",
            )
        return Queue(**row)

    async def pause(self, queue: str, reason: str | None = None, *, by: str | None = None) -> None:
        """Start no more tasks of a queue until ``resume``; those that run go on."""
        who = by or shell_user()
        await self._calls.rows("pause_queue", name=queue, reason=reason, paused_by=who)

    async def drain(
        self,
        queue: str,
        reason: str | None = None,
        *,
        by: str | None = None,
        timeout: timedelta | float | None = None,
    ) -> Queue:
        """Pause a queue and return it once none of its tasks runs, or once someone resumed it.

        ``TimeoutError`` when some still run after ``timeout``: it stays paused, and drains.
        """
        limit_s = seconds(timeout, "timeout")
        await self.pause(queue, reason, by=by)
        pause = _FIRST_LOOK_S
        async with asyncio.timeout(limit_s):
            while (drained := await self.queue(queue)).state == "draining":
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LOOK_S)
            return drained

    async def resume(self, queue: str) -> None:
        """Start the tasks of a paused queue again; ``NotFound`` if there is no such queue."""
        await self._calls.rows("resume_queue", name=queue)

    async def set_limit(
        self,
        name: str,
        *,
        concurrency: int | EllipsisType | None = ...,
        rate: Rate | Sequence[Rate] | EllipsisType | None = ...,
    ) -> None:
        """Limit all tasks with this ``limit_key``, over all queues and workers.

        It replaces what their queues allow each key. What is left out stays; ``None`` removes a
        part: with neither the key has no limit at all.
        """
        settings = given(concurrency=concurrency, rate=_rate_setting(rate))
        await self._calls.rows("patch_limit", name=name, settings=settings, versions=None)

    async def delete_limit(self, name: str) -> bool:
        """Limit a key by what its queues allow each key, again; False if it had no limit."""
        return bool(await self._calls.value("delete_limit", name=name, versions=None))


def _rate_setting(rate: Rate | Sequence[Rate] | EllipsisType | None) -> object:
    return rate if rate is None or rate is ... else as_setting(rate)
