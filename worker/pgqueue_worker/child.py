"""A worker process as its supervisor sees it."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from typing import TYPE_CHECKING, Any

from pgqueue_worker.control import Control

if TYPE_CHECKING:
    from asyncio.subprocess import Process


class Child:
    """One worker process, from spawn to exit."""

    def __init__(self, process: Process, control: Control) -> None:
        self.process = process
        self.control = control
        self.worker_id: int | None = None
        self.waiting = False
        self.unfit: str | None = None
        self.started_at = asyncio.get_running_loop().time()

    @classmethod
    async def spawn(cls, start: dict[str, Any]) -> Child:
        """Start a process and tell it what to do. It inherits the environment."""
        ours, theirs = socket.socketpair()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "pgqueue_worker.process",
                str(theirs.fileno()),
                pass_fds=(theirs.fileno(),),
                env=os.environ,
            )
        finally:
            theirs.close()
        child = cls(process, await Control.over(ours))
        child.control.send("start", **start)
        return child

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    def kill(self) -> None:
        """End it at once."""
        if self.process.returncode is None:
            self.process.kill()
