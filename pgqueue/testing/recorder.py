"""What a handler reports while it runs without a database, kept for the test to look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pgqueue.context import RECORDED
from pgqueue.errors import UsageError
from pgqueue.steps import on_loop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pgqueue.context import Context, Transaction

__all__ = ["Recorder"]


@dataclass
class Recorder:
    """The reporting side of a context: lists instead of tables."""

    progress_calls: list[tuple[float, str | None]] = field(default_factory=list)
    logs: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    text_pieces: list[str] = field(default_factory=list)
    artifacts: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    remembered: dict[str, bytes] = field(default_factory=dict)

    def progress(self, context: Context, percent: float, message: str | None) -> None:
        """Keep a progress."""
        del context
        self.progress_calls.append((percent, message))

    def event(self, context: Context, level: str, message: str, data: dict[str, Any]) -> None:
        """Keep a log line."""
        del context
        self.logs.append((level, message, data))

    def text(self, context: Context, text: str) -> None:
        """Keep a piece of text."""
        del context
        self.text_pieces.append(text)

    def save_artifact(
        self, context: Context, name: str, data: bytes, content_type: str
    ) -> Awaitable[None]:
        """Keep a file."""
        del context
        return _saved(lambda: self.artifacts.update({name: (data, content_type)}))

    def save_checkpoint(self, context: Context, name: str, data: bytes) -> Awaitable[None]:
        """Keep what the next attempt is to know."""
        del context
        return _saved(lambda: self.remembered.update({name: data}))

    def transaction(self, context: Context) -> Transaction:
        """Refuse: there is no database to write to."""
        message = f"{context.type!r} opens a transaction, and inline there is no database"
        raise UsageError(message, hint="run it with testing.drain on a database")


def _saved(save: Callable[[], None]) -> Awaitable[None]:
    """Save as a worker does: on a loop when it is awaited, in a thread at once."""
    if on_loop():
        return _later(save)
    save()
    return RECORDED


async def _later(save: Callable[[], None]) -> None:
    save()
