"""In a child: one function, in an empty folder, with limits for good.

The child sends progress, text and log lines as they come, and at last one message ``end``. It has
``returned``, ``exceeded``, ``raised`` with the place of the error among those that are to arrive as
themselves, or ``failed``.
"""

from __future__ import annotations

import os
import pickle
import sys
from typing import TYPE_CHECKING, Any, cast

import orjson

from pgqueue.errors import UsageError
from pgqueue.handlers.context import Context
from pgqueue.handlers.failure import clean, message_of
from pgqueue.handlers.isolation import ProcessLimits
from pgqueue_worker.forks import end_copy
from pgqueue_worker.isolation.remote_reporter import ReportSender
from pgqueue_worker.isolation.rlimits import limit_for_good

if TYPE_CHECKING:
    from pgqueue.handlers.context import Reporter
    from pgqueue_worker.isolation.messages import Message, MessageSocket

_MAX_MESSAGE = 8 * 1024


def run(messages: MessageSocket, start: Message, pickled: bytes) -> None:
    """Run the function that was pickled with its arguments, and send how it ended."""
    sys.path[:] = start["path"]
    os.chdir(start["folder"])
    limit_for_good(ProcessLimits(**start["limits"]))
    message, data = _ended(messages, pickled)
    messages.send({"kind": "end", **message}, data)


def _ended(messages: MessageSocket, pickled: bytes) -> tuple[Message, bytes]:
    raises: tuple[type[Exception], ...] = ()
    try:
        call, attempt = pickle.loads(pickled)  # noqa: S301  the worker wrote it
        raises = call.raises
        reporter = cast("Reporter", _FunctionReporter(messages))
        returned = call.run(Context(**attempt, reporter=reporter))
        end_copy()
    except MemoryError as error:
        end_copy(error)
        return {"exceeded": "memory"}, b""
    except BaseException as error:  # noqa: BLE001  the border of a process; Rust panics are no Exception
        end_copy(error)
        for place, kind in enumerate(raises):
            if isinstance(error, kind):
                return {"raised": place, "message": _said(error)}, b""
        return {"failed": f"{type(error).__name__}: {_said(error)}"}, b""
    return {"returned": returned.shape, "json": orjson.Fragment(returned.json)}, returned.data


def _said(error: BaseException) -> str:
    return clean(message_of(error))[:_MAX_MESSAGE]


class _FunctionReporter(ReportSender):
    """Sends what a function reports; calls that would need an answer are refused."""

    def __getattr__(self, name: str) -> Any:
        """Refuse every other call of a reporter."""
        message = f"{name} was called in an isolated function"
        hint = (
            "there ctx takes progress, stream and log; return the value, and do it in the handler"
        )
        raise UsageError(message, hint=hint)
