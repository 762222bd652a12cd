"""Task types: a name, a handler, and how it is run."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import orjson
from pydantic import ValidationError

from pgqueue.errors import PayloadError, UsageError
from pgqueue.handlers.adapters import (
    payload_adapter,
    payload_error,
    plain,
    result_adapter,
    schema_of,
    undecodable,
)
from pgqueue.handlers.isolation import ProcessLimits
from pgqueue.handlers.signature import read_signature
from pgqueue.models.tasks.backoff import Backoff
from pgqueue.models.values import check_kept, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import TypeAdapter

    from pgqueue.handlers.context import Context

    Handler = Callable[..., Any]

Isolation = Literal["process"]

_MAX_PAYLOAD = 256 * 1024
_OF_JSON = (dict, list, str, int, float, bool, type(None))


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
        signature = read_signature(self.name, self.handler)
        object.__setattr__(self, "is_async", signature.is_async)
        object.__setattr__(self, "call", signature.call)
        object.__setattr__(self, "payload", payload_adapter(self.name, signature.payload))
        object.__setattr__(self, "result", result_adapter(signature.result))

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
            raise payload_error(self.name, error) from error
        except ValueError as error:
            raise undecodable(str(error)) from error

    def prepare(self, payload: Any) -> Any:
        """Return a payload in a form that ``encode`` writes and ``decode`` makes an equal one of.

        It is a value of the annotation's type, or JSON that fits it. Raises ``PayloadError`` for
        what does not fit, ``UsageError`` for what JSON cannot hold.
        """
        adapter = self.payload
        if adapter is None:
            return payload
        if type(payload) in _OF_JSON:
            try:
                self.decode(encode(payload).decode())
            except Exception:  # noqa: BLE001, S110  it may be a value of the type, such as Json[…]
                pass
            else:
                return payload
        own = partial(plain, adapter, payload, round_trip=True)
        # a model may read other aliases than it writes
        by_name = partial(plain, adapter, payload, round_trip=True, by_alias=False)
        refusals: list[Exception] = []
        for form in (own, partial(_same, payload), by_name):
            try:
                prepared = form()
                encoded = encode(prepared)
                check_kept(payload, encoded)
                self.decode(encoded.decode())
            except Exception as error:  # noqa: BLE001  a validator may raise anything
                refusals.append(error)
            else:
                return prepared
        raise next((e for e in refusals if isinstance(e, PayloadError)), refusals[0])

    def encode_result(self, value: Any) -> bytes:
        """Return a result as JSON, as the published schema says if it is of the annotated type.

        Raises ``UsageError`` for what JSON cannot hold.
        """
        prepared = value
        if self.result is not None:
            with suppress(UsageError):
                prepared = plain(self.result, value, round_trip=False)
        encoded = encode(prepared, round_trip=False)
        check_kept(value, encoded)
        return encoded

    def published(self) -> dict[str, Any]:
        """Return what workers publish of the type in the database."""
        return {
            "name": self.name,
            "queue": self.queue,
            "max_attempts": self.max_attempts,
            "retry": self.backoff and self.backoff.as_policy(),
            "timeout_s": self.timeout_s,
            "description": self.description,
            "payload_schema": schema_of(self.payload, "validation"),
            "result_schema": schema_of(self.result, "serialization") or None,
            "queue_settings": self.queue_settings,
        }


def prepared(types: Mapping[str, TaskType], type: str, payload: Any) -> Any:
    """Return the payload of a task of this type as ``encode`` takes it, whatever the door.

    It is checked, and written as the type says, if that is known here.
    """
    kind = types.get(type)
    return payload if kind is None else kind.prepare(payload)


def _same(payload: Any) -> Any:
    return payload
