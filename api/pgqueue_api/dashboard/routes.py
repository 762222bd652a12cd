"""GET /ui…: the pages and their files."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath

from pgqueue_api.dashboard.assets import assets
from pgqueue_api.dashboard.security import HEADERS
from pgqueue_api.dashboard.shell import page
from pgqueue_api.openapi.operation import PUBLIC

__all__ = ["ROUTES"]

AnyRequest = Request[Any, Any, Any]

_PUBLIC = {PUBLIC: True}  # they hold nothing: what they show, they ask /v1 for
_FOR_EVER = "public, max-age=31536000, immutable"


@get("/ui", opt=_PUBLIC)
async def overview(request: AnyRequest) -> Response[bytes]:
    """Return the overview."""
    return _page(request, "overview", "Overview", "Overview")


@get("/ui/tasks", opt=_PUBLIC)
async def tasks(request: AnyRequest) -> Response[bytes]:
    """Return the list of tasks; its filters are the query string, which the browser reads."""
    return _page(request, "tasks", "Tasks", "Tasks")


@get("/ui/tasks/{id:str}", opt=_PUBLIC)
async def task(request: AnyRequest) -> Response[bytes]:
    """Return the page of a task; the browser reads the id from the path."""
    return _page(request, "task", "Task", "Tasks")


@get("/ui/queues", opt=_PUBLIC)
async def queues(request: AnyRequest) -> Response[bytes]:
    """Return the list of queues."""
    return _page(request, "queues", "Queues", "Queues")


@get("/ui/queues/{name:str}", opt=_PUBLIC)
async def queue(request: AnyRequest) -> Response[bytes]:
    """Return the page of a queue; the browser reads the name from the path."""
    return _page(request, "queue", "Queue", "Queues")


@get("/ui/workers", opt=_PUBLIC)
async def workers(request: AnyRequest) -> Response[bytes]:
    """Return the list of workers."""
    return _page(request, "workers", "Workers", "Workers")


@get("/ui/sign-in", opt=_PUBLIC)
async def sign_in(request: AnyRequest) -> Response[bytes]:
    """Return the page on which people sign in."""
    return _page(request, "sign-in", "Sign in", None)


@get("/ui/{path:path}", opt=_PUBLIC)
async def missing(request: AnyRequest) -> Response[bytes]:
    """Say that there is no such page."""
    return _page(request, "missing", "Not found", None, status=404)


@get("/ui/assets/{version:str}/{path:path}", opt=_PUBLIC)
async def asset(
    request: AnyRequest, version: FromPath[str], path: FromPath[str]
) -> Response[bytes]:
    """Return a file. During an upgrade a page may ask for another version: it gets ours, once."""
    held = assets()
    found = held.files.get(path.lstrip("/"))
    if found is None:
        return Response(b"", status_code=404, media_type="text/plain", headers=HEADERS)
    headers = {
        **HEADERS,
        "Cache-Control": _FOR_EVER if version == held.version else "no-store",
        "Vary": "Accept-Encoding",
    }
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(found.gzipped, media_type=found.media_type, headers=headers)
    return Response(found.content, media_type=found.media_type, headers=headers)


ROUTES: list[Any] = [overview, tasks, task, queues, queue, workers, sign_in, missing, asset]


def _page(
    request: AnyRequest, module: str, title: str, current: str | None, status: int = 200
) -> Response[bytes]:
    # as it was sent: with or without a slash at the end
    depth = min(request.scope["raw_path"].count(b"/"), 9)
    return Response(
        page(module, title, current, depth),
        status_code=status,
        media_type="text/html",
        headers=HEADERS,
    )
