"""/v1/batches: tasks that belong together; /v1/tasks/{id}/graph: their dependencies."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import orjson
from litestar import Request
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter

from pgqueue import telemetry
from pgqueue.database.pool import Row
from pgqueue.models.base import GivenReason
from pgqueue.models.batch import (
    Batch,
    BatchInput,
    BatchPage,
    BatchStatus,
    BatchTaskIds,
    BatchTasks,
    BatchTasksInput,
    Graph,
)
from pgqueue.models.operation import Operation
from pgqueue_api.access.principal import principal_of
from pgqueue_api.http.answers import Json, items
from pgqueue_api.http.parameters import Cursor, PageSize, asker, decode_id, encode_id, id_in_path
from pgqueue_api.http.states import States
from pgqueue_api.live.event_stream import EventStream
from pgqueue_api.live.state_stream import open_state_stream
from pgqueue_api.openapi.operation import Answer, Events, operation
from pgqueue_api.pruned import task_not_found
from pgqueue_api.resources.operations import OPERATIONS
from pgqueue_api.resources.tasks import StatusFilter, TaskId
from pgqueue_api.services import Services
from pgqueue_api.submit.all_or_none import all_or_none, pointing
from pgqueue_api.submit.callbacks import callback_of
from pgqueue_api.submit.endpoint import check_all

__all__ = ["ROUTES"]

AnyRequest = Request[Any, Any, Any]
BatchId = Annotated[UUID, id_in_path("The id of the batch.")]
InStatus = Annotated[
    BatchStatus | None,
    QueryParameter(name="status", description="Return only batches with this status."),
]
ParentId = Annotated[
    UUID | None,
    QueryParameter(name="parent_id", description="Return only batches that belong to this one."),
]

_TAG = "batches"
_BODY = 4 * 1024 * 1024
_BATCHES = States("batch", "/v1/batches", "batch_states", ("status", "parent_id"))
_CALLBACKS = ("on_success", "on_failure", "on_complete")
_STARTED = Answer(201, "Started.", {"Location": "The path of the operation."})


@operation(
    "POST /v1/batches",
    Answer(201, "Stored.", {"Location": "The path of the batch."}),
    tag=_TAG,
    problems=(404, 409),
    max_body=_BODY,
)
async def create_batch(
    request: AnyRequest, data: JSONBody[BatchInput], services: NamedDependency[Services]
) -> Json[Batch]:
    """Create a batch.

    With `tasks`, the batch holds these and is closed, unless it is `open`. Without, it is open: add
    tasks, then close it. All of it is stored, or nothing.
    """
    callbacks = {
        name: await callback_of(services, getattr(data, name), f"/{name}") for name in _CALLBACKS
    }
    given = data.model_fields_set
    tasks = await _tasks(request, services, data.tasks) if "tasks" in given else None
    with pointing("", "/tasks"):
        row = await services.keyed.row(
            "create_batch",
            {
                "name": data.name,
                "tasks": tasks,
                "metadata": orjson.dumps(data.metadata).decode(),
                "parent_id": data.parent_id,
                "open": data.open if "open" in given else None,
                "callback_url": data.callback_url,
                "user_id": principal_of(request).user_id,
                **callbacks,
            },
        )
    assert row is not None
    return await _BATCHES.created(services, row["id"])


@operation("GET /v1/batches", Answer(200, "A page of batches."), tag=_TAG)
async def list_batches(
    *,
    services: NamedDependency[Services],
    status: InStatus = None,
    parent_id: ParentId = None,
    cursor: Cursor = None,
    limit: PageSize = 50,
) -> Json[BatchPage]:
    """List batches.

    Latest first. Batches are kept for 30 days after they end.
    """
    return await _BATCHES.page(services, cursor, limit, status=status, parent_id=parent_id)


@operation("GET /v1/batches/{id:uuid}", Answer(200, "The batch."), tag=_TAG, problems=(404,))
async def get_batch(id: BatchId, services: NamedDependency[Services]) -> Json[Batch]:
    """Read a batch.

    Its counts are exact at this moment.
    """
    return await _BATCHES.get(services, id)


@operation(
    "GET /v1/batches/{id:uuid}/tasks", Answer(200, "A page of tasks."), tag=_TAG, problems=(404,)
)
async def list_batch_tasks(
    id: BatchId,
    services: NamedDependency[Services],
    status: StatusFilter = None,
    cursor: Cursor = None,
    limit: PageSize = 50,
) -> Json[BatchTasks]:
    """List the tasks of a batch.

    In the order of creation. With a filter, a page may hold fewer tasks and still have a `next`.
    """
    row = await services.reads.row(
        "batch_tasks", {"id": id, "status": status, "after": decode_id(cursor), "max_rows": limit}
    )
    assert row is not None
    if not row["items"]:
        await _BATCHES.row(services, id)
    return items(row["items"], next=encode_id(row["next"]))


@operation(
    "POST /v1/batches/{id:uuid}/tasks",
    Answer(201, "Stored."),
    tag=_TAG,
    problems=(404, 409),
    max_body=_BODY,
)
async def add_to_batch(
    id: BatchId,
    request: AnyRequest,
    data: JSONBody[BatchTasksInput],
    services: NamedDependency[Services],
) -> Json[BatchTaskIds]:
    """Add tasks to an open batch.

    All of them are stored, or none. A closed batch answers 409.
    """
    tasks = await _tasks(request, services, data.tasks)
    with pointing("", "/tasks"):
        row = await services.keyed.row("add_to_batch", {"id": id, "tasks": tasks})
    assert row is not None
    return Json(orjson.dumps({"ids": row["ids"]}))


@operation(
    "POST /v1/batches/{id:uuid}/close",
    Answer(200, "The batch afterwards."),
    tag=_TAG,
    problems=(404,),
)
async def close_batch(id: BatchId, services: NamedDependency[Services]) -> Json[Batch]:
    """Close a batch.

    No more tasks can be added, and it ends when all of them have ended. Closing it again changes
    nothing.
    """
    await services.keyed.rows("close_batch", {"id": id})
    return await _BATCHES.get(services, id, written=True)


@operation(
    "POST /v1/batches/{id:uuid}/cancel",
    _STARTED,
    tag=_TAG,
    problems=(404, 409),
    body_required=False,
)
async def cancel_batch(
    id: BatchId,
    request: AnyRequest,
    services: NamedDependency[Services],
    data: JSONBody[GivenReason | None] = None,
) -> Json[Operation]:
    """Cancel a batch.

    The batch and those in it are closed, and an operation cancels their unfinished tasks.
    """
    row = await services.keyed.row(
        "cancel_batch",
        {"id": id, "reason": data and data.text, "requested_by": asker(request)},
    )
    return await _operation(services, id, row)


@operation("POST /v1/batches/{id:uuid}/retry", _STARTED, tag=_TAG, problems=(404, 409))
async def retry_batch(
    id: BatchId, request: AnyRequest, services: NamedDependency[Services]
) -> Json[Operation]:
    """Retry the failed tasks of a batch.

    Those of the batches in it, too. A batch that had ended is running again, and ends again.
    """
    row = await services.writes.row("retry_batch", {"id": id, "requested_by": asker(request)})
    return await _operation(services, id, row)


@operation(
    "GET /v1/batches/{id:uuid}/events",
    Events(names=("snapshot", "progress", "end"), carry=(Batch,)),
    tag="events",
    problems=(404,),
)
async def watch_batch(id: BatchId, services: NamedDependency[Services]) -> EventStream:
    """Watch a batch.

    The events are `snapshot` first, then `progress` (at most five a second) and `end`. Each carries
    the whole batch as JSON. A comment comes every 15 seconds.
    """

    async def read() -> tuple[bytes, bool]:
        row = await _BATCHES.row(services, id)
        return row["item"].encode(), row["status"] in ("open", "running")

    # whichever task changed may be one of its own
    return await open_state_stream(services, "batch", f"/v1/batches/{id}", read, hints=bool)


@operation(
    "GET /v1/tasks/{id:uuid}/graph", Answer(200, "The graph."), tag="tasks", problems=(404, 410)
)
async def get_task_graph(id: TaskId, services: NamedDependency[Services]) -> Json[Graph]:
    """Read the dependencies of a task.

    The tasks that it waits for and those that wait for it, near and far, with their statuses.
    """
    row = await services.reads.row("task_graph", {"id": id})
    if row is None or row["graph"] is None:
        raise await task_not_found(services.reads, id)
    return Json(row["graph"])


ROUTES = [
    create_batch,
    list_batches,
    get_batch,
    list_batch_tasks,
    add_to_batch,
    close_batch,
    cancel_batch,
    retry_batch,
    watch_batch,
    get_task_graph,
]


async def _tasks(request: AnyRequest, services: Services, tasks: list[Any]) -> str:
    given = request.headers.get("traceparent")
    traceparent = None if given is None else telemetry.parse(given)
    checked = await check_all(services, principal_of(request), tasks, traceparent)
    elements = [one.element for one in all_or_none(checked)]
    return (b"[" + b",".join(elements) + b"]").decode()


async def _operation(services: Services, id: UUID, row: Row | None) -> Json[Operation]:
    if row is None or row["id"] is None:
        raise _BATCHES.not_found(id)
    return await OPERATIONS.created(services, row["id"])
