"""/v1/artifacts: files that clients send in for tasks to work on."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from pgqueue.errors import NotFound
from pgqueue.models.upload import FILE_NAME, Upload
from pgqueue_api.http.answers import Json
from pgqueue_api.http.files import file_answer
from pgqueue_api.http.parameters import id_in_path
from pgqueue_api.openapi.operation import Answer, operation
from pgqueue_api.services import Services

__all__ = ["ROUTES"]

AnyRequest = Request[Any, Any, Any]
UploadId = Annotated[UUID, id_in_path("The id of the file.")]
FileName = Annotated[
    str | None,
    QueryParameter(name="name", pattern=FILE_NAME, description="The name of the file."),
]

_BINARY = {"type": "string", "format": "binary"}


@operation(
    "POST /v1/artifacts",
    Answer(201, "Stored.", {"Location": "The path of the file."}),
    tag="artifacts",
    problems=(413, 415, 422, 507),
    body={"*/*": _BINARY},
)
async def upload(
    request: AnyRequest, services: NamedDependency[Services], name: FileName = None
) -> Json[Upload]:
    """Upload a file.

    The body is the file and `Content-Type` is its type. The file is streamed into the database, so
    it may be large; it is stored when the answer arrives, and a broken upload leaves nothing.
    Payloads name it by its `id`.
    """
    headers = dict(request.scope["headers"])
    sender = request.client.host if request.client else ""
    id = await services.uploads.take(headers, name, request.receive, sender)
    return await _state(services, id, status=201, Location=f"/v1/artifacts/{id}")


@operation(
    "GET /v1/artifacts/{id:uuid}", Answer(200, "The file."), tag="artifacts", problems=(404,)
)
async def get_upload(id: UploadId, services: NamedDependency[Services]) -> Json[Upload]:
    """Read the details of a file.

    Its type, its size, and until when it is kept.
    """
    return await _state(services, id)


@operation(
    "GET /v1/artifacts/{id:uuid}/content",
    Answer(200, "The file.", schema=_BINARY, media_type="*/*"),
    Answer(304, "Unchanged since `If-None-Match`."),
    tag="artifacts",
    problems=(404,),
)
async def get_upload_content(
    id: UploadId, request: AnyRequest, services: NamedDependency[Services]
) -> Response[Any]:
    """Download a file.

    With its own content type; the ETag is its SHA-256. Browsers save it and never run it as a page
    of this site.
    """
    key = {"upload_id": id, "task_id": None, "name": None}
    (found,) = await services.files.rows("find_artifact", key)
    return file_answer(
        request,
        services.files,
        key,
        found,
        {
            "Content-Disposition": f'attachment; filename="{found["file_name"] or id}"',
            "Content-Security-Policy": "sandbox; default-src 'none'",
        },
    )


@operation(
    "DELETE /v1/artifacts/{id:uuid}", Answer(204, "Deleted."), tag="artifacts", problems=(404,)
)
async def delete_upload(id: UploadId, services: NamedDependency[Services]) -> None:
    """Delete a file.

    Tasks that name it fail from now on.
    """
    row = await services.files.row("delete_upload", {"id": id})
    if row is None or not row["deleted"]:
        raise _not_found(id)


ROUTES = [upload, get_upload, get_upload_content, delete_upload]


async def _state(
    services: Services, id: object, *, status: int | None = None, **headers: str
) -> Json[Upload]:
    # on the writing side: a replica for reads may be a moment behind
    row = await services.files.row("upload_state", {"id": id})
    if row is None:
        raise _not_found(id)
    return Json(row["item"], status=status, **headers)


def _not_found(id: object) -> NotFound:
    return NotFound(f"there is no artifact {id}", hint="it has expired or was deleted")
