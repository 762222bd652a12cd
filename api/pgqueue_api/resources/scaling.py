"""/v1/queues/{name}/scale: how many workers a queue wants."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from pgqueue.errors import NotFound
from pgqueue_api.http.answers import json_answer
from pgqueue_api.http.parameters import plain
from pgqueue_api.services import Services

__all__ = ["ROUTES"]


@get("/v1/queues/{name:str}/scale")
async def get_scale(
    name: FromPath[str],
    services: NamedDependency[Services],
    patience_s: Annotated[float, QueryParameter(name="patience_s", ge=0, le=86_400)] = 1,
) -> Response[bytes]:
    """Give the number that workers are scaled by, and what it is made of."""
    row = await services.reads.row(
        "scale_queue", {"name": plain(name, "name"), "patience_s": patience_s}
    )
    if row is None:
        raise NotFound(f"there is no queue {name[:100]!r}", hint="GET /v1/queues lists them")
    return json_answer(row["item"].encode())


ROUTES: list[Any] = [get_scale]
