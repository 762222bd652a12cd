"""Queues as they stand, and whether their tasks start."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from psycopg.rows import dict_row
from pydantic import BaseModel, ConfigDict

from pgqueue.database.queries import query
from pgqueue.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import psycopg

_FIRST_LOOK_S = 0.05
_LOOK_S = 1.0


class Queue(BaseModel):
    """A queue as it stands, with the same words as the view ``pgqueue.queues``.

    Its counts were taken at ``sampled_at``; ``state`` and ``still_running`` (of a paused queue) are
    of this moment. ``draining``: it is paused, and some of its tasks still run.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    state: Literal["active", "draining", "paused"]
    queued: int
    scheduled: int
    retrying: int
    blocked: int
    active: int
    dead_letters: int
    workers: int
    oldest_queued_at: datetime | None
    sampled_at: datetime | None
    concurrency: int | None
    rate: list[dict[str, Any]] | None
    fairness: dict[str, Any] | None
    per_key: dict[str, Any] | None
    slowed_until: datetime | None
    slowed_reason: str | None
    max_attempts: int | None
    retry: dict[str, Any] | None
    ageing_s: float | None
    retention: dict[str, float] | None
    paused_at: datetime | None
    paused_by: str | None
    paused_reason: str | None
    still_running: int | None


async def read(connection: psycopg.AsyncConnection[Any], name: str) -> Queue:
    """Give a queue; ``NotFound`` if there is none."""
    cursor = connection.cursor(row_factory=dict_row)
    await cursor.execute(query("get_queue"), {"name": name})
    row = await cursor.fetchone()
    if row is None:
        message = f"there is no queue {name!r}"
        raise NotFound(message, hint="a queue is there once a task or a worker has named it")
    return Queue(**row)


async def come_to_rest(look: Callable[[], Awaitable[Queue]]) -> Queue:
    """Give a paused queue once none of its tasks runs; or as it is when someone resumed it."""
    pause = _FIRST_LOOK_S
    while (queue := await look()).state == "draining":
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LOOK_S)
    return queue
