"""/healthz, /readyz, /metrics: what orchestrators and Prometheus ask."""

from __future__ import annotations

from typing import Any

import orjson
from litestar import Response, get
from litestar.di import NamedDependency

from pgqueue.database.readiness import readiness
from pgqueue.errors import DatabaseUnavailable, PgQueueError
from pgqueue_api.http.answers import json_answer
from pgqueue_api.metrics import CONTENT_TYPE
from pgqueue_api.services import Services

__all__ = ["ROUTES"]

Json = Response[bytes]


@get("/healthz")
async def healthz() -> Json:
    """Say that this process is alive; asks nobody else."""
    return json_answer(b'{"status":"alive"}')


@get("/readyz")
async def readyz(services: NamedDependency[Services]) -> Json:
    """Say whether requests can be served (database, schema, listener), and whether safely."""
    found = await services.health.row("readiness")
    assert found is not None
    ready = readiness(found["version"], found["min_code"], found["unsafe"])
    if services.hub.deaf is not None:
        raise DatabaseUnavailable(f"notifications cannot arrive: {services.hub.deaf}")
    return json_answer(orjson.dumps(ready))


@get("/metrics")
async def metrics(services: NamedDependency[Services]) -> Json:
    """Give the metrics of this process, and the depth of the queues where it can be had."""
    try:
        services.metrics.set_depths(await services.health.rows("queue_depths"))
        services.metrics.set_letters(await services.health.rows("dead_letter_levels"))
    except PgQueueError:
        services.metrics.set_depths(())
        services.metrics.set_letters(())
    return Response(services.metrics.expose(), media_type=CONTENT_TYPE)


ROUTES: list[Any] = [healthz, readyz, metrics]
