"""Serves ``/metrics``, ``/healthz`` and ``/readyz`` of a supervisor, on its event loop.

Whatever clients do costs little: there are at most 32 connections, of which the oldest makes room
for a new one, and each has five seconds for one request and its answer.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import TYPE_CHECKING

import orjson
import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from pgqueue.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pgqueue_worker.supervisor.metrics import Metrics

__all__ = ["MetricsServer"]

_log = structlog.get_logger("pgqueue.supervisor")

_MAX_CONNECTIONS = 32
_MAX_HEAD = 8 * 1024
_EXCHANGE_S = 5.0

Answer = tuple[HTTPStatus, str, bytes]


class MetricsServer:
    """A server for GET and HEAD, with one request for each connection."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._registry = CollectorRegistry()
        self._registry.register(metrics)
        self._rendering = asyncio.Lock()
        self._exchanges: dict[asyncio.Task[None], None] = {}  # the oldest first

    @asynccontextmanager
    async def serving(self, host: str, port: int) -> AsyncIterator[None]:
        """Serve at this address during the block; raise ``UsageError`` if it cannot be used."""
        try:
            server = await asyncio.start_server(self._connected, host, port, limit=_MAX_HEAD)
        except OSError as error:
            raise UsageError(
                f"metrics cannot be served on port {port} of {host}: {_reason(error)}",
                hint="choose another --metrics-port or --metrics-host, or leave them out",
            ) from error
        _log.info("metrics_served", host=host, port=port)
        try:
            yield
        finally:
            server.close()
            for exchange in self._exchanges:
                exchange.cancel()
            await asyncio.gather(*self._exchanges, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._exchanges) >= _MAX_CONNECTIONS:
            oldest = next(iter(self._exchanges))
            oldest.cancel()
            self._exchanges.pop(oldest)
        exchange = asyncio.create_task(self._exchange(reader, writer))
        self._exchanges[exchange] = None
        exchange.add_done_callback(lambda ended: self._exchanges.pop(ended, None))

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(TimeoutError, OSError):
                async with asyncio.timeout(_EXCHANGE_S):
                    await self._respond(reader, writer)
                    writer.close()
                    await writer.wait_closed()
        finally:
            writer.transport.abort()

    async def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return
        except asyncio.LimitOverrunError:
            detail = f"the head has more than {_MAX_HEAD:,} bytes"
            method = "GET"
            status, content_type, body = _problem(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, detail
            )
        else:
            method, (status, content_type, body) = await self._answer(head.decode("latin-1"))
        lines = (
            f"HTTP/1.1 {status.value} {status.phrase}",
            f"Content-Type: {content_type}",
            f"Content-Length: {len(body)}",
            "Cache-Control: no-store",
            "Connection: close",
        )
        writer.write("".join(f"{line}\r\n" for line in lines).encode() + b"\r\n")
        if method != "HEAD":
            writer.write(body)
        await writer.drain()

    async def _answer(self, head: str) -> tuple[str, Answer]:
        request, *fields = head.split("\r\n")
        method, _, rest = request.partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        if method not in {"GET", "HEAD"}:
            return method, _problem(HTTPStatus.METHOD_NOT_ALLOWED, "send GET or HEAD")
        match path:
            case "/metrics":
                named = (field.partition(":") for field in fields)
                accept = ",".join(v.strip() for name, _, v in named if name.lower() == "accept")
                return method, await self._exposition(accept)
            case "/healthz":
                return method, _json(HTTPStatus.OK, {"status": "alive"})
            case "/readyz":
                report = self._metrics.readiness()
                ready = report["status"] != "not_ready"
                status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
                return method, _json(status, report)
            case _:
                return method, _problem(HTTPStatus.NOT_FOUND, "see /metrics, /healthz and /readyz")

    async def _exposition(self, accept: str) -> Answer:
        encode, content_type = choose_encoder(accept)
        async with self._rendering:  # one at a time, however many ask
            body = await asyncio.to_thread(encode, self._registry)
        return HTTPStatus.OK, content_type, body


def _reason(error: OSError) -> str:
    # without the address, which asyncio puts before what the system says
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)


def _json(status: HTTPStatus, answer: object) -> Answer:
    return status, "application/json", orjson.dumps(answer)


def _problem(status: HTTPStatus, detail: str) -> Answer:
    return _json(status, {"detail": detail})
