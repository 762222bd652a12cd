"""The process that children are forked from: the library is imported, nothing else has happened.

Forking the worker itself would copy locks that its threads hold; a fresh interpreter for each
child takes 0.7 s of CPU, of which a fork saves all but the app's own imports.

Each byte that comes over the line has a socket with it, the end of a new child. Back go FORKED and
ENDED, each with a pid and an exit status as ``os.waitstatus_to_exitcode`` gives it. When the line
ends, so do the children, with everything that they started.
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

from pgqueue_worker.isolation import child
from pgqueue_worker.parent import die_with_parent

if TYPE_CHECKING:
    from types import FrameType

FORKED, ENDED = b"f", b"e"
NEWS = struct.Struct("=cii")


class Forker:
    """Forks, buries, and at the end kills."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._living: set[int] = set()

    def run(self) -> None:
        """Fork a child for every socket until the worker is gone."""
        signal.signal(signal.SIGCHLD, self._bury)
        try:
            while True:
                asked, descriptors, *_ = socket.recv_fds(self._line, 1, 1)
                if not asked:
                    return
                self._fork(*descriptors)
        finally:
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            for pid in self._living:
                with suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)

    def _fork(self, descriptor: int) -> None:
        # a child that ends at once must not be buried before it is announced
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            self._line.close()
            child.live(socket.socket(fileno=descriptor))
        os.close(descriptor)
        self._living.add(pid)
        self._line.sendall(NEWS.pack(FORKED, pid, 0))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})

    def _bury(self, _number: int, _frame: FrameType | None) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._living.discard(pid)
            self._line.sendall(NEWS.pack(ENDED, pid, os.waitstatus_to_exitcode(status)))


def main() -> None:
    """Serve the worker whose line is the file descriptor in the first argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    die_with_parent(signal.SIGTERM)
    line = socket.socket(fileno=int(sys.argv[1]))
    gc.freeze()  # what is imported by now stays shared
    with suppress(ConnectionError):
        Forker(line).run()


if __name__ == "__main__":
    main()
