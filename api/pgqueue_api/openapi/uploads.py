"""Files that clients send in, in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from pgqueue_api.openapi.parts import ID, content, filter_by, operation, other

__all__ = ["COMPONENTS", "PATHS"]

_ID = {**ID, "description": "the file's id"}
_BINARY = {"type": "string", "format": "binary"}

_UPLOAD = operation(
    "artifacts",
    "upload",
    "Upload a file",
    "The body is the file, the `Content-Type` its type. It is streamed, so it may be large, and "
    "there when the answer comes; what does not arrive whole leaves nothing. Payloads name it by "
    "its `id`.",
    {201: content("Upload", "Stored.", Location="the file's path")},
    *(413, 415, 422, 503),
    parameters=[
        filter_by(
            "name",
            {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"},
            "what the file is called",
        )
    ],
)
_UPLOAD["requestBody"] = {
    "required": True,
    "content": {"*/*": {"schema": _BINARY}},
}

PATHS: dict[str, dict[str, Any]] = {
    "/v1/artifacts": {"post": _UPLOAD},
    "/v1/artifacts/{id}": {
        "get": operation(
            "artifacts",
            "get_upload",
            "Read about a file",
            "What it is, and until when it is kept.",
            {200: content("Upload", "The file.")},
            *(404, 503),
            parameters=[_ID],
        ),
        "delete": operation(
            "artifacts",
            "delete_upload",
            "Delete a file",
            "Tasks that name it fail from now on.",
            {204: {"description": "Deleted."}},
            *(404, 503),
            parameters=[_ID],
        ),
    },
    "/v1/artifacts/{id}/content": {
        "get": operation(
            "artifacts",
            "get_upload_content",
            "Download a file",
            "With its own content type; the ETag is its SHA-256.",
            {
                200: other("*/*", "The file.", _BINARY),
                304: {"description": "Unchanged since `If-None-Match`."},
            },
            *(404, 503),
            parameters=[_ID],
        )
    },
}

COMPONENTS: dict[str, dict[str, Any]] = {
    "Upload": {
        "type": "object",
        "description": "A file that a client sent in.",
        "properties": {
            "id": {"type": "string", "format": "uuid", "description": "what payloads name it by"},
            "name": {"type": ["string", "null"]},
            "content_type": {"type": "string"},
            "size": {"type": "integer", "description": "in bytes"},
            "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "created_at": {"type": "string", "format": "date-time"},
            "expires_at": {
                "type": "string",
                "format": "date-time",
                "description": "when it is deleted",
            },
            "href": {"type": "string", "description": "where to download it"},
        },
        "required": [
            "id",
            "name",
            "content_type",
            "size",
            "sha256",
            "created_at",
            "expires_at",
            "href",
        ],
    }
}
