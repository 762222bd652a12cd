"""Isolated functions, and the limits of the processes in which code runs isolated."""

from __future__ import annotations

import asyncio
import math
import pickle
import re
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import orjson
from pydantic import ByteSize, Field, TypeAdapter, ValidationError

from pgqueue.errors import UsageError
from pgqueue.models.values import check_kept, seconds

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

__all__ = ["IsolatedCall", "ProcessLimits", "Returned", "joined", "parse_size"]

_ATTEMPT = (
    *("task_id", "lease_id", "attempt", "max_attempts"),
    *("type", "queue", "run_at", "batch_id"),
)
_MAX_OUTPUT = 64 * 1024 * 1024
_MAX_CPU_S = 10 * 365 * 86_400


@dataclass(frozen=True)
class ProcessLimits:
    """What a process may use: bytes of memory, seconds of CPU, bytes of a file. ``None``: any."""

    memory: int | None = None
    cpu_s: int | None = None
    file: int | None = None

    @classmethod
    def parse(
        cls,
        memory_limit: int | str | None,
        cpu_limit: timedelta | float | None,
        file_limit: int | str | None,
    ) -> Self:
        """Return the limits of these options; raise ``UsageError`` for an invalid one."""
        return cls(
            memory=None if memory_limit is None else parse_size("memory_limit", memory_limit),
            cpu_s=None if cpu_limit is None else _cpu_seconds(cpu_limit),
            file=None if file_limit is None else parse_size("file_limit", file_limit, minimum=0),
        )

    @property
    def given(self) -> tuple[str, ...]:
        """The options that were given."""
        limits = {"memory_limit": self.memory, "cpu_limit": self.cpu_s, "file_limit": self.file}
        return tuple(name for name, limit in limits.items() if limit is not None)


Shape = Literal["json", "bytes", "pair"]


@dataclass(frozen=True)
class Returned:
    """What an isolated function returned: JSON, bytes, or a pair of both.

    Nothing else is read from a process that hostile input may have taken over: a pickle could run
    code in the worker.
    """

    shape: Shape
    json: bytes
    data: bytes

    @classmethod
    def of(cls, value: Any) -> Returned:
        """Return the parts of a value; raise ``UsageError`` if it is none of the three."""
        match value:
            case bytes() | bytearray() | memoryview():
                return cls("bytes", b"null", bytes(value))
            case (json, bytes() | bytearray() | memoryview() as data):
                return cls("pair", _encoded(json), bytes(data))
            case json:
                return cls("json", _encoded(json), b"")

    @property
    def value(self) -> Any:
        """The value, joined from its parts."""
        return joined(self.shape, orjson.loads(self.json), self.data)


@dataclass(frozen=True)
class IsolatedCall:
    """A call of a function in a process of its own; see ``Context.run_isolated``."""

    function: Callable[..., Any] | str
    args: tuple[Any, ...]
    limits: ProcessLimits
    max_output: int
    raises: tuple[type[Exception], ...]

    def __post_init__(self) -> None:
        """Raise ``UsageError`` for a function that cannot be called there."""
        function: object = self.function
        if isinstance(function, str):
            known = bool(re.fullmatch(r"[\w.]+:\w+", function))
        else:
            known = callable(function) and not asyncio.iscoroutinefunction(function)
        if not known:
            message = f"run_isolated got {self.function!r}"
            hint = 'pass a plain function of a module, or its name, such as "shop.pdf:render"'
            raise UsageError(message, hint=hint)
        if self.max_output > _MAX_OUTPUT:
            message = f"output_limit is {self.max_output:,} bytes"
            raise UsageError(message, hint=f"pass at most {_MAX_OUTPUT:,}")

    def pickled(self, context: object) -> bytes:
        """Return the call, and what makes a context like this one, as bytes for the new process."""
        attempt = {name: getattr(context, name) for name in _ATTEMPT}
        try:
            return pickle.dumps((self, attempt))
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            message = f"run_isolated cannot send this call to another process: {error}"
            hint = "pass a function that its module has by name, and arguments that can be pickled"
            raise UsageError(message, hint=hint) from error

    def run(self, context: object) -> Returned:
        """Call the function in this process."""
        function = self.function
        if isinstance(function, str):
            module, _, name = function.partition(":")
            function = getattr(import_module(module), name)
        return Returned.of(function(context, *self.args))


def joined(shape: Shape, json: Any, data: bytes) -> Any:
    """Return the value that was split into JSON and bytes."""
    match shape:
        case "json":
            return json
        case "bytes":
            return data
        case "pair":
            return json, data


def parse_size(option: str, value: int | str, *, minimum: int = 1) -> int:
    """Return a size in bytes: a number, or a text such as "512MB" or "1GiB"."""
    try:
        return int(TypeAdapter(Annotated[ByteSize, Field(ge=minimum)]).validate_python(value))
    except ValidationError as error:
        message = f"{option} is {value!r}"
        hint = f'pass a number of bytes, at least {minimum}, or a text such as "512MB"'
        raise UsageError(message, hint=hint) from error


def _encoded(value: Any) -> bytes:
    try:
        encoded = orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
        check_kept(value, encoded)
    except (TypeError, ValueError, RecursionError, UsageError) as error:
        message = f"the function returned what is not JSON: {error}"
        raise UsageError(message, hint="return JSON, bytes, or a pair of both") from error
    return encoded


def _cpu_seconds(value: timedelta | float) -> int:
    limit = seconds(value, "cpu_limit")
    if not isinstance(limit, int | float) or not 0 < limit <= _MAX_CPU_S:
        message = f"cpu_limit cannot be {value!r}"
        raise UsageError(message, hint="pass seconds, more than 0, or a timedelta")
    return math.ceil(limit)
