"""A worker process as its supervisor sees it."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from typing import TYPE_CHECKING, Any

from pgqueue_worker.control import Control
from pgqueue_worker.deadline_table import Watch

if TYPE_CHECKING:
    from asyncio.subprocess import Process

_LATE_S = 1.0  # a process is so late when something holds it up


class Child:
    """One worker process, from spawn to exit."""

    def __init__(self, process: Process, control: Control, watch: Watch) -> None:
        self.process = process
        self.control = control
        self.watch = watch
        self.late: set[int] = set()  # leases that the last look found past their time
        self.overdue: set[int] = set()  # those for which it was ended
        self.unwell = asyncio.Event()  # it asks to be replaced
        self.predecessor: Child | None = None
        self.worker_id: int | None = None
        self.queues: list[str] = []
        self.concurrency = 0
        self.waiting = False
        self.retiring = False  # it is to claim no more, and to end when its attempts have
        self.unfit: str | None = None
        self.started_at = asyncio.get_running_loop().time()

    @classmethod
    async def spawn(cls, start: dict[str, Any]) -> Child:
        """Start a process and tell it what to do. It inherits the environment."""
        ours, theirs = socket.socketpair()
        watch = Watch.create(start["concurrency"])
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "pgqueue_worker.worker_process",
                str(theirs.fileno()),
                pass_fds=(theirs.fileno(), watch.descriptor),
                env=os.environ,
            )
        finally:
            theirs.close()
        child = cls(process, await Control.over(ours), watch)
        child.queues, child.concurrency = start["queues"], start["concurrency"]
        child.control.send("start", **start, watch=watch.descriptor)
        return child

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    def is_stuck(self, now: float) -> bool:
        """Say whether it has let the same time pass by as at the last look, and note whose."""
        late = self.watch.passed(now - _LATE_S)
        stuck, self.late = bool(late & self.late), late
        if stuck:
            self.overdue = self.watch.passed(now)
        return stuck

    def close(self) -> None:
        """Give back what is held of it."""
        self.control.close()
        self.watch.close()

    def kill(self) -> None:
        """End it at once."""
        if self.process.returncode is None:
            self.process.kill()
