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

from pgqueue.errors import DatabaseUnavailable, PgQueueError
from pgqueue_api import dashboard, docs, health, problems, resources
from pgqueue_api.access.gate import SAFE
from pgqueue_api.access.principal import NOBODY
from pgqueue_api.access.rules import need_of
from pgqueue_api.http.headers import POLICY, SECURITY
from pgqueue_api.http.routing import Queries, answer_head, with_slashes
from pgqueue_api.http.typed_body import TypedRequest
from pgqueue_api.openapi.document import build_document
from pgqueue_api.openapi.operation import declaration_of
from pgqueue_api.services import Services
from pgqueue_api.submit.endpoint import submit_one

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from litestar.connection import ASGIConnection
    from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
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

ROUTES = [*resources.ROUTES, *health.ROUTES, *docs.ROUTES, *dashboard.ROUTES]

_METHOD_NOT_ALLOWED = 405
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

        for handler in ROUTES:
            need_of(handler)  # raises, if nothing says who may use it
        super().__init__(
            route_handlers=ROUTES,
            dependencies={
                "services": Provide(lambda: self.services, sync_to_thread=False),
                "document": Provide(_document_text, sync_to_thread=True),
            },
            guards=[self._admit, self._check_query],
            request_class=TypedRequest.within(services.bounds),
            exception_handlers={HTTPException: problems.answer, Exception: problems.answer},
            lifespan=[running],
            openapi_config=None,
            logging_config=None,
        )
        self._queries = Queries(self.routes, _takes_any_query)
        self._methods = {
            route.path_format: _with_head(route.methods)
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
        headers = dict(scope["headers"])
        if scope["path"] == "/v1/tasks" and scope["method"] == "POST":
            # a third of the CPU of the same through Litestar's routing and Request
            await self._submit(scope, headers, receive, send, started)
            return
        scope = with_slashes(scope)
        try:
            self.services.sites.check(scope["method"], headers)
        except PgQueueError as error:
            await self._send_problem(scope, error, send, started)
            return

        async def send_out(message: Message) -> None:
            if message["type"] == "http.response.start":
                if scope["method"] == "OPTIONS" or message["status"] == _METHOD_NOT_ALLOWED:
                    message["headers"] = self._allowed(scope, [*message["headers"]])
                headers = [*message["headers"], *SECURITY]
                if not any(name.lower() == POLICY[0] for name, _ in message["headers"]):
                    headers.append(POLICY)
                message["headers"] = headers
                self._observe(scope, message["status"], started)
                if (audited := scope.get("state", {}).get("audited")) is not None:
                    self.services.audit.answered(audited, message["status"])
            await send(message)

        if scope["method"] == "HEAD":
            await answer_head(super().__call__, scope, receive, send_out)
        else:
            await super().__call__(scope, receive, send_out)

    async def _admit(
        self, connection: ASGIConnection[Any, Any, Any, Any], route: BaseRouteHandler
    ) -> None:
        """Let in who may use this route; without a rule for it, nobody."""
        scope = cast("HTTPScope", connection.scope)
        handler = cast("HTTPRouteHandler", route)
        need = need_of(handler)
        if need is None:
            scope["user"] = NOBODY
            return
        declared = declaration_of(handler)
        submits = declared is not None and declared.submits
        principal = await self.services.gate.admit(
            need, scope["method"], dict(scope["headers"]), submits=submits
        )
        scope["user"] = principal
        if scope["method"] not in SAFE and not submits:
            scope["state"]["audited"] = await self.services.audit.asked(
                principal, str(handler.operation_id), _path_of(scope), _client_of(scope)
            )

    def _check_query(self, connection: ASGIConnection[Any, Any, Any, Any], _: Any) -> None:
        scope = cast("HTTPScope", connection.scope)
        self._queries.check(scope["path_template"], scope["method"], scope["query_string"])

    def _observe(self, scope: HTTPScope, status: int, started: float) -> None:
        path = scope.get("path_template") or "none"
        seconds = time.perf_counter() - started
        self.services.metrics.observe(scope["method"], path, status, seconds)

    def _allowed(
        self, scope: HTTPScope, headers: Sequence[tuple[bytes, bytes]]
    ) -> list[tuple[bytes, bytes]]:
        """Name all methods of a path: Litestar's answer knows neither all of them nor HEAD."""
        kept = [(name, value) for name, value in headers if name.lower() != b"allow"]
        named = next((value for name, value in headers if name.lower() == b"allow"), b"")
        known = {method.strip() for method in named.decode("latin-1").split(",")} - {""}
        methods = self._methods.get(scope.get("path_template") or "", _with_head(known))
        return [*kept, (b"allow", ", ".join(sorted(methods)).encode())]

    async def _submit(
        self,
        scope: HTTPScope,
        headers: dict[bytes, bytes],
        receive: Receive,
        send: Send,
        started: float,
    ) -> None:
        scope["path_template"] = "/v1/tasks"
        try:
            self.services.sites.check("POST", headers)
            self._queries.check("/v1/tasks", "POST", scope["query_string"])
            principal = await self.services.gate.admit("tasks:write", "POST", headers, submits=True)
            answer = await submit_one(self.services, principal, headers, receive)
        except Exception as error:  # noqa: BLE001  the border of the process: every error is answered
            if isinstance(error, DatabaseUnavailable):
                self.services.metrics.database_errors.inc()
            await self._send_problem(scope, error, send, started)
        else:
            self._observe(scope, answer.status, started)
            await _send(send, answer.status, _JSON, answer.content, answer.headers)

    async def _send_problem(
        self, scope: HTTPScope, error: Exception, send: Send, started: float
    ) -> None:
        status, problem, headers = problems.problem_of(error)
        self._observe(scope, status, started)
        await _send(send, status, _PROBLEM, orjson.dumps(problem), headers)


def _client_of(scope: HTTPScope) -> str:
    client = scope["client"]
    return client[0] if client else ""


def _path_of(scope: HTTPScope) -> str:
    """Return the path as it was sent: a slash in a name is %2F."""
    return scope["raw_path"].partition(b"?")[0].decode("latin-1")


def _takes_any_query(handler: HTTPRouteHandler) -> bool:
    declared = declaration_of(handler)
    return declared is None or declared.any_query


def _with_head(methods: set[Any]) -> set[str]:
    return {*methods, "HEAD"} if "GET" in methods else methods


async def _send(
    send: Send,
    status: int,
    media_type: tuple[bytes, bytes],
    content: bytes,
    extra: Mapping[str, str],
) -> None:
    headers = [
        media_type,
        (b"content-length", b"%d" % len(content)),
        *[(name.lower().encode(), value.encode("latin-1")) for name, value in extra.items()],
        *SECURITY,
        POLICY,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content, "more_body": False})
