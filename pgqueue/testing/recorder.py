"""Keeps what a handler reports while it runs without a database, for the test to check."""

from __future__ import annotations

import asyncio
import hashlib
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pgqueue.errors import FunctionFailed, NotFound, UsageError
from pgqueue.handlers.context import RECORDED
from pgqueue.handlers.steps import on_loop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pgqueue.handlers.artifacts import ArtifactFacts, ArtifactKey
    from pgqueue.handlers.context import Context, Transaction
    from pgqueue.handlers.isolation import IsolatedCall

__all__ = ["Recorder"]


@dataclass
class Recorder:
    """The ``Reporter`` of a context, with lists instead of tables."""

    progress_calls: list[tuple[float, str | None]] = field(default_factory=list)
    logs: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    text_pieces: list[str] = field(default_factory=list)
    artifacts: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    remembered: dict[str, bytes] = field(default_factory=dict)
    files: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    """Files that handlers may open, as (data, content type), by upload id or ``task_id/name``."""
    parents: list[str] = field(default_factory=list)

    def progress(self, context: Context, percent: float, message: str | None) -> None:
        """Keep a progress report."""
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
        """Keep a checkpoint or step result for the next attempt."""
        del context
        return _saved(lambda: self.remembered.update({name: data}))

    def find_artifact(self, context: Context, key: ArtifactKey) -> Future[ArtifactFacts]:
        """Find one of ``files``, or of what a test put there."""
        found: Future[ArtifactFacts] = Future()
        try:
            data, content_type = self._file(context, key)
        except NotFound as error:
            found.set_exception(error)
        else:
            sha256 = hashlib.sha256(data).hexdigest()
            found.set_result(
                {
                    "file_name": key["name"],
                    "content_type": content_type,
                    "size": len(data),
                    "sha256": sha256,
                }
            )
        return found

    def read_artifact(self, context: Context, key: ArtifactKey, n: int) -> Future[bytes]:
        """Return the n-th MiB of one of ``files``."""
        piece: Future[bytes] = Future()
        piece.set_result(self._file(context, key)[0][n << 20 : (n + 1) << 20])
        return piece

    def _file(self, context: Context, key: ArtifactKey) -> tuple[bytes, str]:
        if key["task_id"] == context.task_id and key["name"] in self.artifacts:
            return self.artifacts[key["name"]]
        name = key["upload_id"] or f"{key['task_id']}/{key['name']}"
        if name not in self.files:
            raise NotFound(f"there is no artifact {name}", hint="add it to the recorder's `files`")
        return self.files[name]

    def load_parents(self, context: Context) -> Any:
        """Return what the test put into ``parents``."""
        del context
        return _given(self.parents) if on_loop() else self.parents

    def run_isolated(self, context: Context, call: IsolatedCall) -> Any:
        """Run the function in this process, in a thread, without limits."""
        return asyncio.to_thread(_called, call, context) if on_loop() else _called(call, context)

    def transaction(self, context: Context) -> Transaction:
        """Refuse: there is no database to write to."""
        raise UsageError(
            f"{context.type!r} opens a transaction, but inline there is no database",
            hint="run it with testing.drain on a database",
        )


def _called(call: IsolatedCall, context: Context) -> Any:
    try:
        return call.run(context).value
    except call.raises:
        raise
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
        raise FunctionFailed(message) from error


def _saved(save: Callable[[], None]) -> Awaitable[None]:
    """Save as a worker does: on a loop when this is awaited, in a thread immediately."""
    if on_loop():
        return _later(save)
    save()
    return RECORDED


async def _given(parents: list[str]) -> list[str]:
    return parents


async def _later(save: Callable[[], None]) -> None:
    save()
