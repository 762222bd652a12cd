"""What the attempts of a task leave: themselves, checkpoints, logs and files."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response
from litestar.di import NamedDependency

from pgqueue.errors import NotFound
from pgqueue.models.tasks.attempt import Artifacts, Attempts, Checkpoints, Logs
from pgqueue_api.http.answers import Json, items, page
from pgqueue_api.http.files import file_answer
from pgqueue_api.http.parameters import Cursor, PageSize, name_in_path, plain
from pgqueue_api.live.task_stream import parse_position
from pgqueue_api.openapi.operation import Answer, operation
from pgqueue_api.resources.tasks import TaskId, check_exists
from pgqueue_api.services import Services

__all__ = ["ROUTES"]

AnyRequest = Request[Any, Any, Any]

_GONE = (404, 410)


@operation(
    "GET /v1/tasks/{id:uuid}/attempts", Answer(200, "Every attempt."), tag="tasks", problems=_GONE
)
async def list_attempts(id: TaskId, services: NamedDependency[Services]) -> Json[Attempts]:
    """List the attempts of a task.

    Latest first, including the one that is running: at most 1,000 of them and 4 MiB.
    """
    return await _list_of_task(services, "task_attempts", id, {"max_rows": 1000})


@operation(
    "GET /v1/tasks/{id:uuid}/checkpoints",
    Answer(200, "The checkpoints."),
    tag="tasks",
    problems=_GONE,
)
async def list_checkpoints(id: TaskId, services: NamedDependency[Services]) -> Json[Checkpoints]:
    """List the checkpoints of a task.

    The results of its steps by name; the latest checkpoint has the empty name. At most 1,000 names
    and 4 MiB of data.
    """
    return await _list_of_task(services, "task_checkpoints", id, {})


@operation(
    "GET /v1/tasks/{id:uuid}/logs", Answer(200, "A page of lines."), tag="tasks", problems=_GONE
)
async def list_logs(
    id: TaskId,
    services: NamedDependency[Services],
    cursor: Cursor = None,
    limit: PageSize = 100,
) -> Json[Logs]:
    """List what the handler logged, in order."""
    lease_id, seq = parse_position(cursor)
    rows = await services.reads.rows(
        "task_logs", {"id": id, "lease_id": lease_id, "seq": seq, "max_rows": limit + 1}
    )
    if not rows:
        await check_exists(services, id)
    return page(rows, limit, lambda row: f"{row['lease_id']}-{row['seq']}")


@operation(
    "GET /v1/tasks/{id:uuid}/artifacts", Answer(200, "The files."), tag="tasks", problems=_GONE
)
async def list_artifacts(id: TaskId, services: NamedDependency[Services]) -> Json[Artifacts]:
    """List the files of a task, by name."""
    return await _list_of_task(services, "task_artifacts", id, {})


@operation(
    "GET /v1/tasks/{id:uuid}/artifacts/{name:str}",
    Answer(200, "The file.", media_type="*/*", schema={"type": "string", "format": "binary"}),
    Answer(304, "Unchanged since `If-None-Match`."),
    tag="tasks",
    problems=(*_GONE, 422),
)
async def get_artifact(
    id: TaskId,
    name: Annotated[str, name_in_path("The name of the file.", "report.pdf")],
    request: AnyRequest,
    services: NamedDependency[Services],
) -> Response[Any]:
    """Download a file of a task.

    With its own content type; the ETag is its SHA-256.
    """
    key = {"upload_id": None, "task_id": id, "name": plain(name, "name")}
    facts = await services.reads.row("artifact_head", {"id": id, "name": name})
    if facts is None:
        await check_exists(services, id)
        raise NotFound(f"task {id} has no artifact {name[:100]!r}")
    return file_answer(
        request,
        services.files,
        key,
        facts,
        {
            "Content-Disposition": f'inline; filename="{name}"',
            # to be shown, but never to run as a page of this site
            "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
        },
    )


ROUTES = [list_attempts, list_checkpoints, list_logs, list_artifacts, get_artifact]


async def _list_of_task(services: Services, name: str, id: UUID, more: dict[str, int]) -> Json[Any]:
    rows = await services.reads.rows(name, {"id": id, **more})
    if not rows:
        await check_exists(services, id)
    return items([row["item"] for row in rows])
