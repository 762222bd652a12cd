"""The child's side of a sandboxed engine (see _sandbox.py): limits, one request, one answer.

stdin: one JSON request, to the end. stdout: JSON lines `{"progress": [percent, message]}`, at last
`{"result": …, "bytes": n}` and n raw bytes, or `{"refused": message}`, or `{"failed": message}`.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import sys
from collections.abc import Callable
from typing import Any

from .errors import InputRefused

__all__ = ["serve"]

_PR_SET_PDEATHSIG, _SIGKILL = 1, 9

Engine = Callable[[Any, Callable[[float, str], None]], tuple[Any, bytes]]


def _confine(memory_bytes: int, cpu_seconds: int, parent: int) -> None:
    for what, limit in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        # macOS refuses some of them; the timeout of the task still bounds the child there.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (limit, limit))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, _SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def serve(engine: Engine) -> None:
    """Answer the one request of this process with `engine`, then return; never raises."""
    memory_bytes, cpu_seconds, parent = map(int, sys.argv[1:4])
    _confine(memory_bytes, cpu_seconds, parent)
    # The engine's own prints, a library's warnings included, must not break the protocol.
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)

    def send(message: dict[str, Any]) -> None:
        out.write(json.dumps(message).encode() + b"\n")

    try:
        request = json.loads(sys.stdin.buffer.read())
        result, data = engine(request, lambda p, m: send({"progress": [p, m]}))
    except InputRefused as error:
        send({"refused": str(error)})
    except MemoryError:
        send({"refused": "this needs more memory than a task may use"})
    except BaseException as error:  # noqa: BLE001 - a process border; Rust panics are no Exception
        send({"failed": f"{type(error).__name__}: {error}"[:2000]})
    else:
        send({"result": result, "bytes": len(data)})
        view = memoryview(data)
        while view:
            view = view[out.write(view) :]
