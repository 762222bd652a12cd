"""How a handler declares itself: ``operation`` is a route and what Litestar cannot know about it.

The path, the parameters and the models are those of the handler's signature. Its docstring is the
documentation: the first line is the summary, the rest is the description, in Markdown. Its name is
the ``operationId``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from litestar import delete, get, patch, post, put
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler

from pgqueue.models.access import Scope

__all__ = ["KEY", "PUBLIC", "Answer", "Declaration", "Events", "declaration_of", "operation"]

KEY = "operation"
"""Where the declaration is kept in the ``opt`` of a route."""

PUBLIC = "public"
"""What the ``opt`` of a page or a file says that everyone may have."""

_METHODS: dict[str, Any] = {"GET": get, "POST": post, "PUT": put, "PATCH": patch, "DELETE": delete}

Handler: TypeAlias = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """One way in which an operation succeeds.

    ``model`` is needed where it is not the one of the handler's annotation; ``schema`` describes a
    body that is not JSON of a model.
    """

    status: int
    description: str
    headers: Mapping[str, str] = field(default_factory=dict)
    model: Any = None
    media_type: str = "application/json"
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Events(Answer):
    """Server-sent events: their names, and the models that their data may be."""

    status: int = 200
    description: str = "Server-sent events."
    media_type: str = "text/event-stream"
    names: tuple[str, ...] = ()
    carry: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Declaration:
    """What the decorator says of an operation."""

    answers: tuple[Answer, ...]
    problems: frozenset[int]
    body: Mapping[str, Any] | None
    body_required: bool
    any_query: bool
    scope: Scope | None
    public: bool
    known: bool
    submits: bool


def operation(
    route: str,
    *answers: Answer,
    tag: str,
    problems: tuple[int, ...] = (),
    body: Mapping[str, Any] | None = None,
    body_required: bool = True,
    max_body: int | None = None,
    any_query: bool = False,
    dependencies: Mapping[str, Provide] | None = None,
    scope: Scope | None = None,
    public: bool = False,
    known: bool = False,
    submits: bool = False,
) -> Callable[[Handler], HTTPRouteHandler]:
    """Make a route of a handler, and document it.

    ``route`` is such as ``GET /v1/limits/{name:str}``. ``problems`` are the statuses of errors
    beside those that follow from the signature (see ``document``). ``body`` describes a body that
    the handler reads by itself: by media type, a schema or a model. ``max_body`` is the largest
    body in bytes, where it is not that of most operations (``Bounds.body``). ``any_query``: query
    parameters that it does not have are ignored, and not refused. ``dependencies`` make arguments
    of several parameters. ``scope`` is what the caller needs, where it is not what ``access.rules``
    says for the tag; ``public``: everyone may; ``known``: everyone who says who they are may.
    ``submits``: a key for some queues may, too.
    """
    method, path = route.split(" ", 1)
    first = answers[0]

    def declare(handler: Handler) -> HTTPRouteHandler:
        summary, _, description = inspect.cleandoc(handler.__doc__ or "").partition("\n")
        declared = Declaration(
            answers,
            frozenset(problems),
            body,
            body_required,
            any_query,
            scope,
            public,
            known,
            submits,
        )
        made: HTTPRouteHandler = _METHODS[method](
            path,
            status_code=first.status,
            operation_id=handler.__name__,
            summary=summary.strip().removesuffix("."),
            description=description.strip() or None,
            tags=[tag],
            response_description=first.description,
            include_in_schema=True,
            dependencies=dependencies,
            **({} if max_body is None else {"request_max_body_size": max_body}),
            opt={KEY: declared},
        )(handler)
        return made

    return declare


def declaration_of(handler: HTTPRouteHandler) -> Declaration | None:
    """Return what the decorator said of a route; None if it has not been declared by it."""
    declared: Declaration | None = handler.opt.get(KEY)
    return declared
