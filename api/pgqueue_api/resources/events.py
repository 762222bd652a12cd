"""Server-sent events: of one task, and of many."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from pgqueue_api.http.parameters import plain
from pgqueue_api.live.queue_stream import open_queue_stream
from pgqueue_api.live.task_stream import EventStream, open_task_stream
from pgqueue_api.services import Services

__all__ = ["ROUTES"]

AnyRequest = Request[Any, Any, Any]


@get("/v1/tasks/{id:uuid}/events")
async def watch_task(
    id: FromPath[UUID], request: AnyRequest, services: NamedDependency[Services]
) -> EventStream:
    """Send the task's state, progress and logs as they change, until it has ended."""
    return await open_task_stream(services, str(id), request.headers.get("last-event-id"))


@get("/v1/events")
async def watch_tasks(
    request: AnyRequest,
    services: NamedDependency[Services],
    queue: Annotated[str | None, QueryParameter(name="queue", max_length=100)] = None,
    type: Annotated[str | None, QueryParameter(name="type", max_length=100)] = None,
) -> EventStream:
    """Send the states, progress and logs of many tasks as they change."""
    return await open_queue_stream(
        services,
        plain(queue, "queue"),
        plain(type, "type"),
        request.headers.get("last-event-id"),
    )


ROUTES: list[Any] = [watch_task, watch_tasks]
