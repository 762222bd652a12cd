"""/v1/batches: tasks that belong together; /v1/tasks/{id}/graph: who waits for whom."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

import jsonschema_rs
import orjson
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from pgqueue import telemetry
from pgqueue.errors import NotFound
from pgqueue.models.task import StatusName
from pgqueue_api.http import bodies
from pgqueue_api.http.answers import items, json_answer
from pgqueue_api.http.parameters import decode_id, encode_id
from pgqueue_api.http.requests import asker, reason_of
from pgqueue_api.live.event_stream import EventStream
from pgqueue_api.live.state_stream import open_state_stream
from pgqueue_api.problems import Invalid
from pgqueue_api.pruned import task_not_found
from pgqueue_api.resources.operations import operation_item
from pgqueue_api.schemas.groups import NEW_BATCH, NEW_BATCH_TASKS
from pgqueue_api.services import Services
from pgqueue_api.submit.all_or_none import all_or_none, pointing
from pgqueue_api.submit.callbacks import callback_of
from pgqueue_api.submit.endpoint import check_one
from pgqueue_api.submit.types import explain

__all__ = ["ROUTES"]

Json = Response[bytes]
AnyRequest = Request[Any, Any, Any]
BatchStatusName = Literal["open", "running", "completed", "failed", "cancelled"]

_CALLBACKS = ("on_success", "on_failure", "on_complete")


def _validator(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """Check all but what is checked by itself, with a place of its own."""
    looser: dict[str, Any] = {key: {"type": ["object", "null"]} for key in _CALLBACKS}
    looser["tasks"] = {**schema["properties"]["tasks"], "items": {}}
    properties = {name: looser.get(name, of) for name, of in schema["properties"].items()}
    return jsonschema_rs.Draft202012Validator({**schema, "properties": properties})


_NEW = _validator(NEW_BATCH)
_MORE = _validator(NEW_BATCH_TASKS)


@post("/v1/batches", status_code=201)
async def create_batch(request: AnyRequest, services: NamedDependency[Services]) -> Json:
    """Make a batch."""
    given = await _read(request, services, _NEW)
    callbacks = {
        name: await callback_of(services, given.get(name), f"/{name}") for name in _CALLBACKS
    }
    tasks = None if given.get("tasks") is None else await _tasks(request, services, given["tasks"])
    with pointing("", "/tasks"):
        row = await services.keyed.row(
            "create_batch",
            {
                "name": given["name"],
                "tasks": tasks,
                "metadata": orjson.dumps(given.get("metadata") or {}).decode(),
                "parent_id": given.get("parent_id"),
                "open": given.get("open"),
                "callback_url": given.get("callback_url"),
                **callbacks,
            },
        )
    assert row is not None
    item = await _item(services, row["id"], written=True)
    return _answered(item, 201, Location=f"/v1/batches/{row['id']}")


@get("/v1/batches")
async def list_batches(
    *,
    services: NamedDependency[Services],
    status: Annotated[BatchStatusName | None, QueryParameter(name="status")] = None,
    parent_id: Annotated[UUID | None, QueryParameter(name="parent_id")] = None,
    cursor: Annotated[str | None, QueryParameter(name="cursor", max_length=40)] = None,
    limit: Annotated[int, QueryParameter(name="limit", ge=1, le=200)] = 50,
) -> Json:
    """Give a page of batches, latest first."""
    rows = await services.reads.rows(
        "batch_states", _asked(None, status, parent_id, decode_id(cursor), limit + 1)
    )
    page = rows[:limit]
    return items(
        [row["item"] for row in page],
        next=encode_id(page[-1]["id"]) if len(rows) > limit else None,
    )


@get("/v1/batches/{id:uuid}")
async def get_batch(id: FromPath[UUID], services: NamedDependency[Services]) -> Json:
    """Give a batch as it stands."""
    return json_answer(await _item(services, id))


@get("/v1/batches/{id:uuid}/tasks")
async def list_batch_tasks(
    id: FromPath[UUID],
    services: NamedDependency[Services],
    status: Annotated[StatusName | None, QueryParameter(name="status")] = None,
    cursor: Annotated[str | None, QueryParameter(name="cursor", max_length=40)] = None,
    limit: Annotated[int, QueryParameter(name="limit", ge=1, le=200)] = 50,
) -> Json:
    """Give a page of a batch's tasks, in the order made."""
    row = await services.reads.row(
        "batch_tasks", {"id": id, "status": status, "after": decode_id(cursor), "most": limit}
    )
    assert row is not None
    if not row["items"]:
        await _item(services, id)
    return items(row["items"], next=encode_id(row["next"]))


