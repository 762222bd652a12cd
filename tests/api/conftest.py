"""The application on a database of the test's own: in-process, and behind a real server."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import httpx
import pytest
from pgqueue_api.app import Api
from pgqueue_api.bounds import Bounds
from pgqueue_api.server import Server

from tests.api.application import application
from tests.api.worker import Worker

SLEEP_SCHEMA = {
    "type": "object",
    "properties": {"delay_ms": {"type": "integer", "minimum": 0}, "name": {"type": "string"}},
    "required": ["delay_ms"],
    "additionalProperties": False,
}


@pytest.fixture(scope="session")
def template(template_of_two_days: str) -> str:
    return template_of_two_days


@pytest.fixture
def worker(database: str) -> Iterator[Worker]:
    worker = Worker(database)
    worker.publish("noop")
    worker.publish("sleep", SLEEP_SCHEMA)
    yield worker
    worker.close()


@pytest.fixture
def limits() -> Bounds:
    """Bounds of the test's own are given by overriding this fixture."""
    return Bounds(poll_s=0.1)


@pytest.fixture
async def app(database: str, worker: Worker, limits: Bounds) -> AsyncIterator[Api]:
    with application(database, limits) as app:
        async with app.lifespan():
            yield app


@pytest.fixture
async def client(app: Api) -> AsyncIterator[httpx.AsyncClient]:
    """The application without a socket; answers arrive whole, so it is not for streams."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        yield client


@pytest.fixture
async def served(database: str, worker: Worker, limits: Bounds) -> AsyncIterator[Server]:
    """The application behind uvicorn, on a port of its own."""
    with application(database, limits) as app:
        server = Server(app, "127.0.0.1", 0, grace_s=5)
        serving = asyncio.create_task(server._serve())
        await server.ready.wait()
        yield server
        server.should_exit = True
        await serving


@pytest.fixture
def connect_http(served: Server) -> Callable[[], httpx.AsyncClient]:
    return lambda: httpx.AsyncClient(base_url=served.url, timeout=45)


@pytest.fixture
async def http(connect_http: Callable[[], httpx.AsyncClient]) -> AsyncIterator[httpx.AsyncClient]:
    """A client with connections to the real server, for streams."""
    async with connect_http() as client:
        yield client


async def submit(client: httpx.AsyncClient, type: str = "noop", **fields: object) -> dict:
    """Submit a task that must be accepted, and give it."""
    answer = await client.post("/v1/tasks", json={"type": type, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()
