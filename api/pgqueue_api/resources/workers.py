"""/v1/workers: the processes that run tasks."""

from __future__ import annotations

from typing import Annotated

from litestar.di import NamedDependency
from litestar.params import QueryParameter

from pgqueue.models.worker import Workers
from pgqueue_api.http.answers import Json, items
from pgqueue_api.openapi.operation import Answer, operation
from pgqueue_api.services import Services

__all__ = ["ROUTES"]


@operation("GET /v1/workers", Answer(200, "The workers."), tag="overview")
async def list_workers(
    services: NamedDependency[Services],
    all: Annotated[  # noqa: FBT002
        bool, QueryParameter(description="Include processes that have stopped or are lost.")
    ] = False,
) -> Json[Workers]:
    """List worker processes.

    Those that run; with `all` also those that are gone.
    """
    rows = await services.reads.rows("list_workers", {"gone_too": all})
    return items(row["item"] for row in rows)


ROUTES = [list_workers]
