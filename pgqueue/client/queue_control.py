"""Queues and limits as a client sets, pauses and reads them."""

from __future__ import annotations

import asyncio
import getpass
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from pgqueue.database.queries import query
from pgqueue.errors import NotFound
from pgqueue.models.backoff import Backoff
from pgqueue.models.limit import Limit, Rate, as_setting
from pgqueue.models.queue import Queue
from pgqueue.models.retention import Retention
from pgqueue.models.values import encode, seconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import timedelta
    from types import EllipsisType

    import psycopg


__all__ = ["QueueControl"]

_FIRST_LOOK_S = 0.05
_LOOK_S = 1.0


class QueueControl(ABC):
    """The part of ``PgQueue`` that is about queues."""

    @abstractmethod
    def _connection(self) -> AbstractAsyncContextManager[psycopg.AsyncConnection[Any]]:
        """Lend a connection of the client's."""

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

        What is left out stays; ``None`` takes a setting away. Types and tasks that say otherwise
        come first. ``ageing`` (in seconds or a ``timedelta``): how long a task waits for each step
        of priority that it gains. ``concurrency`` and ``rate`` hold over all workers; ``per_key``
        is what each ``limit_key`` is allowed that has no limit of its name: see ``set_limit``.
        With ``fairness`` keys take turns, each with one task, or as many as the mapping says.
        """
        policy = retry.as_policy() if isinstance(retry, Backoff) else retry
        ageing_s = ageing if ageing is ... else seconds(ageing)
        given = {
            "max_attempts": max_attempts,
            "retry": policy,
            "ageing_s": ageing_s,
            "concurrency": concurrency,
            "rate": rate if rate is None or rate is ... else as_setting(rate),
            "per_key": per_key.as_setting() if isinstance(per_key, Limit) else per_key,
            "fairness": fairness
            if fairness is None or fairness is ...
            else {"weights": {**fairness}},
            "retention": retention.as_setting() if isinstance(retention, Retention) else retention,
        }
        await self._patch_queue(name, {key: v for key, v in given.items() if v is not ...})

    async def queue(self, name: str) -> Queue:
        """Give a queue as it stands; ``NotFound`` if there is none."""
        async with self._connection() as connection:
            cursor = connection.cursor(row_factory=dict_row)
            await cursor.execute(query("get_queue"), {"name": name})
            row = await cursor.fetchone()
        if row is None:
            message = f"there is no queue {name!r}"
            raise NotFound(message, hint="a queue is there once a task or a worker has named it")
        return Queue(**row)

    async def pause(self, queue: str, reason: str | None = None, *, by: str | None = None) -> None:
        """Let no task of a queue start until ``resume``; those that run go on."""
        who = {"name": queue, "reason": reason, "paused_by": by or getpass.getuser()}
        async with self._connection() as connection:
            await connection.execute(query("pause_queue"), who)

    async def drain(
        self,
        queue: str,
        reason: str | None = None,
        *,
        by: str | None = None,
        timeout: timedelta | float | None = None,
    ) -> Queue:
        """Pause a queue and give it once none of its tasks runs any more.

        ``TimeoutError`` when some still run after ``timeout``: it stays paused, and drains.
        """
        await self.pause(queue, reason, by=by)
        async with asyncio.timeout(seconds(timeout)):
            pause = _FIRST_LOOK_S
            while (drained := await self.queue(queue)).state == "draining":
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LOOK_S)
            return drained

    async def resume(self, queue: str) -> None:
        """Let the tasks of a paused queue start again; ``NotFound`` if there is no such queue."""
        async with self._connection() as connection:
            await connection.execute(query("resume_queue"), {"name": queue})

    async def set_limit(
        self,
        name: str,
        *,
        concurrency: int | EllipsisType | None = ...,
        rate: Rate | Sequence[Rate] | EllipsisType | None = ...,
    ) -> None:
        """Limit all tasks with this ``limit_key``, over all queues and workers.

        It takes the place of what their queues allow each key. What is left out stays; ``None``
        takes a part away: with neither the key has no limit at all.
        """
        given = {
            "concurrency": concurrency,
            "rate": rate if rate is None or rate is ... else as_setting(rate),
        }
        settings = encode({key: v for key, v in given.items() if v is not ...}).decode()
        async with self._connection() as connection:
            await connection.execute(
                query("patch_limit"), {"name": name, "settings": settings, "versions": None}
            )

    async def delete_limit(self, name: str) -> bool:
        """Limit a key by what its queues allow each key, again; False if it had no limit."""
        async with self._connection() as connection:
            cursor = await connection.execute(
                query("delete_limit"), {"name": name, "versions": None}
            )
            row = await cursor.fetchone()
        return row is not None and bool(row[0])

    async def _patch_queue(self, name: str, settings: dict[str, Any]) -> None:
        async with self._connection() as connection:
            await connection.execute(
                query("patch_queue"),
                {"name": name, "settings": encode(settings).decode(), "versions": None},
            )
