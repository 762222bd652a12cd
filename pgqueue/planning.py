"""Plans of schedules: which due times have come, and when the next one comes.

Only times are computed here, by the database's clock. ``pgqueue_private.fire_schedules`` takes the
plan, decides whether tasks are enqueued, and makes sure that this happens once.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from pgqueue.cron import Cron
from pgqueue.errors import UsageError

if TYPE_CHECKING:
    from uuid import UUID

__all__ = ["DueSchedule", "Plan", "plan"]

Plan = dict[str, Any]

_TICK = timedelta(microseconds=1)
_SHOWN = 100  # at least this many missed times get a row each
_FILLED = 500  # times of a backfill in one plan


class DueSchedule(NamedTuple):
    """A row of ``pgqueue_private.due_schedules``."""

    id: UUID
    version: int
    now_at: datetime
    cron: str | None
    timezone: str
    starts_at: datetime | None
    ends_at: datetime | None
    jitter_s: float
    missed_max: int
    enabled: bool
    after_at: datetime
    next_due_at: datetime | None
    backfill_from: datetime | None
    backfill_to: datetime | None


def plan(row: DueSchedule) -> Plan:
    """Return the plan of a schedule for ``pgqueue_private.fire_schedules``. Never raises."""
    plan: Plan = {"id": str(row.id), "version": row.version, "due_at": _text(row.next_due_at)}
    if row.cron is None:
        due = row.next_due_at
        come = row.enabled and due is not None and due + _jitter(row, due) <= row.now_at
        return plan | _times(row, [due] if come and due else [], None if come else due)
    try:
        cron = _cron(row.cron, row.timezone)
        if row.enabled:
            plan |= _due(row, cron)
        if row.backfill_from and row.backfill_to:
            plan |= _backfill(cron, row.backfill_from, row.backfill_to)
    except UsageError as error:
        plan |= {"error": str(error)}
    except Exception as error:  # noqa: BLE001  one bad row must not stop the others
        plan |= {"error": f"cron cannot be read: {type(error).__name__}: {error}"}
    return plan


def _due(row: DueSchedule, cron: Cron) -> Plan:
    if row.next_due_at is None:
        first = max(row.after_at, row.starts_at - _TICK) if row.starts_at else row.after_at
        return _times(row, [], cron.after(first))
    max_times = max(_SHOWN, row.missed_max)
    end = min(row.now_at, row.ends_at) if row.ends_at else row.now_at
    come = cron.latest(row.next_due_at - _TICK, end, max_times)
    for place, due in enumerate(come):
        if due + _jitter(row, due) > row.now_at:
            return _times(row, come[:place], due)
    times = _times(row, come, cron.after(row.now_at))
    if len(come) == max_times and come[0] > row.next_due_at:
        times["gap_from"] = _text(row.next_due_at)
    return times


def _times(row: DueSchedule, come: list[datetime], following: datetime | None) -> Plan:
    if following is not None and row.ends_at is not None and following > row.ends_at:
        following = None
    look = None if following is None else following + _jitter(row, following)
    return {
        "slots": [_text(due) for due in come],
        "next_due_at": _text(following),
        "look_at": _text(look),
    }


def _backfill(cron: Cron, start: datetime, end: datetime) -> Plan:
    found = list(islice(cron.between(start - _TICK, end - _TICK), _FILLED))
    more = found[-1] + _TICK if len(found) == _FILLED else None
    return {"backfill": [_text(due) for due in found], "backfill_from": _text(more)}


def _jitter(row: DueSchedule, due: datetime) -> timedelta:
    """Return the delay of a due time: random, but the same in every process."""
    if not row.jitter_s:
        return timedelta()
    drawn = hashlib.sha256(f"{row.id} {due.astimezone(UTC).isoformat()}".encode()).digest()
    return timedelta(seconds=row.jitter_s * int.from_bytes(drawn[:6]) / 2**48)


@lru_cache(maxsize=10_000)
def _cron(expression: str, timezone: str) -> Cron:
    return Cron(expression, timezone)


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat()
