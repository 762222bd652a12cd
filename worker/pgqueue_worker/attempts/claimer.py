"""Claims tasks: as many as there is room for, as soon as there are any.

A claim looks at the queues for which the doorbell rang, in which the last look found tasks of this
worker's types, and which were used lately; where it starts in them is in ``lanes``. A sweep finds
what committed late behind that. Looks and sweeps run as often as their cost allows: neither takes
more than 5 % of the time.

Queues with limits are claimed one by one, without a cursor, when the time comes that the database
named, or when the doorbell rings for them. The answer of a paused queue is that nothing may start.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from math import inf
from operator import attrgetter
from typing import TYPE_CHECKING, Protocol

import structlog

from pgqueue.errors import DatabaseUnavailable
from pgqueue.handlers.ending import RELEASED
from pgqueue_worker.attempts.finisher import Finish
from pgqueue_worker.attempts.lanes import Lanes, Read
from pgqueue_worker.attempts.served_queues import ServedQueues
from pgqueue_worker.lease import ClaimedTask, Lease
from pgqueue_worker.measurements import SIZES
from pgqueue_worker.retrying import Patience

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pgqueue.database.link import Link
    from pgqueue_worker.attempts.finisher import Finisher
    from pgqueue_worker.attempts.lanes import Lane
    from pgqueue_worker.attempts.runner import Runner
    from pgqueue_worker.measurements import Measurements
    from pgqueue_worker.reports.outbox import Outbox

__all__ = ["Claimer"]

_log = structlog.get_logger("pgqueue.worker")

_MAX_CLAIM = 500
_MAX_UNRECORDED = 2_000
_QUEUES_S = 0.5  # a pause holds within a second
_RECOUNT_S = 20.0
_SHARE = 20  # a sweep or a look that took t is repeated after 20 t
_MAX_LANES = 500  # in one look
_MAX_READ = 5_000  # tokens that a look reads at once: 2 ms
_MAX_REREAD = 4_000  # of those that were passed before: a claim waits for it
_SLOW_S = 0.01  # a claim that took this long for nothing may have read tasks of others


class Notice(Protocol):
    """Called when the loop waits for work, and when it got some."""

    def __call__(self, *, waiting: bool) -> None:
        """Handle the notice."""


class Claimer:
    """The claim loop of one worker process."""

    def __init__(
        self,
        link: Link,
        worker_id: int,
        queues: Iterable[str],
        *,
        all_queues: bool,
        poll_s: float,
        lease_s: float,
        runner: Runner,
        finisher: Finisher,
        outbox: Outbox,
        measurements: Measurements,
        on_waiting: Notice,
        on_round: Callable[[float | None], None],
    ) -> None:
        self._link = link
        self._worker_id = worker_id
        self._queues = ServedQueues(queues, all_queues=all_queues)
        self._types = _array_of(runner.types)
        self._poll_s = poll_s
        self._lease_s = lease_s
        self._was_away = False
        self._runner = runner
        self._finisher = finisher
        self._outbox = outbox
        self._measurements = measurements
        self._on_waiting = on_waiting
        self._on_round = on_round
        self._lanes = Lanes()
        self._limited: dict[str, float] = {}  # when each queue with limits is due
        self._turns: dict[str, str] = {}  # where keys take turns next in each fair queue
        self._bell = asyncio.Event()
        self._room = asyncio.Event()
        self._stopping = False
        self._sweep_due = 0.0
        self._queues_due = 0.0
        self._judged: set[str] = set()  # the queues whose limits were looked at
        self._holding: set[str] = set()  # the queues in which the last looks found tasks
        self._look_due = 0.0
        self._look_pause = 0.0  # by the cost of the last look
        self._looked_at = 0.0
        self._looked_up_to: str | None = None  # the look goes on behind this queue
        self._recount_due = inf  # when to compare what is held in the database and here
        self._patience = Patience("claim")

    def ring(self, queues: Iterable[str] = ()) -> None:
        """Look now: there may be tasks in these queues, perhaps new ones; without any, in all."""
        queues = list(queues)
        if not queues:
            self._look_soon()
        elif not self._queues.expect(queues):
            return  # for other workers
        for queue in queues or self._limited:
            if queue in self._limited:
                self._limited[queue] = 0.0
        self._bell.set()

    def make_room(self) -> None:
        """Look now: there is room."""
        self._room.set()
        if self._limited:
            self._bell.set()

    def stop(self) -> None:
        """Claim no more."""
        self._stopping = True
        self._bell.set()
        self._room.set()

    async def run(self) -> None:
        """Claim until stopped. Raise ``LeaseLost`` when this worker was given up as dead."""
        try:
            await self._run(asyncio.get_running_loop())
        finally:
            self._on_round(None)

    async def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        self._on_round(loop.time())
        while not self._stopping:
            self._room.clear()
            room = self._runner.room
            if room <= 0 or self._finisher.waiting > _MAX_UNRECORDED:
                self._on_round(None)
                await self._await_room(loop)
                self._on_round(loop.time())
                continue
            self._bell.clear()
            limit = min(room, _MAX_CLAIM)
            sweeps = loop.time() >= self._sweep_due
            try:
                await self._check_held(loop)
                claimed = await self._claim(limit, sweeps=sweeps)
                claimed += await self._claim_limited()
            except DatabaseUnavailable as error:
                self._measurements.count("database_errors")
                self._was_away = True
                await self._patience.failed(error)
                self._sweep_due = 0.0
                continue
            self._patience.succeeded()
            self._on_round(loop.time())
            if claimed < limit and not self._queues.expecting:
                await self._wait(nothing_missed=sweeps, loop=loop)

    async def _check_held(self, loop: asyncio.AbstractEventLoop) -> None:
        """Once the database is back, renew the lease and look for claims whose answer was lost.

        A claim that the server was still working on is found by the second look.
        """
        if self._was_away:
            await self._renew()
            await self._recount()
            self._recount_due = loop.time() + _RECOUNT_S
        elif loop.time() >= self._recount_due:
            await self._recount()
            self._recount_due = inf

    async def _renew(self) -> None:
        """Renew the lease, which may have run out while nobody could; it may be lost, too."""
        await self._link.rows("heartbeat", {"workers": [self._worker_id], "lease_s": self._lease_s})
        self._was_away = False

    async def _recount(self) -> None:
        """Release tasks that this worker holds without knowing it.

        No other claim of this process is under way, so what is unknown now stays unknown.
        """
        known = self._runner.lease_ids | self._finisher.lease_ids
        held = await self._link.rows("held_by", {"worker": self._worker_id})
        forgotten = [(task, lease) for task, lease, _ in held if lease not in known]
        for task_id, lease_id in forgotten:
            self._finisher.add(Finish(task_id, lease_id, RELEASED))
        if forgotten:
            _log.warning("claims_given_back", n=len(forgotten))

    async def _await_room(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wait for room. Tasks of paused queues that wait here for a slot must not start."""
        pause = max(0.0, self._queues_due - loop.time()) if self._runner.has_backlog else None
        try:
            async with asyncio.timeout(pause):
                await self._room.wait()
        except TimeoutError:
            with suppress(DatabaseUnavailable):
                await self._look_at_limits(asyncio.get_running_loop())

    async def _wait(self, *, nothing_missed: bool, loop: asyncio.AbstractEventLoop) -> None:
        pause = self._poll_s * (0.5 + random.random() / 2)  # noqa: S311  spread, not secrecy
        if not nothing_missed:
            pause = min(pause, max(0.0, self._sweep_due - loop.time()))
        if self._look_due <= self._looked_at + self._look_pause:  # it was asked for, or goes on
            pause = min(pause, max(0.0, self._look_due - loop.time()))
        if self._limited and self._runner.free_slots:
            pause = min(pause, max(0.0, min(self._limited.values()) - loop.time()))
        if nothing_missed:
            self._on_waiting(waiting=True)
        try:
            with self._link.hearing():
                async with asyncio.timeout(pause):
                    await self._bell.wait()
        except TimeoutError:
            pass

    async def _claim(self, limit: int, *, sweeps: bool) -> int:
        loop = asyncio.get_running_loop()
        if loop.time() >= self._look_due:
            await self._look(loop)
        if loop.time() >= self._queues_due or not self._queues.names <= self._judged:
            await self._look_at_limits(loop)
        queues = self._queues.turn()  # the queues take turns within a priority
        began = loop.time()
        rows = await self._link.rows(
            "claim_tasks",
            {
                "worker": self._worker_id,
                "queues": _array_of(queues),
                "cursors": self._lanes.starts(queues, sweeps=sweeps),
                "max_tasks": limit,
                "types": self._types,
            },
        )
        now = loop.time()
        if sweeps:
            self._sweep_due = now + _SHARE * (now - began)
        elif now - began > _SLOW_S and len(rows) < limit:
            self._look_soon()
        if len(rows) < limit:
            self._queues.emptied(queues)
        self._measurements.count("claims")
        if rows:
            self._take([ClaimedTask._make(row) for row in rows], now)
        return len(rows)

    def _look_soon(self) -> None:
        self._look_due = min(self._look_due, self._looked_at + self._look_pause)

    async def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Find the queues that hold tasks of our types, and pass over those of others."""
        began = loop.time()
        after = self._looked_up_to
        rows = await self._link.rows(
            "runnable_lanes",
            {"queues": self._queues.only, "after": after, "max_lanes": _MAX_LANES},
        )
        self._looked_up_to = None
        if len(rows) == _MAX_LANES:  # the last queue may have more priorities
            last = rows[-1][0]
            rows = [row for row in rows if row[0] != last]
            self._looked_up_to = rows[-1][0]
        served = set(self._queues.served(queue for queue, _ in rows))
        lanes = [(priority, queue) for queue, priority in rows if queue in served]
        everything = after is None and self._looked_up_to is None
        found: set[str] = set()
        unread = self._lanes.heads(lanes, all_lanes=everything)
        passed = self._lanes.rereads()
        while unread:
            reads = await self._read(unread, _MAX_READ)
            for (lane, _), read in zip(unread, reads, strict=True):
                self._lanes.read(lane, read)
                if read.own is not None:
                    found.add(lane[1])
            unread = [
                (lane, read.passed)
                for (lane, _), read in zip(unread, reads, strict=True)
                if read.own is None and not read.ended
            ]
        if passed:
            for (lane, _), read in zip(passed, await self._read(passed, _MAX_REREAD), strict=True):
                self._lanes.reread(lane, read)
        self._queues.expect(found)
        self._holding = found if after is None else self._holding | found
        self._looked_at = loop.time()
        self._look_pause = _SHARE * (self._looked_at - began)
        pause = 0.0 if self._looked_up_to else min(self._poll_s / 2, _QUEUES_S)
        self._look_due = self._looked_at + max(pause, self._look_pause)

    async def _read(self, positions: list[tuple[Lane, int]], max_rows: int) -> list[Read]:
        rows = await self._link.rows(
            "read_lanes",
            {
                "queues": [queue for (_, queue), _ in positions],
                "priorities": [priority for (priority, _), _ in positions],
                "positions": [seq for _, seq in positions],
                "types": self._types,
                "max_rows": max(100, max_rows // len(positions)),
            },
        )
        return [Read._make(row) for row in rows]

    async def _look_at_limits(self, loop: asyncio.AbstractEventLoop) -> None:
        """Find out which queues are paused or have limits."""
        self._judged = self._queues.names | self._holding
        held = self._runner.backlog_queues
        guarded = dict(
            await self._link.rows("guarded_queues", {"queues": _array_of(self._judged | held)})
        )
        self._queues_due = loop.time() + min(self._poll_s / 2, _QUEUES_S)
        if paused := [queue for queue, is_paused in guarded.items() if is_paused]:
            self._runner.put_back(paused)
        served = guarded.keys() & self._judged
        self._limited = {queue: self._limited.get(queue, 0.0) for queue in served}

    async def _claim_limited(self) -> int:
        """Claim from each queue with limits that is due, no more than can start at once."""
        loop = asyncio.get_running_loop()
        claimed = 0
        for queue, due in sorted(self._limited.items(), key=lambda item: item[1]):
            slots = min(self._runner.free_slots, _MAX_CLAIM)
            if not slots or due > loop.time():
                break
            rows = await self._link.rows(
                "claim_limited_tasks",
                {
                    "worker": self._worker_id,
                    "queue": queue,
                    "max_tasks": slots,
                    "turn": self._turns.get(queue),
                    "types": self._types,
                    "cursors": self._lanes.passed_in(queue),
                },
            )
            now = loop.time()
            self._measurements.count("claims")
            again_s, turn = rows[-1][-2:] if rows else (None, None)
            if turn is not None:
                self._turns[queue] = turn
            # a limit may change meanwhile: never later than the poll
            pause = self._poll_s if again_s is None else min(again_s, self._poll_s)
            self._limited[queue] = now + pause
            tasks = [ClaimedTask._make(row[:-2]) for row in rows if row[0] is not None]
            if tasks:
                self._take(tasks, now)
            claimed += len(tasks)
        return claimed

    def _take(self, tasks: list[ClaimedTask], now: float) -> None:
        if not self._limited:  # with limits, the doorbell rings for slots that become free again
            self._on_waiting(waiting=False)
        self._measurements.observe(SIZES, len(tasks), "claim_size")
        tasks.sort(key=attrgetter("priority", "seq"))
        started: dict[str, int] = {}
        for task in tasks:
            self._lanes.took((task.priority, task.queue), task.seq)
            started[task.queue] = started.get(task.queue, 0) + 1
        self._runner.take([Lease.claimed(task, now) for task in tasks])
        for queue, n in started.items():
            self._queues.used(queue)
            self._measurements.count("started", queue, n=n)
        if tasks[0].watched:
            self._outbox.announce([task.id for task in tasks])


def _array_of(texts: Iterable[str]) -> str:
    # PostgreSQL's own form: psycopg takes 35 µs to adapt a list
    quoted = [text.replace("\\", "\\\\").replace('"', '\\"') for text in texts]
    return "{" + ",".join([f'"{text}"' for text in quoted]) + "}"
