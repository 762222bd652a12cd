"""Values as callers write them: times, durations, priorities, and what becomes JSON."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections import deque
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import BaseModel, Secret, SecretBytes, SecretStr, TypeAdapter
from pydantic.errors import PydanticUserError

from pgqueue.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "PRIORITIES",
    "check_kept",
    "check_time",
    "encode",
    "finite",
    "parse_priority",
    "seconds",
]

PRIORITIES = {"high": 2, "normal": 5, "low": 8}

_NAMES = "high, normal, low or 0 (first) to 10 (last)"


def check_time(at: datetime | None, name: str = "run_at") -> None:
    """Raise ``UsageError`` for what is no time, or a time without a time zone."""
    given: object = at
    if not isinstance(given, datetime | None):
        message = f"{name} cannot be {given!r}"
        raise UsageError(message, hint="pass an aware datetime, such as datetime.now(UTC) + …")
    if at is not None and at.tzinfo is None:
        message = f"{name} {at.isoformat()} has no time zone"
        raise UsageError(message, hint="use an aware datetime, such as datetime.now(UTC) + …")


def parse_priority(value: int | str | None) -> int | None:
    """Return a priority as its number; ``UsageError`` for any other word or number."""
    if value is None:
        return None
    given: object = PRIORITIES.get(value) if isinstance(value, str) else value
    if isinstance(given, bool) or not isinstance(given, int | float):
        given = -1
    if 0 <= given <= 10 and given == int(given):
        return int(given)
    message = f"priority {value!r} is not valid"
    raise UsageError(message, hint=f"use {_NAMES}")


def seconds(value: timedelta | float | None, name: str = "a duration") -> float | None:
    """Return a duration in seconds; ``UsageError`` for what is none, NaN and infinity included."""
    if value is None:
        return None
    if isinstance(value, timedelta):
        return value.total_seconds()
    return finite(value, name, "pass seconds, or a timedelta")


def finite(value: float, name: str, hint: str) -> float:
    """Return a number; ``UsageError`` for what is none, NaN and infinity included."""
    given: object = value
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise UsageError(f"{name} cannot be {given!r}", hint=hint)
    return value


def encode(value: object, *, round_trip: bool = True) -> bytes:
    """Return a value as JSON that PostgreSQL can store, pydantic models and dataclasses included.

    Models are written by their aliases, as they are read again; without ``round_trip`` with what
    they compute, too, as their published schema says. Raises ``UsageError`` for what JSON or
    PostgreSQL's jsonb cannot hold: unknown types, NaN and infinity, lone surrogates, integers
    beyond 64 bits, NUL characters, nesting too deep; and for secrets, which models hide.
    """
    try:
        encoded = orjson.dumps(value, default=_as_input if round_trip else _as_output, option=_JSON)
    except (TypeError, ValueError, RecursionError) as error:
        if isinstance(error.__cause__, UsageError):
            raise error.__cause__ from error
        message = f"this cannot be stored as JSON: {error.__cause__ or error}"
        raise UsageError(message, hint="use what JSON has, or a pydantic model") from error
    if b"\\u0000" in encoded and _has_nul(orjson.loads(encoded)):
        message = "this cannot be stored as JSON: PostgreSQL takes no NUL characters"
        raise UsageError(message, hint="remove them, or encode bytes as base64")
    if b"null" in encoded or _ASTERISKS in encoded:
        check_kept(value, encoded)
    return encoded


def check_kept(value: object, encoded: bytes) -> None:
    """Raise ``UsageError`` for a value whose JSON says null for NaN, or asterisks for a secret."""
    # the walk is slow, and nearly never needed
    if b"null" in encoded:
        for part in _parts(value):
            if isinstance(part, float) and not math.isfinite(part):
                message = f"this cannot be stored as JSON: {part} is no JSON number"
                raise UsageError(message, hint="use None, or a text")
    if _ASTERISKS in encoded:
        for part in _parts(value):
            _refuse_secret(part)


_JSON = orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS
_ASTERISKS = b'"**********"'  # how pydantic writes any secret


def _as_input(value: object) -> object:
    return _plain(value, round_trip=True)


def _as_output(value: object) -> object:
    return _plain(value, round_trip=False)


def _plain(value: object, *, round_trip: bool) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True, round_trip=round_trip, warnings=False)
    if isinstance(value, set | frozenset):
        return sorted(value, key=repr)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        adapter = _adapter(type(value))
        if adapter is None:
            return {name: one for name, one in _fields(value) if not name.startswith("_")}
        return adapter.dump_python(
            value, mode="json", by_alias=True, round_trip=round_trip, warnings=False
        )
    _refuse_secret(value)
    message = f"{type(value).__name__} is not JSON"
    raise TypeError(message)


def _refuse_secret(value: object) -> None:
    if isinstance(value, SecretStr | SecretBytes | Secret):
        message = f"a {type(value).__name__} cannot be stored: only its asterisks would be"
        hint = "pass its get_secret_value() to store it in plain text, or say where to find it"
        raise UsageError(message, hint=hint)


@functools.lru_cache
def _adapter(of: type) -> TypeAdapter[Any] | None:
    try:
        return TypeAdapter(of)
    except PydanticUserError:  # a field of a type that pydantic does not know
        return None


def _fields(value: Any) -> list[tuple[str, object]]:
    return [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]


def _parts(value: object) -> Iterator[object]:
    """Yield a value and all that it is made of, each object once."""
    todo, seen = [value], set()
    while todo:
        part = todo.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        if isinstance(part, dict):
            todo += [*part, *part.values()]
        elif isinstance(part, BaseModel):
            todo += [*vars(part).values(), *(part.__pydantic_extra__ or {}).values()]
        elif isinstance(part, list | tuple | set | frozenset | deque):
            todo += part
        elif dataclasses.is_dataclass(part) and not isinstance(part, type):
            todo += [one for _, one in _fields(part)]


def _has_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(k) or _has_nul(v) for k, v in value.items())
    return isinstance(value, list) and any(map(_has_nul, value))
