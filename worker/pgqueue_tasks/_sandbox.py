"""Run an engine on a user's input in a child process that cannot harm its neighbours.

Why not a thread: `select len(range(100000000))` ignored DuckDB's memory limit (7.3 GB resident) and
its interrupt (38 s); a Typst compilation cannot be interrupted at all, and keeps its caches. The
child has none of the worker's environment variables, a memory limit, may write no file, and dies
with its parent. It costs 0.1 to 0.3 s of CPU.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from .errors import EngineFailed, InputRefused

__all__ = ["run_in_child", "settled"]

_T = TypeVar("_T")
_LINE_LIMIT = 1 << 20
_STDERR_LIMIT = 4096
_slots: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


def _slot() -> asyncio.Semaphore:
    """As many children at once as processors (at least 2): more would only multiply memory."""
    loop = asyncio.get_running_loop()
    return _slots.setdefault(loop, asyncio.Semaphore(max(2, os.cpu_count() or 1)))


async def run_in_child(
    module: str,
    request: bytes,
    progress: Callable[[float, str], object],
    *,
    memory_bytes: int,
    cpu_seconds: int,
    max_output_bytes: int = 0,
) -> tuple[Any, bytes]:
    """The result and the bytes that `module` (run with -m) answers to `request`.

    Raises InputRefused when the child refuses the input or outgrows its limits, EngineFailed when
    it breaks. When the calling task is cancelled the child is dead before the cancellation goes on.
    """
    async with _slot(), _child(module, memory_bytes, cpu_seconds) as process:
        stdin, stdout = _pipe(process.stdin), _pipe(process.stdout)
        noise = asyncio.create_task(_pipe(process.stderr).read(_STDERR_LIMIT))
        try:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                stdin.write(request)
                stdin.close()
            answer = await _answer(stdout, progress)
            if answer is None:
                raise await _death(process, noise)
            if "refused" in answer:
                raise InputRefused(answer["refused"])
            if "failed" in answer:
                raise EngineFailed(answer["failed"])
            if answer["bytes"] > max_output_bytes:
                raise InputRefused(
                    f"the output would have {answer['bytes']:,} bytes, "
                    f"at most {max_output_bytes:,} are allowed"
                )
            return answer["result"], await stdout.readexactly(answer["bytes"])
        except asyncio.IncompleteReadError:
            raise await _death(process, noise) from None
        finally:
            noise.cancel()


async def settled(future: asyncio.Future[Any], nudge: Callable[[], object] = bool) -> None:
    """Wait until the future is done, however often this task is cancelled meanwhile.

    `nudge` is called until then, every 20 ms. A cancellation goes on afterwards.
    """
    cancelled = False
    while not future.done():
        nudge()
        try:
            await asyncio.wait({future}, timeout=0.02 if nudge is not bool else None)
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError


def _pipe(stream: _T | None) -> _T:
    if stream is None:
        raise EngineFailed("the child has no pipe")
    return stream


@contextlib.asynccontextmanager
async def _child(
    module: str, memory_bytes: int, cpu_seconds: int
) -> AsyncIterator[asyncio.subprocess.Process]:
    with tempfile.TemporaryDirectory(prefix="pgqueue-") as empty:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            module,
            str(memory_bytes),
            str(cpu_seconds),
            str(os.getpid()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LINE_LIMIT,
            cwd=empty,
            # A Ctrl-C in the terminal is for the worker, which drains; the child is to finish.
            start_new_session=True,
            env={"PYTHONPATH": _python_path(), "PYTHONUTF8": "1"},
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await settled(asyncio.ensure_future(process.wait()))


def _python_path() -> str:
    return os.pathsep.join(str(Path(path).absolute()) for path in sys.path if path)


async def _answer(
    stream: asyncio.StreamReader, progress: Callable[[float, str], object]
) -> dict[str, Any] | None:
    async for line in stream:
        message: dict[str, Any] = json.loads(line)
        if "progress" not in message:
            return message
        percent, text = message["progress"]
        progress(percent, text)
    return None


async def _death(process: asyncio.subprocess.Process, noise: asyncio.Task[bytes]) -> Exception:
    code = await process.wait()
    text = (await noise).decode(errors="replace").strip()
    if code in {-signal.SIGXCPU, -signal.SIGKILL}:
        return InputRefused("this takes more processor time than a task may use")
    if "memory allocation" in text or "bad_alloc" in text:
        return InputRefused("this needs more memory than a task may use")
    return EngineFailed(f"the engine's process ended with {code}: {text[-500:]}")
