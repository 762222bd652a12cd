"""/v1/operations: redrive, cancel or delete many tasks at once."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

import jsonschema_rs
import orjson
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from pgqueue.errors import NotFound
from pgqueue_api.http import bodies
from pgqueue_api.http.answers import items, json_answer
from pgqueue_api.http.parameters import decode_id, encode_id, time_of
from pgqueue_api.http.requests import asker
from pgqueue_api.live.event_stream import EventStream
from pgqueue_api.live.state_stream import open_state_stream
from pgqueue_api.problems import Invalid
from pgqueue_api.schemas.dead_letters import NEW_OPERATION
from pgqueue_api.services import Services
from pgqueue_api.submit.types import explain

__all__ = ["ROUTES", "operation_item"]

Json = Response[bytes]
AnyRequest = Request[Any, Any, Any]
Kind = Literal["redrive", "cancel", "delete", "retry"]
State = Literal["queued", "running", "completed", "cancelled", "failed"]

_NEW = jsonschema_rs.validator_for(NEW_OPERATION, offline=True)
_BODY = 100_000


@post("/v1/operations", status_code=201)
async def start_operation(request: AnyRequest, services: NamedDependency[Services]) -> Json:
    """Start an operation, or say what it would do."""
    headers = dict(request.scope["headers"])
    bodies.require_json(headers)
    content = await bodies.read(request.receive, headers, _BODY, services.bounds.body_s)
    given = bodies.parse(content, 4)
    if not _NEW.is_valid(given):
        raise Invalid("this is no operation", errors=explain(_NEW, given, ""), hint="see /docs")
    asked = {"kind": given["kind"], "filter": _filter(given["filter"])}
    if given.get("dry_run"):
        row = await services.reads.row("preview_operation", asked)
        assert row is not None
        return _answered(row["item"].encode(), 200)
    row = await services.writes.row(
        "start_operation",
        {
            **asked,
            "per_second": given.get("per_second", 100),
            "reason": given.get("reason"),
            "requested_by": asker(request),
        },
    )
    assert row is not None
    item = await operation_item(services, row["id"], written=True)
    return _answered(item, 201, Location=f"/v1/operations/{row['id']}")


@get("/v1/operations")
async def list_operations(
    *,
    services: NamedDependency[Services],
    kind: Annotated[Kind | None, QueryParameter(name="kind")] = None,
    in_state: Annotated[State | None, QueryParameter(name="state")] = None,
    cursor: Annotated[str | None, QueryParameter(name="cursor", max_length=40)] = None,
    limit: Annotated[int, QueryParameter(name="limit", ge=1, le=200)] = 50,
) -> Json:
    """Give a page of operations, latest first."""
    before = decode_id(cursor)
    rows = await services.reads.rows(
        "operation_states",
        {"id": None, "kind": kind, "state": in_state, "before": before, "most": limit + 1},
    )
    page = rows[:limit]
    return items(
        [row["item"] for row in page],
        next=encode_id(page[-1]["id"]) if len(rows) > limit else None,
    )


@get("/v1/operations/{id:uuid}")
async def get_operation(id: FromPath[UUID], services: NamedDependency[Services]) -> Json:
    """Give an operation as it stands."""
    return json_answer(await operation_item(services, id))


@post("/v1/operations/{id:uuid}/cancel", status_code=200)
async def cancel_operation(id: FromPath[UUID], services: NamedDependency[Services]) -> Json:
    """Stop an operation."""
    await services.writes.rows("cancel_operation", {"id": id})
    return json_answer(await operation_item(services, id, written=True))


@get("/v1/operations/{id:uuid}/events")
async def watch_operation(id: FromPath[UUID], services: NamedDependency[Services]) -> EventStream:
    """Send the operation's progress until it has ended."""
    asked = {"id": id, "kind": None, "state": None, "before": None, "most": 1}

    async def read() -> tuple[bytes, bool]:
        row = await services.reads.row("operation_states", asked)
        if row is None:
            raise NotFound(f"there is no operation {id}")
        return row["item"].encode(), row["state"] in ("queued", "running")

    path = f"/v1/operations/{id}"
    return await open_state_stream(services, "operation", path, read, lambda ids: str(id) in ids)


ROUTES: list[Any] = [
    start_operation,
    list_operations,
    get_operation,
    cancel_operation,
    watch_operation,
]


def _answered(content: bytes, status: int, **headers: str) -> Json:
    return Response(content, status_code=status, media_type="application/json", headers=headers)


def _filter(given: dict[str, Any]) -> str:
    for name in ("from", "to"):
        if name in given:
            given[name] = time_of(given[name], f"filter.{name}")
    return orjson.dumps(given).decode()


async def operation_item(services: Services, id: UUID | str, *, written: bool = False) -> bytes:
    """Give an operation as JSON."""
    links = services.writes if written else services.reads
    row = await links.row(
        "operation_states", {"id": id, "kind": None, "state": None, "before": None, "most": 1}
    )
    if row is None:
        raise NotFound(f"there is no operation {id}")
    item: str = row["item"]
    return item.encode()
