"""An exception as it is stored: bounded, and free of what PostgreSQL or JSON cannot hold."""

from __future__ import annotations

import itertools
import sysconfig
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pgqueue

if TYPE_CHECKING:
    import asyncio
    from types import TracebackType

_MAX_MESSAGE = 8 * 1024
_MAX_TRACEBACK = 64 * 1024  # bytes, the last of them: what was raised is said at the end
_MAX_FRAME = 300
_OTHERS_CODE = (
    *{sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")},
    str(Path(__file__).parent.parent),
    str(Path(pgqueue.__file__).parent),
)


def describe(error: BaseException, *, skip_frames: int = 0) -> dict[str, Any]:
    """Give type, message, frame and traceback, without the first frames: the worker's own.

    ``frame`` is the innermost function of the user's own code that the error came through, without
    a line number, so that it stays the same from one release to the next.
    """
    frames = error.__traceback__
    for _ in range(skip_frames):
        if frames is not None and frames.tb_next is not None:
            frames = frames.tb_next
    try:
        text = "".join(traceback.format_exception(type(error), error, frames))
    except BaseException:  # noqa: BLE001  a hostile __str__ or __repr__ must not end the worker
        text = "the traceback cannot be formatted"
    return {
        "type": clean(type(error).__qualname__)[:200],
        "message": clean(_text(error))[:_MAX_MESSAGE],
        "frame": _frame(frames),
        "traceback": clean(text).encode()[-_MAX_TRACEBACK:].decode(errors="ignore"),
    }


def suspended(task: asyncio.Task[Any] | None) -> str:
    """Give where a task waits, down to the innermost coroutine, without the worker's own frames."""
    frames = []
    coroutine: Any = task and task.get_coro()
    while (frame := getattr(coroutine, "cr_frame", None)) is not None:
        code = frame.f_code
        frames.append(traceback.FrameSummary(code.co_filename, frame.f_lineno, code.co_name))
        coroutine = coroutine.cr_await
    own = [str(Path(__file__).with_name(name)) for name in ("runner.py", "execution.py")]
    kept = list(itertools.dropwhile(lambda frame: frame.filename in own, frames))
    return clean("".join(traceback.format_list(kept)))[-_MAX_TRACEBACK:]


def clean(text: str) -> str:
    """Replace NUL characters and lone surrogates."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _frame(frames: TracebackType | None) -> str | None:
    innermost = own = None
    while frames is not None:
        innermost = frames.tb_frame
        if not innermost.f_code.co_filename.startswith(_OTHERS_CODE):
            own = innermost
        frames = frames.tb_next
    found = own or innermost
    if found is None:
        return None
    return clean(f"{found.f_globals.get('__name__')}.{found.f_code.co_qualname}")[:_MAX_FRAME]


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:  # noqa: BLE001  as above: it may raise SystemExit
        return "the message cannot be read"
