"""The process that children are forked from: it imports the library, and does nothing else.

Forking the worker itself would copy locks that its threads hold. A fresh interpreter for each child
takes 0.4 s of CPU, of which a fork saves all but the imports of the app or of the function.

A request is one byte with one or two file descriptors: the socket of the new child, and where its
output goes, if not where the worker's goes. The answers are FORKED and ENDED, each with a pid and
an exit status as ``os.waitstatus_to_exitcode`` returns it. When the socket to the worker ends, the
server kills its children, with everything that they started.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import struct
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from pgqueue.processes import stop_signals
from pgqueue_worker import signals
from pgqueue_worker.isolation import child_main
from pgqueue_worker.parent import die_with_parent

if TYPE_CHECKING:
    from types import FrameType

FORKED, ENDED = b"f", b"e"
NEWS = struct.Struct("=cii")


class ForkServer:
    """Forks children, reaps them, and kills those that are left at the end."""

    def __init__(self, worker: socket.socket) -> None:
        self._worker = worker
        self._pid = os.getpid()
        self._living: set[int] = set()

    def run(self) -> None:
        """Fork a child for every request until the worker is gone."""
        signal.signal(signal.SIGCHLD, self._reap)
        try:
            while True:
                request, descriptors, *_ = socket.recv_fds(self._worker, 1, 2)
                if not request:
                    return
                self._fork(descriptors)
        finally:
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            for pid in self._living:
                with suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)

    def _fork(self, descriptors: list[int]) -> None:
        # a child that ends at once must not be reaped before it is announced
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        pid = os.fork()
        if pid == 0:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            self._worker.close()
            child_main.run(self._pid, *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        self._living.add(pid)
        self._worker.sendall(NEWS.pack(FORKED, pid, 0))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})

    def _reap(self, _number: int, _frame: FrameType | None) -> None:
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            pid = ended.si_pid
            # what it started holds its socket open; until the wait its number is no other's
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            self._living.discard(pid)
            self._worker.sendall(NEWS.pack(ENDED, pid, os.waitstatus_to_exitcode(status)))


def main() -> None:
    """Serve the worker whose socket is the file descriptor in the first argument."""
    os.setsid()  # it ends after the group of its worker, to kill the children then
    signals.disregard(*stop_signals())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    die_with_parent(signal.SIGTERM)
    worker = socket.socket(fileno=int(sys.argv[1]))
    gc.freeze()  # what is imported by now stays shared
    with suppress(ConnectionError):
        ForkServer(worker).run()


if __name__ == "__main__":
    main()
