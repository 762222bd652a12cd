"""The process that children are forked from: it imports the library, and does nothing else.

Forking the worker itself would copy locks that its threads hold. A fresh interpreter for each child
takes 0.4 s of CPU, of which a fork saves all but the imports of the app or of the function.

A request is one byte with one or two file descriptors: the socket of the new child, and where its
output goes, if not where the worker's goes. The answers are FORKED with a pid, FAILED with an error
number, if there could be no child, and ENDED with a pid and an exit status as
``os.waitstatus_to_exitcode`` returns it. When the socket to the worker ends, the server kills its
children, with everything that they started.

The end of a child is a byte on a socket, not the work of a signal handler: that is interrupted by
the next signal, and two of them would reap the same child.
"""

from __future__ import annotations

import errno
import gc
import os
import select
import signal
import socket
import struct
import sys
from contextlib import suppress

from pgqueue.processes import stop_signals
from pgqueue_worker import signals
from pgqueue_worker.isolation import child_main
from pgqueue_worker.parent import die_with_parent

FORKED, FAILED, ENDED = b"f", b"x", b"e"
NEWS = struct.Struct("=cii")


class ForkServer:
    """Forks children, reaps them, and kills those that are left at the end."""

    def __init__(self, worker: socket.socket) -> None:
        self._worker = worker
        self._pid = os.getpid()
        self._living: set[int] = set()
        self._ended, self._bell = socket.socketpair()
        for end in (self._ended, self._bell):
            end.setblocking(False)  # noqa: FBT003  the name of the call says what it is

    def run(self) -> None:
        """Fork a child for every request until the worker is gone."""
        signals.disregard(signal.SIGCHLD)
        signal.set_wakeup_fd(self._bell.fileno(), warn_on_full_buffer=False)
        try:
            while True:
                readable, _, _ = select.select([self._worker, self._ended], [], [])
                if self._ended in readable:
                    self._ended.recv(4096)
                    self._reap()
                if self._worker in readable:
                    request, descriptors, flags, _ = socket.recv_fds(self._worker, 1, 2)
                    if not request:
                        return
                    self._fork(descriptors, lost=bool(flags & socket.MSG_CTRUNC))
        finally:
            for pid in self._living:
                with suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)

    def _fork(self, descriptors: list[int], *, lost: bool) -> None:
        error = errno.EMFILE if lost else 0  # this process had no room for the descriptors
        pid = 0
        if not error:
            try:
                pid = os.fork()
            except OSError as refused:
                error = refused.errno or errno.EAGAIN
        if error:
            self._say(FAILED, 0, error)
        elif pid == 0:
            for end in (self._worker, self._ended, self._bell):
                end.close()
            child_main.run(self._pid, *descriptors)
        else:
            self._living.add(pid)
            self._say(FORKED, pid, 0)
        for descriptor in descriptors:
            os.close(descriptor)

    def _reap(self) -> None:
        while self._living:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is None:
                return
            pid = ended.si_pid
            # what it started holds its socket open; until the wait its number is no other's
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            self._living.discard(pid)
            self._say(ENDED, pid, os.waitstatus_to_exitcode(status))

    def _say(self, news: bytes, pid: int, status: int) -> None:
        self._worker.sendall(NEWS.pack(news, pid, status))


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
