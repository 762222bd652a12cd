"""/v1/notices: what people should know of, such as dead letters that grow."""

from __future__ import annotations

from typing import Annotated

from litestar.di import NamedDependency
from litestar.params import QueryParameter

from pgqueue.models.notice import NoticePage
from pgqueue_api.http.answers import Json, items
from pgqueue_api.http.parameters import PageSize
from pgqueue_api.openapi.operation import Answer, operation
from pgqueue_api.services import Services

__all__ = ["ROUTES"]

Before = Annotated[
    str | None,
    QueryParameter(
        name="cursor", pattern="^[0-9]{1,18}$", description="`next` of the previous page."
    ),
]


@operation("GET /v1/notices", Answer(200, "A page of notices."), tag="overview")
async def list_notices(
    services: NamedDependency[Services], cursor: Before = None, limit: PageSize = 50
) -> Json[NoticePage]:
    """List notices.

    What people should know of, such as growing dead letters, latest first. Each is reported once.
    """
    rows = await services.reads.rows(
        "list_notices", {"before": int(cursor) if cursor else None, "most": limit + 1}
    )
    page = rows[:limit]
    more = str(page[-1]["id"]) if len(rows) > limit else None
    return items([row["item"] for row in page], next=more)


ROUTES = [list_notices]
