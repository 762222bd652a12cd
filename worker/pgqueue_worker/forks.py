"""What a handler forks is no second worker: it ends where it would go on as one.

``os.fork()`` copies the worker, with its connections and its event loop. The copy may do what the
handler has it do, and may execute something; only the context is refused there. When it leaves the
handler, by whatever way, it ends: before it reports anything, and before the loop that it shares
with the worker runs in it.

A handler's return is noticed by who called it. A copy also has a profile function, which notices
when its outermost function returns or gives way to the event loop. Only copies pay for that.
Children of ``multiprocessing`` never come back, and have none.
"""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from pgqueue.errors import UsageError

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["end_copies", "end_copy", "refuse_copy"]

_CALLERS = {
    "asyncio.base_events",
    "asyncio.events",
    "asyncio.runners",
    "concurrent.futures.thread",
    "pgqueue_worker.loops",
    "threading",
}
"""The modules that call what runs on an event loop or in a thread."""

_STATUS = 1

_copied = False  # whether this process is a copy


def end_copies() -> None:
    """From now on, have every copy of this process end when it leaves what it was forked in."""
    global _copied  # noqa: PLW0603  as there is one process
    _copied = False
    _register()


def end_copy(error: BaseException | None = None) -> None:
    """End this process if it is a copy; ``error`` is what it raised."""
    if not _copied:
        return
    match error:
        case None:
            status = 0
        case SystemExit(code=None):
            status = 0
        case SystemExit(code=int(code)):
            status = code & 0xFF
        case _:
            status = _STATUS
            _print("".join(traceback.format_exception(error)))
    _end(status)


def refuse_copy() -> None:
    """Raise ``UsageError`` in a copy, or in any other process that was forked from this one."""
    if _copied:
        message = f"ctx was used in process {os.getpid()}, which its handler forked"
        raise UsageError(message, hint="use it in the handler itself, and send that what to report")


@cache
def _register() -> None:
    os.register_at_fork(after_in_child=_watch)


def _watch() -> None:
    global _copied  # noqa: PLW0603  as above
    _copied = True
    outermost: FrameType | None = None
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  its name is historical
    while frame is not None:
        module = frame.f_globals.get("__name__")
        if module == "multiprocessing.popen_fork":
            return
        if module in _CALLERS:
            break
        outermost, frame = frame, frame.f_back

    def left(current: FrameType, event: str, _argument: Any) -> None:
        if current is outermost and event == "return":  # or a yield
            _print(
                f"pgqueue: the child {os.getpid()} of os.fork() left its handler and was ended\n"
            )
            _end(_STATUS)

    sys.setprofile(left)


def _print(text: str) -> None:
    # a thread that the copy does not have may hold the lock of sys.stderr
    with suppress(OSError):
        os.write(2, text.encode(errors="replace"))


def _end(status: int) -> None:
    os._exit(status)
