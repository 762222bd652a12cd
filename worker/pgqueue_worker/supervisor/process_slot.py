"""A slot in which a process is kept running: when it ends, the next one takes its place."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pgqueue_worker.control import Drain

if TYPE_CHECKING:
    from pgqueue_worker.supervisor.plan import Plan
    from pgqueue_worker.supervisor.process_handle import ProcessHandle
    from pgqueue_worker.supervisor.worker_processes import WorkerProcesses

__all__ = ["ProcessSlot"]


class ProcessSlot:
    """Runs one process of a plan at a time, until it is closed or the supervisor drains."""

    def __init__(self, plan: Plan, processes: WorkerProcesses) -> None:
        self._plan = plan
        self._processes = processes
        self._closed = asyncio.Event()
        self._current: ProcessHandle | None = None

    @property
    def is_registered(self) -> bool:
        """Whether its process is registered, so that its slots count among those of all workers."""
        return self._current is not None and self._current.worker_id is not None

    @property
    def is_idle(self) -> bool:
        """Whether its process has nothing to do."""
        return self._current is None or self._current.waiting

    def close(self) -> None:
        """Let its process finish its attempts, and start no other process."""
        self._closed.set()

    async def run(self) -> None:
        """Keep a process running; replace one that asks for it.

        A process that is replaced ends when its attempts have ended. If its replacement is replaced
        before that, the older one is drained.
        """
        closed = asyncio.create_task(self._closed.wait())
        living: dict[asyncio.Task[None], ProcessHandle] = {}
        try:
            await self._replace_until(closed, living)
            if self._closed.is_set():
                for process in living.values():
                    await self._processes.retire(process)
            if living:
                await asyncio.gather(*living)
        finally:
            closed.cancel()
            for life in living:
                life.cancel()
            await asyncio.gather(*living, return_exceptions=True)

    async def _replace_until(
        self, closed: asyncio.Task[bool], living: dict[asyncio.Task[None], ProcessHandle]
    ) -> None:
        predecessor: ProcessHandle | None = None
        while not self._processes.stop.is_set() and not self._closed.is_set():
            process = self._current = await self._processes.spawn(self._plan)
            process.predecessor = predecessor
            life = asyncio.create_task(self._processes.see_through(process))
            living[life] = process
            unwell = asyncio.create_task(process.unwell.wait())
            await asyncio.wait({life, unwell, closed}, return_when=asyncio.FIRST_COMPLETED)
            unwell.cancel()
            if life.done():
                predecessor = process.predecessor  # the next process will replace it, too
            elif unwell.done():
                predecessor = process
                for older in living.keys() - {life}:
                    living[older].control.send(Drain())
            for ended in [life for life in living if life.done()]:
                del living[ended]
                ended.result()