@post("/v1/batches/{id:uuid}/tasks", status_code=201)
async def add_to_batch(
    id: FromPath[UUID], request: AnyRequest, services: NamedDependency[Services]
) -> Json:
    """Add tasks to an open batch."""
    given = await _read(request, services, _MORE)
    tasks = await _tasks(request, services, given["tasks"])
    with pointing("", "/tasks"):
        row = await services.keyed.row("add_to_batch", {"id": id, "tasks": tasks})
    assert row is not None
    return _answered(orjson.dumps({"ids": row["ids"]}), 201)


@post("/v1/batches/{id:uuid}/close", status_code=200)
async def close_batch(id: FromPath[UUID], services: NamedDependency[Services]) -> Json:
    """Close a batch."""
    await services.keyed.rows("close_batch", {"id": id})
    return json_answer(await _item(services, id, written=True))


@post("/v1/batches/{id:uuid}/cancel", status_code=201)
async def cancel_batch(
    id: FromPath[UUID], request: AnyRequest, services: NamedDependency[Services]
) -> Json:
    """Cancel all of a batch."""
    reason = await reason_of(request, services)
    row = await services.keyed.row(
        "cancel_batch", {"id": id, "reason": reason, "requested_by": asker(request)}
    )
    return await _operation(services, id, row["id"] if row else None)


@post("/v1/batches/{id:uuid}/retry", status_code=201)
async def retry_batch(
    id: FromPath[UUID], request: AnyRequest, services: NamedDependency[Services]
) -> Json:
    """Run what failed in a batch again."""
    row = await services.writes.row("retry_batch", {"id": id, "requested_by": asker(request)})
    return await _operation(services, id, row["id"] if row else None)


@get("/v1/batches/{id:uuid}/events")
async def watch_batch(id: FromPath[UUID], services: NamedDependency[Services]) -> EventStream:
    """Send the batch's progress until it has ended."""

    async def read() -> tuple[bytes, bool]:
        row = await _row(services, id)
        return row["item"].encode(), row["status"] in ("open", "running")

    # whichever task changed may be one of its own
    return await open_state_stream(services, "batch", f"/v1/batches/{id}", read, hints=bool)


@get("/v1/tasks/{id:uuid}/graph")
async def get_task_graph(id: FromPath[UUID], services: NamedDependency[Services]) -> Json:
    """Give who waits for whom, near and far."""
    row = await services.reads.row("task_graph", {"id": id})
    if row is None or row["graph"] is None:
        raise await task_not_found(services.reads, id)
    return json_answer(row["graph"].encode())


ROUTES: list[Any] = [
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


async def _read(
    request: AnyRequest, services: Services, validator: jsonschema_rs.Draft202012Validator
) -> dict[str, Any]:
    headers = dict(request.scope["headers"])
    bounds = services.bounds
    bodies.require_json(headers)
    content = await bodies.read(request.receive, headers, bounds.bulk_body, bounds.body_s)
    given = bodies.parse(content, bounds.depth + 3)
    if not validator.is_valid(given):
        raise Invalid("this is no batch", errors=explain(validator, given, ""), hint="see /docs")
    read: dict[str, Any] = given
    return read


async def _tasks(request: AnyRequest, services: Services, tasks: list[Any]) -> str:
    given = request.headers.get("traceparent")
    traceparent = None if given is None else telemetry.parse(given)
    checked = [
        await check_one(services, task, f"/tasks/{n}", traceparent) for n, task in enumerate(tasks)
    ]
    elements = [one.element for one in all_or_none(checked)]
    return (b"[" + b",".join(elements) + b"]").decode()


def _asked(
    id: UUID | str | None,
    status: str | None = None,
    parent_id: UUID | None = None,
    before: UUID | None = None,
    most: int = 1,
) -> dict[str, Any]:
    return {"id": id, "status": status, "parent_id": parent_id, "before": before, "most": most}


async def _row(services: Services, id: UUID | str, *, written: bool = False) -> dict[str, Any]:
    links = services.writes if written else services.reads
    row = await links.row("batch_states", _asked(id))
    if row is None:
        raise NotFound(f"there is no batch {id}")
    return row


async def _item(services: Services, id: UUID | str, *, written: bool = False) -> bytes:
    item: str = (await _row(services, id, written=written))["item"]
    return item.encode()


async def _operation(services: Services, id: UUID, operation_id: str | None) -> Json:
    if operation_id is None:
        raise NotFound(f"there is no batch {id}")
    item = await operation_item(services, operation_id, written=True)
    return _answered(item.encode(), 201, Location=f"/v1/operations/{operation_id}")


def _answered(content: bytes, status: int, **headers: str) -> Json:
    return Response(content, status_code=status, media_type="application/json", headers=headers)
