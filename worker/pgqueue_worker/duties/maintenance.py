"""Runs the duties of a supervisor, each in a loop of its own.

They share a few connections; the urgent ones have connections of their own. A duty that is stuck,
for as long as its limits allow, holds up no other, nor do two of a kind. Two supervisors that meet
do no harm: the database lets one through or makes them share. What the duties did is recorded every
few seconds, in one statement for all of them: the view ``pgqueue.maintenance``.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson
import structlog

from pgqueue.database.options import Options, Timeouts
from pgqueue.database.pool import Pool
from pgqueue.errors import PgQueueError
from pgqueue_worker.duties import DUTIES, Duty, Tools
from pgqueue_worker.duties.duty import is_away
from pgqueue_worker.duties.pooled_link import PooledLink
from pgqueue_worker.retrying import Patience

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pgqueue_worker.duties import DeadLetterLevel, QueueSample

_log = structlog.get_logger("pgqueue.maintenance")

_SHARE = 20  # a duty whose calls took t runs again after 20 t at the earliest
_CONNECTIONS = 3  # for each kind of duty: one or two stuck ones hold up no other
_FAILED_S = 5.0
_AWAY_S = 5.0  # a shorter outage costs at most one heartbeat
_RECORD_S = 5.0
_RECORD_TIMEOUTS = Timeouts(statement_s=10, lock_s=2)


@dataclass(slots=True)
class _Log:
    """How a duty went since it was recorded last. Times are the event loop's."""

    started: float | None = None
    finished: float | None = None
    due: float | None = None
    duration_s: float | None = None
    error: str | None = None
    error_at: float | None = None


class Maintenance:
    """The duties of one supervisor, which is called ``name``."""

    def __init__(
        self,
        dsn: str,
        ring: Callable[[list[str]], None],
        on_samples: Callable[[list[QueueSample], dict[str, int]], None],
        on_dead_letters: Callable[[list[DeadLetterLevel]], None],
        *,
        name: str = "",
        duties: Sequence[Duty] = DUTIES,
    ) -> None:
        self._urgent = Pool(dsn, Options("pgqueue maintenance urgent"), size=_CONNECTIONS)
        self._others = Pool(dsn, Options("pgqueue maintenance"), size=_CONNECTIONS)
        self._ring = ring
        self._on_samples = on_samples
        self._on_dead_letters = on_dead_letters
        self._name = name
        self._logs = {duty: _Log() for duty in duties}

    async def run(self) -> None:
        """Run all of them, forever."""
        try:
            async with asyncio.TaskGroup() as group:
                for duty, log in self._logs.items():
                    group.create_task(self._repeat(duty, log))
                group.create_task(self._record())
        finally:
            await self._urgent.close()
            await self._others.close()

    async def _repeat(self, duty: Duty, log: _Log) -> None:
        loop = asyncio.get_running_loop()
        timeouts = Timeouts(statement_s=duty.statement_timeout_s, lock_s=duty.lock_timeout_s)
        link = PooledLink(self._urgent if duty.urgent else self._others, timeouts)
        tools = Tools(link, self._ring, self._on_samples, self._on_dead_letters)
        patience = Patience(duty.name)
        reached: float | None = None  # during an outage: when PostgreSQL was reached last
        while True:
            began = log.started = loop.time()
            try:
                if duty.settle_s and reached is not None and began - reached > _AWAY_S:
                    await link.rows("ping")
                    await asyncio.sleep(duty.settle_s)
                reached = None
                link.took_s = 0.0
                pause = await duty.work(tools)
            except PgQueueError as error:
                if is_away(error):
                    if reached is None:
                        reached = began if log.finished is None else log.finished
                    await patience.failed(error)
                    continue
                _log.error("duty_failed", duty=duty.name, error=str(error))
                log.error, log.error_at = str(error), loop.time()
                await asyncio.sleep(_spread(max(_FAILED_S, loop.time() - began)))
                continue
            patience.succeeded()
            log.finished = loop.time()
            log.duration_s = log.finished - began
            if pause is None:
                pause = duty.interval_s
            if pause:
                pause = _spread(max(pause, _SHARE * link.took_s))
            log.due = log.finished + pause
            await asyncio.sleep(pause)

    async def _record(self) -> None:
        loop = asyncio.get_running_loop()
        link = PooledLink(self._others, _RECORD_TIMEOUTS)
        patience = Patience("record maintenance")
        await asyncio.sleep(_spread(_RECORD_S / 5))  # by then each has run once
        while True:
            now = loop.time()
            runs = [_run(duty, log, now) for duty, log in self._logs.items()]
            try:
                await link.rows(
                    "record_duties", {"runs": orjson.dumps(runs).decode(), "run_by": self._name}
                )
            except PgQueueError as error:
                if is_away(error):
                    await patience.failed(error)
                    continue
                _log.error("duty_failed", duty="record", error=str(error))
            else:
                patience.succeeded()
            await asyncio.sleep(_spread(_RECORD_S))


def _run(duty: Duty, log: _Log, now: float) -> dict[str, str | float | None]:
    """Return a row of ``record_duties``: ages, of which the database's clock makes times."""

    def ago(at: float | None) -> float | None:
        return None if at is None else round(now - at, 3)

    return {
        "name": duty.name,
        "interval_s": duty.interval_s,
        "started_ago_s": ago(log.started),
        "finished_ago_s": ago(log.finished),
        "due_ago_s": ago(log.due),
        "duration_s": None if log.duration_s is None else round(log.duration_s, 6),
        "error": None if log.error is None else log.error[:500],
        "error_ago_s": ago(log.error_at),
    }


def _spread(seconds: float) -> float:
    return seconds * (0.9 + random.random() / 5)  # noqa: S311  spread, not secrecy
