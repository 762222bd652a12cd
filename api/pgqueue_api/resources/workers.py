"""/v1/workers, /v1/types: the processes that run tasks, and the types that they have published."""

from __future__ import annotations

from typing import Annotated

from litestar.di import NamedDependency
from litestar.params import QueryParameter

from pgqueue.errors import NotFound
from pgqueue.models.queues.worker import Workers
from pgqueue.models.tasks.task_type import Type, Types
from pgqueue_api.http.answers import Json, items
from pgqueue_api.http.parameters import name_in_path
from pgqueue_api.openapi.operation import Answer, operation
from pgqueue_api.services import Services

__all__ = ["ROUTES"]


@operation("GET /v1/workers", Answer(200, "The workers."), tag="workers")
async def list_workers(
    services: NamedDependency[Services],
    all: Annotated[  # noqa: FBT002
        bool, QueryParameter(description="Include processes that have stopped or are lost.")
    ] = False,
) -> Json[Workers]:
    """List worker processes.

    Those that are running; with `all`, also those that have stopped or are lost.
    """
    rows = await services.reads.rows("list_workers", {"gone_too": all})
    return items(row["item"] for row in rows)


@operation("GET /v1/types", Answer(200, "The types."), tag="workers")
async def list_types(services: NamedDependency[Services]) -> Json[Types]:
    """List types.

    As workers have published them, with the schema of their payload.
    """
    return items(kind.item for kind in await services.registry.all())


@operation("GET /v1/types/{name:str}", Answer(200, "The type."), tag="workers", problems=(404, 422))
async def get_type(
    name: Annotated[str, name_in_path("The name of the type.", "sleep")],
    services: NamedDependency[Services],
) -> Json[Type]:
    """Read a type.

    With the schema of its payload.
    """
    for kind in await services.registry.all():
        if kind.name == name:
            return Json(kind.item)
    raise NotFound(f"there is no type {name[:100]!r}", hint="GET /v1/types lists them")


ROUTES = [list_workers, list_types, get_type]
