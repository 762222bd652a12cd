"""An exception as it is stored: bounded, and free of what PostgreSQL or JSON cannot hold."""

from __future__ import annotations

import sysconfig
import traceback
from typing import TYPE_CHECKING, NotRequired, TypedDict

if TYPE_CHECKING:
    from types import FrameType, TracebackType

__all__ = ["MAX_TRACEBACK", "Failure", "clean", "describe", "message_of"]

_MAX_MESSAGE = 8 * 1024
MAX_TRACEBACK = 64 * 1024
"""Bytes. The end is kept: it says what was raised."""

_MAX_FRAME = 300
_OWN_PACKAGES = ("pgqueue", "pgqueue_worker")
_LIBRARIES = tuple(
    {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)


class Failure(TypedDict):
    """An error of an attempt, as it is stored.

    ``frame`` is the innermost function of the user's own code that the error came through, without
    a line number, so that it stays the same from one release to the next. ``errors`` says which
    places of a payload do not fit.
    """

    type: str
    message: str
    frame: NotRequired[str | None]
    traceback: NotRequired[str]
    errors: NotRequired[list[dict[str, str]]]


def describe(error: BaseException, *, skip_frames: int = 0) -> Failure:
    """Return an exception as it is stored, without its first frames: those of the worker."""
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
        "message": clean(message_of(error))[:_MAX_MESSAGE],
        "frame": _frame(frames),
        "traceback": clean(text).encode()[-MAX_TRACEBACK:].decode(errors="ignore"),
    }


def clean(text: str) -> str:
    """Replace NUL characters and lone surrogates."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _frame(frames: TracebackType | None) -> str | None:
    innermost = own = None
    while frames is not None:
        innermost = frames.tb_frame
        if _is_users(innermost):
            own = innermost
        frames = frames.tb_next
    found = own or innermost
    if found is None:
        return None
    return clean(f"{found.f_globals.get('__name__')}.{found.f_code.co_qualname}")[:_MAX_FRAME]


def _is_users(frame: FrameType) -> bool:
    module = str(frame.f_globals.get("__name__"))
    return module.partition(".")[0] not in _OWN_PACKAGES and not (
        frame.f_code.co_filename.startswith(_LIBRARIES)
    )


def message_of(error: BaseException) -> str:
    """Return what an exception says, however hostile it is."""
    try:
        if isinstance(error, SystemExit):  # it says its status, which explains nothing
            return f"sys.exit({'' if error.code is None else repr(error.code)}) was called"
        return str(error)
    except BaseException:  # noqa: BLE001  as above: it may raise SystemExit
        return "the message cannot be read"
