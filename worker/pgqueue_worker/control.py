"""The messages between a supervisor and a worker process: lines of JSON over a socket pair.

Both ends are of one release, so a message has no version.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from typing import Protocol, get_args

import orjson

from pgqueue_worker.measurements import Snapshot

__all__ = [
    "LEASE_LOST",
    "Cancel",
    "Control",
    "Drain",
    "Hello",
    "Line",
    "Message",
    "Registered",
    "Retire",
    "Ring",
    "Start",
    "Unfit",
    "Unwell",
    "Waiting",
    "WebhooksWait",
]

LEASE_LOST = 75
"""The exit status (EX_TEMPFAIL) of a worker process that was given up as dead: start another."""

_MAX_LINE = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """To the worker, first: what to run. No queues means all queues."""

    dsn: str
    app: str | None = None
    builtin: bool = False
    queues: list[str]
    concurrency: int
    delivers: bool = False  # it sends webhooks and runs none of the app's types
    listens: bool = False  # it listens for notifications itself
    poll_s: float
    lease_s: float
    grace_s: float
    stop_grace_s: float
    deadlines: int = -1  # the descriptor of its DeadlineTable


@dataclass(frozen=True, slots=True)
class Registered:
    """To the worker: it may claim, as this worker."""

    worker_id: int


@dataclass(frozen=True, slots=True)
class Ring:
    """To the worker: these queues may have runnable tasks; an empty list means all queues."""

    queues: list[str]


@dataclass(frozen=True, slots=True)
class Cancel:
    """To the worker: interrupt these attempts, for a cancel of their tasks."""

    lease_ids: list[int]


@dataclass(frozen=True, slots=True)
class Retire:
    """To the worker: claim no more, and end when your attempts have ended."""


@dataclass(frozen=True, slots=True)
class Drain:
    """To the worker: claim no more, and end within the grace."""


@dataclass(frozen=True, slots=True)
class Hello:
    """To the supervisor, first: the types that it runs, and the schedules that its app declares.

    Both are JSON. Without ``app`` there are no declared schedules, and none are withdrawn.
    """

    types: str
    names: list[str]
    app: str | None = None
    schedules: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """To the supervisor: it waits for work, or it has had enough work for a while."""

    waiting: bool


@dataclass(frozen=True, slots=True)
class WebhooksWait:
    """To the supervisor: there are webhooks to send."""


@dataclass(frozen=True, slots=True)
class Unwell:
    """To the supervisor: replace this process."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """To the supervisor: the app cannot be loaded, and another process could not either."""

    error: str


Message = (
    Start
    | Registered
    | Ring
    | Cancel
    | Retire
    | Drain
    | Hello
    | Waiting
    | WebhooksWait
    | Snapshot
    | Unwell
    | Unfit
)
_KINDS: dict[str, type[Message]] = {kind.__name__: kind for kind in get_args(Message)}


class Line(Protocol):
    """What a worker process needs of its connection to a supervisor."""

    def send(self, message: Message) -> None:
        """Send a message."""

    async def receive(self) -> Message | None:
        """Return the next message; ``None`` when the other end is gone."""


class Control:
    """One end of the line."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, end: socket.socket) -> Control:
        """Return the control line over one end of a socket pair."""
        reader, writer = await asyncio.open_connection(sock=end, limit=_MAX_LINE)
        return cls(reader, writer)

    def send(self, message: Message) -> None:
        """Send a message; drop it when the other end is gone."""
        if not self._writer.is_closing():
            self._writer.write(orjson.dumps([type(message).__name__, message]) + b"\n")

    async def receive(self) -> Message | None:
        """Return the next message; ``None`` when the other end is gone."""
        try:
            line = await self._reader.readline()
        except (ConnectionError, ValueError):
            return None
        if not line.endswith(b"\n"):
            return None
        kind, fields = orjson.loads(line)
        return _KINDS[kind](**fields)

    def close(self) -> None:
        """Close this end."""
        self._writer.close()
