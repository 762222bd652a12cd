"""Whether a supervisor can run tasks: looked at all the time, told to whoever asks.

Probes ask in a thread of their own, so what is told was found by the supervisor's loop before; if
that stands still itself, it is the answer.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import structlog

from pgqueue.database.readiness import readiness
from pgqueue.errors import PgQueueError, SchemaMismatch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from pgqueue.database.listener import Listener
    from pgqueue_worker.supervisor.process_handle import Child

__all__ = ["Readiness"]

_log = structlog.get_logger("pgqueue.supervisor")

_LOOK_S = 0.5
_ASK_S = 5.0  # how often the database is asked
_OLD_S = 15.0  # what was found so long ago says nothing
_STILL_S = 5.0
_STILL_POLLS = 3

_STARTING: dict[str, Any] = {"status": "not_ready", "detail": "the supervisor is starting"}


class Readiness:
    """What is missing before tasks can run: see ``run``.

    ``ask`` runs the query ``readiness``, ``on_unfit`` is called when the schema does not allow this
    code any more; ``poll_s`` is how long an idle claim loop waits at most.
    """

    def __init__(
        self,
        children: Collection[Child],
        doorbell: Listener,
        ask: Callable[[], Awaitable[list[tuple[Any, ...]]]],
        *,
        on_unfit: Callable[[], None],
        poll_s: float,
    ) -> None:
        self._children = children
        self._doorbell = doorbell
        self._ask = ask
        self._on_unfit = on_unfit
        self._still_s = max(_STILL_S, _STILL_POLLS * poll_s)
        self._database: dict[str, Any] = _STARTING
        self._told: tuple[float, dict[str, Any]] | None = None
        self.draining = False
        self.unfit: str | None = None
        """Why nothing runs: the schema is not for this code, or has not been seen yet."""

    def tell(self) -> dict[str, Any]:
        """Give the answer, from any thread: ``status`` is ready, degraded or not_ready."""
        if self.unfit is not None:
            return _missing(self.unfit)
        if self.draining:
            return _missing("draining")
        if self._told is None:
            return _STARTING
        at, told = self._told
        if (old_s := time.monotonic() - at) > _OLD_S:
            return _missing(f"the supervisor has stood still for {old_s:.0f} s")
        return told

    async def run(self) -> None:
        """Look for ever: at the processes and the listener, and less often at the database."""
        asking = asyncio.create_task(self._ask_for_ever())
        try:
            while not asking.done():
                self._told = time.monotonic(), self._look()
                await asyncio.sleep(_LOOK_S)
            asking.result()
        finally:
            asking.cancel()

    async def _ask_for_ever(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_ASK_S):
                    ((version, min_code, unsafe),) = await self._ask()
                self._database = readiness(version, min_code, unsafe)
            except TimeoutError:
                self._database = _missing(f"the database has not answered within {_ASK_S:g} s")
            except SchemaMismatch as error:  # a migration came that no longer allows this code
                if self.unfit is None:
                    _log.error("schema_mismatch", error=str(error))
                self.unfit = str(error)
                self._on_unfit()
            except PgQueueError as error:
                self._database = _missing(str(error))
            await asyncio.sleep(_ASK_S)

    def _look(self) -> dict[str, Any]:
        registered = [child for child in self._children if child.worker_id is not None]
        if not registered:
            return _missing("no worker process is registered")
        if self._database["status"] == "not_ready":
            return self._database
        if self._doorbell.deaf is not None:
            return _missing(f"notifications cannot arrive: {self._doorbell.deaf}")
        now = time.monotonic()
        for child in registered:
            still_s = child.watch.still_s(now)
            if still_s > self._still_s and not child.retiring:
                return _missing(
                    f"the claim loop of worker {child.worker_id} (pid {child.pid}) has stood still "
                    f"for {still_s:.0f} s: the database holds it up, or a handler blocks it"
                )
        return self._database


def _missing(detail: str) -> dict[str, Any]:
    return {"status": "not_ready", "detail": detail}
