"""What happens at a timeout, and to a handler that does not stop.

One loop checks the deadlines of all attempts, instead of a timer for each: accurate to 50 ms, at no
cost per task. A handler whose time is over is interrupted, and once more after half the grace. If
it does not stop then it is left behind: its attempt ends as timed out (or as what it was
interrupted for), its slot is free, and the process asks to be replaced.
"""

from __future__ import annotations

import asyncio
import itertools
import traceback
from typing import TYPE_CHECKING, Any

from pgqueue.handlers import ending as endings
from pgqueue.handlers.failure import MAX_TRACEBACK, Failure, clean
from pgqueue_worker.attempts.execution import limit_of
from pgqueue_worker.attempts.runner import MAX_INTERRUPTS

if TYPE_CHECKING:
    from pgqueue_worker.attempts.deadlines import Deadlines
    from pgqueue_worker.attempts.execution import Execution
    from pgqueue_worker.attempts.runner import Runner
    from pgqueue_worker.lease import Lease

__all__ = ["TimeoutEnforcer"]

_LOOK_S = 0.05
_STALLED_S = 1.0  # after this long without a start or an end, the backlog goes to other workers


class TimeoutEnforcer:
    """Acts on the deadlines of a runner's attempts."""

    def __init__(
        self, runner: Runner, execution: Execution, deadlines: Deadlines, *, stop_grace_s: float
    ) -> None:
        self._runner = runner
        self._execution = execution
        self._deadlines = deadlines
        self._stop_grace_s = stop_grace_s
        self._loop = asyncio.get_running_loop()

    async def run(self) -> None:
        """Look at every attempt, forever."""
        while True:
            await asyncio.sleep(_LOOK_S)
            now = self._loop.time()
            if (stalled_s := self._runner.stalled_s(now)) > _STALLED_S:
                self._runner.put_backlog_back(stalled_s)
            for lease in self._runner.running:
                if lease.deadline is not None and now >= lease.deadline:
                    self._act(lease)

    def _act(self, lease: Lease) -> None:
        if lease.stray is not None:  # the attempt has ended, its thread has not
            self._execution.replace_threads()
            self._runner.leave_behind(lease)
        elif not lease.interruptible:  # it is about to end
            self._deadlines.set(lease, self._loop.time() + self._stop_grace_s)
        elif lease.interrupts < MAX_INTERRUPTS:
            self._runner.interrupt(lease, lease.cause or "timeout")
        else:
            limit = limit_of(lease, self._runner.types[lease.task.type])
            where = Failure(type="", message="", traceback=_suspended(lease.running))
            ending = endings.interrupted(lease.cause or "timeout", limit, where)
            self._runner.end(lease, ending, self._loop.time() - lease.started_at)
            self._runner.leave_behind(lease)


def _suspended(task: asyncio.Task[Any] | None) -> str:
    """Return where a task is suspended, to the innermost coroutine, without our own frames."""
    frames = []
    coroutine: Any = task and task.get_coro()
    while (frame := getattr(coroutine, "cr_frame", None)) is not None:
        frames.append(frame)
        coroutine = coroutine.cr_await
    handlers = itertools.dropwhile(
        lambda frame: str(frame.f_globals.get("__name__")).startswith("pgqueue_worker."), frames
    )
    lines = [
        traceback.FrameSummary(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
        for frame in handlers
    ]
    return clean("".join(traceback.format_list(lines)))[-MAX_TRACEBACK:]
