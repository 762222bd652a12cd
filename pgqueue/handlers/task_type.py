"""Task types: a name, a handler, and how it is run."""

from __future__ import annotations

import asyncio
import functools
import inspect
import operator
import types
import typing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import orjson
from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError, PydanticUndefinedAnnotation

from pgqueue.errors import PayloadError, UsageError
from pgqueue.handlers.context import Context
from pgqueue.handlers.isolation import ProcessLimits
from pgqueue.handlers.outcomes import Cancel, Retry, Snooze
from pgqueue.models.tasks.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable

    Handler = Callable[..., Any]

Isolation = Literal["process"]

_MAX_PAYLOAD = 256 * 1024
_OUTCOMES = (Retry, Snooze, Cancel)


@dataclass(frozen=True)
class TaskType:
    """A type as its app declares it.

    ``timeout_s`` is ``None`` for no limit; ``max_attempts`` and ``backoff`` are ``None`` for those
    of the queue. ``limits`` and ``env`` are for a handler in a process of its own: what the process
    may use, and whether it has the worker's environment. ``queue_settings`` are the settings that a
    worker creates the type's queue with if it does not exist yet.
    """

    name: str
    handler: Handler
    queue: str
    max_attempts: int | None
    timeout_s: float | None
    backoff: Backoff | None
    description: str
    no_retry: tuple[type[BaseException], ...] = ()
    isolation: Isolation | None = None
    limits: ProcessLimits = field(default_factory=ProcessLimits)
    env: bool = True
    queue_settings: dict[str, Any] | None = None
    is_async: bool = field(init=False)
    call: Callable[[Context, Any], Any] = field(init=False, repr=False)
    payload: TypeAdapter[Any] | None = field(init=False, repr=False)
    result: TypeAdapter[Any] | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Read the handler's signature once, so that a call costs nothing."""
        if self.isolation not in (None, "process"):
            raise UsageError(
                f"the isolation of type {self.name!r} cannot be {self.isolation!r}",
                hint='use isolation="process", or leave it out',
            )
        given = [*self.limits.given, *([] if self.env else ["env=False"])]
        if given and self.isolation is None:
            raise UsageError(
                f"type {self.name!r} has {' and '.join(given)} but no process of its own",
                hint='add isolation="process"',
            )
        call, payload = _bind(self.name, self.handler)
        hints = _hints(self.handler)
        object.__setattr__(self, "is_async", _is_async(self.handler))
        object.__setattr__(self, "call", call)
        object.__setattr__(self, "payload", _adapter(self.name, payload))
        object.__setattr__(self, "result", _result_adapter(hints.get("return", Any)))

    def decode(self, text: str) -> Any:
        """Return the payload as the handler takes it; ``PayloadError`` says what does not fit."""
        if len(text) > _MAX_PAYLOAD:  # a few bytes of jsonb can turn into megabytes of digits
            raise PayloadError(
                f"the payload cannot be decoded: it has {len(text):,} characters",
                hint=f"it was enqueued by SQL: send at most {_MAX_PAYLOAD:,} characters",
            )
        try:
            if self.payload is None:
                return orjson.loads(text)
            return self.payload.validate_json(text)
        except ValidationError as error:
            raise _payload_error(self.name, error) from error
        except ValueError as error:
            raise _undecodable(str(error)) from error

    def published(self) -> dict[str, Any]:
        """Return what workers publish of the type in the database."""
        return {
            "name": self.name,
            "queue": self.queue,
            "max_attempts": self.max_attempts,
            "retry": self.backoff and self.backoff.as_policy(),
            "timeout_s": self.timeout_s,
            "description": self.description,
            "payload_schema": _schema(self.payload, "validation"),
            "result_schema": _schema(self.result, "serialization") or None,
            "queue_settings": self.queue_settings,
        }


def _is_async(handler: Handler) -> bool:
    while isinstance(handler, functools.partial):
        handler = handler.func
    return asyncio.iscoroutinefunction(handler) or asyncio.iscoroutinefunction(
        getattr(handler, "__call__", None)  # noqa: B004  an object with an async __call__
    )


def _hints(handler: Handler) -> dict[str, Any]:
    target = handler.func if isinstance(handler, functools.partial) else handler
    try:
        return typing.get_type_hints(target, include_extras=True)
    except (NameError, TypeError):
        return dict(getattr(target, "__annotations__", {}))


def _bind(name: str, handler: Handler) -> tuple[Callable[[Context, Any], Any], Any]:
    """Return how to call a handler with a context and a payload, and the payload's annotation."""
    hints = _hints(handler)
    parameters = [
        p
        for p in inspect.signature(handler).parameters.values()
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty
    ]
    is_context = [
        hints.get(p.name) in (Context, "Context") or p.name in ("ctx", "context")
        for p in parameters
    ]
    match is_context:
        case []:
            return lambda _context, _payload: handler(), Any
        case [True]:
            return lambda context, _payload: handler(context), Any
        case [False]:
            return lambda _context, payload: handler(payload), hints.get(parameters[0].name, Any)
        case [_, False]:
            return handler, hints.get(parameters[1].name, Any)
        case [False, True]:
            return (
                lambda context, payload: handler(payload, context),
                hints.get(parameters[0].name, Any),
            )
        case _:
            raise UsageError(
                f"the handler of type {name!r} takes {len(parameters)} arguments",
                hint="a handler takes (ctx, payload), either of them, or none",
            )


def _adapter(name: str, annotation: Any) -> TypeAdapter[Any] | None:
    if annotation is Any or isinstance(annotation, str):
        return None
    try:
        return TypeAdapter(annotation)
    except (PydanticSchemaGenerationError, PydanticUndefinedAnnotation) as error:
        raise UsageError(
            f"the payload of type {name!r} is annotated with {annotation!r}, which has no schema",
            hint="use a pydantic model, a dataclass or JSON's types",
        ) from error


def _result_adapter(annotation: Any) -> TypeAdapter[Any] | None:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        # in `Receipt | Retry` only Receipt is a result, so only it is in the schema
        results = [part for part in typing.get_args(annotation) if part not in _OUTCOMES]
        annotation = functools.reduce(operator.or_, results) if results else Any
    if annotation is Any or annotation is None or isinstance(annotation, str):
        return None
    try:
        return TypeAdapter(annotation)
    except (PydanticSchemaGenerationError, PydanticUndefinedAnnotation):
        return None  # Retry, Snooze and the like: a result needs no schema


def _schema(
    adapter: TypeAdapter[Any] | None, mode: typing.Literal["validation", "serialization"]
) -> dict[str, Any]:
    if adapter is None:
        return {}
    try:
        return adapter.json_schema(mode=mode)
    except Exception:  # noqa: BLE001  pydantic has no common error for "this type has no JSON Schema"
        return {}


def _undecodable(why: str) -> PayloadError:
    return PayloadError(
        f"the payload cannot be decoded: {why}",
        hint="it was enqueued by SQL: send JSON that common parsers accept",
    )


def _payload_error(name: str, error: ValidationError) -> PayloadError:
    items = error.errors(include_url=False, include_input=False, include_context=False)
    if items[0]["type"] == "json_invalid":  # its fields were not reached
        return _undecodable(items[0]["msg"])
    places = [{"pointer": _pointer(item["loc"]), "message": item["msg"]} for item in items]
    first = places[0]
    return PayloadError(
        f"the payload does not fit {name!r}: {first['pointer'] or '/'}: {first['message']}",
        errors=places,
        hint=f"{len(places)} places do not fit" if len(places) > 1 else None,
    )


def _pointer(location: tuple[int | str, ...]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)
