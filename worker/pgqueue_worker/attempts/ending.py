"""How an attempt ends: what its handler returned or raised, as the finish that is recorded."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import structlog

from pgqueue.errors import PayloadError, UsageError
from pgqueue.handlers.outcomes import Cancel, Retry, Snooze
from pgqueue.models.task import Outcome, encode, seconds
from pgqueue_worker.attempts.failure import clean, describe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pgqueue.handlers.task_type import TaskType
    from pgqueue_worker.attempts.lease import Lease

_log = structlog.get_logger("pgqueue.task")

_MAX_RESULT = 256 * 1024
_UNKNOWN_TYPE_S = 15.0
_LONGEST_S = 10 * 365 * 86_400.0
_MAX_REASON = 1_000


def returned(value: Any) -> dict[str, Any]:
    """End an attempt by what its handler returned."""
    match value:
        case None:
            return {"outcome": Outcome.COMPLETED}
        case Retry(after=after, reason=reason, slow=slow):
            message = _said(reason) or "the handler asked for a retry"
            return {
                "outcome": Outcome.FAILED,
                **({} if after is None else {"delay_s": _delay(after)}),
                **({} if slow is None else {"slow": slow}),
                "reason": message,
                "error": {"type": "Retry", "message": message},
            }
        case Snooze(until=until, reason=reason):
            return {"outcome": Outcome.SNOOZED, "reason": _said(reason), **_when(until)}
        case Cancel(reason=reason):
            message = _said(reason) or "cancelled by its handler"
            return {
                "outcome": Outcome.CANCELLED,
                "error": {"type": "Cancelled", "message": message},
            }
        case _:
            return _stored(value)


def raised(error: BaseException, kind: TaskType) -> dict[str, Any]:
    """End an attempt by the exception that left its handler."""
    return {
        "outcome": Outcome.FAILED,
        "retry": not isinstance(error, kind.no_retry),
        "error": describe(error, skip_frames=1),
    }


def decoded(payload: str, kind: TaskType) -> tuple[Any, dict[str, Any] | None]:
    """Give a payload as the handler takes it, or else how that ends the attempt."""
    try:
        return kind.decode(payload), None
    except PayloadError as error:
        return None, refused(error)
    except BaseException as error:  # noqa: BLE001  the border: a validator may raise anything
        return None, raised(error, kind)


def refused(error: PayloadError) -> dict[str, Any]:
    """End an attempt whose payload does not fit its type: no other attempt could end otherwise."""
    described = describe(error)
    described["type"] = "payload_invalid" if error.errors else "payload_undecodable"
    described["errors"] = [
        {name: clean(text)[:_MAX_REASON] for name, text in place.items()}
        for place in error.errors[:20]
    ]
    return {"outcome": Outcome.FAILED, "retry": False, "error": described}


def interrupted(error: Mapping[str, Any], lease: Lease, limit_s: float | None) -> dict[str, Any]:
    """End an attempt that was interrupted, by why it was; ``error`` says where."""
    match lease.cause:
        case "timeout":
            return {
                "outcome": Outcome.TIMED_OUT,
                "error": {
                    **error,
                    "type": "TimedOut",
                    "message": f"not done within {limit_s:g} s",
                },
            }
        case "cancel":
            return {
                "outcome": Outcome.CANCELLED,
                "error": {"type": "Cancelled", "message": "cancelled while it ran"},
            }
        case "drain":
            return {"outcome": Outcome.RELEASED, "reason": "its worker stopped"}
        case None:
            raise AssertionError("it was not interrupted")


def crashed(status: int | None) -> dict[str, Any]:
    """End an attempt whose own process ended, by the exit status of that."""
    if status is None:
        how = "broke off"
    elif status < 0:
        how = f"was killed by {signal.Signals(-status).name}"
    else:
        how = f"ended with exit status {status}"
    message = f"its process {how}"
    return {
        "outcome": Outcome.CRASHED,
        "reason": message,
        "error": {"type": "Crashed", "message": message},
    }


def expired() -> dict[str, Any]:
    """End a task that was to start earlier than it was claimed."""
    return {
        "outcome": Outcome.CANCELLED,
        "error": {"type": "Cancelled", "message": "expired before it started"},
    }


def unknown(lease: Lease) -> dict[str, Any]:
    """Give back a task whose type nobody here handles: it waits for a worker that does."""
    return {
        "outcome": Outcome.RELEASED,
        "delay_s": _UNKNOWN_TYPE_S,
        "reason": f"no handler for type {lease.type!r} on the worker that looked last",
    }


def completed(result: dict[str, Any], lease: Lease) -> dict[str, Any]:
    """End an attempt that a transaction of its handler has completed, however the handler ended."""
    if result["outcome"] is not Outcome.COMPLETED or "result" in result:
        _log.warning(
            "ended_after_completion",
            task_id=lease.task_id,
            type=lease.type,
            ignored=result["outcome"],
            error=(result.get("error") or {}).get("message"),
        )
    return {"outcome": Outcome.COMPLETED}


def _stored(value: Any) -> dict[str, Any]:
    try:
        encoded = encode(value)
        if len(encoded) <= _MAX_RESULT:
            return {"outcome": Outcome.COMPLETED, "result": orjson.Fragment(encoded)}
        error = UsageError(
            f"the result has {len(encoded):,} bytes",
            hint=f"at most {_MAX_RESULT:,} are kept; save it as an artifact",
        )
    except UsageError as not_json:
        error = not_json
    described = {**describe(error), "type": "ResultNotStorable"}
    return {"outcome": Outcome.FAILED, "retry": False, "error": described}


def _when(until: datetime | timedelta | float) -> dict[str, Any]:
    if isinstance(until, datetime):  # by the database's clock; without a zone it is UTC
        aware = until if until.tzinfo else until.replace(tzinfo=UTC)
        return {"run_at": aware.isoformat()}
    return {"delay_s": _delay(until)}


def _delay(after: timedelta | float) -> float:
    return min(max(0.0, seconds(after) or 0.0), _LONGEST_S)


def _said(reason: object) -> str | None:
    return None if reason is None else clean(str(reason))[:_MAX_REASON]
