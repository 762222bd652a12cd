"""One submitted task: checked here, stored by PostgreSQL, answered from both."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import orjson

from pgqueue.errors import PayloadError
from pgqueue.models.task import PRIORITIES
from pgqueue_api.problems import Invalid
from pgqueue_api.schemas.tasks import NEW_TASK
from pgqueue_api.schemas.unique import DEDUP
from pgqueue_api.submit.types import explain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pgqueue_api.submit.types import TaskType

__all__ = ["Submission", "check", "json_time", "parse_time"]

_NEW_TASK = jsonschema_rs.validator_for(NEW_TASK, offline=True)
_EMPTY: dict[str, Any] = {}
_NORMAL = 5
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Submission:
    """A task that may be stored: ``element`` is what ``pgqueue.enqueue_many`` takes."""

    kind: TaskType
    element: bytes
    queue: str
    priority: int
    payload: bytes
    max_attempts: int
    timeout_s: float | None
    retry: dict[str, Any] | None
    run_at: datetime | None
    delay_s: float | None
    dedup_key: str | None
    expires_at: datetime | None
    expires_in_s: float | None
    fairness_key: str | None
    limit_key: str | None
    callback_url: str | None
    cost: int

    tied: bool = False
    """It waits for others."""
    batch_id: str | None = None

    @property
    def apart(self) -> bool:
        """Whether it shares its commit with nobody: it may wait for other transactions."""
        return self.dedup_key is not None or self.tied or self.batch_id is not None

    @property
    def unsettled(self) -> bool:
        """Whether only the database knows where it is once it is stored."""
        return self.limit_key is not None or self.tied

    def as_task(self, id: str, created_at: str) -> bytes:
        """Give the task as JSON, as it stands right after it was stored."""
        run_at = self.run_at
        created = None
        if self.delay_s is not None:
            created = datetime.fromisoformat(created_at)
            run_at = created + timedelta(seconds=self.delay_s)
        expires_at = self.expires_at
        if self.expires_in_s is not None:
            created = created or datetime.fromisoformat(created_at)
            expires_at = created + timedelta(seconds=self.expires_in_s)
        waits = run_at is not None and run_at > (created or datetime.fromisoformat(created_at))
        return orjson.dumps(
            {
                "id": id,
                "type": self.kind.name,
                "queue": self.queue,
                "status": "scheduled" if waits else "queued",
                "status_reason": _reason(run_at) if waits and run_at else None,
                "priority": self.priority,
                "payload": orjson.Fragment(self.payload),
                "result": None,
                "error": None,
                "attempt": 0,
                "max_attempts": self.max_attempts,
                "progress": None,
                "created_at": created_at,
                "run_at": json_time(run_at) if run_at else None,
                "started_at": None,
                "finished_at": None,
                "next_retry_at": None,
                "crash_count": 0,
                "timeout_s": self.timeout_s,
                "retry": self.retry,
                "dedup_key": self.dedup_key,
                "expires_at": json_time(expires_at) if expires_at else None,
                "fairness_key": self.fairness_key,
                "batch_id": self.batch_id,
                "limit_key": self.limit_key,
                "cost": self.cost,
                "callback_url": self.callback_url,
            }
        )


def check_shape(raw: Any, prefix: str = "") -> None:
    """Raise ``Invalid`` unless the value has the shape of a new task."""
    if not _NEW_TASK.is_valid(raw):
        raise Invalid(
            "this is not a task", errors=explain(_NEW_TASK, raw, prefix), hint="see /docs"
        )


def check(
    raw: dict[str, Any],
    kind: TaskType,
    budgets: Mapping[str, int],
    traceparent: str | None,
    longest_payload: int,
    *,
    prefix: str = "",
) -> Submission:
    """Give the submission that a value of the right shape is, or raise what is wrong with it.

    ``budgets`` has the ``max_attempts`` of queues that set it: for types that do not.
    """
    payload = raw.get("payload", _EMPTY)
    kind.check(payload, prefix + "/payload")
    text = orjson.dumps(payload)
    if len(text) > longest_payload:
        raise PayloadError(
            f"the payload has more than {longest_payload:,} bytes",
            errors=[{"pointer": prefix + "/payload", "message": "too large"}],
        )
    priority = raw.get("priority")
    if priority is None:
        priority = _NORMAL
    elif isinstance(priority, str):
        priority = PRIORITIES[priority]
    queue = raw.get("queue") or kind.queue
    max_attempts = raw.get("max_attempts")
    if max_attempts is None:
        max_attempts = kind.max_attempts or budgets.get(queue, _ATTEMPTS)
    element: dict[str, Any] = {
        "type": kind.name,
        "payload": orjson.Fragment(text),
        "queue": queue,
        "priority": int(priority),
        "max_attempts": int(max_attempts),
    }
    timeout_s, retry = raw.get("timeout_s"), raw.get("retry")
    due, delay_s = _take_time(raw, element, "run_at", "delay_s", prefix)
    expires_at, expires_in_s = _take_time(raw, element, "expires_at", "expires_in_s", prefix)
    fairness_key = raw.get("fairness_key")
    callback_url = raw.get("callback_url")
    limit_key, cost = raw.get("limit_key"), raw.get("cost")
    more = {
        "timeout_s": timeout_s,
        "retry": retry,
        "traceparent": traceparent,
        "fairness_key": fairness_key,
        "limit_key": limit_key,
        "callback_url": callback_url,
        "cost": None if cost is None else int(cost),
    }
    depends_on, batch_id = raw.get("depends_on") or None, raw.get("batch_id")
    more |= {"depends_on": depends_on, "batch_id": batch_id}
    element |= {name: value for name, value in more.items() if value is not None}
    dedup_key = raw.get("dedup_key")
    if not DEDUP.keys().isdisjoint(raw):
        element |= _dedup_words(raw, prefix)
    return Submission(
        kind,
        orjson.dumps(element),
        queue,
        int(priority),
        text,
        int(max_attempts),
        timeout_s,
        retry,
        due,
        delay_s,
        dedup_key,
        expires_at,
        expires_in_s,
        fairness_key,
        limit_key,
        callback_url,
        int(cost or 1),
        tied=depends_on is not None,
        batch_id=batch_id,
    )


def _dedup_words(raw: dict[str, Any], prefix: str) -> dict[str, Any]:
    words = {name: raw[name] for name in DEDUP if raw.get(name) is not None}
    if words and "dedup_key" not in words:
        raise _wrong(f"{prefix}/{next(iter(words))}", "this needs a dedup_key")
    if words.get("on_conflict") == "debounce" and not (raw.get("delay_s") or raw.get("run_at")):
        raise _wrong(prefix + "/on_conflict", "debounce needs a delay: give delay_s or run_at")
    return words


def json_time(at: datetime) -> str:
    """Give a time as JSON carries it here: RFC 3339 in UTC, to the microsecond."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _take_time(
    raw: dict[str, Any], element: dict[str, Any], absolute: str, relative: str, prefix: str
) -> tuple[datetime | None, float | None]:
    """Put a time into the element as it is given: as such, or in seconds from now."""
    at, within_s = raw.get(absolute), raw.get(relative)
    if at is None:
        if within_s is not None:
            element[relative] = within_s
        return None, within_s
    if within_s is not None:
        raise _wrong(f"{prefix}/{relative}", f"{absolute} is given too: give one of them")
    due = parse_time(at, f"{prefix}/{absolute}")
    element[absolute] = json_time(due)
    return due, None


def parse_time(text: str, pointer: str) -> datetime:
    """Give a time with a time zone, or raise ``Invalid``."""
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise _wrong(pointer, "this is not a time with a time zone: 2026-01-02T03:04:05Z is one")


def _wrong(pointer: str, message: str) -> Invalid:
    return Invalid("this is not a task", errors=[{"pointer": pointer, "message": message}])


def _reason(run_at: datetime) -> str:
    return f"waits until {run_at.astimezone(UTC).strftime('%Y-%m-%dT%H:%M:%SZ')}"
