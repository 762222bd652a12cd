"""The OpenAPI 3.1 document: what Litestar derives from the handlers, and what only we know.

Litestar knows the paths, the parameters and the models from the signatures. Added here: errors as
RFC 9457 problems, the headers of answers, links, and bodies that are no JSON. docs/adr/0014 says
what of it Litestar could not do.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from litestar import Litestar
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import License, Server, Tag

from pgqueue.models.problem import Problem
from pgqueue_api.openapi.links import add_links
from pgqueue_api.openapi.models import Models
from pgqueue_api.openapi.operation import Answer, Declaration, Events, declaration_of
from pgqueue_api.problems import MEDIA_TYPE, PROBLEM_CODES, RETRY_AFTER_S

__all__ = ["build_document"]

_PROBLEMS = {
    401: "Say who you are: send an API key, or sign in.",
    403: "You may not do this, or a web page of another site asks for it.",
    404: "There is no such thing.",
    405: "The path has other methods: see `Allow`.",
    409: "The state of the thing forbids it, or the first request with this key is still running.",
    410: "The task existed, and its retention is over: `task_pruned`.",
    412: "It was changed since you read it: `If-Match` names an older version.",
    413: "The body is too large.",
    415: "The body is not declared as JSON.",
    421: "The server does not answer to this `Host`.",
    422: "The request is not valid; `errors` points at each fault.",
    429: "Too many tries: try again after `Retry-After`.",
    507: "As many bytes of files are kept as may be.",
    503: "PostgreSQL is not available: try again. Whether a submit was stored is unknown: with an "
    "`Idempotency-Key` you can safely send it again.",
}

_EMPTY = (204, 302)
"""The statuses of answers that have headers and no body."""

_SECURITY = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, or an access token of the issuer. While there are no users, "
        "nothing is needed.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-pgqueue",
        "description": "The session of a browser. Changes also need `X-CSRF-Token`.",
    },
}

_DESCRIPTION = """\
Submit tasks, watch them live, and manage them.

