"""/v1/queues/{name}/pause, resume, drain: whether tasks of a queue start."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from pgqueue_api.http.parameters import plain
from pgqueue_api.http.requests import asker, reason_of, wait_asked
from pgqueue_api.resources.queues import answer_with, check_name
from pgqueue_api.services import Services

__all__ = ["ROUTES"]

AnyRequest = Request[Any, Any, Any]
Json = Response[bytes]

_LOOK_S = 0.2


@post("/v1/queues/{name:str}/pause", status_code=200)
async def pause_queue(
    name: FromPath[str], request: AnyRequest, services: NamedDependency[Services]
) -> Json:
    """Let no task of a queue start."""
    return answer_with(await _pause(name, request, services))


@post("/v1/queues/{name:str}/drain", status_code=200)
async def drain_queue(
    name: FromPath[str], request: AnyRequest, services: NamedDependency[Services]
) -> Json:
    """Let no task of a queue start, and wait until none runs for as long as the client would."""
    row = await _pause(name, request, services)
    preference = request.headers.get("prefer", "").encode("latin-1")
    seconds = wait_asked(preference, services.bounds.wait_s)
    if seconds is not None:
        deadline = asyncio.get_running_loop().time() + seconds
        while row["state"] == "draining" and not services.hub.ending.is_set():
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                break
            await asyncio.sleep(min(_LOOK_S, left))
            row = await _read(services, name)
    answer = answer_with(row)
    if seconds is not None:
        answer.headers["Preference-Applied"] = f"wait={seconds:g}"
    return answer


@post("/v1/queues/{name:str}/resume", status_code=200)
async def resume_queue(name: FromPath[str], services: NamedDependency[Services]) -> Json:
    """Let the tasks of a paused queue start again."""
    await services.writes.row("resume", {"name": plain(name, "name")})
    return answer_with(await _read(services, name))


ROUTES: list[Any] = [pause_queue, drain_queue, resume_queue]


async def _pause(name: str, request: AnyRequest, services: Services) -> dict[str, Any]:
    reason = await reason_of(request, services)
    if await services.writes.row("queue_exists", {"name": plain(name, "name")}) is None:
        check_name(name)  # one that is not there yet is made, and paused when its first task comes
    asked = {"name": name, "reason": reason, "paused_by": asker(request)}
    await services.writes.row("pause", asked)
    return await _read(services, name)


async def _read(services: Services, name: str) -> dict[str, Any]:
    row = await services.writes.row("list_queues", {"name": name})
    assert row is not None
    return row
