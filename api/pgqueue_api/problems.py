"""Errors as RFC 9457 problems: the one place where an error becomes an answer.

PgQueueError (pgqueue.errors)
└── UsageError
    └── Invalid              422  the request's JSON or parameters; ``errors`` points at each place
        ├── InvalidJson      422  not JSON, or JSON that cannot be stored
        ├── InvalidBody      422  a file that is not whole, or not what its type says
        ├── UnknownType      422  no worker has published such a type
        └── KeyReused        422  an Idempotency-Key that came with another request
    ├── TooLarge             413
    └── UnsupportedMedia     415
KeyInFlight (Conflict)       409  the first request with this Idempotency-Key still runs
Overloaded (DatabaseUnavailable)  503
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

import orjson
from litestar import Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.params import ParameterKwarg

from pgqueue import logs
from pgqueue.errors import (
    AnswerLost,
    Conflict,
    DatabaseBusy,
    DatabaseFull,
    DatabaseUnavailable,
    Duplicate,
    NotFound,
    PayloadError,
    PgQueueError,
    SchemaMismatch,
    Stale,
    TaskPruned,
    UsageError,
)
from pgqueue.models.problem import Place, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from litestar import Request

__all__ = [
    "MEDIA_TYPE",
    "PROBLEM_CODES",
    "Invalid",
    "InvalidBody",
    "InvalidJson",
    "KeyInFlight",
    "KeyReused",
    "Overloaded",
    "TooLarge",
    "UnknownType",
    "UnsupportedMedia",
    "VersionNeeded",
    "answer",
    "problem_of",
]

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 2


_log = logs.get_logger("pgqueue.api")


class Invalid(UsageError):
    """The request cannot be right."""

    code = "invalid"


class InvalidJson(Invalid):
    """The body is not JSON that can be stored."""

    code = "json_invalid"


class InvalidBody(Invalid):
    """The body did not arrive whole, or is not what it is said to be."""

    code = "body_invalid"


class UnknownType(Invalid):
    """No worker has published such a type."""

    code = "unknown_type"


class KeyReused(Invalid):
    """The Idempotency-Key came with another request before."""

    code = "idempotency_key_reused"


class KeyInFlight(Conflict):
    """The first request with this Idempotency-Key is still being worked on."""

    code = "idempotency_key_in_flight"


class VersionNeeded(UsageError):
    """There is one already: say which version of it you have seen."""

    code = "precondition_required"
    status = 428


class TooLarge(UsageError):
    """The body is too large."""

    code = "body_too_large"
    status = 413


class UnsupportedMedia(UsageError):
    """The body is not declared as JSON."""

    code = "unsupported_media_type"
    status = 415


class Overloaded(DatabaseUnavailable):
    """More work waits than will be done in time."""

    code = "overloaded"


PROBLEM_CODES: dict[str, dict[str, Any]] = {
    kind.code: {"status": kind.status, "description": description}
    for kind, description in (
        (NotFound, "There is no such thing, or no such path. Ids are kept as long as their day."),
        (TaskPruned, "The task was there and had its time. What never was, of such a day, too."),
        (Invalid, "The request cannot be right: `errors` points at each place."),
        (InvalidJson, "The body is not JSON, or holds what PostgreSQL cannot store."),
        (InvalidBody, "The file did not arrive whole, or is not what its Content-Type says."),
        (PayloadError, "The payload does not fit the schema that the type's workers published."),
        (UnknownType, "No worker has published the type: start one, or mind the spelling."),
        (UsageError, "PostgreSQL refused a value: the detail says which bound it broke."),
        (KeyReused, "The Idempotency-Key came with another body within 24 hours: use a new one."),
        (KeyInFlight, "The first request with this key still runs: ask again in a moment."),
        (Conflict, "The state of the task forbids it, such as the retry of a completed one."),
        (VersionNeeded, "Send `If-Match` with the ETag that you read: no change is lost that way."),
        (Duplicate, "Another task has the dedup_key and counts: `task_id` is its id."),
        (Stale, "It was changed since you read it: read it again, and decide again."),
        (TooLarge, "256 KiB is the most for one task, 4 MiB for many: upload a file and name it."),
        (UnsupportedMedia, "Send `Content-Type: application/json`."),
        (DatabaseUnavailable, "PostgreSQL cannot be reached: try again after `Retry-After`."),
        (DatabaseFull, "PostgreSQL's disk is full: try again after `Retry-After`."),
        (AnswerLost, "PostgreSQL broke off: it may be done. An `Idempotency-Key` asks safely."),
        (DatabaseBusy, "PostgreSQL did not answer in time: try again after `Retry-After`."),
        (Overloaded, "More waits than can be done in time: try again after `Retry-After`."),
        (SchemaMismatch, "The database has another version of the schema: `pgqueue migrate`."),
    )
} | {
    "bad_request": {"status": 400, "description": "The request is not HTTP as it should be."},
    "head_late": {"status": 408, "description": "The head of the request did not come in time."},
    "head_too_large": {"status": 431, "description": "Its first line and headers: 64 KiB at most."},
    "method_not_allowed": {"status": 405, "description": "The `Allow` header names the methods."},
    "internal": {"status": 500, "description": "A bug of ours: the log says what happened."},
}

_HTTP_CODES = {
    400: ("bad_request", None),
    404: ("not_found", "the paths are listed at /docs"),
    405: ("method_not_allowed", "the Allow header names the methods"),
    408: ("head_late", None),
    413: ("body_too_large", None),
    415: ("unsupported_media_type", "send application/json"),
    431: ("head_too_large", "cookies and the like are not needed here"),
}


def problem_of(error: Exception) -> tuple[int, Problem, dict[str, str]]:
    """Return the status, the problem and the extra headers of an error."""
    headers: dict[str, str] = {}
    if isinstance(error, PgQueueError):
        if error.status == HTTPStatus.SERVICE_UNAVAILABLE:
            headers["Retry-After"] = str(RETRY_AFTER_S)
        if error.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            _log.error("request_failed", exc_info=error)
            return error.status, _internal(), headers
        errors = getattr(error, "errors", None)
        problem = _problem(error.status, error.code, error.message, error.hint, errors)
        if isinstance(error, Duplicate) and error.task_id:
            problem["task_id"] = error.task_id
        return error.status, problem, headers
    if isinstance(error, ValidationException):
        places = [
            {"parameter": str(place.get("key", "")), "message": str(place.get("message", ""))}
            for place in error.extra or []
            if isinstance(place, dict)
        ]
        problem = _problem(422, Invalid.code, "a parameter is not valid", None, places)
        return 422, problem, headers
    if isinstance(error, HTTPException) and error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
        status = error.status_code
        code, hint = _HTTP_CODES.get(status, ("http_error", None))
        headers |= {
            name: value for name, value in (error.headers or {}).items() if name.lower() == "allow"
        }
        title = HTTPStatus(status).phrase
        return status, _problem(status, code, error.detail or title, hint, None), headers
    _log.error("request_failed", exc_info=error)
    return 500, _internal(), headers


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer a request of Litestar's with the problem that an error is."""
    status, problem, headers = problem_of(error)
    if isinstance(error, ValidationException):
        # Litestar names the argument of the handler, and not the parameter of the request
        fields = request.route_handler.parsed_fn_signature.parameters
        for place in problem.get("errors", ()):
            field = fields.get(place.get("parameter", ""))
            if field is not None and isinstance(field.kwarg_definition, ParameterKwarg):
                place["parameter"] = field.kwarg_definition.name or place["parameter"]
    return Response(
        orjson.dumps(problem), status_code=status, media_type=MEDIA_TYPE, headers=headers
    )


def _internal() -> Problem:
    return _problem(500, "internal", "something went wrong here", "the log says what", None)


def _problem(
    status: int,
    code: str,
    detail: str,
    hint: str | None,
    errors: Sequence[Mapping[str, str]] | None,
) -> Problem:
    problem: Problem = {
        "type": f"/docs#{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    if hint:
        problem["hint"] = hint
    if errors:
        problem["errors"] = cast("list[Place]", [*errors])
    return problem
