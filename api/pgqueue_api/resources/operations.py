"""/v1/operations: redrive, cancel, delete or retry many tasks at once."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from litestar import Request
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter

from pgqueue.database.pool import Row
from pgqueue.errors import NotFound
from pgqueue.models.operation import (
    NewOperation,
    Operation,
    OperationKind,
    OperationPage,
    OperationPreview,
    OperationState,
)
from pgqueue_api.http.answers import Json, items
from pgqueue_api.http.parameters import Cursor, PageSize, decode_id, encode_id, id_in_path
from pgqueue_api.http.requests import asker
from pgqueue_api.live.event_stream import EventStream
from pgqueue_api.live.state_stream import open_state_stream
from pgqueue_api.openapi.operation import Answer, Events, operation
from pgqueue_api.services import Services

__all__ = ["ROUTES", "operation_item"]

AnyRequest = Request[Any, Any, Any]
OperationId = Annotated[UUID, id_in_path("The id of the operation.")]
Kind = Annotated[
    OperationKind | None,
    QueryParameter(name="kind", description="Return only operations of this kind."),
]
InState = Annotated[
    OperationState | None,
    QueryParameter(name="state", description="Return only operations in this state."),
]

_TAG = "operations"


@operation(
    "POST /v1/operations",
    Answer(201, "Started.", {"Location": "The path of the operation."}),
    Answer(200, "What it would do (`dry_run`).", model=OperationPreview),
    tag=_TAG,
    problems=(409,),
)
async def start_operation(
    request: AnyRequest, data: JSONBody[NewOperation], services: NamedDependency[Services]
) -> Json[Operation]:
    """Redrive, cancel, delete or retry many tasks.

    Any supervisor runs it in throttled parts; it survives the death of any process. With `dry_run`
    nothing is stored.
    """
    asked = {"kind": data.kind, "filter": data.filter.as_json()}
    if data.dry_run:
        row = await services.reads.row("preview_operation", asked)
        assert row is not None
        return Json(row["item"], status=200)
    row = await services.writes.row(
        "start_operation",
        {
            **asked,
            "per_second": data.per_second,
            "reason": data.reason,
            "requested_by": asker(request),
        },
    )
    assert row is not None
    item = await operation_item(services, row["id"], written=True)
    return Json(item, Location=f"/v1/operations/{row['id']}")


@operation("GET /v1/operations", Answer(200, "A page of operations."), tag=_TAG)
async def list_operations(
    services: NamedDependency[Services],
    kind: Kind = None,
    in_state: InState = None,
    cursor: Cursor = None,
    limit: PageSize = 50,
) -> Json[OperationPage]:
    """List operations.

    Latest first. They are kept: who asked for what, when, and with what result.
    """
    before = decode_id(cursor)
    rows = await services.reads.rows(
        "operation_states",
        {"id": None, "kind": kind, "state": in_state, "before": before, "most": limit + 1},
    )
    page = rows[:limit]
    more = encode_id(page[-1]["id"]) if len(rows) > limit else None
    return items([row["item"] for row in page], next=more)


@operation("GET /v1/operations/{id:uuid}", Answer(200, "The operation."), tag=_TAG, problems=(404,))
async def get_operation(id: OperationId, services: NamedDependency[Services]) -> Json[Operation]:
    """Read an operation.

    As it stands now.
    """
    return Json(await operation_item(services, id))


@operation(
    "POST /v1/operations/{id:uuid}/cancel",
    Answer(200, "The operation afterwards."),
    tag=_TAG,
    problems=(404,),
)
async def cancel_operation(id: OperationId, services: NamedDependency[Services]) -> Json[Operation]:
    """Stop an operation.

    It stops after the current part. Finished work stays done, and an operation that has ended stays
    as it is.
    """
    await services.writes.rows("cancel_operation", {"id": id})
    return Json(await operation_item(services, id, written=True))


@operation(
    "GET /v1/operations/{id:uuid}/events",
    Events(names=("snapshot", "progress", "end"), carry=(Operation,)),
    tag="events",
    problems=(404,),
)
async def watch_operation(id: OperationId, services: NamedDependency[Services]) -> EventStream:
    """Watch an operation.

    The events are `snapshot` first, then `progress` (at most five a second) and `end`. Each carries
    the whole operation as JSON. A comment comes every 15 seconds.
    """

    async def read() -> tuple[bytes, bool]:
        row = await _row(services, id)
        return row["item"].encode(), row["state"] in ("queued", "running")

    path = f"/v1/operations/{id}"
    return await open_state_stream(services, "operation", path, read, lambda ids: str(id) in ids)


ROUTES = [
    start_operation,
    list_operations,
    get_operation,
    cancel_operation,
    watch_operation,
]


async def operation_item(services: Services, id: UUID | str, *, written: bool = False) -> str:
    """Return an operation as JSON."""
    item: str = (await _row(services, id, written=written))["item"]
    return item


async def _row(services: Services, id: UUID | str, *, written: bool = False) -> Row:
    pool = services.writes if written else services.reads
    row = await pool.row(
        "operation_states", {"id": id, "kind": None, "state": None, "before": None, "most": 1}
    )
    if row is None:
        raise NotFound(f"there is no operation {id}", hint="GET /v1/operations lists them")
    return row
