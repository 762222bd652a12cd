"""Sends events, progress and announcements: they gather during a call and go together in the next.

Of progress only the latest of each attempt is sent.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict

import orjson
import structlog

from pgqueue.errors import DatabaseUnavailable, PgQueueError, UsageError
from pgqueue.handlers.failure import clean
from pgqueue.models.values import encode
from pgqueue_worker.reports.text_buffer import TextBuffer
from pgqueue_worker.retrying import Patience

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pgqueue.database.link import Link
    from pgqueue.models.tasks.status import TaskId
    from pgqueue_worker.lease import Lease
    from pgqueue_worker.measurements import Measurements

__all__ = ["Outbox", "storable"]

_log = structlog.get_logger("pgqueue.worker")

_MAX_BATCH = 500
_MAX_EVENTS = 10_000  # of an attempt
_MAX_DATA = 16 * 1024
_MAX_VALUE = 1_000  # of one that is shown because another one cannot be stored

Storable = orjson.Fragment | dict[str, str] | dict[str, orjson.Fragment]


class Event(TypedDict):
    """A row for ``pgqueue_private.append_events``."""

    task_id: str
    lease_id: int
    seq: int
    type: Literal["log", "text"]
    level: str
    message: str
    data: NotRequired[Storable]


class Outbox:
    """Reports of this process's attempts that are not in the database yet.

    For the event loop only.
    """

    def __init__(self, link: Link, measurements: Measurements) -> None:
        self._link = link
        self._measurements = measurements
        self._moved: dict[int, Lease] = {}
        self._events: list[tuple[Lease, Event]] = []
        self._texts = TextBuffer(self._add_text)
        self._announced: dict[str, None] = {}
        self._more = asyncio.Event()
        self._sent = asyncio.Condition()
        self._patience = Patience("report")

    def add_progress(self, lease: Lease) -> None:
        """Send the progress that the lease holds."""
        self._moved[lease.lease_id] = lease
        self._more.set()

    def add_log(self, lease: Lease, level: str, message: str, data: Storable | None) -> None:
        """Send a log line, after the text that came before it."""
        self._texts.flush(lease)
        self._add_event(lease, "log", level, message, data)

    def add_text(self, lease: Lease, text: str) -> None:
        """Send a piece of text, together with others that come soon."""
        self._texts.add(lease, text)

    def announce(self, task_ids: Iterable[TaskId]) -> None:
        """Tell watchers that tasks changed."""
        self._announced.update(dict.fromkeys(task_ids))
        self._more.set()

    def forget(self, lease: Lease) -> None:
        """Forget an attempt that has ended: its finish has the progress that was not sent."""
        self._moved.pop(lease.lease_id, None)
        self._texts.forget(lease)

    async def sent(self, lease: Lease) -> None:
        """Return when every log line and all text of the lease is stored."""
        self._texts.flush(lease)
        async with self._sent:
            await self._sent.wait_for(lambda: lease.unsent_events == 0)

    async def run(self) -> None:
        """Send, forever."""
        while True:
            await self._more.wait()
            self._more.clear()
            try:
                await self._send_events()
                await self._send_progress()
                await self._send_announcements()
            except DatabaseUnavailable as error:
                self._measurements.count("database_errors")
                await self._patience.failed(error)
                self._more.set()
            else:
                self._patience.succeeded()

    async def _send_events(self) -> None:
        while self._events:
            batch = self._events[:_MAX_BATCH]
            events = [event for _, event in batch]
            try:
                rows = await self._link.rows(
                    "append_events", {"events": orjson.dumps(events).decode()}
                )
            except DatabaseUnavailable:
                raise
            except PgQueueError as error:
                _log.error("events_not_stored", n=len(batch), error=str(error))
                rows = []
            del self._events[: len(batch)]
            for lease, _ in batch:
                lease.unsent_events -= 1
            async with self._sent:
                self._sent.notify_all()
            if rows and rows[0][0]:
                self.announce([lease.task.id for lease, _ in batch])

    async def _send_progress(self) -> None:
        moved, self._moved = self._moved, {}
        # It stays the lease's until it is recorded: a finish may overtake this call, and take it.
        sent = [(lease, lease.progress) for lease in moved.values() if lease.progress is not None]
        if not sent:
            return
        updates = [
            {
                "task_id": lease.task.id,
                "lease_id": lease.lease_id,
                "percent": progress.percent,
                "message": progress.message,
            }
            for lease, progress in sent
        ]
        try:
            ((_, watched),) = await self._link.rows(
                "record_progress", {"updates": orjson.dumps(updates).decode()}
            )
        except DatabaseUnavailable:
            for lease, _ in sent:
                self._moved.setdefault(lease.lease_id, lease)
            raise
        except PgQueueError as error:
            _log.error("progress_not_stored", n=len(updates), error=str(error))
            watched = False
        for lease, progress in sent:
            if lease.progress is progress:
                lease.progress = None
        if watched:
            self.announce([lease.task.id for lease, _ in sent])

    async def _send_announcements(self) -> None:
        announced, self._announced = list(self._announced), {}
        if announced:
            await self._link.rows("announce_tasks", {"ids": announced})

    def _add_text(self, lease: Lease, text: str) -> None:
        self._add_event(lease, "text", "info", text, None)

    def _add_event(
        self,
        lease: Lease,
        type: Literal["log", "text"],
        level: str,
        message: str,
        data: Storable | None,
    ) -> None:
        lease.last_seq += 1
        if lease.last_seq > _MAX_EVENTS:
            return
        if lease.last_seq == _MAX_EVENTS:
            type, level = "log", "warning"
            message = f"more is logged than the {_MAX_EVENTS:,} events that are kept"
        event: Event = {
            "task_id": lease.task.id,
            "lease_id": lease.lease_id,
            "seq": lease.last_seq,
            "type": type,
            "level": level,
            "message": message,
        }
        if data is not None:
            event["data"] = data
        lease.unsent_events += 1
        self._events.append((lease, event))
        self._more.set()


def storable(data: Mapping[str, Any]) -> Storable | None:
    """Return the data of a log line as JSON that can be stored, whatever it holds."""
    if not data:
        return None
    try:
        encoded = encode(data)
    except UsageError:
        return {name: _shown(value) for name, value in list(data.items())[:50]}
    if len(encoded) > _MAX_DATA:
        return {"truncated": encoded[:_MAX_DATA].decode(errors="replace")}
    return orjson.Fragment(encoded)


def _shown(value: object) -> orjson.Fragment:
    with suppress(UsageError):
        encoded = encode(value)
        if len(encoded) <= _MAX_VALUE:
            return orjson.Fragment(encoded)
    return orjson.Fragment(orjson.dumps(clean(repr(value))[:_MAX_VALUE]))
