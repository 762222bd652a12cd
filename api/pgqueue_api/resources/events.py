"""Server-sent events: of one task, and of many."""

from __future__ import annotations

from typing import Annotated

from litestar.di import NamedDependency
from litestar.params import HeaderParameter

from pgqueue.models.tasks.activity import Activity
from pgqueue.models.tasks.attempt import Log, Text
from pgqueue.models.tasks.task import Task
from pgqueue_api.http.parameters import QueueFilter, TypeFilter, plain
from pgqueue_api.live.event_stream import EventStream
from pgqueue_api.live.queue_stream import open_queue_stream
from pgqueue_api.live.task_stream import open_task_stream
from pgqueue_api.openapi.operation import Events, operation
from pgqueue_api.resources.tasks import TaskId
from pgqueue_api.services import Services

__all__ = ["ROUTES"]

LastEventId = Annotated[
    str | None,
    HeaderParameter(
        name="Last-Event-ID",
        description="The `id` of the last event that you received; logs and text resume after it.",
    ),
]

_NAMES = ("snapshot", "status", "progress", "log")


@operation(
    "GET /v1/tasks/{id:uuid}/events",
    Events(names=(*_NAMES, "text", "end"), carry=(Task, Log, Text)),
    tag="events",
    problems=(404, 410),
)
async def watch_task(
    id: TaskId, services: NamedDependency[Services], last_event_id: LastEventId = None
) -> EventStream:
    """Watch a task.

    The events are `snapshot` first, then `status`, `progress`, `log` and `text` (a piece of what
    the handler writes), and `end` when the task has ended. All but `log` and `text` carry the whole
    task as JSON. A comment comes every 15 seconds.
    """
    return await open_task_stream(services, str(id), last_event_id)


@operation("GET /v1/events", Events(names=_NAMES, carry=(Activity, Task, Log)), tag="events")
async def watch_tasks(
    services: NamedDependency[Services],
    type: TypeFilter = None,
    queue: QueueFilter = None,
    last_event_id: LastEventId = None,
) -> EventStream:
    """Watch all tasks, those of a queue, or those of a type.

    The events are `snapshot` first and every few seconds (`queues` with their depth, and `active`
    tasks), then `status`, `progress` and `log` of the tasks. If more tasks change than can be
    shown, only some of them are, with their newest state.
    """
    return await open_queue_stream(
        services, plain(queue, "queue"), plain(type, "type"), last_event_id
    )


ROUTES = [watch_task, watch_tasks]
