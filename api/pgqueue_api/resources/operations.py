"""/v1/operations: redrive, cancel, delete or retry many tasks at once."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from litestar import Request
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter

from pgqueue.models.operation import (
    NewOperation,
    Operation,
    OperationKind,
    OperationPage,
    OperationPreview,
    OperationState,
)
from pgqueue_api.access.principal import principal_of
from pgqueue_api.http.answers import Json
from pgqueue_api.http.parameters import Cursor, PageSize, asker, id_in_path
from pgqueue_api.http.states import States
from pgqueue_api.live.event_stream import EventStream
from pgqueue_api.live.state_stream import open_state_stream
from pgqueue_api.openapi.operation import Answer, Events, operation
from pgqueue_api.services import Services

__all__ = ["OPERATIONS", "ROUTES"]

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

OPERATIONS = States("operation", "/v1/operations", "operation_states", ("kind", "state"))

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
    nothing is stored. Only admins delete.
    """
    if data.kind == "delete":
        principal_of(request).check_scope("admin")
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
    return await OPERATIONS.created(services, row["id"])


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
    return await OPERATIONS.page(services, cursor, limit, kind=kind, state=in_state)


@operation("GET /v1/operations/{id:uuid}", Answer(200, "The operation."), tag=_TAG, problems=(404,))
async def get_operation(id: OperationId, services: NamedDependency[Services]) -> Json[Operation]:
    """Read an operation.

    As it stands now.
    """
    return await OPERATIONS.get(services, id)


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
    return await OPERATIONS.get(services, id, written=True)


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
        row = await OPERATIONS.row(services, id)
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
