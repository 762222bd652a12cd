"""The port with metrics and health of a supervisor: it costs little, whatever clients do."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from pgqueue_worker.supervisor import metrics_server
from pgqueue_worker.supervisor.metrics import Metrics
from pgqueue_worker.supervisor.metrics_server import MetricsServer

from pgqueue.errors import UsageError
from tests.processes import free_port

HOST = "127.0.0.1"
PATIENCE_S = 45


class Served:
    """A server, and connections to it."""

    def __init__(self, metrics: Metrics, port: int) -> None:
        self.metrics = metrics
        self.port = port
        self.opened: list[asyncio.StreamWriter] = []

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(HOST, self.port)
        self.opened.append(writer)
        return reader, writer

    async def ask(self, request: bytes) -> tuple[str, bytes, bytes]:
        """Return the status line, the other headers, and the body."""
        reader, writer = await self.connect()
        writer.write(request)
        async with asyncio.timeout(PATIENCE_S):
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        status, _, headers = head.partition(b"\r\n")
        return status.decode(), headers, body


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    served = Served(Metrics(), free_port())
    async with MetricsServer(served.metrics).serving(HOST, served.port):
        yield served
        for writer in served.opened:
            writer.close()


@pytest.mark.parametrize(
    ("request_line", "status", "says"),
    [
        (b"GET /metrics HTTP/1.1", "HTTP/1.1 200 OK", b"pgqueue_claims_total 0.0"),
        (b"GET /metrics?x=1 HTTP/1.1", "HTTP/1.1 200 OK", b"pgqueue_claims_total 0.0"),
        (b"HEAD /metrics HTTP/1.1", "HTTP/1.1 200 OK", b""),
        (b"GET /healthz HTTP/1.1", "HTTP/1.1 200 OK", b'{"status":"alive"}'),
        (b"GET /readyz HTTP/1.1", "HTTP/1.1 503 Service Unavailable", b"not_ready"),
        (b"GET / HTTP/1.1", "HTTP/1.1 404 Not Found", b"see /metrics"),
        (b"POST /metrics HTTP/1.1", "HTTP/1.1 405 Method Not Allowed", b"send GET"),
        (b"\xff\x00", "HTTP/1.1 405 Method Not Allowed", b"send GET"),
        (b"GET /" + b"x" * 9000, "HTTP/1.1 431 Request Header Fields Too Large", b"8,192 bytes"),
    ],
)
async def test_a_request_is_answered_and_its_connection_closed(
    served: Served, request_line: bytes, status: str, says: bytes
) -> None:
    answered, headers, body = await served.ask(request_line + b"\r\nHost: x\r\n\r\n")
    assert answered == status
    assert b"Connection: close" in headers
    assert (says in body) if says else (body == b"")


async def test_metrics_come_in_the_format_that_is_accepted(served: Served) -> None:
    accept = b"Accept: application/openmetrics-text; version=1.0.0\r\n"
    _, headers, body = await served.ask(b"GET /metrics HTTP/1.1\r\n" + accept + b"\r\n")
    assert b"Content-Type: application/openmetrics-text" in headers
    assert body.endswith(b"# EOF\n")


async def test_idle_connections_keep_no_one_out_and_have_no_threads(served: Served) -> None:
    await served.ask(b"GET /metrics HTTP/1.1\r\n\r\n")
    threads = threading.active_count()
    idle = [await served.connect() for _ in range(100)]
    for _, writer in idle:
        writer.write(b"GET /met")
    status, _, _ = await served.ask(b"GET /metrics HTTP/1.1\r\n\r\n")
    assert status == "HTTP/1.1 200 OK"
    assert threading.active_count() == threads
    for reader, _ in idle[:68]:  # the oldest made room
        with suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b""


@pytest.mark.parametrize("request_", [b"", b"GET /met", b"GET /metrics HTTP/1.1\r\n\r\n"])
async def test_a_client_that_does_not_send_or_does_not_read_is_given_up(
    request_: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics_server, "_EXCHANGE_S", 0.1)
    metrics = Metrics()
    metrics.sampled([(f"queue {n}" * 100, "queued", 1, 1.0) for n in range(10_000)], {})
    server, port = MetricsServer(metrics), free_port()
    async with server.serving(HOST, port):
        # without this limit, the client would read what nobody asks it for
        _, writer = await asyncio.open_connection(HOST, port, limit=1)
        writer.write(request_)
        async with asyncio.timeout(PATIENCE_S):
            while not server._exchanges:
                await asyncio.sleep(0)
            await asyncio.wait({*server._exchanges})
        assert not server._exchanges
        writer.close()


async def test_a_port_that_is_taken_is_an_error_that_names_the_options(served: Served) -> None:
    with pytest.raises(UsageError, match=f"port {served.port} of {HOST}: Address") as raised:
        async with MetricsServer(Metrics()).serving(HOST, served.port):
            pass
    assert "--metrics-port" in str(raised.value.hint)