Errors are problems (RFC 9457) with a stable `code`. Times are RFC 3339 in UTC. Lists have opaque
cursors: pass `next` as `cursor` until it is null. `HEAD` works wherever `GET` does. A query
parameter that an operation does not have is refused. A slash in a name is sent as `%2F`.
"""

_TAGS = {
    "tasks": "Submit, read and manage tasks.",
    "events": "Watch tasks live.",
    "batches": "Tasks that belong together.",
    "schedules": "Enqueue tasks by cron expressions, or once at a given time.",
    "queues": "The depth and the settings of each queue; pause, drain and resume it.",
    "limits": "Limits on how many tasks with the same `limit_key` run and start.",
    "artifacts": "Upload files for tasks to work on.",
    "dead letters": "Tasks that failed for good.",
    "operations": "Redrive, cancel or delete many tasks.",
    "webhooks": "Tell other services what happens.",
    "workers": "Worker processes, and the types that they have published.",
    "statistics": "Counts, rates and percentiles.",
    "access": "Who may do what: users, API keys and sessions.",
    "health": "For orchestrators, Prometheus and people.",
}


def build_document(handlers: Sequence[HTTPRouteHandler]) -> dict[str, Any]:
    """Return the document of these handlers; those that were not declared are left out."""
    models = Models()
    # an application of its own: Litestar adds routes of its own to one that has a document
    app = Litestar(
        handlers,
        openapi_config=OpenAPIConfig(
            title="pgqueue",
            version=_release(),
            description=_DESCRIPTION,
            license=License(name="MIT", identifier="MIT"),
            servers=[Server(url="/")],
            tags=[Tag(name=name, description=text) for name, text in _TAGS.items()],
        ),
        dependencies={
            name: Provide(lambda: None, sync_to_thread=False) for name in ("services", "document")
        },
        plugins=[models],
        include_in_schema=False,
        logging_config=None,
    )
    document = app.openapi_schema.to_schema()
    declared = {
        handler.operation_id: declaration
        for handler in handlers
        if (declaration := declaration_of(handler))
    }
    for path, item in document["paths"].items():
        for method, operation in item.items():
            _complete(path, method, operation, declared[operation["operationId"]], models)
    add_links(document["paths"])
    problem = {"schema": models.refer(Problem)}
    document["components"] = {
        "schemas": models.schemas(),
        "responses": {
            f"Problem{status}": {"description": text, "content": {MEDIA_TYPE: problem}}
            for status, text in _PROBLEMS.items()
        },
    }
    document["components"]["securitySchemes"] = _SECURITY
    document["security"] = [*({name: []} for name in _SECURITY), {}]
    document["components"]["responses"]["Problem503"]["headers"] = {
        "Retry-After": {
            "description": "How many seconds to wait.",
            "schema": {"type": "integer", "examples": [RETRY_AFTER_S]},
        }
    }
    document["x-problems"] = PROBLEM_CODES
    return document


def _release() -> str:
    try:
        return version("pgqueue")
    except PackageNotFoundError:
        return "0"


def _complete(
    path: str, method: str, operation: dict[str, Any], declared: Declaration, models: Models
) -> None:
    """Add to an operation what Litestar does not know, and remove what it only assumes."""
    for parameter in operation.get("parameters", ()):
        _tidy(parameter)
    operation.pop("deprecated", None)
    if declared.body is not None:
        content = {
            media_type: {"schema": schema if isinstance(schema, dict) else models.refer(schema)}
            for media_type, schema in declared.body.items()
        }
        operation["requestBody"] = {"content": content}
    if "requestBody" in operation:
        operation["requestBody"]["required"] = declared.body_required
        _settle_schema(operation["requestBody"]["content"])
    found = operation["responses"]
    operation["responses"] = {
        str(answer.status): _answer(found.get(str(answer.status), {}), answer, models)
        for answer in declared.answers
    } | {
        str(status): {"$ref": f"#/components/responses/Problem{status}"}
        for status in sorted(_problems(path, method, operation, declared))
    }


def _problems(path: str, method: str, operation: dict[str, Any], declared: Declaration) -> set[int]:
    """Return the statuses of the errors that an operation may answer with."""
    statuses = {*declared.problems, 421}
    if not declared.public:
        statuses |= {401, 403}
    if method != "get":
        statuses.add(403)
    parameters = operation.get("parameters", ())
    if path.startswith("/v1/"):
        statuses.add(503)
    if not declared.any_query:
        statuses.add(422)
    if any(parameter["name"] == "If-Match" for parameter in parameters):
        statuses |= {412, 422}
    if "application/json" in operation.get("requestBody", {}).get("content", {}):
        statuses |= {413, 415, 422}
    return statuses


def _answer(found: dict[str, Any], answer: Answer, models: Models) -> dict[str, Any]:
    made: dict[str, Any] = {"description": answer.description}
    if isinstance(answer, Events):
        made["content"] = {answer.media_type: {"schema": _event(answer, models)}}
    elif answer.model is not None:
        made["content"] = {answer.media_type: {"schema": models.refer(answer.model)}}
    elif answer.schema is not None:
        made["content"] = {answer.media_type: {"schema": answer.schema}}
    elif "content" in found and answer.status not in _EMPTY:
        made["content"] = found["content"]
        _settle_schema(made["content"])
    if answer.headers:
        made["headers"] = {
            name: {"description": text, "schema": {"type": "string"}}
            for name, text in answer.headers.items()
        }
    return made


def _event(answer: Events, models: Models) -> dict[str, Any]:
    data = [models.refer(model) for model in answer.carry]
    return {
        "type": "object",
        "description": "One event. Comments come between events.",
        "required": ["event", "data"],
        "properties": {
            "event": {"enum": [*answer.names]},
            "data": {
                "type": "string",
                "contentMediaType": "application/json",
                "contentSchema": data[0] if len(data) == 1 else {"anyOf": data},
            },
            "id": {"type": "string", "description": "Send it as `Last-Event-ID` to resume."},
            "retry": {"description": "How many milliseconds to wait before reconnecting."},
        },
    }


def _tidy(parameter: dict[str, Any]) -> None:
    """Take from a parameter what says nothing, and null, which no URL can hold."""
    for name in ("deprecated", "allowEmptyValue", "allowReserved", "examples"):
        parameter.pop(name, None)
    if not parameter["required"]:
        del parameter["required"]
    schema = parameter["schema"]
    inner = [one for one in schema.pop("oneOf", ()) if one.get("type") != "null"]
    if inner:
        schema |= {**inner[0], **schema} if len(inner) == 1 else {"oneOf": inner}
    if isinstance(schema.get("type"), list):
        [schema["type"]] = {*schema["type"]} - {"null"}
    if "enum" in schema:
        schema["enum"] = [one for one in schema["enum"] if one is not None]
    schema.pop("description", None)
    if "examples" in schema:
        [parameter["example"]] = schema.pop("examples")


def _settle_schema(content: dict[str, Any]) -> None:
    """Take null from the schema of a body that may be left out: no body is not a null."""
    for media in content.values():
        inner = [one for one in media["schema"].get("oneOf", ()) if one.get("type") != "null"]
        if len(inner) == 1:
            media["schema"] = inner[0]
