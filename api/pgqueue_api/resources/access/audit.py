"""/v1/audit: who asked for which change."""

from __future__ import annotations

from typing import Annotated

from litestar.di import NamedDependency
from litestar.params import QueryParameter

from pgqueue.models.access import AuditPage
from pgqueue_api.http.answers import Json
from pgqueue_api.http.parameters import Cursor, PageSize, plain
from pgqueue_api.http.states import States
from pgqueue_api.openapi.operation import Answer, operation
from pgqueue_api.services import Services

__all__ = ["ROUTES"]

Owner = Annotated[
    int | None, QueryParameter(name="user_id", description="Return only what this user asked for.")
]
Action = Annotated[
    str | None,
    QueryParameter(
        name="action",
        max_length=100,
        description="Return only this operation, by its `operationId`.",
    ),
]

_AUDIT = States("entry", "/v1/audit", "list_audit", ("user_id", "action"))


@operation("GET /v1/audit", Answer(200, "A page of entries."), tag="access", scope="admin")
async def list_audit(
    services: NamedDependency[Services],
    user_id: Owner = None,
    action: Action = None,
    cursor: Cursor = None,
    limit: PageSize = 50,
) -> Json[AuditPage]:
    """List who asked for which change.

    Newest first: every change that was asked for over HTTP, but for submits, and signing in. An
    entry is written before the change is made. Entries are kept for `PGQUEUE_AUDIT_DAYS`.
    """
    return await _AUDIT.page(
        services, cursor, limit, user_id=user_id, action=plain(action, "action")
    )


ROUTES = [list_audit]
