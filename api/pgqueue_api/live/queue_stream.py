"""Server-sent events of many tasks: all, those of a queue, or those of a type.

The memory of a stream is bounded: the last states that were sent, to leave out what is unchanged,
and the ids that notifications have named since. If more tasks change than can be sent, a part of
the changes is; the next snapshot is complete again. Logs are complete and resume where the client
was.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from pgqueue.errors import DatabaseUnavailable
from pgqueue_api.live.event_stream import EventStream, chained, frame
from pgqueue_api.live.hub import hinted_within
from pgqueue_api.problems import Overloaded

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from pgqueue_api.live.services import Services

__all__ = ["open_queue_stream"]

_SNAPSHOT_EVERY_S = 5.0
_ROUND_S = 0.1  # hints that come within this time are read together
_MAX_TASKS = 500
_MAX_ACTIVE = 200
_MAX_LINES = 500
_REMEMBERED = 2_000
_PLACE = re.compile(r"(\d{1,19})\.([0-9a-f-]{36})\.(\d{1,18})\.(\d{1,9})")


@dataclass(slots=True)
class _Place:
    """How far the logs have been sent: a transaction, and the last line in it."""

    xid: str | None = None
    task_id: str = str(UUID(int=0))
    lease_id: int = 0
    seq: int = 0

    @classmethod
    def parse(cls, last_event_id: str | None) -> _Place:
        found = _PLACE.fullmatch(last_event_id or "")
        if not found:
            return cls()
        try:
            return cls(found[1], str(UUID(found[2])), int(found[3]), int(found[4]))
        except ValueError:
            return cls()

    def __str__(self) -> str:
        return f"{self.xid}.{self.task_id}.{self.lease_id}.{self.seq}"


@dataclass(slots=True)
class _Stream:
    services: Services
    queue: str | None
    type: str | None
    place: _Place
    hints: set[str] = field(default_factory=set)
    hinted: asyncio.Event = field(default_factory=asyncio.Event)
    active: set[str] = field(default_factory=set)
    shown: OrderedDict[str, tuple[str, int]] = field(default_factory=OrderedDict)

    def hear(self, ids: list[str]) -> None:
        """Remember the ids in a notification, as far as there is room."""
        room = _MAX_TASKS - len(self.hints)
        self.hints.update(ids[: max(0, room)])
        self.hinted.set()

    async def frames(self) -> AsyncGenerator[bytes, None]:
        """Yield a snapshot, then what changes, until the server stops."""
        hub, bounds = self.services.hub, self.services.bounds
        loop = asyncio.get_running_loop()
        async with hub.hinting(self.hear):
            if self.place.xid is None:
                await self._logs()  # returns no lines, but finds where to begin
            snapshot, _ = await self._look()
            first = frame("snapshot", snapshot, str(self.place))
            yield b"".join([b"retry: 2000\n\n", first, *await self._logs()])
            spoke_at = snapped_at = looked_at = loop.time()
            while not hub.ending.is_set():
                until_look_s = max(0.0, looked_at + bounds.poll_s - loop.time())
                await hinted_within(until_look_s, self.hinted, _ROUND_S)
                parts: list[bytes] = []
                try:
                    if loop.time() >= looked_at + bounds.poll_s:
                        snapshot, ids = await self._look()
                        looked_at = loop.time()
                        self.hear(ids)
                    ids, self.hints = list(self.hints), set()
                    parts += await self._states(ids)
                    parts += await self._logs()
                except DatabaseUnavailable:
                    parts.append(b": the database is not available\n\n")
                    looked_at = loop.time()
                if loop.time() >= snapped_at + _SNAPSHOT_EVERY_S:
                    parts.append(frame("snapshot", snapshot, str(self.place)))
                    snapped_at = loop.time()
                if parts or loop.time() >= spoke_at + bounds.heartbeat_s:
                    yield b"".join(parts) or b": \n\n"
                    spoke_at = loop.time()
            yield b": the server is stopping\n\n"

    async def _look(self) -> tuple[bytes, list[str]]:
        """Return the snapshot, and the ids of tasks that are active or were at the last look."""
        row = await self.services.reads.row(
            "queue_activity", {"queue": self.queue, "type": self.type, "max_tasks": _MAX_ACTIVE}
        )
        assert row is not None
        before, self.active = self.active, set(row["active"])
        ids = [*(before - self.active), *row["active"]]
        return row["snapshot"].encode(), ids

    async def _states(self, ids: Iterable[str]) -> list[bytes]:
        asked = list(ids)
        if not asked:
            return []
        rows = await self.services.reads.rows(
            "changed_states", {"ids": asked, "queue": self.queue, "type": self.type}
        )
        frames: list[bytes] = []
        for row in rows:
            state = row["state"].encode()
            status, seen = self.shown.pop(row["id"], ("", 0))
            now = (row["status"], hash(state))
            self.shown[row["id"]] = now
            if now != (status, seen):
                frames.append(frame("progress" if status == now[0] else "status", state))
        while len(self.shown) > _REMEMBERED:
            self.shown.popitem(last=False)
        return frames

    async def _logs(self) -> list[bytes]:
        place = self.place
        rows = await self.services.reads.rows(
            "tail_logs",
            {
                "xid": place.xid,
                "task_id": place.task_id,
                "lease_id": place.lease_id,
                "seq": place.seq,
                "queue": self.queue,
                "type": self.type,
                "max_lines": _MAX_LINES,
            },
        )
        frames: list[bytes] = []
        for row in rows:
            place = _Place(row["xid"], row["task_id"], row["lease_id"], row["seq"])
            if row["line"] is not None:
                frames.append(frame("log", row["line"].encode(), str(place)))
        self.place = place
        if len(rows) == _MAX_LINES:
            self.hinted.set()  # there is more
        return frames


async def open_queue_stream(
    services: Services, queue: str | None, type: str | None, last_event_id: str | None
) -> EventStream:
    """Open a stream over many tasks; raises before anything is sent, or not at all."""
    if len(services.hub.hint_listeners) >= services.bounds.queue_streams:
        raise Overloaded(
            f"{services.bounds.queue_streams} such streams are open", hint="watch single tasks"
        )
    frames = _Stream(services, queue, type, _Place.parse(last_event_id)).frames()
    return EventStream(services, "queue", chained(await anext(frames), frames))
