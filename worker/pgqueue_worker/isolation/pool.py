"""The children of a worker process: as many as run at once, kept warm for the next attempt."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import orjson
import structlog

from pgqueue.handlers.ending import Ending
from pgqueue_worker.isolation.nursery import Nursery
from pgqueue_worker.isolation.process import ChildEnded, IsolatedProcess

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable

    from pgqueue.handlers.failure import Failure
    from pgqueue_worker.isolation.process import Answer
    from pgqueue_worker.lease import Lease
    from pgqueue_worker.reports.reporter import Reporter

_log = structlog.get_logger("pgqueue.worker")

_TRIES = 3  # children that were gone before they began: the task is not to blame


class Ended(NamedTuple):
    """How an attempt in a child ended: by itself, by its interruption, or with its child."""

    ending: Ending | None
    interrupted: Failure | None = None
    status: int | None = None


class Pool:
    """Lends a child to each attempt. The runner bounds how many there are at once."""

    def __init__(self, app: str | None, *, builtin: bool, dsn: str, grace_s: float) -> None:
        self._start = {"app": app, "builtin": builtin, "dsn": dsn}
        self._grace_s = grace_s
        self._nursery = Nursery()
        self._idle: list[IsolatedProcess] = []
        self._wanted: deque[Future[IsolatedProcess]] = deque()
        self._starting: set[asyncio.Task[None]] = set()

    def warm(self) -> None:
        """Start a child ahead of the first attempt."""
        self._begin()

    def close(self) -> None:
        """End every child that is idle."""
        while self._idle:
            self._idle.pop().kill()

    async def run(
        self,
        lease: Lease,
        reporter: Reporter,
        remembered: dict[str, str] | None,
        started: Callable[[], None],
    ) -> Ended:
        """Run an attempt in a child; ``started`` is called when its handler is about to.

        Cancelled, it asks the handler to stop and kills its child after the grace; nothing of it
        is left when this returns.
        """
        for _ in range(_TRIES):
            try:
                child = await self._take()
            except (ChildEnded, OSError) as error:
                return Ended(None, status=getattr(error, "status", None))
            begun = False

            def begin() -> None:
                nonlocal begun
                begun = True
                started()

            context = lease.context(reporter, None)
            attending = asyncio.create_task(child.attend(context, reporter, begin))
            child.send(
                {"kind": "run", "task": tuple(lease.task), "traceparent": lease.traceparent},
                orjson.dumps(remembered) if remembered else b"",
            )
            interrupted = False
            try:
                await asyncio.wait({attending})
            except asyncio.CancelledError:
                interrupted = True
                lease.interruptible = False  # once is enough: from here on it is bounded
                child.terminate()
                await asyncio.wait({attending}, timeout=self._grace_s)
            answer = attending.result() if attending.done() else None
            if answer is not None and not interrupted and not answer[0].get("spoilt"):
                self._offer(child)
                return _read(answer)
            status = await child.bury()
            await attending
            if answer is not None:
                return _read(answer)
            if begun or interrupted:
                return Ended(None, status=status)
        return Ended(None)

    async def _take(self) -> IsolatedProcess:
        while self._idle:
            child = self._idle.pop()
            if not child.ended.done():
                return child
        wanted: Future[IsolatedProcess] = asyncio.get_running_loop().create_future()
        self._wanted.append(wanted)
        if len(self._starting) < len(self._wanted):
            self._begin()
        try:
            return await wanted
        except asyncio.CancelledError:
            if wanted in self._wanted:
                self._wanted.remove(wanted)
            elif not wanted.cancelled() and wanted.exception() is None:
                self._offer(wanted.result())
            raise

    def _begin(self) -> None:
        starting = asyncio.create_task(self._bear())
        self._starting.add(starting)
        starting.add_done_callback(self._starting.discard)

    async def _bear(self) -> None:
        try:
            child = await IsolatedProcess.start(self._nursery, self._start)
        except Exception as error:  # noqa: BLE001  whoever waits for the child gets it
            _log.error("child_not_started", error=repr(error))
            if self._wanted:
                self._wanted.popleft().set_exception(error)
        else:
            if self._idle and not self._wanted:
                await child.bury()  # whoever wanted it was cancelled meanwhile
            else:
                self._offer(child)

    def _offer(self, child: IsolatedProcess) -> None:
        if self._wanted:
            self._wanted.popleft().set_result(child)
        else:
            self._idle.append(child)


def _read(answer: Answer) -> Ended:
    message, blob = answer
    ending = Ending.from_json(message["ending"], blob or None)
    return Ended(ending, interrupted=message.get("interrupted"))
