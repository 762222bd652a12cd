"""Schedules as a test drives them: by the SQL contract, and by a scheduler that ticks when told."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from pgqueue.planning import DueSchedule, plan
from tests.database.queue import Queue

_COLUMNS = ", ".join(DueSchedule._fields)


def patch(queue: Queue, name: str, versions: list[int] | None = None, /, **settings: Any) -> int:
    """Make a schedule, or change it; gives its version."""
    return queue.value(
        "select pgqueue.patch_schedule(%s, %s, %s::bigint[])",
        name,
        orjson.dumps(settings).decode(),
        versions,
    )


def due(queue: Queue, max_schedules: int = 500) -> list[DueSchedule]:
    rows = queue.rows(f"select {_COLUMNS} from pgqueue_private.due_schedules(%s)", max_schedules)
    return [DueSchedule(**row) for row in rows]


def fire(queue: Queue, plans: list[dict[str, Any]]) -> int:
    statement = "select fired from pgqueue_private.fire_schedules(%s)"
    return queue.value(statement, orjson.dumps(plans).decode())


def tick(queue: Queue, max_schedules: int = 500) -> int:
    """Be a scheduler for one batch; gives how many tasks were enqueued."""
    with queue.connection.transaction():
        rows = due(queue, max_schedules)
        return fire(queue, [plan(row) for row in rows]) if rows else 0


def run(queue: Queue) -> int:
    """Tick until nothing is due."""
    fired = 0
    while queue.value(
        """select exists (
               select from pgqueue_private.schedule where look_at <= pgqueue.clock()
               and (waiting_at is null or next_due_at <= pgqueue.clock())
           )"""
    ):
        fired += tick(queue)
    return fired


def schedule(queue: Queue, name: str) -> dict[str, Any]:
    return queue.row("select * from pgqueue.schedules where name = %s", name)


def slots(queue: Queue, name: str) -> list[dict[str, Any]]:
    return queue.rows(
        "select * from pgqueue.schedule_slots where schedule = %s order by due_at", name
    )


def fates(queue: Queue, name: str) -> list[str]:
    return [slot["fate"] for slot in slots(queue, name)]


class Clock:
    """The service's clock, set to a time of the test's own."""

    def __init__(self, queue: Queue, at: datetime) -> None:
        self._queue = queue
        self.set(at)

    def set(self, at: datetime) -> None:
        self._queue.shift_clock((at - datetime.now(UTC)).total_seconds())

    def move(self, **by: float) -> datetime:
        at = self._queue.value("select pgqueue.clock()") + timedelta(**by)
        self.set(at)
        return at
