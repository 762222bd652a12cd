"""Errors as RFC 9457 problems: the one place where an error becomes an answer.

PgQueueError (pgqueue.errors)
└── UsageError
    └── Invalid              422  the request's JSON or parameters; ``errors`` points at each place
        ├── InvalidJson      422  not JSON, or JSON that cannot be stored
        ├── InvalidBody      422  a file that is not whole, or not what its type says
        ├── UnknownType      422  no worker has published such a type
        └── KeyReused        422  an Idempotency-Key that came with another request
    ├── Unauthenticated      401
    ├── Forbidden            403
    ├── TooManyTries         429
    ├── HostNotAllowed       421
    ├── OriginNotAllowed     403
    ├── TooLarge             413
    ├── UnsupportedMedia     415
    └── QuotaReached         507
KeyInFlight (Conflict)       409  the first request with this Idempotency-Key still runs
Overloaded (DatabaseUnavailable)  503
IssuerUnavailable            503
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
    "Forbidden",
    "HostNotAllowed",
    "Invalid",
    "InvalidBody",
    "InvalidJson",
    "IssuerUnavailable",
    "KeyInFlight",
    "KeyReused",
    "OriginNotAllowed",
    "Overloaded",
    "QuotaReached",
    "TooLarge",
    "TooManyTries",
    "Unauthenticated",
    "UnknownType",
    "UnsupportedMedia",
    "answer",
    "problem_of",
]

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 2


_log = logs.get_logger("pgqueue.api")


class Invalid(UsageError):
    """The request is not valid."""

    code = "invalid"


class InvalidJson(Invalid):
    """The body is not JSON that can be stored."""

    code = "json_invalid"


class InvalidBody(Invalid):
    """The body did not arrive whole, or is not what its type says."""

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


class Unauthenticated(UsageError):
    """The request does not say who asks, or with a key or a session that is not valid."""

    code = "unauthenticated"
    status = 401


class Forbidden(UsageError):
    """Who asks may not do this."""

    code = "forbidden"
    status = 403


class IssuerUnavailable(PgQueueError):
    """The issuer of OpenID Connect does not answer, or not as it should."""

    code = "issuer_unavailable"
    status = 503


class TooManyTries(UsageError):
    """Somebody tried too many passwords lately."""

    code = "too_many_tries"
    status = 429

    def __init__(self, message: str, *, retry_after_s: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class HostNotAllowed(UsageError):
    """The request is for a host that this server is not."""

    code = "host_not_allowed"
    status = 421


class OriginNotAllowed(UsageError):
    """The request is from a web page of another site."""

    code = "origin_not_allowed"
    status = 403


class TooLarge(UsageError):
    """The body is too large."""

    code = "body_too_large"
    status = 413


class QuotaReached(UsageError):
    """No more files can be kept."""

    code = "upload_quota_reached"
    status = 507


class UnsupportedMedia(UsageError):
    """The body is not declared as JSON."""

    code = "unsupported_media_type"
    status = 415


class Overloaded(DatabaseUnavailable):
    """More requests wait than can be answered in time."""

    code = "overloaded"


_EXPLAINED: dict[type[PgQueueError], str] = {
    NotFound: "The thing or the path does not exist. Tasks are kept until their retention is over.",
    TaskPruned: "The task, if it ever existed, is from a day that has been pruned.",
    Invalid: "The request is not valid: `errors` points at each fault.",
    InvalidJson: "The body is not JSON, or it holds something that PostgreSQL cannot store.",
    InvalidBody: "The file is incomplete, or is not what its `Content-Type` says.",
    PayloadError: "The payload does not fit the schema that the type's workers published.",
    UnknownType: "No worker has published the type: start one that has it, or check the spelling.",
    UsageError: "PostgreSQL refused a value: `detail` says which bound it exceeds.",
    KeyReused: "The `Idempotency-Key` came with another body within 24 hours: use a new key.",
    KeyInFlight: "The first request with this key is still running: ask again in a moment.",
    Conflict: "The state of the task does not allow it, such as a retry of a completed task.",
    Duplicate: "Another task has the `dedup_key`: `task_id` is its id.",
    Stale: "It was changed since you read it: read it again, then decide again.",
    Unauthenticated: "Send `Authorization: Bearer pgq_…`, or sign in: `pgqueue users add` and "
    "`pgqueue keys create` make users and keys.",
    Forbidden: "Your key or your role does not allow it: `GET /v1/me` shows what you may do.",
    IssuerUnavailable: "The issuer does not answer: try again, or use an API key.",
    TooManyTries: "Too many passwords were tried: try again after `Retry-After`.",
    HostNotAllowed: "The server listens on this machine only, and answers to its names only: set "
    "`PGQUEUE_API_ALLOWED_HOSTS`.",
    OriginNotAllowed: "A web page of another site changes nothing: set "
    "`PGQUEUE_API_ALLOWED_ORIGINS`.",
    TooLarge: "A task may have 256 KiB, a bulk request 4 MiB: upload a file, and send its id.",
    QuotaReached: "`PGQUEUE_UPLOAD_QUOTA_BYTES` of files are kept: delete some, or wait until they "
    "expire.",
    UnsupportedMedia: "Send `Content-Type: application/json`.",
    DatabaseUnavailable: "PostgreSQL cannot be reached: try again after `Retry-After`.",
    DatabaseFull: "PostgreSQL's disk is full: try again after `Retry-After`.",
    AnswerLost: "The connection broke, and the change may have been made. With an "
    "`Idempotency-Key` you can safely ask again.",
    DatabaseBusy: "PostgreSQL did not answer in time: try again after `Retry-After`.",
    Overloaded: "Too many requests wait to be answered in time: try again after `Retry-After`.",
    SchemaMismatch: "The schema of the database has another version: run `pgqueue migrate`.",
}
_OF_HTTP = {
    "bad_request": (400, "The request is not valid HTTP."),
    "head_late": (408, "The head of the request did not arrive in time: send it faster."),
    "head_too_large": (431, "The first line and the headers together may have 64 KiB."),
    "method_not_allowed": (405, "The path has other methods: see `Allow`."),
    "internal": (500, "A bug in pgqueue: the log of the API says what happened."),
}

PROBLEM_CODES: dict[str, dict[str, Any]] = {
    code: {"status": status, "description": text}
    for code, (status, text) in (
        {kind.code: (kind.status, text) for kind, text in _EXPLAINED.items()} | _OF_HTTP
    ).items()
}
"""All codes of problems, as the documentation lists them."""

_HTTP_CODES = {
    400: ("bad_request", None),
    404: ("not_found", "the paths are listed at /docs"),
    405: ("method_not_allowed", "the Allow header names the methods"),
    408: ("head_late", None),
    413: ("body_too_large", None),
    415: ("unsupported_media_type", "send application/json"),
    431: ("head_too_large", "send fewer headers: cookies are not needed"),
}


def problem_of(error: Exception) -> tuple[int, Problem, dict[str, str]]:
    """Return the status, the problem and the extra headers of an error."""
    headers: dict[str, str] = {}
    if isinstance(error, PgQueueError):
        if error.status == HTTPStatus.SERVICE_UNAVAILABLE:
            headers["Retry-After"] = str(RETRY_AFTER_S)
        if isinstance(error, Unauthenticated):
            headers["WWW-Authenticate"] = "Bearer"
        if isinstance(error, TooManyTries):
            headers["Retry-After"] = str(error.retry_after_s)
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
    return _problem(500, "internal", "something went wrong", "the log of the API says what", None)


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
