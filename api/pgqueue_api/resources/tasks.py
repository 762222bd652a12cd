"""/v1/tasks: submit, read, list, change, cancel, retry."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from litestar import Request
from litestar.di import NamedDependency
from litestar.params import HeaderParameter, JSONBody, QueryParameter

from pgqueue.models.base import GivenReason
from pgqueue.models.tasks.bulk import Bulk, BulkResult
from pgqueue.models.tasks.explanation import Explanation
from pgqueue.models.tasks.status import StatusName
from pgqueue.models.tasks.task import SubmittedTask, Tag, Task, TaskInput, TaskPage
from pgqueue.models.tasks.task_change import TaskChange
from pgqueue.models.values import PRIORITIES, encode
from pgqueue_api.access.principal import principal_of
from pgqueue_api.http.answers import Json, items
from pgqueue_api.http.parameters import (
    Cursor,
    IfMatch,
    PageSize,
    QueueFilter,
    Traceparent,
    TypeFilter,
    decode_id,
    encode_id,
    id_in_path,
    plain,
    prefer_wait,
    time_filter,
    time_of,
    wrong,
)
from pgqueue_api.http.preconditions import etags_in
from pgqueue_api.openapi.operation import Answer, operation
from pgqueue_api.pruned import task_not_found
from pgqueue_api.services import Services
from pgqueue_api.submit import endpoint

__all__ = ["ROUTES", "TaskId", "check_exists"]

AnyRequest = Request[Any, Any, Any]
TaskId = Annotated[UUID, id_in_path("The id of the task.")]
StatusFilter = Annotated[
    StatusName | None, QueryParameter(name="status", description="Only in this status.")
]

TagFilter = Annotated[
    list[Tag] | None,
    QueryParameter(
        name="tag",
        max_items=20,
        description="Only with all of these tags.",
        schema_extra={"items": {"type": "string", "minLength": 1, "maxLength": 100}},
    ),
]

IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        schema_extra={"min_length": 1, "max_length": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"},
        description="A name for this request. Repeated within 24 hours, it returns the same tasks "
        "and stores none.",
    ),
]
PreferEnd = Annotated[
    str | None,
    prefer_wait(
        "`wait=N`: answer when the task has ended, or after N seconds, at most 60, as it stands."
    ),
]

_GONE = (404, 410)
_ETAG = {"ETag": "Names what can be changed of the task."}
_SUBMITTED = {
    "Location": "The path of the task.",
    "Idempotent-Replayed": "`true` if the same request was answered before, under the same key.",
    "Preference-Applied": "The part of `Prefer` that was applied.",
}


@operation(
    "POST /v1/tasks",
    Answer(201, "Stored.", _SUBMITTED),
    Answer(
        200,
        "Not stored, because another task has the `dedup_key`: this is the other task.",
        _SUBMITTED,
        SubmittedTask,
    ),
    tag="tasks",
    problems=(404, 409),
    body={"application/json": TaskInput},
    submits=True,
)
async def submit(
    request: AnyRequest,
    services: NamedDependency[Services],
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001  documented here, read from the request
    prefer: PreferEnd = None,  # noqa: ARG001
    traceparent: Traceparent = None,  # noqa: ARG001
) -> Json[SubmittedTask]:
    """Submit a task.

    The answer comes once the task is durable: it survives the crash of any process.
    """
    # the application answers most of these before they get here: see app.py
    headers = dict(request.scope["headers"])
    return _answered(
        await endpoint.submit_one(services, principal_of(request), headers, request.receive)
    )


@operation(
    "POST /v1/tasks/bulk",
    Answer(
        200,
        "The outcome for each task, in the order of the request.",
        {"Idempotent-Replayed": "`true` if they were stored before, under the same key."},
    ),
    tag="tasks",
    problems=(404, 409),
    body={"application/json": Bulk},
    submits=True,
)
async def submit_bulk(
    request: AnyRequest,
    services: NamedDependency[Services],
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001  documented here, read from the request
    traceparent: Traceparent = None,  # noqa: ARG001
) -> Json[BulkResult]:
    """Submit up to 1,000 tasks.

    Each task is accepted or refused on its own.
    """
    headers = dict(request.scope["headers"])
    return _answered(
        await endpoint.submit_bulk(services, principal_of(request), headers, request.receive)
    )


@operation("GET /v1/tasks", Answer(200, "A page of tasks."), tag="tasks")
async def list_tasks(
    *,
    services: NamedDependency[Services],
    type: TypeFilter = None,
    queue: QueueFilter = None,
    status: StatusFilter = None,
    tag: TagFilter = None,
    from_time: Annotated[str | None, time_filter("from", "Created at or after this time.")] = None,
    to_time: Annotated[str | None, time_filter("to", "Created before this time.")] = None,
    cursor: Cursor = None,
    limit: PageSize = 50,
) -> Json[TaskPage]:
    """List tasks, newest first.

    A page never scans without bound: see `searched_until`.
    """
    for one in tag or ():
        if not 1 <= len(one) <= 100 or "\0" in one:
            raise wrong("tag", "a tag has 1 to 100 characters, and none is NUL")
    given = {
        "type": plain(type, "type"),
        "queue": plain(queue, "queue"),
        "status": status,
        "tags": tag,
    }
    row = await services.reads.row(
        "list_tasks",
        {
            "filter": encode(
                {name: value for name, value in given.items() if value is not None}
            ).decode(),
            "from_at": time_of(from_time, "from"),
            "to_at": time_of(to_time, "to"),
            "before": decode_id(cursor),
            "max_rows": limit,
        },
    )
    assert row is not None
    return items(
        row["items"], next=encode_id(row["next_before"]), searched_until=row["searched_until"]
    )


@operation("GET /v1/tasks/{id:uuid}", Answer(200, "The task.", _ETAG), tag="tasks", problems=_GONE)
async def get_task(id: TaskId, services: NamedDependency[Services]) -> Json[Task]:
    """Read a task."""
    row = await services.reads.row("task_states", {"ids": [id]})
    if row is None:
        raise await task_not_found(services.reads, id)
    return Json(row["state"], ETag=row["etag"])


@operation(
    "PATCH /v1/tasks/{id:uuid}",
    Answer(200, "The task afterwards.", _ETAG),
    tag="tasks",
    problems=(*_GONE, 409),
)
async def update_task(
    id: TaskId,
    data: JSONBody[TaskChange],
    services: NamedDependency[Services],
    if_match: IfMatch = None,
) -> Json[Task]:
    """Change a waiting task.

    Change its priority, or when it runs: `delay_s` 0 is now. The task goes behind those that are
    there already. What you leave out stays. A task that no longer waits is a 409.
    """
    seen = etags_in(if_match)
    priority = data.priority
    row = await services.writes.row(
        "update_task",
        {
            "id": id,
            "priority": PRIORITIES[priority] if isinstance(priority, str) else priority,
            "run_at": data.run_at,
            "delay_s": data.delay_s,
            "if_match": None if seen == "*" else seen,
        },
    )
    return await _after(services, id, row["status"] if row else None)


@operation(
    "POST /v1/tasks/{id:uuid}/cancel",
    Answer(200, "The task afterwards.", _ETAG),
    tag="tasks",
    problems=_GONE,
    body_required=False,
)
async def cancel_task(
    id: TaskId,
    services: NamedDependency[Services],
    data: JSONBody[GivenReason | None] = None,
) -> Json[Task]:
    """Cancel a task.

    A task that waits is cancelled at once. An active one is asked to stop, and is cancelled when
    its handler has stopped. A task that has ended does not change.
    """
    row = await services.writes.row("cancel_task", {"id": id, "reason": data and data.text})
    return await _after(services, id, row["cancel"] if row else None)


@operation(
    "POST /v1/tasks/{id:uuid}/retry",
    Answer(200, "The task afterwards.", _ETAG),
    tag="tasks",
    problems=(*_GONE, 409),
)
async def retry_task(id: TaskId, services: NamedDependency[Services]) -> Json[Task]:
    """Run a task again.

    A failed or cancelled task starts anew; a retrying one starts now.
    """
    row = await services.writes.row("retry_task", {"id": id})
    return await _after(services, id, row["retry"] if row else None)


@operation(
    "GET /v1/tasks/{id:uuid}/explain", Answer(200, "The reasons."), tag="tasks", problems=_GONE
)
async def explain_task(id: TaskId, services: NamedDependency[Services]) -> Json[Explanation]:
    """Explain why a task waits.

    Returns what keeps it from starting (who paused its queue, the limit and the tasks that use it,
    the tasks that it waits for, the workers that are missing, …), and the earliest time at which it
    can start. For a task that is active or has ended it says so. It costs the same at any backlog.
    """
    row = await services.reads.row("explain_task", {"id": id})
    if row is None:
        raise await task_not_found(services.reads, id)
    return Json(row["item"])


ROUTES = [
    submit,
    submit_bulk,
    list_tasks,
    get_task,
    update_task,
    cancel_task,
    retry_task,
    explain_task,
]


def _answered(answer: endpoint.Answered) -> Json[Any]:
    answered: Json[Any] = Json(answer.content, status=answer.status)
    answered.headers.update(answer.headers)
    return answered


async def _after(services: Services, id: UUID, status: str | None) -> Json[Task]:
    if status is None:
        raise await task_not_found(services.reads, id)
    # on the writing side: a replica for reads may be a moment behind
    [row] = await services.writes.rows("task_states", {"ids": [id]})
    return Json(row["state"], ETag=row["etag"])


async def check_exists(services: Services, id: UUID) -> None:
    """Raise ``NotFound`` unless there is such a task."""
    if await services.reads.row("task_exists", {"id": id}) is None:
        raise await task_not_found(services.reads, id)
