"""Values as callers write them: times, durations, priorities, and what becomes JSON."""

from __future__ import annotations

from datetime import datetime, timedelta

import orjson
from pydantic import BaseModel

from pgqueue.errors import UsageError

__all__ = ["PRIORITIES", "check_time", "encode", "parse_priority", "seconds"]

PRIORITIES = {"high": 2, "normal": 5, "low": 8}

_NAMES = "high, normal, low or 0 (first) to 10 (last)"


def check_time(at: datetime | None, name: str = "run_at") -> None:
    """Raise ``UsageError`` for a time without a time zone."""
    if at is not None and at.tzinfo is None:
        message = f"{name} {at.isoformat()} has no time zone"
        raise UsageError(message, hint="use an aware datetime, such as datetime.now(UTC) + …")


def parse_priority(value: int | str | None) -> int | None:
    """Return a priority as its number; ``UsageError`` for any other word or number."""
    if value is None:
        return None
    number = PRIORITIES.get(value) if isinstance(value, str) else value
    if number is None or isinstance(number, bool) or not 0 <= number <= 10:
        message = f"priority {value!r} is not valid"
        raise UsageError(message, hint=f"use {_NAMES}")
    return number


def seconds(value: timedelta | float | None) -> float | None:
    """Return a duration in seconds."""
    return value.total_seconds() if isinstance(value, timedelta) else value


def encode(value: object) -> bytes:
    """Return a value as JSON that PostgreSQL can store, pydantic models and dataclasses included.

    Raises ``UsageError`` for what JSON or PostgreSQL's jsonb cannot hold: unknown types, lone
    surrogates, integers beyond 64 bits, NUL characters, nesting too deep.
    """
    try:
        encoded = orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS)
    except (TypeError, ValueError, RecursionError) as error:
        message = f"this cannot be stored as JSON: {error}"
        raise UsageError(message, hint="use what JSON has, or a pydantic model") from error
    if b"\\u0000" in encoded and _has_nul(orjson.loads(encoded)):
        message = "this cannot be stored as JSON: PostgreSQL takes no NUL characters"
        raise UsageError(message, hint="remove them, or encode bytes as base64")
    return encoded


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, set | frozenset):
        return sorted(value, key=repr)
    if isinstance(value, timedelta):
        return value.total_seconds()
    message = f"{type(value).__name__} is not JSON"
    raise TypeError(message)


def _has_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(k) or _has_nul(v) for k, v in value.items())
    return isinstance(value, list) and any(map(_has_nul, value))
