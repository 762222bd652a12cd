"""Whether a supervisor can run tasks: examined all the time, and answered from memory.

Probes get the last finding of the supervisor's loop. If that is old, because the loop itself stood
still, the answer says so.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, cast

import structlog

from pgqueue.database.readiness import HeldTask, ReadinessReport, readiness
from pgqueue.errors import PgQueueError, SchemaMismatch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from pgqueue.database.listener import Listener
    from pgqueue_worker.supervisor.process_handle import ProcessHandle

__all__ = ["Readiness"]

_log = structlog.get_logger("pgqueue.supervisor")

_LOOK_S = 0.5
_ASK_S = 5.0  # how often the database is asked
_OLD_S = 15.0  # an older finding is no longer trusted
_STILL_S = 5.0
_STILL_POLLS = 3


class Readiness:
    """What is missing before tasks can run: see ``run``.

    ``ask`` runs a query. ``on_unfit`` is called when the schema no longer allows
    this code. ``poll_s`` is how long an idle claim loop waits at most.
    """

    def __init__(
        self,
        processes: Collection[ProcessHandle],
        doorbell: Listener,
        ask: Callable[[str], Awaitable[list[tuple[Any, ...]]]],
        *,
        on_unfit: Callable[[], None],
        poll_s: float,
    ) -> None:
        self._processes = processes
        self._doorbell = doorbell
        self._ask = ask
        self._on_unfit = on_unfit
        self._max_still_s = max(_STILL_S, _STILL_POLLS * poll_s)
        self._database = _not_ready("the supervisor is starting")
        self._found: tuple[float, ReadinessReport] | None = None
        self.draining = False
        self.unfit: str | None = None
        """Why nothing runs: the schema does not fit this code, or has not been seen yet."""

    def report(self) -> ReadinessReport:
        """Return the answer: ``status`` is ready, degraded or not_ready."""
        if self.unfit is not None:
            return _not_ready(self.unfit)
        if self.draining:
            return _not_ready("draining")
        if self._found is None:
            return _not_ready("the supervisor is starting")
        at, found = self._found
        if (old_s := time.monotonic() - at) > _OLD_S:
            return _not_ready(f"the supervisor has stood still for {old_s:.0f} s")
        return found

    async def run(self) -> None:
        """Look at the processes and the listener, forever, and less often at the database."""
        polling = asyncio.create_task(self._ask_the_database())
        try:
            while not polling.done():
                self._found = time.monotonic(), self._look()
                await asyncio.sleep(_LOOK_S)
            polling.result()
        finally:
            polling.cancel()

    async def _ask_the_database(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_ASK_S):
                    ((version, min_code, unsafe),) = await self._ask("readiness")
                    found = readiness(version, min_code, unsafe)
                    held = await self._ask("held_back")
                if held:
                    found["waiting"] = [_held(row) for row in held]
                self._database = found
            except TimeoutError:
                self._database = _not_ready(f"the database has not answered within {_ASK_S:g} s")
            except (
                SchemaMismatch
            ) as error:  # a migration was applied that no longer allows this code
                if self.unfit is None:
                    _log.error("schema_mismatch", error=str(error))
                self.unfit = str(error)
                self._on_unfit()
            except PgQueueError as error:
                self._database = _not_ready(str(error))
            await asyncio.sleep(_ASK_S)

    def _look(self) -> ReadinessReport:
        registered = [process for process in self._processes if process.worker_id is not None]
        if not registered:
            return _not_ready("no worker process is registered")
        if self._database["status"] == "not_ready":
            return self._database
        if self._doorbell.deaf is not None:
            return self._without(f"notifications cannot arrive: {self._doorbell.deaf}")
        now = time.monotonic()
        for process in registered:
            still_s = process.deadlines.still_s(now)
            if still_s > self._max_still_s and not process.retiring:
                return self._without(
                    f"the claim loop of worker {process.worker_id} (pid {process.pid}) has stood "
                    f"still for {still_s:.0f} s: the database holds it up, or a handler blocks it"
                )
        return self._database

    def _without(self, detail: str) -> ReadinessReport:
        """Return that something is missing, and what waits meanwhile."""
        report = _not_ready(detail)
        if "waiting" in self._database:
            report["waiting"] = self._database["waiting"]
        return report


def _held(row: tuple[Any, ...]) -> HeldTask:
    return cast("HeldTask", dict(zip(HeldTask.__annotations__, row, strict=True)))


def _not_ready(detail: str) -> ReadinessReport:
    return {"status": "not_ready", "detail": detail}
