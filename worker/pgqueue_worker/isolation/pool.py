"""The children of a worker process: kept warm for attempts, and fresh for functions."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import structlog

from pgqueue.handlers.ending import Ending
from pgqueue.settings import Settings
from pgqueue_worker.isolation.attempt_child import AttemptChild, ChildEnded
from pgqueue_worker.isolation.fork_client import ForkClient
from pgqueue_worker.isolation.function_child import empty_environment, run_function

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable, Iterable

    from pgqueue.handlers.context import Context
    from pgqueue.handlers.failure import Failure
    from pgqueue.handlers.isolation import IsolatedCall
    from pgqueue.handlers.task_type import TaskType
    from pgqueue_worker.isolation.attempt_child import Answer
    from pgqueue_worker.isolation.messages import Message
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
    """Runs attempts and functions in children, which come from two fork servers.

    One has the environment of the worker. The other has none, for types with ``env=False`` and for
    functions: nothing of the environment is in the memory that its children inherit.
    """

    def __init__(self, app: str | None, *, builtin: bool, dsn: str, grace_s: float) -> None:
        self.has_app = app is not None or builtin
        """Whether attempts can run in children: they load their handlers from the app."""
        settings = Settings()
        start = {
            "app": app,
            "builtin": builtin,
            "dsn": dsn,
            "log_format": settings.log_format,
            "log_level": settings.log_level,
        }
        self._with_env = ForkClient()
        self._without_env = ForkClient(empty_environment())
        self._children = {
            True: _AttemptChildren(self._with_env, start, grace_s),
            False: _AttemptChildren(self._without_env, {**start, "dsn": None}, grace_s),
        }
        # as many functions at once as processors: more would only multiply memory
        self._function_slots = asyncio.Semaphore(max(2, os.cpu_count() or 1))
        self._calls: dict[int, set[asyncio.Task[Any]]] = {}

    def warm(self, kinds: Iterable[TaskType]) -> None:
        """Start a child ahead of the first attempt, for those types that run in one."""
        for env in {kind.env for kind in kinds if kind.isolation == "process"}:
            self._children[env].warm()

    async def close(self) -> None:
        """End all children and both fork servers."""
        for children in self._children.values():
            children.close()
        await self._with_env.close()
        await self._without_env.close()

    async def run(
        self,
        lease: Lease,
        kind: TaskType,
        reporter: Reporter,
        remembered: dict[str, str] | None,
        started: Callable[[], None],
    ) -> Ended:
        """Run an attempt in a child; see ``_AttemptChildren.run``."""
        return await self._children[kind.env].run(lease, reporter, remembered, started)

    async def run_function(self, context: Context, call: IsolatedCall) -> Any:
        """Run a function in a child of its own; see ``Context.run_isolated``."""
        current = asyncio.current_task()
        assert current is not None
        calls = self._calls.setdefault(context.lease_id, set())
        calls.add(current)
        try:
            async with self._function_slots:
                return await run_function(self._without_env, context, call)
        finally:
            calls.discard(current)
            if not calls:
                self._calls.pop(context.lease_id, None)

    def cancel_functions(self, lease_id: int) -> None:
        """Stop the functions of an attempt that has ended: a thread may still wait for one."""
        for call in self._calls.get(lease_id, ()):
            call.cancel()


class _AttemptChildren:
    """Lends a child to each attempt. The runner bounds how many there are at once."""

    def __init__(self, client: ForkClient, start: Message, grace_s: float) -> None:
        self._client = client
        self._start_message = start
        self._grace_s = grace_s
        self._idle: list[AttemptChild] = []
        self._wanted: deque[Future[AttemptChild]] = deque()
        self._starting = 0  # children that somebody who waits will get
        self._starts: set[asyncio.Task[None]] = set()

    def warm(self) -> None:
        """Start a child ahead of the first attempt."""
        self._begin()

    def close(self) -> None:
        """End every child that is idle."""
        while self._idle:
            self._idle.pop().process.kill()

    async def run(
        self,
        lease: Lease,
        reporter: Reporter,
        remembered: dict[str, str] | None,
        started: Callable[[], None],
    ) -> Ended:
        """Run an attempt in a child; ``started`` is called when its handler is about to start.

        When this is cancelled, it asks the handler to stop and kills the child after the grace.
        Nothing of it is left when this returns.
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
            child.process.send(
                {"kind": "run", "task": tuple(lease.task), "traceparent": lease.traceparent},
                orjson.dumps(remembered) if remembered else b"",
            )
            interrupted = False
            try:
                await asyncio.wait({attending})
            except asyncio.CancelledError:
                interrupted = True
                lease.interruptible = False  # once is enough: from here on it is bounded
                child.process.send({"kind": "stop", "lease_id": lease.task.lease_id})
                await asyncio.wait({attending}, timeout=self._grace_s)
            answer = attending.result() if attending.done() else None
            if answer is not None and not interrupted and not answer[0].get("spoilt"):
                self._offer(child)
                return _read(answer)
            status = await child.process.reap()
            await attending
            if answer is not None:
                return _read(answer)
            if begun or interrupted:
                return Ended(None, status=status)
        return Ended(None)

    async def _take(self) -> AttemptChild:
        while self._idle:
            child = self._idle.pop()
            if not child.process.ended.done():
                return child
        wanted: Future[AttemptChild] = asyncio.get_running_loop().create_future()
        self._wanted.append(wanted)
        if self._starting < len(self._wanted):
            self._begin()
        try:
            return await wanted
        except asyncio.CancelledError:
            if wanted in self._wanted:
                self._wanted.remove(wanted)
            elif not wanted.cancelled() and wanted.exception() is None:
                self._keep_one(wanted.result())
            raise

    def _begin(self) -> None:
        self._starting += 1
        start = asyncio.create_task(self._start_one())
        self._starts.add(start)
        start.add_done_callback(self._starts.discard)

    async def _start_one(self) -> None:
        try:
            child = await AttemptChild.start(self._client, self._start_message)
        except Exception as error:  # noqa: BLE001  whoever waits for the child gets it
            self._starting -= 1
            _log.error("child_not_started", error=repr(error))
            if (wanted := self._next_wanted()) is not None:
                wanted.set_exception(error)
        else:
            self._starting -= 1
            self._keep_one(child)

    def _keep_one(self, child: AttemptChild) -> None:
        """Lend a fresh child; if whoever wanted it was cancelled meanwhile, one stays warm."""
        if self._idle and not any(not wanted.done() for wanted in self._wanted):
            child.process.kill()
        else:
            self._offer(child)

    def _offer(self, child: AttemptChild) -> None:
        if (wanted := self._next_wanted()) is not None:
            wanted.set_result(child)
        else:
            self._idle.append(child)

    def _next_wanted(self) -> Future[AttemptChild] | None:
        """Return who has waited longest, and still does."""
        while self._wanted:
            wanted = self._wanted.popleft()
            if not wanted.done():  # it may have been cancelled a moment ago
                return wanted
        return None


def _read(answer: Answer) -> Ended:
    message, blob = answer
    ending = Ending.from_json(message["ending"], blob or None)
    return Ended(ending, interrupted=message.get("interrupted"))
