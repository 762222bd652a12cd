"""Limits on requests, and on how long anything may take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pgqueue.settings import Settings

__all__ = ["Bounds"]

_OWN_FILES = 64
"""Connections to PostgreSQL, of which a process has some 30, the log, and what it listens on."""

UPLOAD_TYPES = frozenset(
    (
        "application/gzip",
        "application/json",
        "application/pdf",
        "application/vnd.apache.parquet",
        "application/x-ndjson",
        "image/gif",
        "image/jpeg",
        "image/png",
        "image/webp",
        "text/csv",
        "text/plain",
    )
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Every bound of the API in one place; sizes in bytes, durations in seconds."""

    head: int = 64 * 1024
    """Of a request: its first line and its headers."""
    head_s: float = 15
    """How long a client may take to send them."""
    body: int = 256 * 1024
    bulk_body: int = 4 * 1024 * 1024
    payload: int = 256 * 1024
    depth: int = 64
    page: int = 200
    hook_body: int = 160 * 1024
    """Of an incoming webhook: it must fit into a payload."""
    hook_sources: frozenset[str] = frozenset()
    """Those of webhooks that are taken from anyone."""
    upload: int = 2 * 1024**3
    """The largest file."""
    upload_types: frozenset[str] = UPLOAD_TYPES
    upload_s: float = 3600
    """How long a file may take to arrive."""
    upload_keep_s: float = 7 * 86_400
    upload_quota: int = 100 * 1024**3
    """Of all files that are kept."""
    upload_rate: int = 32 * 1024
    """Bytes a second: a file that arrives more slowly, for ``body_s``, is refused."""
    uploads: int = 32
    """How many files a process receives at once."""
    uploads_of_one: int = 8
    """How many of them may come from one address."""
    wait_s: float = 60
    """The longest ``Prefer: wait``."""
    body_s: float = 30
    """How long a client may take to send its body."""
    submit_s: float = 9
    """How long a submit may wait for PostgreSQL."""
    waiting_submits: int = 10_000
    connections: int = 16_000
    """Of clients to a process; fewer where it may not open as many files."""
    unread: int = 256 * 1024**2
    """Bytes that all clients together have not taken: beyond, the slowest are cut off."""
    streams: int = 12_000
    queue_streams: int = 100
    heartbeat_s: float = 15
    stalled_s: float = 30
    """A stream whose client reads nothing for this long is cut off."""
    poll_s: float = 1
    """How often watched tasks are read, whatever the notifications say."""
    types_s: float = 15
    """How often the published types are read again."""

    def with_files(self, files: int) -> Self:
        """Return the bounds of a process that may open so many files.

        Those that it needs itself stay free, and a quarter of the connections is never for streams.
        """
        connections = max(8, min(self.connections, files - _OWN_FILES))
        return replace(
            self, connections=connections, streams=min(self.streams, connections * 3 // 4)
        )

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the bounds, with those that an operator sets."""
        types = {word.lower() for word in _words(settings.upload_types)}
        return cls(
            upload=settings.upload_bytes,
            upload_quota=settings.upload_quota_bytes,
            upload_types=frozenset(types) or UPLOAD_TYPES,
            upload_keep_s=settings.upload_keep_s,
            hook_sources=frozenset(_words(settings.api_hook_sources)),
        )


def _words(text: str) -> set[str]:
    return {word.strip() for word in text.split(",")} - {""}
