"""The app whose handlers start processes in every way that Python has."""

import asyncio
import multiprocessing
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from pgqueue import Context, PgQueue
from tests.worker.handlers import GATES

app = PgQueue()

ENDING = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
SLEEP = ["sleep", "600"]


def kept(pid: int) -> dict[str, list[str]]:
    """Return which of the signals that end processes, and SIGCHLD, a process ignores or blocks."""
    fields = dict(
        line.split(":\t") for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )

    def among(name: str) -> list[str]:
        mask = int(fields[name], 16)
        return [n.name for n in (*ENDING, signal.SIGCHLD) if mask >> (n - 1) & 1]

    return {name: found for name in ("SigIgn", "SigBlk") if (found := among(name))}


@contextmanager
def by_subprocess() -> Iterator[int]:
    with subprocess.Popen(SLEEP) as process:
        yield process.pid


@contextmanager
def by_subprocess_after_a_function() -> Iterator[int]:
    with subprocess.Popen(SLEEP, preexec_fn=os.getpid) as process:  # noqa: PLW1509
        yield process.pid


@contextmanager
def by_posix_spawn() -> Iterator[int]:
    pid = os.posix_spawn("/bin/sleep", SLEEP, os.environ)
    yield pid
    os.waitpid(pid, 0)


@contextmanager
def by_fork() -> Iterator[int]:
    pid = os.fork()
    if pid == 0:
        signal.pause()
        os._exit(0)
    yield pid
    os.waitpid(pid, 0)


def by_multiprocessing(method: str) -> Callable[[], Iterator[int]]:
    @contextmanager
    def start() -> Iterator[int]:
        process = multiprocessing.get_context(method).Process(target=time.sleep, args=(600,))
        process.start()
        yield process.pid
        process.join()

    return start


@contextmanager
def by_an_executor() -> Iterator[int]:
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        yield pool.submit(os.getpid).result()


WAYS = {
    "subprocess": by_subprocess,
    "preexec_fn": by_subprocess_after_a_function,
    "posix_spawn": by_posix_spawn,
    "fork": by_fork,
    "multiprocessing fork": by_multiprocessing("fork"),
    "multiprocessing spawn": by_multiprocessing("spawn"),
    "multiprocessing forkserver": by_multiprocessing("forkserver"),
    "executor": by_an_executor,
}


def look(pid: int) -> dict[str, list[str]]:
    """See what a process keeps of its parent, once it is itself; then ask it to end."""
    deadline = time.monotonic() + 10
    while (found := kept(pid)) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL if found else signal.SIGTERM)
    return found


def start_all() -> dict[str, dict[str, list[str]]]:
    found = {}
    for name, way in WAYS.items():
        with way() as pid:
            found[name] = look(pid)
    return found


async def start_with_asyncio() -> dict[str, list[str]]:
    process = await asyncio.create_subprocess_exec(*SLEEP)
    found = look(process.pid)
    await process.wait()
    return found


@app.task("start", max_attempts=1)
def start(ctx: Context) -> dict:
    return {**start_all(), "asyncio": asyncio.run(start_with_asyncio())}


@app.task("start_async", max_attempts=1)
async def start_async(ctx: Context) -> dict:
    return {**start_all(), "asyncio": await start_with_asyncio()}


@app.task("start_isolated", isolation="process", max_attempts=1)
def start_isolated(ctx: Context) -> dict:
    return start(ctx)


@app.task("start_isolated_async", isolation="process", max_attempts=1)
async def start_isolated_async(ctx: Context) -> dict:
    return {**start_all(), "asyncio": await start_with_asyncio()}


def start_in_function(ctx: Context) -> dict:
    """Start what a function with an empty environment, and without files, can start."""
    with by_subprocess() as pid:
        return {"subprocess": look(pid)}


@app.task("start_in_function", max_attempts=1)
async def start_in_function_(ctx: Context) -> dict:
    return await ctx.run_isolated(start_in_function)


@app.task("pool", max_attempts=1, timeout=20)
def pool(ctx: Context) -> list:
    with multiprocessing.get_context("spawn").Pool(2) as workers:
        return workers.map(abs, [-1, -2])


def remember(name: str, pid: int) -> None:
    (GATES / f"started-{name}").write_text(str(pid))


def leave(name: str) -> None:
    """Leave a child, and one of its own, that hold whatever can be inherited."""
    child = os.fork()
    if child == 0:
        grandchild = os.fork()
        if grandchild == 0:
            time.sleep(600)
        remember(f"{name}-below", grandchild)
        time.sleep(600)
    remember(name, child)
    below = GATES / f"started-{name}-below"
    while not (below.exists() and below.read_text()):  # who ends them must not be sooner
        time.sleep(0.001)


def leave_on_purpose(name: str) -> None:
    away = subprocess.Popen(["sleep", "601"], start_new_session=True)
    remember(f"{name}-away", away.pid)


@app.task("leave", max_attempts=1)
def leave_(ctx: Context, payload: dict) -> None:
    leave(payload["name"])
    leave_on_purpose(payload["name"])
    if payload.get("wait"):
        time.sleep(600)


@app.task("leave_isolated", isolation="process", max_attempts=1)
def leave_isolated(ctx: Context, payload: dict) -> None:
    leave(payload["name"])
    if payload.get("die"):
        os.kill(os.getpid(), signal.SIGKILL)
    leave_on_purpose(payload["name"])
    time.sleep(600)
