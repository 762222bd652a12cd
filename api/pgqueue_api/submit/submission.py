"""One submitted task: checked here, stored by PostgreSQL, answered from both."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import ValidationError

from pgqueue.errors import PayloadError
from pgqueue.models.tasks.task import DEDUP, JUST_STORED, Task, TaskInput
from pgqueue.models.values import PRIORITIES
from pgqueue_api.http.shapes import is_small
from pgqueue_api.http.typed_body import places_in, shape_of
from pgqueue_api.problems import Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pgqueue_api.submit.types import TaskType

__all__ = ["Submission", "check", "json_time", "parse_time"]

_SHAPE = shape_of(TaskInput)
_SHOWN = frozenset(Task.model_fields)
_DEDUP = frozenset(DEDUP)
_EMPTY: dict[str, Any] = {}
_NORMAL = 5
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Submission:
    """A task that may be stored: ``element`` is what ``pgqueue.enqueue_many`` takes."""

    element: bytes
    words: dict[str, Any]
    """What ``element`` says."""

    @property
    def dedup_key(self) -> str | None:
        """The key that makes it unique."""
        return self.words.get("dedup_key")

    @property
    def limit_key(self) -> str | None:
        """The key whose limits it counts against."""
        return self.words.get("limit_key")

    @property
    def dependent(self) -> bool:
        """Whether it waits for other tasks."""
        return "depends_on" in self.words

    @property
    def apart(self) -> bool:
        """Whether it does not share its commit: it may wait for other transactions."""
        return not _APART.isdisjoint(self.words)

    @property
    def unsettled(self) -> bool:
        """Whether only the database knows its status once it is stored."""
        return "limit_key" in self.words or "depends_on" in self.words

    def as_task(self, id: str, created_at: str) -> bytes:
        """Return the task as JSON, as it stands right after it was stored."""
        words = self.words
        task = {**JUST_STORED, **{name: words[name] for name in words if name in _SHOWN}}
        task["id"], task["created_at"] = id, created_at
        if "expires_in_s" in words:
            task["expires_at"] = _later(created_at, words["expires_in_s"])
        if "delay_s" in words:
            task["run_at"] = _later(created_at, words["delay_s"])
        run_at = task["run_at"]
        if run_at is not None and _parsed(run_at) > _parsed(created_at):
            task["status"] = "scheduled"
            task["status_reason"] = f"waits until {run_at[:19]}Z"
        return orjson.dumps(task)


_APART = frozenset({"dedup_key", "depends_on", "batch_id"})


def check_shape(raw: Any, prefix: str = "") -> None:
    """Raise ``Invalid`` unless the value has the shape of a new task."""
    if _SHAPE.fits(raw):
        return
    if isinstance(raw, dict) and isinstance(raw.get("payload"), dict):
        raw = {**raw, "payload": {}}  # any object is right here: its type checks it
    places = None
    if is_small(raw):
        try:
            TaskInput.model_validate_json(orjson.dumps(raw))
        except ValidationError as error:  # it points deeper than a schema does
            places = places_in(error, raw, prefix)
    if places is None:
        places = _SHAPE.errors(raw, prefix)
    raise Invalid("this is not a valid task", errors=places, hint="see /docs")


def check(
    raw: dict[str, Any],
    kind: TaskType,
    budgets: Mapping[str, int],
    traceparent: str | None,
    max_payload: int,
    *,
    prefix: str = "",
) -> Submission:
    """Return the submission that a value of the right shape is, or raise what is wrong with it.

    ``budgets`` has the ``max_attempts`` of queues that set it, for types that do not.
    """
    payload = raw.get("payload", _EMPTY)
    text = orjson.dumps(payload)
    if len(text) > max_payload:
        raise PayloadError(
            f"the payload has more than {max_payload:,} bytes",
            errors=[{"pointer": prefix + "/payload", "message": "too large"}],
        )
    kind.check(payload, prefix + "/payload")
    words = {name: value for name, value in raw.items() if value is not None}
    words["payload"] = orjson.Fragment(text)
    words["queue"] = queue = words.get("queue") or kind.queue
    priority = words.get("priority", _NORMAL)
    words["priority"] = PRIORITIES[priority] if isinstance(priority, str) else int(priority)
    attempts = words.get("max_attempts") or kind.max_attempts or budgets.get(queue, _ATTEMPTS)
    words["max_attempts"] = int(attempts)
    if "cost" in words:
        words["cost"] = int(words["cost"])
    if words.get("depends_on") == []:
        del words["depends_on"]
    _take_time(words, "run_at", "delay_s", prefix)
    _take_time(words, "expires_at", "expires_in_s", prefix)
    if not _DEDUP.isdisjoint(words):
        _check_dedup(words, prefix)
    if traceparent is not None:
        words["traceparent"] = traceparent
    return Submission(orjson.dumps(words), words)


def _check_dedup(words: dict[str, Any], prefix: str) -> None:
    if "dedup_key" not in words:
        name = next(name for name in words if name in _DEDUP)
        raise _wrong(f"{prefix}/{name}", "this needs a dedup_key")
    if words.get("on_conflict") == "debounce" and not (words.get("delay_s") or words.get("run_at")):
        raise _wrong(prefix + "/on_conflict", "debounce needs a delay: pass delay_s or run_at")


def json_time(at: datetime) -> str:
    """Return a time as JSON carries it here: RFC 3339 in UTC, to the microsecond."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _take_time(words: dict[str, Any], absolute: str, relative: str, prefix: str) -> None:
    """Bring a time into its form; raise ``Invalid`` if it is given twice, or is no time."""
    if absolute not in words:
        return
    if relative in words:
        raise _wrong(f"{prefix}/{relative}", f"{absolute} is set, too: pass one of them")
    words[absolute] = json_time(parse_time(words[absolute], f"{prefix}/{absolute}"))


def parse_time(text: str, pointer: str) -> datetime:
    """Return a time with a time zone, or raise ``Invalid``."""
    try:
        at = _parsed(text)
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise _wrong(pointer, "pass a time with a time zone, such as 2026-01-02T03:04:05Z")


def _wrong(pointer: str, message: str) -> Invalid:
    return Invalid("this is not a valid task", errors=[{"pointer": pointer, "message": message}])


def _later(created_at: str, seconds: float) -> str:
    return json_time(_parsed(created_at) + timedelta(seconds=seconds))


_parsed = datetime.fromisoformat
