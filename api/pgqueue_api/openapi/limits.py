"""The paths of limits in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from pgqueue_api.openapi.parts import CURSOR, IF_MATCH, NAME, content, limit, operation
from pgqueue_api.schemas.limits import LIMIT_NAME

__all__ = ["PATHS"]

_VERSION = "the version of its settings"
_NAME = {
    **NAME,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "a limit_key",
    "example": "acme",
}
_CURSOR = {**CURSOR, "schema": {"type": "string", "maxLength": 400}}
_NAME_OF_NEW = {**_NAME, "schema": {"type": "string", "pattern": LIMIT_NAME}}

PATHS: dict[str, dict[str, Any]] = {
    "/v1/limits": {
        "get": operation(
            "overview",
            "list_limits",
            "List limits",
            "Those of keys that have one of their name, by name. The limits of queues are theirs.",
            {200: content("Limits", "A page.")},
            *(422, 503),
            parameters=[_CURSOR, limit(50)],
        )
    },
    "/v1/limits/{name}": {
        "get": operation(
            "overview",
            "get_limit",
            "Read a limit",
            "That of all tasks with this limit_key, in whatever queue.",
            {200: content("Limit", "The limit.", ETag=_VERSION)},
            *(404, 422, 503),
            parameters=[_NAME],
        ),
        "put": operation(
            "overview",
            "put_limit",
            "Limit a key, or replace its limit",
            "What is left out is no limit. One that is there needs If-Match. In force for every "
            "worker within a second; what runs goes on.",
            {
                200: content("Limit", "The limit afterwards.", ETag=_VERSION),
                201: content("Limit", "Made.", ETag=_VERSION, Location="the limit's path"),
            },
            *(412, 413, 415, 422, 428, 503),
            parameters=[_NAME_OF_NEW, IF_MATCH],
            takes="LimitSettings",
        ),
        "patch": operation(
            "overview",
            "patch_limit",
            "Change a limit",
            "What is left out stays; null takes a part away.",
            {200: content("Limit", "The limit afterwards.", ETag=_VERSION)},
            *(404, 412, 413, 415, 422, 428, 503),
            parameters=[_NAME, IF_MATCH],
            takes="LimitSettings",
        ),
        "delete": operation(
            "overview",
            "delete_limit",
            "Delete a limit",
            "Its key is limited again as its queues say.",
            {204: {"description": "Gone."}},
            *(404, 412, 422, 428, 503),
            parameters=[_NAME, IF_MATCH],
        ),
    },
}
