"""The pydantic adapters of payloads and results: what they accept, and the schemas they publish."""

from __future__ import annotations

import functools
import operator
import types
import typing
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError

from pgqueue.errors import PayloadError, UsageError
from pgqueue.handlers.outcomes import OUTCOMES

__all__ = [
    "payload_adapter",
    "payload_error",
    "plain",
    "result_adapter",
    "schema_of",
    "undecodable",
]

_MAX_PLACES = 20


def payload_adapter(name: str, annotation: Any) -> TypeAdapter[Any] | None:
    """Return the adapter of a payload, ``None`` for any JSON; ``UsageError`` without a schema."""
    if annotation is Any:
        return None
    try:
        return _complete(annotation)
    except PydanticSchemaGenerationError as error:
        raise _no_schema(name, annotation, "") from error
    except (PydanticUserError, NameError) as error:
        raise _no_schema(name, annotation, f": {str(error).partition(chr(10))[0]}") from error


def result_adapter(annotation: Any) -> TypeAdapter[Any] | None:
    """Return the adapter of a result, ``None`` if its annotation says nothing about it."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        # in `Receipt | Retry` only Receipt is a result, so only it is in the schema
        results = [part for part in typing.get_args(annotation) if part not in OUTCOMES]
        annotation = functools.reduce(operator.or_, results) if results else Any
    if annotation in (Any, None, types.NoneType):
        return None
    try:
        return _complete(annotation)
    except (PydanticUserError, NameError):
        return None  # Retry, Snooze and the like: a result needs no schema


def plain(adapter: TypeAdapter[Any], value: Any, *, round_trip: bool, by_alias: bool = True) -> Any:
    """Return a value in JSON's types as its annotation says, or raise ``UsageError``."""
    try:
        return adapter.dump_python(
            value, mode="json", by_alias=by_alias, round_trip=round_trip, warnings="error"
        )
    except Exception as error:  # a serializer may raise anything
        message = f"this cannot be stored as JSON: {error}"
        raise UsageError(message, hint="pass what the annotation says") from error


def schema_of(
    adapter: TypeAdapter[Any] | None, mode: Literal["validation", "serialization"]
) -> dict[str, Any]:
    """Return the JSON Schema of an adapter, ``{}`` where there is none."""
    if adapter is None:
        return {}
    try:
        return adapter.json_schema(mode=mode)
    except Exception:  # noqa: BLE001  pydantic has no common error for "this type has no JSON Schema"
        return {}


def payload_error(name: str, error: ValidationError) -> PayloadError:
    """Return the error for a payload that does not fit, with a pointer to the first 20 places.

    They are pointers into the task, as those of HTTP are.
    """
    items = error.errors(include_url=False, include_input=False, include_context=False)
    if items[0]["type"] == "json_invalid":  # its fields were not reached
        return undecodable(items[0]["msg"])
    places = [
        {"pointer": "/payload" + _pointer(item["loc"]), "message": item["msg"]}
        for item in items[:_MAX_PLACES]
    ]
    first = places[0]
    return PayloadError(
        f"the payload does not fit {name!r}: {first['pointer']}: {first['message']}",
        errors=places,
        hint=f"{len(items)} places do not fit" if len(items) > 1 else None,
    )


def undecodable(why: str) -> PayloadError:
    """Return the error for a payload that no parser here accepts."""
    return PayloadError(
        f"the payload cannot be decoded: {why}",
        hint="it was enqueued by SQL: send JSON that common parsers accept",
    )


def _no_schema(name: str, annotation: Any, why: str) -> UsageError:
    return UsageError(
        f"the payload of type {name!r} is annotated with {annotation!r}, which has no schema{why}",
        hint="use a pydantic model, a dataclass or JSON's types, all of whose parts exist here",
    )


def _complete(annotation: Any) -> TypeAdapter[Any]:
    """Return an adapter that works now: a part that is defined later would fail the first task."""
    adapter = TypeAdapter(annotation)
    if not adapter.pydantic_complete:
        adapter.rebuild(raise_errors=True)
    return adapter


def _pointer(location: tuple[int | str, ...]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)
