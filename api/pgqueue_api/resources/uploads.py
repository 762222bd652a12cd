"""/v1/artifacts: files that clients send in for tasks to work on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream

from pgqueue.errors import NotFound
from pgqueue_api.http.answers import json_answer
from pgqueue_api.services import Services

__all__ = ["ROUTES"]

AnyRequest = Request[Any, Any, Any]
Json = Response[bytes]

_PIECE = 1024 * 1024


@post("/v1/artifacts", status_code=201)
async def upload(
    *,
    request: AnyRequest,
    services: NamedDependency[Services],
    name: Annotated[str | None, QueryParameter(name="name", max_length=100)] = None,
) -> Json:
    """Store a file; its type is the request's Content-Type."""
    headers = dict(request.scope["headers"])
    id = await services.uploads.take(headers, name, request.receive)
    # on the writing side: a replica for reads may be a moment behind
    row = await services.files.row("upload_state", {"id": id})
    if row is None:
        raise _none(id)
    answer = json_answer(row["item"].encode())
    answer.status_code = 201
    answer.headers["Location"] = f"/v1/artifacts/{id}"
    return answer


@get("/v1/artifacts/{id:uuid}")
async def get_upload(id: FromPath[UUID], services: NamedDependency[Services]) -> Json:
    """Say what a file is."""
    row = await services.files.row("upload_state", {"id": id})
    if row is None:
        raise _none(id)
    return json_answer(row["item"].encode())


@get("/v1/artifacts/{id:uuid}/content")
async def get_content(
    id: FromPath[UUID], request: AnyRequest, services: NamedDependency[Services]
) -> Response[Any]:
    """Give a file a piece at a time, to be saved but never to run as a page of this site."""
    key = {"upload_id": id, "task_id": None, "name": None}
    (found,) = await services.files.rows("find_artifact", key)
    headers = {
        "Content-Type": found["content_type"],
        "ETag": f'"{found["sha256"]}"',
        "Content-Disposition": f'attachment; filename="{found["file_name"] or id}"',
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cache-Control": "private, no-cache",
    }
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers)
    headers["Content-Length"] = str(found["size"])

    async def pieces() -> AsyncIterator[bytes]:
        for n in range(-(-found["size"] // _PIECE)):
            (row,) = await services.files.rows("read_artifact", {**key, "n": n}, binary=True)
            yield row["data"]

    return Stream(pieces(), headers=headers, media_type=found["content_type"])


@delete("/v1/artifacts/{id:uuid}", status_code=204)
async def delete_upload(id: FromPath[UUID], services: NamedDependency[Services]) -> None:
    """Delete a file."""
    row = await services.files.row("delete_upload", {"id": id})
    if row is None or not row["deleted"]:
        raise _none(id)


ROUTES: list[Any] = [upload, get_upload, get_content, delete_upload]


def _none(id: object) -> NotFound:
    return NotFound(f"there is no artifact {id}", hint="it expired or was deleted")
