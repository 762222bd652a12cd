"""Processes that end together, and the signals that end them."""

import contextlib
import getpass
import math
import os
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType, TracebackType
from typing import Self

__all__ = [
    "Family",
    "ProcessGroup",
    "Signals",
    "Stopped",
    "shell_user",
    "stop_signals",
    "undisturbed",
]

_AT_ONCE_S = 0.5
_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# Waits until we end, which closes its input however we end; then it ends the others. `kill 0` means
# its own process group, whose number no other group can get while it runs. Service managers signal
# every process of a service, so it ignores what asks it to end.
_GUARD = """
trap '' HUP INT TERM
while read -r pid; do outsider=$pid; done
[ -n "$outsider" ] && kill -INT "$outsider"
kill -KILL 0
"""


class Stopped(BaseException):
    """A stop signal arrived inside `Signals.interrupting`."""


def shell_user() -> str:
    """Return who runs this process: by name, or by number where the system knows no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # such as in a container that runs as any user
        return f"uid {os.getuid()}"


def stop_signals() -> list[signal.Signals]:
    """Return the signals that ask this process to stop: under nohup, SIGHUP is none of them."""
    return [
        number
        for number in _STOP
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN
    ]


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Delay stop signals until the block is done.

    For code that must not be interrupted by an exception, for example between starting a process
    and storing it: the process would be lost. Handlers run in the main thread only, so in other
    threads this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: came.append(number))
        for number in _STOP
        if signal.getsignal(number) not in {signal.SIG_IGN, None}
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for late in came:
            signal.raise_signal(late)


class Signals:
    """Counts stop signals, and wakes `wait` when one arrives or a child ends.

    Signals within half a second count as one: `make` and `timeout` signal a process and its group,
    which does not mean that anyone asked twice.
    """

    def __init__(self) -> None:
        self.count = 0
        self._counted_at = -math.inf
        self._interrupting = False
        self._reader, self._writer = socket.socketpair()
        self._before: dict[signal.Signals, object] = {}
        self._wakeup_before = -1

    def __enter__(self) -> Self:
        self._reader.settimeout(0)
        self._writer.settimeout(0)
        self._wakeup_before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in stop_signals():
            self._before[number] = signal.signal(number, self._on_stop)
        # Only a signal that has a handler wakes.
        self._before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        signal.set_wakeup_fd(self._wakeup_before)
        self._reader.close()
        self._writer.close()

    @contextlib.contextmanager
    def interrupting(self) -> Iterator[None]:
        """Let a stop signal interrupt the block by raising `Stopped` in it."""
        self._interrupting = True
        try:
            if self.count:
                raise Stopped
            yield
        finally:
            self._interrupting = False

    def wait(self, seconds: float | None = None) -> None:
        """Return at the next signal, or immediately if one arrived since the last call."""
        select.select([self._reader], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            while self._reader.recv(4096):
                pass

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if now - self._counted_at < _AT_ONCE_S:
            return
        self._counted_at = now
        self.count += 1
        if self._interrupting:
            self._interrupting = False
            raise Stopped


class ProcessGroup:
    """A process group whose members do not outlive this process, even if it is killed.

    A small process leads it: it waits for the end of this one, and then kills the group. Ctrl-C in
    a terminal does not reach the members.
    """

    def __init__(self) -> None:
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            process_group=0,
        )
        self.id = self._guard.pid
        """The number of the group: start members with ``process_group=id``."""

    def adopt(self, pid: int) -> None:
        """Have ``pid``, a process outside the group, interrupted too if this process is killed."""
        assert self._guard.stdin
        self._guard.stdin.write(f"{pid}\n".encode())
        self._guard.stdin.flush()

    def kill(self) -> None:
        """Kill the whole group."""
        if self._guard.returncode is None:  # from then on another group may have its number
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.id, signal.SIGKILL)

    def close(self) -> None:
        """Kill what is left of the group, and release what this process holds of it."""
        self.kill()
        self._guard.wait()
        if self._guard.stdin:
            self._guard.stdin.close()


class Family:
    """Child processes in a process group of their own.

    They and their descendants in the group end with the ``with`` block, and if this process is
    killed. Ctrl-C in a terminal does not reach them: this process decides when they end.
    """

    def __init__(self) -> None:
        self._members: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        self._group = ProcessGroup()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._group.close()
        for process in self._members.values():
            process.wait()
        # Only descendants that nobody waits for are left; they were killed with the rest.
        deadline = time.monotonic() + 1
        with contextlib.suppress(ProcessLookupError):
            while time.monotonic() < deadline:
                os.killpg(self._group.id, 0)
                time.sleep(0.01)

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> int:
        """Start a member that shares our output; return its process id."""
        self._members[name] = process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, env=environment, process_group=self._group.id
        )
        return process.pid

    def adopt(self, pid: int) -> None:
        """Have ``pid``, a process outside the group, interrupted too if this process is killed."""
        self._group.adopt(pid)

    def ended(self) -> tuple[str, int] | None:
        """Return the name and exit status of a member that ended; negative for a signal."""
        for name, process in self._members.items():
            if (status := process.poll()) is not None:
                return name, status
        return None

    def running(self) -> bool:
        """Return whether a member is still running."""
        return any(process.poll() is None for process in self._members.values())

    def terminate(self) -> None:
        """Ask every member to end."""
        for process in self._members.values():
            process.terminate()

    def kill(self) -> None:
        """Kill the whole group."""
        self._group.kill()
