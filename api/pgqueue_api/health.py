"""/healthz, /readyz, /metrics: for orchestrators and Prometheus."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, cast

import orjson
from litestar import Request, Response
from litestar.di import NamedDependency
from typing_extensions import TypedDict

from pgqueue.database.readiness import HeldTask, readiness
from pgqueue.errors import DatabaseUnavailable, PgQueueError
from pgqueue_api.http.answers import Json
from pgqueue_api.metrics import CONTENT_TYPE
from pgqueue_api.openapi.operation import Answer, operation
from pgqueue_api.services import Services

__all__ = ["ROUTES"]


class Ready(TypedDict):
    """Requests can be served."""

    status: Literal["ready", "degraded"]
    schema: int
    unsafe: NotRequired[list[str]]
    waiting: NotRequired[list[HeldTask]]


@operation(
    "GET /healthz", Answer(200, "Yes.", schema={"type": "object"}), tag="health", public=True
)
async def healthz() -> Json[Any]:
    """Check that this process is alive.

    It depends on nothing else.
    """
    return Json(b'{"status":"alive"}')


@operation(
    "GET /readyz", Answer(200, "Yes.", model=Ready), tag="health", problems=(503,), public=True
)
async def readyz(request: Request[Any, Any, Any], services: NamedDependency[Services]) -> Json[Any]:
    """Check that requests can be served.

    The database can be reached, its schema fits, and notifications arrive. `degraded` (200) means
    that a crash may lose tasks: the settings of PostgreSQL that `unsafe` names are off. `waiting`
    says what holds tasks back that have waited for more than 10 s, if there are any; only to those
    who may read tasks.
    """
    found = await services.health.row("readiness")
    assert found is not None
    ready = readiness(found["version"], found["min_code"], found["unsafe"])
    if services.hub.deaf is not None:
        raise DatabaseUnavailable(f"notifications cannot arrive: {services.hub.deaf}")
    if not await services.gate.may("tasks:read", dict(request.scope["headers"])):
        return Json(orjson.dumps(ready))
    if held := await services.health.rows("held_back"):
        ready["waiting"] = cast("list[HeldTask]", held)
    return Json(orjson.dumps(ready))


@operation(
    "GET /metrics",
    Answer(200, "The metrics.", media_type="text/plain", schema={"type": "string"}),
    tag="health",
    scope="metrics",
)
async def metrics(services: NamedDependency[Services]) -> Response[bytes]:
    """Read Prometheus metrics.

    Those of this process, and the depth of the queues.
    """
    try:
        services.metrics.set_depths(await services.health.rows("read_samples"))
        services.metrics.set_unhandled(await services.health.rows("read_unhandled"))
        services.metrics.set_dead_letters(await services.health.rows("read_dead_letter_levels"))
    except PgQueueError:
        services.metrics.set_depths(())
        services.metrics.set_unhandled(())
        services.metrics.set_dead_letters(())
    return Response(services.metrics.expose(), media_type=CONTENT_TYPE)


ROUTES = [healthz, readyz, metrics]
