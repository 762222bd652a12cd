"""Claims tasks: as many as there is room for, as soon as there are any.

Each (queue, priority) has a cursor, the last seq seen there, so that dead tokens under a held
snapshot are not read again and again. A sweep from 0 finds what committed late behind a cursor; it
runs as often as its cost allows: it never takes more than 5 % of the time.

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
from pgqueue.models.webhook import QUEUE
from pgqueue_worker.attempts.finisher import Finish
from pgqueue_worker.lease import ClaimedTask, Lease
from pgqueue_worker.measurements import SIZES
from pgqueue_worker.retrying import Patience

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pgqueue.database.link import Link
    from pgqueue_worker.attempts.finisher import Finisher
    from pgqueue_worker.attempts.runner import Runner
    from pgqueue_worker.measurements import Measurements
    from pgqueue_worker.reports.outbox import Outbox

__all__ = ["Claimer"]

_log = structlog.get_logger("pgqueue.worker")

_MAX_CLAIM = 500
_MAX_UNRECORDED = 2_000
_PRIORITIES = range(11)
_QUEUES_S = 0.5  # a pause holds within a second
_RECOUNT_S = 20.0
_SWEEP_SHARE = 20  # a sweep that took t is repeated after 20 t


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
        self._queues = list(dict.fromkeys(queues))
        self._all_queues = all_queues
        self._poll_s = poll_s
        self._lease_s = lease_s
        self._was_away = False
        self._runner = runner
        self._finisher = finisher
        self._outbox = outbox
        self._measurements = measurements
        self._on_waiting = on_waiting
        self._on_round = on_round
        self._cursors: dict[tuple[int, str], int] = {}
        self._limited: dict[str, float] = {}  # when each queue with limits is due
        self._turns: dict[str, str] = {}  # where keys take turns next in each fair queue
        self._bell = asyncio.Event()
        self._room = asyncio.Event()
        self._stopping = False
        self._sweep_due = 0.0
        self._queues_due = 0.0
        self._recount_due = inf  # when to compare what is held in the database and here
        self._patience = Patience("claim")

    def ring(self, queues: Iterable[str] = ()) -> None:
        """Look now: there may be tasks in these queues, perhaps new ones; without any, in all."""
        queues = list(queues)
        if self._all_queues:
            self._serve(queues)
        elif queues and not set(queues) & set(self._queues):
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
            if claimed < limit:
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
                await self._look_at_queues()

    async def _wait(self, *, nothing_missed: bool, loop: asyncio.AbstractEventLoop) -> None:
        pause = self._poll_s * (0.5 + random.random() / 2)  # noqa: S311  spread, not secrecy
        if not nothing_missed:
            pause = min(pause, max(0.0, self._sweep_due - loop.time()))
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
        if loop.time() >= self._queues_due:
            await self._look_at_queues()
        # the queues take turns within a priority
        self._queues.append(self._queues.pop(0))
        began = loop.time()
        rows = await self._link.rows(
            "claim_tasks",
            {
                "worker": self._worker_id,
                "queues": _array_of(self._queues),
                "cursors": None if sweeps else self._array_of_cursors(),
                "max_tasks": limit,
            },
        )
        now = loop.time()
        if sweeps:
            self._sweep_due = now + _SWEEP_SHARE * (now - began)
        self._measurements.count("claims")
        if rows:
            self._take([ClaimedTask._make(row) for row in rows], now)
        return len(rows)

    async def _look_at_queues(self) -> None:
        if self._all_queues:
            self._serve(name for (name,) in await self._link.rows("known_queues"))
        self._queues_due = asyncio.get_running_loop().time() + min(self._poll_s / 2, _QUEUES_S)
        guarded = dict(await self._link.rows("guarded_queues"))
        if paused := [queue for queue, is_paused in guarded.items() if is_paused]:
            self._runner.put_back(paused)
        served = guarded.keys() & self._queues
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
            pair = (task.priority, task.queue)
            self._cursors[pair] = max(task.seq, self._cursors.get(pair, 0))
            started[task.queue] = started.get(task.queue, 0) + 1
        self._runner.take([Lease.claimed(task, now) for task in tasks])
        for queue, n in started.items():
            self._measurements.count("started", queue, n=n)
        if tasks[0].watched:
            self._outbox.announce([task.id for task in tasks])

    def _array_of_cursors(self) -> str:
        # PostgreSQL's own form: psycopg takes 100 µs to adapt such a list
        cursors = self._cursors
        seqs = (str(cursors.get((p, q), 0)) for p in _PRIORITIES for q in self._queues)
        return "{" + ",".join(seqs) + "}"

    def _serve(self, queues: Iterable[str]) -> None:
        for queue in queues:
            if queue and queue != QUEUE and queue not in self._queues:
                self._queues.append(queue)


def _array_of(texts: Iterable[str]) -> str:
    # PostgreSQL's own form: psycopg takes 35 µs to adapt a list
    quoted = [text.replace("\\", "\\\\").replace('"', '\\"') for text in texts]
    return "{" + ",".join([f'"{text}"' for text in quoted]) + "}"
