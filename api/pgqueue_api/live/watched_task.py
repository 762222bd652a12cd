"""What is known of one watched task: its state, and the last of its log lines."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pgqueue.database.pool import Row

__all__ = ["START", "Line", "Position", "WatchedTask", "log_lines"]

Position = tuple[int, int]
"""A log line's position: the lease, and the lease's own counter."""

Line = tuple[str, bytes]
"""A log line, or a piece of text, as the event that it is: its name, and its JSON."""

START: Position = (0, 0)

_RING = 200


class WatchedTask:
    """What is known of one watched task, shared by all clients that watch it."""

    __slots__ = (
        "changed_at", "end", "ended", "hinted", "logs", "logs_from", "position", "state", "version",
        "wakers",
    )  # fmt: skip

    def __init__(self) -> None:
        self.wakers: set[asyncio.Event] = set()
        self.version = ""
        self.state = b""
        self.ended = False
        self.hinted = False
        """Whether a hint came while the first of its watchers was reading."""
        self.changed_at = 0.0
        """When this state came here, by the event loop's clock."""
        self.position: Position | None = None
        """Logs up to here have been read; None before anything was."""
        self.end: Position = START
        """Where the logs ended at the last read."""
        self.logs: deque[tuple[Position, Line]] = deque(maxlen=_RING)
        self.logs_from: Position = START
        """``logs`` holds every line after this one, up to ``position``."""

    def take(self, row: Row, since: Position) -> bool:
        """Take what ``Hub.changes`` found after a place in the logs; False: read again.

        Reads overtake each other. One that began before the state here came may have found an
        older state, which no client must see after the newer one.
        """
        if row["state"] is not None and row["version"] != self.version:
            if row["began"] < self.changed_at:
                return False
            self.version, self.state = row["version"], row["state"].encode()
            self.ended = row["ended"]
            self.changed_at = asyncio.get_running_loop().time()
        self.end = (row["last_lease"], row["last_seq"])
        if self.position is None or since > self.position:
            return True  # lines in between would be missing
        for position, line in log_lines(row):
            if position <= self.position:
                continue
            if len(self.logs) == _RING:
                self.logs_from = self.logs[0][0]
            self.logs.append((position, line))
            self.position = position
        return True

    def reaches_back_to(self, position: Position) -> bool:
        """Return whether every line after a place is at hand here."""
        return (
            self.position is not None and self.logs_from <= position and self.position >= self.end
        )

    def start_at(self, position: Position) -> None:
        """Set how far the first of its watchers has read the logs."""
        if self.position is None:
            self.position = self.logs_from = position

    def wake(self) -> None:
        """Wake all that watch it."""
        for waker in self.wakers:
            waker.set()


def log_lines(row: Row) -> list[tuple[Position, Line]]:
    """Return the log lines and pieces of text of a row of ``task_changes`` with their places."""
    if row["logs"] is None:
        return []
    places = zip(row["log_leases"], row["log_seqs"], strict=True)
    lines = zip(row["log_types"], (line.encode() for line in row["logs"]), strict=True)
    return list(zip(places, lines, strict=True))
