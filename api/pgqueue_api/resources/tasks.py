"""/v1/tasks: submit, read, list, change, cancel, retry."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import Request, Response, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from pgqueue.errors import NotFound
from pgqueue_api.http.answers import items, json_answer
from pgqueue_api.http.parameters import decode_id, encode_id, plain, time_of
from pgqueue_api.http.preconditions import needed, tags_in
from pgqueue_api.http.requests import reason_of
from pgqueue_api.live.task_stream import parse_position
from pgqueue_api.pruned import missing
from pgqueue_api.resources.task_change import read_change
from pgqueue_api.services import Services
from pgqueue_api.submit.endpoint import Answer, submit_bulk, submit_one

__all__ = ["ROUTES"]

AnyRequest = Request[Any, Any, Any]
Json = Response[bytes]
StatusName = Literal[
    "scheduled", "queued", "blocked", "active", "retrying", "completed", "failed", "cancelled"
]


@post("/v1/tasks", status_code=201)
async def submit(request: AnyRequest, services: NamedDependency[Services]) -> Json:
    """Store a task. The application answers most of these before they get here: see app.py."""
    return _answered(await submit_one(services, dict(request.scope["headers"]), request.receive))


@post("/v1/tasks/bulk", status_code=200)
async def submit_many(request: AnyRequest, services: NamedDependency[Services]) -> Json:
    """Store up to 1,000 tasks."""
    return _answered(await submit_bulk(services, dict(request.scope["headers"]), request.receive))


@get("/v1/tasks")
async def list_tasks(
    *,
    services: NamedDependency[Services],
    type: Annotated[str | None, QueryParameter(name="type", max_length=100)] = None,
    queue: Annotated[str | None, QueryParameter(name="queue", max_length=100)] = None,
    status: Annotated[StatusName | None, QueryParameter(name="status")] = None,
    from_time: Annotated[str | None, QueryParameter(name="from", max_length=40)] = None,
    to_time: Annotated[str | None, QueryParameter(name="to", max_length=40)] = None,
    cursor: Annotated[str | None, QueryParameter(name="cursor", max_length=40)] = None,
    limit: Annotated[int, QueryParameter(name="limit", ge=1, le=200)] = 50,
) -> Json:
    """Give a page of tasks, newest first."""
    row = await services.reads.row(
        "list_tasks",
        {
            "type": plain(type, "type"),
            "queue": plain(queue, "queue"),
            "status": status,
            "from_at": time_of(from_time, "from"),
            "to_at": time_of(to_time, "to"),
            "before": decode_id(cursor),
            "most": limit,
        },
    )
    assert row is not None
    return items(
        row["items"], next=encode_id(row["next_before"]), searched_until=row["searched_until"]
    )


@get("/v1/tasks/{id:uuid}")
async def get_task(id: FromPath[UUID], services: NamedDependency[Services]) -> Json:
    """Give a task as it stands; the ETag names what can be changed of it."""
    row = await services.reads.row("task_states", {"ids": [id]})
    if row is None:
        raise await missing(services.reads, id)
    return _task(row)


@patch("/v1/tasks/{id:uuid}")
async def update_task(
    id: FromPath[UUID], request: AnyRequest, services: NamedDependency[Services]
) -> Json:
    """Change the priority or the time of a task that waits."""
    changes = await read_change(request, services)
    seen = tags_in(request.headers.get("if-match"))
    if seen is None:
        await _exists(services, id)
        raise needed(f"task {id}")
    row = await services.writes.row(
        "update_task", {"id": id, **changes, "if_match": None if seen == "*" else seen}
    )
    return await _after(services, id, row["status"] if row else None)


@post("/v1/tasks/{id:uuid}/cancel", status_code=200)
async def cancel_task(
    id: FromPath[UUID], request: AnyRequest, services: NamedDependency[Services]
) -> Json:
    """Cancel a task that waits, or ask an active one to stop."""
    row = await services.writes.row(
        "cancel_task", {"id": id, "reason": await reason_of(request, services)}
    )
    return await _after(services, id, row["cancel"] if row else None)


@post("/v1/tasks/{id:uuid}/retry", status_code=200)
async def retry_task(id: FromPath[UUID], services: NamedDependency[Services]) -> Json:
    """Run a failed or cancelled task again, or a retrying one now."""
    row = await services.writes.row("retry_task", {"id": id})
    return await _after(services, id, row["retry"] if row else None)


@get("/v1/tasks/{id:uuid}/explain")
async def explain_task(id: FromPath[UUID], services: NamedDependency[Services]) -> Json:
    """Say what keeps a task from starting, and when it may at the earliest."""
    row = await services.reads.row("explain_task", {"id": id})
    if row is None:
        raise await missing(services.reads, id)
    return json_answer(row["item"].encode())


@get("/v1/tasks/{id:uuid}/attempts")
async def list_attempts(id: FromPath[UUID], services: NamedDependency[Services]) -> Json:
    """Give every start of a task, latest first."""
    return await _list_of_task(services, "task_attempts", id, {"most": 1000})


@get("/v1/tasks/{id:uuid}/checkpoints")
async def list_checkpoints(id: FromPath[UUID], services: NamedDependency[Services]) -> Json:
    """Give what a task remembers: at most 1,000 names, and 4 MiB of data."""
    return await _list_of_task(services, "task_checkpoints", id, {})


@get("/v1/tasks/{id:uuid}/logs")
async def list_logs(
    id: FromPath[UUID],
    services: NamedDependency[Services],
    cursor: Annotated[str | None, QueryParameter(name="cursor", max_length=40)] = None,
    limit: Annotated[int, QueryParameter(name="limit", ge=1, le=200)] = 100,
) -> Json:
    """Give what the handler logged, in order."""
    lease_id, seq = parse_position(cursor)
    rows = await services.reads.rows(
        "task_logs", {"id": id, "lease_id": lease_id, "seq": seq, "most": limit + 1}
    )
    if not rows:
        await _exists(services, id)
    page = rows[:limit]
    more = f"{page[-1]['lease_id']}-{page[-1]['seq']}" if len(rows) > limit else None
    return items([row["item"] for row in page], next=more)


@get("/v1/tasks/{id:uuid}/artifacts")
async def list_artifacts(id: FromPath[UUID], services: NamedDependency[Services]) -> Json:
    """Give the files of a task."""
    return await _list_of_task(services, "task_artifacts", id, {})


@get("/v1/tasks/{id:uuid}/artifacts/{name:str}")
async def get_artifact(
    id: FromPath[UUID],
    name: FromPath[str],
    request: AnyRequest,
    services: NamedDependency[Services],
) -> Json:
    """Give a file that the task made, to be shown but never to run as a page of this site."""
    key = {"id": id, "name": plain(name, "name")}
    head = await services.reads.row("artifact_head", key)
    if head is None:
        await _exists(services, id)
        raise NotFound(f"task {id} has no artifact {name[:100]!r}")
    headers = {
        "Content-Type": head["content_type"],
        "ETag": f'"{head["sha256"]}"',
        "Content-Disposition": f'inline; filename="{name}"',
        "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
        "Cache-Control": "private, no-cache",
    }
    known = [
        tag.strip().removeprefix("W/")
        for tag in request.headers.get("if-none-match", "").split(",")
    ]
    if headers["ETag"] in known or known == ["*"]:
        return Response(b"", status_code=304, headers=headers)
    row = await services.reads.row("artifact_data", key)
    if row is None:
        raise NotFound(f"task {id} has no artifact {name[:100]!r}")
    return Response(row["data"], headers=headers)


ROUTES = [
    submit,
    submit_many,
    list_tasks,
    get_task,
    update_task,
    cancel_task,
    retry_task,
    explain_task,
    list_attempts,
    list_checkpoints,
    list_logs,
    list_artifacts,
    get_artifact,
]


def _answered(answer: Answer) -> Json:
    return Response(
        answer.content,
        status_code=answer.status,
        media_type="application/json",
        headers=answer.headers,
    )


def _task(row: dict[str, Any]) -> Json:
    answer = json_answer(row["state"].encode())
    answer.headers["ETag"] = row["etag"]
    return answer


async def _after(services: Services, id: UUID, status: str | None) -> Json:
    if status is None:
        raise await missing(services.reads, id)
    # on the writing side: a replica for reads may be a moment behind
    [row] = await services.writes.rows("task_states", {"ids": [id]})
    return _task(row)


async def _list_of_task(services: Services, name: str, id: UUID, more: dict[str, int]) -> Json:
    rows = await services.reads.rows(name, {"id": id, **more})
    if not rows:
        await _exists(services, id)
    return items([row["item"] for row in rows])


async def _exists(services: Services, id: UUID) -> None:
    if await services.reads.row("task_exists", {"id": id}) is None:
        raise await missing(services.reads, id)
