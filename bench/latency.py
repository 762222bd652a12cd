"""From enqueue to the start of the handler, at a rate that leaves all processes mostly idle."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path

import uvloop

from bench.server import Server
from bench.systems import Producer, System, environment

RATE = 200
_WARM_UP = 100
_LIMIT_S = 60


Beside = Callable[[str], AbstractContextManager[None]]
"""What else goes on in the database of this connection string."""


def _nothing_else(dsn: str) -> AbstractContextManager[None]:  # noqa: ARG001
    return nullcontext()


def measure(
    server: Server, system: System, seconds: float, beside: Beside = _nothing_else
) -> dict[str, float]:
    """Return the percentiles of one run, in milliseconds."""
    tasks = round(RATE * seconds)
    with (
        server.database("bench") as dsn,
        tempfile.TemporaryDirectory() as directory,
        ExitStack() as stack,
    ):
        starts = Path(directory) / "starts"
        starts.touch()
        system.install(dsn)
        stack.enter_context(beside(dsn))
        worker = subprocess.Popen(
            system.worker(drain=False), env=environment(system.environment(dsn), starts)
        )
        try:
            sent, durable, cpu_s = uvloop.run(_run(server, system, dsn, starts, tasks))
        finally:
            worker.terminate()
            try:
                worker.wait(_LIMIT_S)
            except subprocess.TimeoutExpired:
                worker.kill()
        started = _read(starts)
    waits = sorted((started[number] - at) / 1e6 for number, at in sent.items())
    percentiles = statistics.quantiles(waits, n=100, method="inclusive")
    calls = [(durable[number] - at) / 1e6 for number, at in sent.items()]
    return {
        "p50_ms": percentiles[49],
        "p99_ms": percentiles[98],
        "max_ms": waits[-1],
        "enqueue_p50_ms": statistics.median(calls),
        "server_us": 1e6 * cpu_s / tasks,
    }


async def _run(
    server: Server, system: System, dsn: str, starts: Path, tasks: int
) -> tuple[dict[int, int], dict[int, int], float]:
    """Enqueue at the rate, after a warm-up; return the times of each call, and the CPU seconds."""
    async with system.producer(dsn) as producer:
        await producer.enqueue_stamp(0)
        await _until(starts, 1)  # the worker is up
        await _send(producer, range(1, 1 + _WARM_UP))
        await _until(starts, 1 + _WARM_UP)
        first = 1 + _WARM_UP
        before = server.read()
        sent, durable = await _send(producer, range(first, first + tasks))
        await _until(starts, first + tasks)
        used = server.read() - before
    return sent, durable, used.cpu_s


async def _send(producer: Producer, numbers: range) -> tuple[dict[int, int], dict[int, int]]:
    """Enqueue each on time; return when each call began and ended (monotonic ns)."""
    sent: dict[int, int] = {}
    durable: dict[int, int] = {}

    async def one(number: int) -> None:
        sent[number] = time.monotonic_ns()
        await producer.enqueue_stamp(number)
        durable[number] = time.monotonic_ns()

    began = time.monotonic()
    async with asyncio.TaskGroup() as calls:
        for n, number in enumerate(numbers):
            await asyncio.sleep(began + n / RATE - time.monotonic())
            calls.create_task(one(number))
    return sent, durable


async def _until(starts: Path, n: int) -> None:
    async with asyncio.timeout(_LIMIT_S):
        while len(_read(starts)) < n:  # noqa: ASYNC110  the other process writes a file
            await asyncio.sleep(0.1)


def _read(starts: Path) -> dict[int, int]:
    """Return the first start of each task."""
    started: dict[int, int] = {}
    for line in starts.read_text().splitlines():
        number, at = line.split()
        started.setdefault(int(number), int(at))
    return started
