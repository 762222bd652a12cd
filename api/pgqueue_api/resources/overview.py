"""/v1/workers, /v1/types, /v1/stats: what there is."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from pgqueue.errors import NotFound
from pgqueue_api.http.answers import items, json_answer
from pgqueue_api.http.parameters import plain
from pgqueue_api.services import Services

__all__ = ["ROUTES"]

Json = Response[bytes]


@get("/v1/workers")
async def list_workers(
    services: NamedDependency[Services],
    all: Annotated[bool, QueryParameter(name="all")] = False,  # noqa: FBT002
) -> Json:
    """Give the worker processes; with ``all`` those that are gone, too."""
    rows = await services.reads.rows("list_workers", {"gone_too": all})
    return items([row["item"] for row in rows])


@get("/v1/types")
async def list_types(services: NamedDependency[Services]) -> Json:
    """Give the types that workers have published."""
    return items([kind.item for kind in await services.registry.all()])


@get("/v1/types/{name:str}")
async def get_type(name: FromPath[str], services: NamedDependency[Services]) -> Json:
    """Give one type with the schema of its payload."""
    for kind in await services.registry.all():
        if kind.name == name:
            return json_answer(kind.item)
    raise NotFound(f"there is no type {name[:100]!r}", hint="GET /v1/types lists them")


@get("/v1/stats")
async def get_stats(
    services: NamedDependency[Services],
    window_s: Annotated[int, QueryParameter(name="window_s", ge=60, le=604_800)] = 3600,
    queue: Annotated[str | None, QueryParameter(name="queue", max_length=100)] = None,
    type: Annotated[str | None, QueryParameter(name="type", max_length=100)] = None,
) -> Json:
    """Give the figures of the service."""
    return json_answer(
        await services.stats.get(window_s, plain(type, "type"), plain(queue, "queue"))
    )


ROUTES: list[Any] = [get_stats, list_workers, list_types, get_type]
