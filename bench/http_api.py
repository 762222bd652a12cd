"""Durable submits over HTTP: one API process, 64 connections, one request in flight on each."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import psycopg
import uvloop

from bench import http_submit
from bench.load import payload
from bench.server import Server
from bench.systems import environment

CONNECTIONS = 64
_WARM_UP_S = 0.5
_LIMIT_S = 60


class HttpSystem(Protocol):
    """A system that takes submits over HTTP at ``/v1/tasks`` and stores them in PostgreSQL."""

    name: str
    stored: str
    """SQL: how many submits are stored."""

    def install(self, dsn: str) -> None:
        """Create the schema in an empty database."""

    def api(self, port: int) -> list[str]:
        """Return the command of a process that serves on this port."""

    def environment(self, dsn: str) -> dict[str, str]:
        """Return what the command finds its database by."""


def measure(server: Server, system: HttpSystem, seconds: float) -> dict[str, float]:
    """Return the figures of one run, after checking that every acknowledged task is stored."""
    with server.database("bench") as dsn:
        system.install(dsn)
        with serving(system, dsn) as url:
            _, warm_up = uvloop.run(_submit(url, _WARM_UP_S))
            before = server.read()
            rate, times = uvloop.run(_submit(url, seconds))
            used = server.read() - before
        with psycopg.connect(dsn) as connection:
            row = connection.execute(system.stored).fetchone()
    acknowledged = len(times) + len(warm_up)
    assert row is not None
    if row[0] != acknowledged:
        raise RuntimeError(f"{acknowledged:,} submits were acknowledged, {row[0]:,} are stored")
    waits = sorted(times)
    return {
        "posts_per_s": rate,
        "p50_ms": 1e3 * waits[len(waits) // 2],
        "p99_ms": 1e3 * waits[len(waits) * 99 // 100],
        "server_us": 1e6 * used.cpu_s / len(times),
    }


async def _submit(url: str, seconds: float) -> tuple[float, list[float]]:
    return await http_submit.measure(url, CONNECTIONS, seconds, payload(7))


@contextmanager
def serving(system: HttpSystem, dsn: str) -> Iterator[str]:
    """Run one API process, and yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(system.api(port), env=environment(system.environment(dsn)))
    url = f"http://127.0.0.1:{port}"
    try:
        _await_ready(url, process)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _LIMIT_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError("the API did not become ready")
