"""/v1/stats: the statistics of the service."""

from __future__ import annotations

from typing import Annotated

from litestar.di import NamedDependency
from litestar.params import QueryParameter

from pgqueue.models.queues.stats import Stats
from pgqueue_api.http.answers import Json
from pgqueue_api.http.parameters import QueueFilter, TypeFilter, plain
from pgqueue_api.openapi.operation import Answer, operation
from pgqueue_api.services import Services

__all__ = ["ROUTES"]


@operation("GET /v1/stats", Answer(200, "The statistics."), tag="statistics")
async def get_stats(
    services: NamedDependency[Services],
    window_s: Annotated[
        int,
        QueryParameter(
            ge=60,
            le=604_800,
            description="How many seconds back rates and percentiles look.",
        ),
    ] = 3600,
    type: TypeFilter = None,
    queue: QueueFilter = None,
) -> Json[Stats]:
    """Read statistics.

    Counts, success rate, throughput, waiting and running times, and the last 7 days. They come from
    the roll-up, so that they cost the same however many tasks there are.
    """
    return Json(await services.stats.get(window_s, plain(type, "type"), plain(queue, "queue")))


ROUTES = [get_stats]
