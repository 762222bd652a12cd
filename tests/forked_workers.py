"""Worker processes that are forked from their supervisor, without the half second of their imports.

In every other respect they are what ``python -m pgqueue_worker.worker_process`` would start:
children of the supervisor, with a loop, signals and file descriptors of their own. Commands that a
test starts by other means than `tests.commands`, such as `pgqueue up`, start the real ones.
"""

import asyncio
import contextlib
import gc
import os
import random
import signal
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from pgqueue_worker import worker_process

__all__ = ["fork_workers"]

_COMMAND = (sys.executable, "-m", worker_process.__name__)
_execute = asyncio.create_subprocess_exec


class _Forked:
    """A child; has what a supervisor uses of an `asyncio.subprocess.Process`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._descriptor = os.pidfd_open(pid)
        self._ended = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().add_reader(self._descriptor, self._reap)

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)
        _, status = os.waitpid(self.pid, 0)
        self.returncode = os.waitstatus_to_exitcode(status)
        self._ended.set_result(self.returncode)


def fork_workers() -> None:
    """Have the supervisor of this process fork its workers, where the system can watch them."""
    if hasattr(os, "pidfd_open"):
        asyncio.create_subprocess_exec = _start  # type: ignore[assignment]


async def _start(*command: str, **options: Any):
    if command[:3] != _COMMAND:
        return await _execute(*command, **options)
    pid = os.fork()
    if pid == 0:
        _live(command, options["pass_fds"], options["process_group"])
    with contextlib.suppress(PermissionError):  # it has already done so, and has executed something
        os.setpgid(pid, options["process_group"])
    return _Forked(pid)


def _live(command: Sequence[str], kept: Sequence[int], group: int) -> NoReturn:
    """Be a worker process, and nothing that the supervisor was."""
    try:
        os.setpgid(0, group)
        gc.freeze()  # what the supervisor had must not close descriptors whose numbers are ours now
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        first = 3
        for descriptor in [*sorted(kept), os.sysconf("SC_OPEN_MAX")]:
            os.closerange(first, descriptor)
            first = descriptor + 1
        for module in [*sys.modules.values()]:
            for value in [*vars(module).values()]:
                if isinstance(value, random.Random):
                    value.seed()
        sys.argv = [*command[2:]]
        worker_process.main()
    finally:
        os._exit(1)
