"""Sends what handlers report while they run: progress, log lines, artifacts, checkpoints, changes.

Progress is coalesced: the latest of each attempt, sent when the call before it is back.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
import structlog

from pgqueue.errors import DatabaseUnavailable, LeaseLost, PgQueueError, UsageError
from pgqueue.handlers.context import RECORDED
from pgqueue.models.task import encode
from pgqueue_worker.attempts.completion import Completion
from pgqueue_worker.attempts.failure import clean
from pgqueue_worker.attempts.text_buffer import Texts
from pgqueue_worker.attempts.transaction import Transaction
from pgqueue_worker.retrying import Patience

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from concurrent.futures import Future

    from pgqueue.database.link import Link
    from pgqueue.handlers.context import Context
    from pgqueue_worker.attempts.checkpoints import Checkpoints
    from pgqueue_worker.attempts.lease import Lease
    from pgqueue_worker.attempts.transaction import Connections
    from pgqueue_worker.measurements import Tally

T = TypeVar("T")

_log = structlog.get_logger("pgqueue.worker")

_MAX_BATCH = 500
_MAX_EVENTS_PER_LEASE = 10_000
_MAX_DATA = 16 * 1024


class Reporter:
    """The reporting side of every context of this process, callable from any thread."""

    def __init__(
        self,
        link: Link,
        files: Link,
        checkpoints: Checkpoints,
        connections: Connections,
        tally: Tally,
    ) -> None:
        self._link = link
        self._files = files
        self._checkpoints = checkpoints
        self._connections = connections
        self._files_turn = asyncio.Lock()
        self._tally = tally
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._leases: dict[int, Lease] = {}
        self._moved: set[int] = set()
        self._events: list[tuple[Lease, dict[str, Any]]] = []
        self._texts = Texts(self._note_text)
        self._announced: dict[str, None] = {}
        self._more = asyncio.Event()
        self._sent = asyncio.Condition()
        self._patience = Patience("report")

    def attach(self, lease: Lease) -> None:
        """Know a lease from now on."""
        self._leases[lease.lease_id] = lease

    def detach(self, lease: Lease) -> None:
        """Forget a lease: its finish carries what was not sent of its progress."""
        self._leases.pop(lease.lease_id, None)
        self._moved.discard(lease.lease_id)
        self._texts.forget(lease)

    def progress(self, context: Context, percent: float, message: str | None) -> None:
        """Take the latest progress."""
        lease = self._leases.get(context.lease_id)
        if lease is not None:
            lease.progress = {
                "percent": percent,
                "message": None if message is None else clean(message),
            }
            self.in_loop(self._note_progress, lease)

    def event(self, context: Context, level: str, message: str, data: dict[str, Any]) -> None:
        """Take a log line."""
        lease = self._leases.get(context.lease_id)
        if lease is None:
            return
        event: dict[str, Any] = {
            "task_id": lease.task_id,
            "lease_id": lease.lease_id,
            "level": level,
            "message": clean(message),
        }
        if data:
            event["data"] = storable(data)
        self.in_loop(self._note_log, lease, event)

    def text(self, context: Context, text: str) -> None:
        """Take a piece of text."""
        lease = self._leases.get(context.lease_id)
        if lease is not None:
            self.in_loop(self._texts.add, lease, clean(text))

    def save_artifact(
        self, context: Context, name: str, data: bytes, content_type: str
    ) -> Awaitable[None]:
        """Keep a file; from a thread it is kept when this returns."""
        return self._saved(self._save(context, name, data, content_type))

    def save_checkpoint(self, context: Context, name: str, data: bytes) -> Awaitable[None]:
        """Remember data; from a thread it is durable when this returns."""
        return self._saved(self._checkpoints.save(context.task_id, context.lease_id, name, data))

    def load_parents(self, context: Context) -> Any:
        """Read what the parents came to; from a thread they are given themselves."""
        loading = self._checkpoints.parents(context.task_id)
        on_loop = threading.get_ident() == self._thread
        return loading if on_loop else self.wait_for(loading)

    def transaction(self, context: Context) -> Transaction:
        """Give the transaction that completes the attempt."""
        return Transaction(self._connections, self.completion(context))

    def find_artifact(self, context: Context, key: dict[str, Any]) -> Future[dict[str, Any]]:
        """Find a file."""
        del context  # a file is there whoever asks
        return asyncio.run_coroutine_threadsafe(self._find(key), self._loop)

    def read_artifact(self, context: Context, key: dict[str, Any], n: int) -> Future[bytes]:
        """Give the n-th MiB of a file."""
        del context
        return asyncio.run_coroutine_threadsafe(self._read(key, n), self._loop)

    def completion(self, context: Context) -> Completion:
        """Give what such a transaction tells; ``LeaseLost`` when the attempt has ended here."""
        lease = self._leases.get(context.lease_id)
        if lease is None:
            message = f"the attempt of task {context.task_id} has ended"
            raise LeaseLost(message, hint="stop working on it")
        return Completion(lease, self)

    def announce(self, task_ids: list[str]) -> None:
        """Tell watchers that tasks changed. On the event loop only."""
        self._announced.update(dict.fromkeys(task_ids))
        self._more.set()

    async def sent(self, lease: Lease) -> None:
        """Return when every log line and all text of the lease is stored."""
        self._texts.flush(lease)
        async with self._sent:
            await self._sent.wait_for(lambda: lease.unsent_events == 0)

    async def run(self) -> None:
        """Send for ever."""
        while True:
            await self._more.wait()
            self._more.clear()
            try:
                await self._send_events()
                await self._send_progress()
                await self._send_announcements()
            except DatabaseUnavailable as error:
                self._tally.count("database_errors")
                await self._patience.failed(error)
                self._more.set()
            else:
                self._patience.succeeded()

    async def _send_events(self) -> None:
        while self._events:
            batch = self._events[:_MAX_BATCH]
            try:
                rows = await self._link.rows(
                    "append_events",
                    {"events": orjson.dumps([event for _, event in batch]).decode()},
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
                self.announce([event["task_id"] for _, event in batch])

    async def _send_progress(self) -> None:
        moved, self._moved = self._moved, set()
        updates = []
        for lease_id in moved:
            lease = self._leases.get(lease_id)
            if lease is None or lease.progress is None:
                continue
            updates.append({"task_id": lease.task_id, "lease_id": lease_id, **lease.progress})
            lease.progress = None
        if not updates:
            return
        try:
            rows = await self._link.rows(
                "record_progress", {"updates": orjson.dumps(updates).decode()}
            )
        except DatabaseUnavailable:
            self._moved |= moved  # the next progress heals what this one lost
            raise
        except PgQueueError as error:
            _log.error("progress_not_stored", n=len(updates), error=str(error))
            return
        if rows[0][1]:
            self.announce([update["task_id"] for update in updates])

    async def _send_announcements(self) -> None:
        announced, self._announced = list(self._announced), {}
        if announced:
            await self._link.rows("announce_tasks", {"ids": announced})

    async def _save(self, context: Context, name: str, data: bytes, content_type: str) -> None:
        async with self._files_turn:
            await self._files.rows(
                "save_artifact",
                {
                    "task_id": context.task_id,
                    "lease_id": context.lease_id,
                    "name": name,
                    "content_type": content_type,
                    "data": bytes(data),
                },
            )

    async def _find(self, key: dict[str, Any]) -> dict[str, Any]:
        async with self._files_turn:
            ((name, content_type, size, sha256),) = await self._files.rows("find_artifact", key)
        return {"file_name": name, "content_type": content_type, "size": size, "sha256": sha256}

    async def _read(self, key: dict[str, Any], n: int) -> bytes:
        async with self._files_turn:
            ((data,),) = await self._files.rows("read_artifact", {**key, "n": n})
        return bytes(data)

    def _note_progress(self, lease: Lease) -> None:
        self._moved.add(lease.lease_id)
        self._more.set()

    def _note_log(self, lease: Lease, event: dict[str, Any]) -> None:
        self._texts.flush(lease)
        self._note_event(lease, event)

    def _note_text(self, lease: Lease, text: str) -> None:
        event = {
            "task_id": lease.task_id,
            "lease_id": lease.lease_id,
            "type": "text",
            "level": "info",
            "message": text,
        }
        self._note_event(lease, event)

    def _note_event(self, lease: Lease, event: dict[str, Any]) -> None:
        lease.last_seq += 1
        if lease.last_seq > _MAX_EVENTS_PER_LEASE:
            return
        if lease.last_seq == _MAX_EVENTS_PER_LEASE:
            event = {
                **event,
                "type": "log",
                "level": "warning",
                "message": "more is logged than is kept",
            }
        lease.unsent_events += 1
        self._events.append((lease, {**event, "seq": lease.last_seq}))
        self._more.set()

    def _saved(self, saving: Coroutine[Any, Any, None]) -> Awaitable[None]:
        if threading.get_ident() == self._thread:
            return saving
        self.wait_for(saving)
        return RECORDED

    def wait_for(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run it on the event loop and give its result: for other threads only."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def in_loop(self, call: Callable[..., None], *arguments: Any) -> None:
        """Call on the event loop, from any thread, without waiting for it."""
        if threading.get_ident() == self._thread:
            call(*arguments)
        else:
            self._loop.call_soon_threadsafe(call, *arguments)


def storable(data: dict[str, Any]) -> Any:
    """Give the data of a log line as JSON that can be stored, whatever it holds."""
    try:
        encoded = encode(data)
    except UsageError:
        return {name: clean(repr(value))[:1_000] for name, value in list(data.items())[:50]}
    if len(encoded) > _MAX_DATA:
        return {"truncated": encoded[:_MAX_DATA].decode(errors="replace")}
    return orjson.Fragment(encoded)
