"""A server that may open few files serves others, however many connections somebody holds."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from tests.api.worker import Worker

FILES = 128


@pytest.fixture
def url(database: str, worker: Worker) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            *("sh", "-c", f'ulimit -n {FILES}; exec "$@"', "sh"),
            *(sys.executable, "-m", "pgqueue", "api", "--port", str(port)),
        ],
        env={**os.environ, "PGQUEUE_DATABASE_URL": database},
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(45)


async def test_others_are_served_while_somebody_holds_more_than_there_may_be(url: str):
    async with asyncio.timeout(45):
        while not await answers(url):
            await asyncio.sleep(0.05)
    address = httpx.URL(url)
    held = [await asyncio.open_connection(address.host, address.port) for _ in range(2 * FILES)]
    async with httpx.AsyncClient(base_url=url) as http:
        assert (await http.get("/healthz")).status_code == 200
        task = await http.post("/v1/tasks", json={"type": "noop"})
        assert task.status_code == 201, task.text
        assert (await http.get(task.headers["location"])).status_code == 200
    for _, writer in held:
        writer.close()


async def answers(url: str) -> bool:
    try:
        async with httpx.AsyncClient(base_url=url) as http:
            return (await http.get("/readyz")).status_code == 200
    except httpx.TransportError:
        return False
