"""The ASGI application."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import orjson
from litestar import Litestar
from litestar.di import Provide
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.routes import HTTPRoute

from pgqueue.errors import DatabaseUnavailable
from pgqueue_api import docs, health, problems, resources
from pgqueue_api.http.headers import POLICY, SECURITY
from pgqueue_api.http.typed_body import TypedRequest
from pgqueue_api.openapi.document import build_document
from pgqueue_api.services import Services
from pgqueue_api.submit.endpoint import submit_one

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from litestar.types import (
        HTTPScope,
        LifeSpanReceive,
        LifeSpanScope,
        LifeSpanSend,
        Message,
        Receive,
        Scope,
        Send,
    )

    from pgqueue.settings import Settings
    from pgqueue_api.bounds import Bounds

__all__ = ["ROUTES", "Api", "create_app", "document"]

ROUTES = [*resources.ROUTES, *health.ROUTES, *docs.ROUTES]

_JSON = (b"content-type", b"application/json")
_PROBLEM = (b"content-type", problems.MEDIA_TYPE.encode())


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    return build_document(ROUTES)


@cache
def _document_text() -> bytes:
    return orjson.dumps(document())


def create_app(settings: Settings, bounds: Bounds | None = None) -> Api:
    """Return the application; its lifespan opens and closes what it needs."""
    return Api(Services(settings, bounds))


class Api(Litestar):
    """Litestar, with security headers and metrics on every answer, and a fast path for submits."""

    def __init__(self, services: Services) -> None:
        self.services = services

        @asynccontextmanager
        async def running(_: Litestar) -> AsyncIterator[None]:
            services = self.services
            await services.start()
            try:
                yield
            finally:
                await services.stop()

        super().__init__(
            route_handlers=ROUTES,
            dependencies={
                "services": Provide(lambda: self.services, sync_to_thread=False),
                "document": Provide(_document_text, sync_to_thread=True),
            },
            request_class=TypedRequest.within(services.bounds),
            exception_handlers={HTTPException: problems.answer, Exception: problems.answer},
            lifespan=[running],
            openapi_config=None,
            logging_config=None,
        )
        self._methods = {
            route.path_format: route.methods
            for route in self.routes
            if isinstance(route, HTTPRoute)
        }

    async def __call__(
        self,
        scope: Scope | LifeSpanScope,
        receive: Receive | LifeSpanReceive,
        send: Send | LifeSpanSend,
    ) -> None:
        """Answer a request."""
        if scope["type"] == ScopeType.HTTP:
            await self._answer(
                cast("HTTPScope", scope), cast("Receive", receive), cast("Send", send)
            )
        else:
            await super().__call__(scope, receive, send)

    async def _answer(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        if scope["path"] == "/v1/tasks" and scope["method"] == "POST":
            # a third of the CPU of the same through Litestar's routing and Request
            await self._submit(scope, receive, send, started)
            return

        async def send_out(message: Message) -> None:
            if message["type"] == "http.response.start":
                if scope["method"] == "OPTIONS":
                    message["headers"] = self._allowed(scope, message["headers"])
                headers = [*message["headers"], *SECURITY]
                if not any(name.lower() == POLICY[0] for name, _ in message["headers"]):
                    headers.append(POLICY)
                message["headers"] = headers
                self.services.metrics.observe(
                    scope["method"],
                    scope.get("path_template") or "none",
                    message["status"],
                    time.perf_counter() - started,
                )
            await send(message)

        await super().__call__(scope, receive, send_out)

    def _allowed(
        self, scope: HTTPScope, headers: Iterable[tuple[bytes, bytes]]
    ) -> list[tuple[bytes, bytes]]:
        """Name all methods of a path: Litestar's answer knows those of its first handler."""
        methods = self._methods.get(scope.get("path_template") or "", set())
        kept = [(name, value) for name, value in headers if not methods or name.lower() != b"allow"]
        return [*kept, (b"allow", ", ".join(sorted(methods)).encode())] if methods else kept

    async def _submit(self, scope: HTTPScope, receive: Receive, send: Send, started: float) -> None:
        try:
            answer = await submit_one(self.services, dict(scope["headers"]), receive)
            status, content, extra = answer.status, answer.content, answer.headers
            media_type = _JSON
        except Exception as error:  # noqa: BLE001  the border of the process: every error is answered
            if isinstance(error, DatabaseUnavailable):
                self.services.metrics.database_errors.inc()
            status, problem, extra = problems.problem_of(error)
            content, media_type = orjson.dumps(problem), _PROBLEM
        self.services.metrics.observe("POST", "/v1/tasks", status, time.perf_counter() - started)
        headers = [
            media_type,
            (b"content-length", b"%d" % len(content)),
            *[(name.lower().encode(), value.encode("latin-1")) for name, value in extra.items()],
            *SECURITY,
            POLICY,
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content, "more_body": False})
