"""A worker process, as its supervisor sees it."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from pgqueue.processes import ProcessGroup
from pgqueue_worker.control import Control
from pgqueue_worker.deadline_table import DeadlineTable

if TYPE_CHECKING:
    from asyncio.subprocess import Process

    from pgqueue_worker.control import Start

__all__ = ["ProcessHandle"]

_LATE_S = 1.0  # something holds up a process that is so late


class ProcessHandle:
    """One worker process, from its start to its exit."""

    def __init__(
        self,
        process: Process,
        group: ProcessGroup,
        control: Control,
        deadlines: DeadlineTable,
        start: Start,
    ) -> None:
        self.process = process
        self._group = group
        self.control = control
        self.deadlines = deadlines
        self.queues = start.queues
        self.concurrency = start.concurrency
        self.overdue: set[int] = set()
        """The leases whose missed deadlines it was killed for."""
        self.unwell = asyncio.Event()
        """Set when it asks to be replaced."""
        self.predecessor: ProcessHandle | None = None
        self.worker_id: int | None = None
        self.waiting = False
        self.retiring = False
        """It must claim no more, and end when its attempts have ended."""
        self.unfit: str | None = None
        self.started_at = asyncio.get_running_loop().time()
        self._late: set[int] = set()  # leases whose deadline the last look found missed

    @classmethod
    async def spawn(cls, start: Start) -> ProcessHandle:
        """Start a process and send it what to run. It inherits the environment.

        It is in a process group of its own, with what its handlers start.
        """
        ours, theirs = socket.socketpair()
        deadlines = DeadlineTable.create(start.concurrency)
        group = ProcessGroup()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "pgqueue_worker.worker_process",
                str(theirs.fileno()),
                stdin=subprocess.DEVNULL,  # a terminal stops who reads it from the background
                pass_fds=(theirs.fileno(), deadlines.descriptor),
                env=os.environ,
                process_group=group.id,
            )
        except BaseException:
            group.close()
            raise
        finally:
            theirs.close()
        handle = cls(process, group, await Control.over(ours), deadlines, start)
        handle.control.send(replace(start, deadlines=deadlines.descriptor))
        return handle

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    def is_stuck(self, now: float) -> bool:
        """Return whether it has missed the same deadline as at the last look."""
        late = self.deadlines.passed(now - _LATE_S)
        stuck, self._late = bool(late & self._late), late
        if stuck:
            self.overdue = self.deadlines.passed(now)
        return stuck

    def close(self) -> None:
        """Close its group, the control line, and the table that it shared with this supervisor."""
        self._group.close()
        self.control.close()
        self.deadlines.close()

    def kill(self) -> None:
        """End it at once, with what its handlers started."""
        self._group.kill()
