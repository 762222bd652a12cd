"""The hub: one LISTEN for the whole process, and one read for all clients that watch a task.

A notification is a hint that a task may have changed; clients are always sent the state as it was
read. All watched tasks are also read every second, so a lost notification costs a second and
nothing else. While someone watches, the hub says so in the database, so that workers notify; at
other times they do not. A worker that was finishing a task when the hub said so did not know yet:
so after that all watched tasks are read again after 5 ms, 10 ms, 20 ms and so on, which finds such
a finish at the latest after as long again as its commit took.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import orjson

from pgqueue import logs
from pgqueue.database.listener import Listener
from pgqueue.errors import NotFound, PgQueueError
from pgqueue_api.live.watched_task import START, WatchedTask
from pgqueue_api.pruned import task_not_found

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

    from pgqueue.database.pool import Pool, Row
    from pgqueue_api.bounds import Bounds
    from pgqueue_api.live.watched_task import Position
    from pgqueue_api.metrics import Metrics

__all__ = ["Hub", "hinted_within"]

_LISTEN_S = 30
_RENEW_S = 10
_READ_AT_ONCE = 500
_FIRST_LOOK_S = 0.005
_BUSY_SHARE = 10  # polls take at most a tenth of the time, however many watch

# not for secrecy; and not the module's own state, which belongs to whoever seeds it, such as a test
_SPREAD = random.Random()  # noqa: S311

_log = logs.get_logger("pgqueue.api")


class Hub:
    """Watches tasks for any number of clients."""

    def __init__(
        self,
        dsn: str,
        pool: Pool,
        bounds: Bounds,
        metrics: Metrics,
        *,
        on_types: Callable[[], None],
        on_access: Callable[[], None],
    ) -> None:
        self._pool = pool
        self._bounds = bounds
        self._metrics = metrics
        self._on_types = on_types
        self._on_access = on_access
        self._name = f"api {socket.gethostname()}:{os.getpid()}:{_SPREAD.getrandbits(32):08x}"
        self._watches: dict[str, WatchedTask] = {}
        self._changed: dict[str, float] = {}  # id → when the hint came
        self._look = asyncio.Event()
        self._someone = asyncio.Event()
        self._announced = False
        self._newly_announced = asyncio.Event()
        self._saying = asyncio.Lock()
        self.ending = asyncio.Event()
        self.watchers = 0
        self.hint_listeners: set[Callable[[list[str]], None]] = set()
        self._listener = Listener(
            dsn,
            self._name,
            application_name="pgqueue api listen",
            listen="listen_hub",
            echo=lambda payload: pool.rows("echo", {"payload": payload}),
            hear=self._hear,
            on_connect=self._connected,
            on_change=metrics.listening.set,
        )

    def loops(self) -> list[Coroutine[Any, Any, None]]:
        """Return the loops that run as long as the process."""
        return [
            self._listener.run(),
            self._refresh(),
            self._poll(),
            self._look_soon(),
            self._renew(),
        ]

    @property
    def deaf(self) -> str | None:
        """Why notifications cannot arrive; None if they do."""
        return self._listener.deaf

    def end_streams(self) -> None:
        """End every stream and every wait now."""
        self.ending.set()
        for watch in self._watches.values():
            watch.wake()

    async def close(self) -> None:
        """Tell workers that nobody here watches any more, and close the connections."""
        if self._announced:
            await self._say_listening(0)  # if it cannot be said, it runs out by itself
        await self._pool.close()

    @contextmanager
    def watching(self, id: str) -> Iterator[tuple[WatchedTask, asyncio.Event]]:
        """Watch a task over the block: the event is set whenever its state or logs moved on."""
        watch = self._watches.get(id)
        if watch is None:
            watch = self._watches[id] = WatchedTask()
        waker = asyncio.Event()
        watch.wakers.add(waker)
        self.watchers += 1
        self._someone.set()
        try:
            yield watch, waker
        finally:
            watch.wakers.discard(waker)
            self.watchers -= 1
            if not watch.wakers:
                self._watches.pop(id, None)
                self._changed.pop(id, None)

    def start(self, id: str, watch: WatchedTask, position: Position) -> None:
        """Note how far the first of its watchers has read; read what was hinted at meanwhile."""
        watch.start_at(position)
        if watch.hinted:
            watch.hinted = False
            self._look_at(id)

    async def changes(self, id: str, version: str, position: Position) -> Row | None:
        """Read what is new about one task since a version and a log line; None if nothing is."""
        rows = await self._changes([(id, version, position)])
        return rows[0] if rows else None

    async def not_found(self, id: str) -> NotFound:
        """Return the error for a task that does not exist."""
        return await task_not_found(self._pool, id)

    async def wait_for_end(self, id: str, seconds: float) -> bytes | None:
        """Wait until a task has ended, and return its state then or when time is up."""
        state: bytes | None = None
        try:
            async with asyncio.timeout(seconds):
                with self.watching(id) as (watch, waker):
                    await self.announce_watching()
                    row = await self.changes(id, "", START)
                    if row is None:
                        raise await self.not_found(id)
                    self.start(id, watch, START)
                    if not watch.take(row, START):
                        self._look_at(id)
                    state = watch.state
                    while not watch.ended and not self.ending.is_set():
                        await waker.wait()
                        waker.clear()
                        state = watch.state or state
        except TimeoutError:
            pass
        return state

    @asynccontextmanager
    async def hinting(self, listener: Callable[[list[str]], None]) -> AsyncIterator[None]:
        """Tell a listener the ids of every notification, inside the block."""
        self.hint_listeners.add(listener)
        try:
            await self.announce_watching()
            yield
        finally:
            self.hint_listeners.discard(listener)

    async def announce_watching(self) -> None:
        """Have workers notify from now on, if the database can be reached."""
        self._someone.set()
        if not self._announced:
            async with self._saying:
                if not self._announced:
                    await self._say_listening(_LISTEN_S)

    async def renew_watching(self) -> None:
        """Say again whether someone watches."""
        async with self._saying:
            await self._say_listening(_LISTEN_S if self._has_watchers() else 0)
            if not self._has_watchers():
                self._someone.clear()

    async def _say_listening(self, seconds: float) -> None:
        known = self._announced and seconds > 0
        self._announced = known  # who comes while we say that nobody watches says otherwise
        said = {"name": self._name, "channel": "pgqueue_event", "seconds": seconds}
        try:
            await self._pool.rows("listen_on", said)
        except PgQueueError as error:
            self._announced = False
            _log.debug("listen_not_said", error=str(error))
            return
        self._announced = seconds > 0
        if self._announced and not known:
            self._newly_announced.set()

    def _has_watchers(self) -> bool:
        return bool(self._watches or self.hint_listeners)

    async def _renew(self) -> None:
        """Keep saying that someone watches, while someone does."""
        while True:
            await self._someone.wait()
            await self.renew_watching()
            await asyncio.sleep(_RENEW_S)

    async def _look_soon(self) -> None:
        """Read what is watched ever more rarely after workers were told that someone watches."""
        while True:
            await self._newly_announced.wait()
            self._newly_announced.clear()
            pause = _FIRST_LOOK_S
            while pause < self._bounds.poll_s and self._has_watchers():
                try:
                    async with asyncio.timeout(pause):
                        await self._newly_announced.wait()
                except TimeoutError:
                    pause *= 2
                    for id in self._watches:
                        self._look_at(id)
                else:
                    self._newly_announced.clear()
                    pause = _FIRST_LOOK_S

    def _connected(self) -> None:
        """Read everything once: earlier notifications were missed."""
        self._changed.update(dict.fromkeys(self._watches, _now()))
        self._look.set()
        self._on_types()
        self._on_access()

    def _hear(self, channel: str, payload: str) -> None:
        if channel == "pgqueue_control":
            if payload == "types":
                self._on_types()
            elif payload == "access":
                self._on_access()
            return
        ids = payload.split(",")
        for id in ids:
            if id in self._watches:
                self._look_at(id)
        for listener in self.hint_listeners:
            listener(ids)

    async def _poll(self) -> None:
        """Mark every watched task to be looked at, about every second."""
        pause = self._bounds.poll_s
        while True:
            await self._someone.wait()
            await asyncio.sleep(pause * _SPREAD.uniform(0.9, 1.1))
            started = _now()
            ids = list(self._watches)
            for start in range(0, len(ids), _READ_AT_ONCE):
                await self._read(ids[start : start + _READ_AT_ONCE])
            pause = max(self._bounds.poll_s, (_now() - started) * _BUSY_SHARE)

    async def _refresh(self) -> None:
        """Read the tasks that notifications named; those named meanwhile are in the next read."""
        while True:
            await self._look.wait()
            self._look.clear()
            while self._changed:
                ids = list(self._changed)[:_READ_AT_ONCE]
                heard = [self._changed.pop(id) for id in ids]
                if await self._read(ids):
                    self._metrics.notify_lag.observe(_now() - min(heard))

    async def _read(self, ids: list[str]) -> bool:
        """Read what is new about these tasks and wake their watchers."""
        for id in ids:
            if (watch := self._watches.get(id)) and watch.position is None:
                watch.hinted = True
        known = [
            (id, watch.version, watch.position)
            for id in ids
            if (watch := self._watches.get(id)) and watch.position is not None
        ]
        if not known:
            return False
        since = {id: position for id, _, position in known}
        try:
            rows = await self._changes(known)
        except PgQueueError as error:
            _log.debug("watched_not_read", error=str(error))
            return False
        for row in rows:
            watch = self._watches.get(row["id"])
            if watch is not None:
                taken = watch.take(row, since[row["id"]])
                watch.wake()
                more = row["logs"] and watch.position is not None and watch.position < watch.end
                if more or not taken:
                    self._look_at(row["id"])
        return True

    async def _changes(self, watched: list[tuple[str, str, Position]]) -> list[Row]:
        began = _now()
        rows = await self._pool.rows("task_changes", _asked(watched))
        return [{**row, "began": began} for row in rows]

    def _look_at(self, id: str) -> None:
        self._changed.setdefault(id, _now())
        self._look.set()


def _now() -> float:
    return asyncio.get_running_loop().time()


async def hinted_within(seconds: float, hinted: asyncio.Event, gather_s: float) -> None:
    """Wait for a hint, then a moment for more of them, but no longer than ``seconds``."""
    try:
        async with asyncio.timeout(seconds):
            await hinted.wait()
            await asyncio.sleep(gather_s)
    except TimeoutError:
        pass
    hinted.clear()


def _asked(watched: list[tuple[str, str, Position]]) -> dict[str, str]:
    elements = [
        {"id": id, "version": version, "lease_id": position[0], "seq": position[1]}
        for id, version, position in watched
    ]
    return {"watched": orjson.dumps(elements).decode()}
