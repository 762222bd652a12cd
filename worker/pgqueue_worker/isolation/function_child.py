"""A child that runs one function, as its worker sees it. What comes from it is not trusted."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pgqueue.errors import FunctionFailed, PgQueueError, ResourcesExceeded, UsageError
from pgqueue.handlers.isolation import joined
from pgqueue_worker.isolation.child_process import ChildProcess, how_it_ended
from pgqueue_worker.isolation.messages import MessageTooLarge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pgqueue.handlers.context import Context
    from pgqueue.handlers.isolation import IsolatedCall
    from pgqueue_worker.isolation.fork_client import ForkClient
    from pgqueue_worker.isolation.messages import Message

_MIN_TEXT = 64 * 1024  # a message may have so much JSON, however small the output is to be
_KEPT = 4096  # bytes of what it prints, the last of them
_SHOWN = 500
_NOT_OURS = "its process sent a message that no function sends"
_PRINTED_S = 1.0
_OUT_OF_MEMORY = ("memory allocation", "bad_alloc")  # what Rust and C++ print before they abort


def empty_environment() -> dict[str, str]:
    """Return what Python needs to find the library, and nothing of the worker's environment."""
    path = os.pathsep.join(str(Path(folder).absolute()) for folder in sys.path if folder)
    # with a limit on files Python would leave half of a compiled module, for others to stumble over
    return {"PYTHONPATH": path, "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"}


async def run_function(client: ForkClient, context: Context, call: IsolatedCall) -> Any:
    """Return what the function returns; see ``Context.run_isolated`` for what it raises."""
    pickled = call.pickled(context)
    with TemporaryDirectory(prefix="pgqueue-", ignore_cleanup_errors=True) as folder:
        start = {"path": sys.path, "folder": folder, "limits": asdict(call.limits)}
        async with _printed() as (descriptor, printed):
            try:
                process = await ChildProcess.fork(client, descriptor)
            except OSError as error:
                raise FunctionFailed(f"its process could not be started: {error}") from error
            finally:
                os.close(descriptor)
            status = None
            try:
                process.send({"kind": "function", **start}, pickled)
                end = await _end(process, context, call)
            finally:
                status = await process.reap()
            if end is None:
                await asyncio.wait({printed}, timeout=_PRINTED_S)
                text = printed.result() if printed.done() else ""
                raise _death(status, text, call)
            return _value(*end, call)


@asynccontextmanager
async def _printed() -> AsyncIterator[tuple[int, asyncio.Task[str]]]:
    """Open where a child's output goes: a file descriptor for it, and the last that it prints."""
    read, write = os.pipe()
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read, "rb")
    )
    printed = asyncio.create_task(_last(reader))
    try:
        yield write, printed
    finally:
        printed.cancel()
        transport.close()


async def _last(reader: asyncio.StreamReader) -> str:
    last = b""
    while data := await reader.read(_KEPT):
        last = (last + data)[-_KEPT:]
    return last.decode(errors="replace").strip()


async def _end(
    process: ChildProcess, context: Context, call: IsolatedCall
) -> tuple[Message, bytes] | None:
    """Report what the function reports until it ends; return ``None`` when its process does."""
    max_text = max(_MIN_TEXT, call.max_output)
    try:
        while True:
            message, data = await process.receive(max_text=max_text, max_blob=call.max_output)
            match message:
                case {"kind": "progress", "arguments": {"percent": percent, "message": text}}:
                    context.progress(percent, text)
                case {"kind": "text", "arguments": {"text": str(text)}}:
                    context.stream(text)
                case {
                    "kind": "event",
                    "arguments": {
                        "level": "debug" | "info" | "warning" | "error" as level,
                        "message": str(text),
                        "data": dict(fields),
                    },
                }:
                    getattr(context.log, level)(text, **fields)
                case {"kind": "end"}:
                    return message, data
                case _:
                    raise FunctionFailed(_NOT_OURS)
    except MessageTooLarge as error:
        raise ResourcesExceeded(
            f"its output would have {error.size:,} bytes, at most {call.max_output:,} are allowed"
        ) from None
    except (asyncio.IncompleteReadError, OSError):
        return None
    except (ValueError, TypeError, UsageError) as error:
        raise FunctionFailed(f"{_NOT_OURS}: {error}") from None


def _value(message: Message, data: bytes, call: IsolatedCall) -> Any:
    match message:
        case {"returned": "json" | "bytes" | "pair" as shape, "json": json}:
            return joined(shape, json, data)
        case {"exceeded": "memory"}:
            raise _needs_more_memory(call)
        case {"raised": int(place), "message": str(text)} if 0 <= place < len(call.raises):
            raise call.raises[place](text)
        case {"failed": str(text)}:
            raise FunctionFailed(text)
        case _:
            raise FunctionFailed(_NOT_OURS)


def _death(status: int | None, printed: str, call: IsolatedCall) -> PgQueueError:
    """Return the error of a process that ended before its function did."""
    if status == -signal.SIGXCPU and call.limits.cpu_s is not None:
        return ResourcesExceeded(f"it takes more than {call.limits.cpu_s:,} s of processor time")
    if any(sign in printed for sign in _OUT_OF_MEMORY):
        return _needs_more_memory(call)
    message = f"its process {how_it_ended(status)}"
    return FunctionFailed(f"{message}: {printed[-_SHOWN:]}" if printed else message)


def _needs_more_memory(call: IsolatedCall) -> ResourcesExceeded:
    limit = call.limits.memory
    more = "" if limit is None else f" than {limit:,} bytes of"
    return ResourcesExceeded(f"it needs more{more} memory")
