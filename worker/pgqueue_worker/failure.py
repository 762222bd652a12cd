"""An exception as it is stored: bounded, and free of what PostgreSQL or JSON cannot hold."""

from __future__ import annotations

import traceback
from typing import Any

_MAX_MESSAGE = 8 * 1024
_MAX_TRACEBACK = 64 * 1024


def describe(error: BaseException, *, skip_frames: int = 0) -> dict[str, Any]:
    """Give type, message and traceback, without the first frames: those are the worker's own."""
    frames = error.__traceback__
    for _ in range(skip_frames):
        if frames is not None and frames.tb_next is not None:
            frames = frames.tb_next
    try:
        text = "".join(traceback.format_exception(type(error), error, frames))
    except Exception:  # noqa: BLE001  a hostile __str__ or __repr__ must not end the worker
        text = "the traceback cannot be formatted"
    return {
        "type": clean(type(error).__qualname__)[:200],
        "message": clean(_text(error))[:_MAX_MESSAGE],
        "traceback": clean(text)[-_MAX_TRACEBACK:],
    }


def clean(text: str) -> str:
    """Replace NUL characters and lone surrogates."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001  as above
        return "the message cannot be read"
