"""/v1/queues: the depth and the settings of queues; pause, drain and resume."""

from __future__ import annotations

import asyncio
import re
from typing import Annotated, Any

from litestar import Request
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter

from pgqueue.models.base import QUEUE_NAME, GivenReason
from pgqueue.models.queues.queue import Queue, Queues, QueueSettings, Scale
from pgqueue_api.http.answers import Json, items
from pgqueue_api.http.editable import Editable
from pgqueue_api.http.parameters import (
    IfMatch,
    asker,
    name_in_path,
    plain,
    prefer_wait,
    wait_in,
    wrong,
)
from pgqueue_api.openapi.operation import Answer, operation
from pgqueue_api.services import Services

__all__ = ["ROUTES"]

AnyRequest = Request[Any, Any, Any]
QueueName = Annotated[str, name_in_path("The name of the queue.", "default")]
PreferRest = Annotated[
    str | None,
    prefer_wait("`wait=N`: answer when none of its tasks runs, or after N seconds, at most 60."),
]

_LOOK_S = 0.2
_ETAG = {"ETag": "The version of its settings."}
_AFTERWARDS = Answer(200, "The queue afterwards.", _ETAG)
_QUEUES = Editable("queue", "/v1/queues", "list_queues", "patch_queue")


@operation("GET /v1/queues", Answer(200, "The queues."), tag="queues")
async def list_queues(services: NamedDependency[Services]) -> Json[Queues]:
    """List queues.

    With their settings and their depth, which is sampled every few seconds.
    """
    rows = await services.reads.rows("list_queues", {"name": None})
    return items(row["item"] for row in rows)


@operation(
    "GET /v1/queues/{name:str}",
    Answer(200, "The queue.", _ETAG),
    tag="queues",
    problems=(404, 422),
)
async def get_queue(name: QueueName, services: NamedDependency[Services]) -> Json[Queue]:
    """Read a queue.

    With its settings and its depth, which is sampled every few seconds.
    """
    return await _QUEUES.get(services, plain(name, "name"))


@operation(
    "PUT /v1/queues/{name:str}",
    _AFTERWARDS,
    Answer(201, "Created.", {**_ETAG, "Location": "The path of the queue."}, Queue),
    tag="queues",
)
async def put_queue(
    name: QueueName,
    data: JSONBody[QueueSettings],
    services: NamedDependency[Services],
    if_match: IfMatch = None,
) -> Json[Queue]:
    """Create a queue or replace its settings.

    Settings that you leave out are unset.
    """
    await _check_name(name, services)
    answer = await _QUEUES.put(services, name, data, if_match)
    await services.registry.renew()  # so that the next submit here is by these settings
    return answer


@operation("PATCH /v1/queues/{name:str}", _AFTERWARDS, tag="queues", problems=(404,))
async def patch_queue(
    name: QueueName,
    data: JSONBody[QueueSettings],
    services: NamedDependency[Services],
    if_match: IfMatch = None,
) -> Json[Queue]:
    """Change settings of a queue.

    What you leave out stays; null removes a setting.
    """
    answer = await _QUEUES.patch(services, plain(name, "name"), data, if_match)
    await services.registry.renew()
    return answer


@operation("POST /v1/queues/{name:str}/pause", _AFTERWARDS, tag="queues", body_required=False)
async def pause_queue(
    name: QueueName,
    request: AnyRequest,
    services: NamedDependency[Services],
    data: JSONBody[GivenReason | None] = None,
) -> Json[Queue]:
    """Pause a queue.

    Within a second at the latest, none of its tasks starts until you resume it. Tasks that
    are running go on. The queue and its tasks show who asked, when and why. A queue that does not
    exist yet is created.
    """
    return _QUEUES.answer(await _pause(name, data, request, services))


@operation(
    "POST /v1/queues/{name:str}/drain",
    Answer(200, "The queue afterwards.", {**_ETAG, "Preference-Applied": "The wait in force."}),
    tag="queues",
    body_required=False,
)
async def drain_queue(
    name: QueueName,
    request: AnyRequest,
    services: NamedDependency[Services],
    data: JSONBody[GivenReason | None] = None,
    prefer: PreferRest = None,
) -> Json[Queue]:
    """Pause a queue and wait for its tasks.

    While some of its tasks still run (`still_running`) the `state` of the queue is `draining`, then
    it is `paused`. Tasks that wait in it stay there.
    """
    row = await _pause(name, data, request, services)
    seconds = wait_in(prefer, services.bounds.wait_s)
    if seconds is None:
        return _QUEUES.answer(row)
    deadline = asyncio.get_running_loop().time() + seconds
    while row["state"] == "draining" and not services.hub.ending.is_set():
        left = deadline - asyncio.get_running_loop().time()
        if left <= 0:
            break
        await asyncio.sleep(min(_LOOK_S, left))
        row = await _read(services, name)
    return _QUEUES.answer(row, Preference_Applied=f"wait={seconds:g}")


@operation("POST /v1/queues/{name:str}/resume", _AFTERWARDS, tag="queues", problems=(404, 422))
async def resume_queue(name: QueueName, services: NamedDependency[Services]) -> Json[Queue]:
    """Resume a paused queue.

    Its tasks start again at once.
    """
    await services.writes.row("resume", {"name": plain(name, "name")})
    return _QUEUES.answer(await _read(services, name))


@operation(
    "GET /v1/queues/{name:str}/scale",
    Answer(200, "The number, and the figures behind it."),
    tag="queues",
    problems=(404,),
)
async def get_scale(
    name: QueueName,
    services: NamedDependency[Services],
    patience_s: Annotated[
        float,
        QueryParameter(
            ge=0,
            le=86_400,
            description="How many seconds tasks may wait before more slots are wanted.",
        ),
    ] = 1,
) -> Json[Scale]:
    """Read how many workers a queue wants.

    An autoscaler, such as KEDA's metrics-api scaler, reads `wanted`. It costs the same at any
    backlog.
    """
    row = await services.reads.row(
        "scale_queue", {"name": plain(name, "name"), "patience_s": patience_s}
    )
    if row is None:
        raise _QUEUES.not_found(name)
    return Json(row["item"])


ROUTES = [
    list_queues,
    get_queue,
    put_queue,
    patch_queue,
    pause_queue,
    drain_queue,
    resume_queue,
    get_scale,
]


async def _pause(
    name: str, data: GivenReason | None, request: AnyRequest, services: Services
) -> dict[str, Any]:
    await _check_name(name, services)  # a new one is created, and its first task waits
    asked = {"name": name, "reason": data and data.text, "paused_by": asker(request)}
    await services.writes.row("pause", asked)
    return await _read(services, name)


async def _check_name(name: str, services: Services) -> None:
    """Raise ``Invalid`` for the name of no queue, if no new one can have it."""
    known = await services.writes.row("queue_exists", {"name": plain(name, "name")})
    if known is None and not re.fullmatch(QUEUE_NAME, name):
        raise wrong("name", f"the name of a new queue must match {QUEUE_NAME}")


async def _read(services: Services, name: str) -> dict[str, Any]:
    row = await services.writes.row("list_queues", {"name": name})
    assert row is not None
    return row
