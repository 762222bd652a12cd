"""How long a caller waits for the end of a no-op task: ``app.wait``, and ``Prefer: wait``.

One call after the other, so that the machine is mostly idle and each wait begins while its task
starts, runs or ends: what a wait misses of that it finds out a second later.
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import uvloop

from bench.http_api import serving
from bench.load import payload
from bench.systems import environment
from pgqueue import PgQueue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.pgqueue_system import Pgqueue
    from bench.server import Server

SLOW_S = 0.2
_WARM_UP = 50
_LIMIT_S = 60


def measure(server: Server, system: Pgqueue, waits: int) -> dict[str, float]:
    """Return median and maximum of both ways, in milliseconds, and how many took over 200 ms."""
    with server.database("bench") as dsn:
        system.install(dsn)
        with _worker(system, dsn), serving(system, dsn) as url:
            by_library = uvloop.run(_library(dsn, waits))
            by_http = uvloop.run(_http(url, waits))
    return {
        **{f"library_{name}": figure for name, figure in _figures(by_library).items()},
        **{f"http_{name}": figure for name, figure in _figures(by_http).items()},
    }


async def _library(dsn: str, waits: int) -> list[float]:
    times = []
    async with PgQueue(dsn) as app:
        for n in range(_WARM_UP + waits):
            began = time.monotonic()
            task = await app.wait(await app.enqueue("noop", payload(n)), timeout=_LIMIT_S)
            times.append(time.monotonic() - began)
            assert task.status == "completed"
            await asyncio.sleep(0)
    return times[_WARM_UP:]


async def _http(url: str, waits: int) -> list[float]:
    times = []
    headers = {"prefer": f"wait={_LIMIT_S}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=2 * _LIMIT_S) as client:
        for n in range(_WARM_UP + waits):
            began = time.monotonic()
            task = {"type": "noop", "payload": payload(n)}
            answer = await client.post("/v1/tasks", json=task)
            times.append(time.monotonic() - began)
            assert answer.json()["status"] == "completed"
    return times[_WARM_UP:]


def _figures(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    return {
        "p50_ms": 1e3 * ordered[len(ordered) // 2],
        "p99_ms": 1e3 * ordered[len(ordered) * 99 // 100],
        "max_ms": 1e3 * ordered[-1],
        "slow": sum(one > SLOW_S for one in ordered),
    }


@contextmanager
def _worker(system: Pgqueue, dsn: str) -> Iterator[None]:
    worker = subprocess.Popen(system.worker(drain=False), env=environment(system.environment(dsn)))
    try:
        yield
    finally:
        worker.terminate()
        try:
            worker.wait(_LIMIT_S)
        except subprocess.TimeoutExpired:
            worker.kill()
