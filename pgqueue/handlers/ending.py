"""How an attempt ends: what its handler returned or raised, as a value that can be recorded."""

from __future__ import annotations

import inspect
import signal
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import orjson

from pgqueue.errors import PayloadError, UsageError
from pgqueue.handlers.failure import Failure, clean, describe
from pgqueue.handlers.outcomes import Cancel, Retry, Snooze, outcome_in
from pgqueue.models.tasks.status import Outcome
from pgqueue.models.values import seconds

if TYPE_CHECKING:
    import contextvars
    from collections.abc import Mapping

    from pgqueue.handlers.task_type import TaskType

__all__ = [
    "COMPLETED",
    "RELEASED",
    "Cause",
    "Ending",
    "awaited",
    "crashed",
    "decoded",
    "expired",
    "interrupted",
    "raised",
    "refused",
    "returned",
]

Cause = Literal["timeout", "cancel", "drain"]
"""Why an attempt was interrupted."""

_MAX_RESULT = 256 * 1024
_MAX_DELAY_S = 10 * 365 * 86_400.0
_MAX_REASON = 1_000
_MAX_PLACES = 20


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended.

    ``result`` is JSON. After a failure, ``retry=False`` means that no other attempt follows.
    ``delay_s`` or ``run_at`` (ISO 8601) says when the next attempt starts. With ``slow`` nothing
    else of the queue, or of the key, starts within ``delay_s``.
    """

    outcome: Outcome
    result: bytes | None = None
    error: Failure | None = None
    retry: bool | None = None
    delay_s: float | None = None
    run_at: str | None = None
    reason: str | None = None
    slow: Literal["queue", "key"] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return what the SQL function ``finish`` takes: the fields that are set, without ids."""
        fields: dict[str, Any] = {"outcome": self.outcome}
        if self.result is not None:
            fields["result"] = orjson.Fragment(self.result)
        for name in ("error", "retry", "delay_s", "run_at", "reason", "slow"):
            value = getattr(self, name)
            if value is not None:
                fields[name] = value
        return fields

    @classmethod
    def from_json(cls, fields: Mapping[str, Any], result: bytes | None = None) -> Ending:
        """Read what ``as_json`` returned, without its result."""
        return replace(cls(**fields), outcome=Outcome(fields["outcome"]), result=result)


COMPLETED = Ending(Outcome.COMPLETED)
"""The ending of an attempt that completed without a result."""

RELEASED = Ending(Outcome.RELEASED)
"""The ending of an attempt that was released before it started."""


def returned(value: Any, kind: TaskType) -> Ending:
    """Return the ending of an attempt whose handler returned this value."""
    match value:
        case None:
            return COMPLETED
        case Retry(after=after, reason=reason, slow=slow):
            message = _bounded(reason) or "the handler asked for a retry"
            return Ending(
                Outcome.FAILED,
                error=Failure(type="Retry", message=message),
                delay_s=None if after is None else _delay(after),
                reason=message,
                slow=slow,
            )
        case Snooze(until=until, reason=reason):
            return _snoozed(until, _bounded(reason))
        case Cancel(reason=reason):
            return _cancelled(_bounded(reason) or "cancelled by its handler")
        case _:
            return _stored(value, kind)


async def awaited(value: Any, variables: contextvars.Context | None = None) -> Any:
    """Return what a handler returned, after awaiting it if it is awaitable.

    A decorator may return the coroutine of an async handler, and a handler may forget to await what
    it returns. If it was called elsewhere, ``variables`` are those to go on with.
    """
    if variables is not None and inspect.isawaitable(value):
        for variable, one in variables.items():
            variable.set(one)
    while inspect.isawaitable(value):
        value = await value
    return value


def raised(error: BaseException, kind: TaskType) -> Ending:
    """Return the ending of an attempt whose handler raised this exception."""
    outcome = outcome_in(error)
    if outcome is not None:
        return returned(outcome, kind)
    return Ending(
        Outcome.FAILED,
        error=describe(error, skip_frames=1),
        retry=not isinstance(error, kind.no_retry),
    )


def decoded(payload: str, kind: TaskType) -> tuple[Any, Ending | None]:
    """Return a payload as its handler takes it, or the ending if it cannot be decoded."""
    try:
        return kind.decode(payload), None
    except PayloadError as error:
        return None, refused(error)
    except BaseException as error:  # noqa: BLE001  the border: a validator may raise anything
        return None, raised(error, kind)


def refused(error: PayloadError) -> Ending:
    """Return the ending for a payload that does not fit its type: a retry would fail, too."""
    described = describe(error)
    described["type"] = "payload_invalid" if error.errors else "payload_undecodable"
    described["errors"] = [
        {name: clean(text)[:_MAX_REASON] for name, text in place.items()}
        for place in error.errors[:_MAX_PLACES]
    ]
    return Ending(Outcome.FAILED, error=described, retry=False)


def interrupted(cause: Cause, limit_s: float | None, where: Failure | None = None) -> Ending:
    """Return the ending of an attempt that was interrupted; ``where`` has its traceback."""
    match cause:
        case "timeout":
            timed_out = Failure(type="TimedOut", message=f"not done within {limit_s:g} s")
            return Ending(Outcome.TIMED_OUT, error=where | timed_out if where else timed_out)
        case "cancel":
            return _cancelled("cancelled while it ran")
        case "drain":
            return Ending(Outcome.RELEASED, reason="its worker stopped")


def crashed(status: int | None) -> Ending:
    """Return the ending of an attempt whose own process ended with this exit status."""
    if status is None:
        how = "broke off"
    elif status < 0:
        how = f"was killed by {signal.Signals(-status).name}"
    else:
        how = f"ended with exit status {status}"
    message = f"its process {how}"
    error = Failure(type="Crashed", message=message)
    return Ending(Outcome.CRASHED, error=error, reason=message)


def expired() -> Ending:
    """Return the ending of a task that was claimed after its ``expires_at``."""
    return _cancelled("expired before it started")


def _snoozed(until: datetime | timedelta | float, reason: str | None) -> Ending:
    if not isinstance(until, datetime):
        return Ending(Outcome.SNOOZED, delay_s=_delay(until), reason=reason)
    # by the database's clock; a time without a zone is UTC
    at = until if until.tzinfo else until.replace(tzinfo=UTC)
    return Ending(Outcome.SNOOZED, run_at=at.isoformat(), reason=reason)


def _cancelled(message: str) -> Ending:
    return Ending(Outcome.CANCELLED, error=Failure(type="Cancelled", message=message))


def _stored(value: Any, kind: TaskType) -> Ending:
    try:
        return Ending(Outcome.COMPLETED, result=_encoded(value, kind))
    except UsageError as error:
        described = describe(error)
        described["type"] = "ResultNotStorable"
        return Ending(Outcome.FAILED, error=described, retry=False)


def _encoded(value: Any, kind: TaskType) -> bytes:
    if inspect.isgenerator(value) or inspect.isasyncgen(value):
        raise UsageError(
            "the handler is a generator: it yields",
            hint="return the result, and report what comes before it with ctx.progress",
        )
    encoded = kind.encode_result(value)
    if len(encoded) > _MAX_RESULT:
        raise UsageError(
            f"the result has {len(encoded):,} bytes",
            hint=f"at most {_MAX_RESULT:,} are kept; save it as an artifact",
        )
    return encoded


def _delay(after: timedelta | float) -> float:
    return min(max(0.0, seconds(after) or 0.0), _MAX_DELAY_S)


def _bounded(reason: object) -> str | None:
    return None if reason is None else clean(str(reason))[:_MAX_REASON]
