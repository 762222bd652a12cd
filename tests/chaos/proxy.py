"""A TCP proxy before PostgreSQL that breaks connections in every way a network does.

It runs in a thread of its own; its methods may be called from any other, and what they ask for is
done when they return. A fault strikes the connections there are and those to come, until `heal`:

- `reset`, `close`: every connection ends now, with RST or with FIN (no state: new ones work)
- `refuse`: new ones are accepted and ended at once
- `swallow`: nothing is forwarded any more, but the kernel acknowledges what it gets: a stuck
  middlebox, or a server process that is stopped
- `vanish`: what is sent to the proxy is dropped before TCP sees it, nothing is answered, keepalives
  neither: a pulled cable
- `delay`: every piece waits
- `cut_after`: a connection gets so many more bytes through, then RST
- `lose_answer`: the server does what the next matching statement says, its answer never arrives
- `drop_notifications`: NOTIFY is sent, nobody hears it

``only`` names the application whose connections are meant; without it all are.
"""

from __future__ import annotations

import asyncio
import ctypes
import re
import struct
import threading
from asyncio.trsock import TransportSocket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.chaos.frames import NOTIFICATION, READY, Frames, sql_of, startup

__all__ = ["Proxy", "Way", "proxied"]

_PATIENCE_S = 45
_PIECE = 65536
_RST = struct.pack("ii", 1, 0)  # SO_LINGER for no time: closing throws away and resets
_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27  # Linux; Python does not name them
_BPF_RETURN_NOTHING = struct.pack("HBBI", 0x06, 0, 0, 0)


class Way(Enum):
    """A direction."""

    TO_SERVER = "to the server"
    TO_CLIENT = "to the client"


@dataclass
class _Faults:
    swallowed: set[Way] = field(default_factory=set)
    vanished: bool = False
    delay_s: float = 0
    cut_after: dict[Way, int] = field(default_factory=dict)
    deaf: bool = False


@dataclass(eq=False)
class _Connection:
    """One client's connection and ours to the server for it."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    application: str
    faults: _Faults
    healed: asyncio.Event
    frames: dict[Way, Frames] = field(default_factory=lambda: {way: Frames() for way in Way})
    prepared: dict[bytes, str] = field(default_factory=dict)
    withholding: bool = False

    def silent(self, way: Way) -> bool:
        return self.faults.vanished or way in self.faults.swallowed

    def end(self, *, reset: bool) -> None:
        for writer in (self.client, self.server):
            _end(writer, reset=reset)


class Proxy:
    """See the text of the module. Made by `proxied`."""

    def __init__(self, dsn: str) -> None:
        parts = {name: str(value) for name, value in conninfo_to_dict(dsn).items()}
        self._host = parts.pop("host", "localhost")
        self._port = int(parts.pop("port", "5432"))
        self._parts = parts
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._listening: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._rules: list[tuple[str | None, Callable[[_Faults], None]]] = []
        self._refusing = False
        self._losing: tuple[re.Pattern[str], str | None] | None = None
        self.lost = threading.Event()
        """Set when `lose_answer` has lost one."""
        self.dsn = ""
        """The address of the same database through the proxy."""

    # what tests ask for

    def connections(self, only: str | None = None) -> int:
        """Count connections."""
        return self._do(lambda: len([*self._of(only)]))

    def reset(self, only: str | None = None) -> int:
        """End every connection with RST; give how many there were."""
        return self._do(lambda: self._end(only, reset=True))

    def close(self, only: str | None = None) -> int:
        """End every connection with FIN, as a server does that is stopped; give how many."""
        return self._do(lambda: self._end(only, reset=False))

    def refuse(self) -> None:
        """End new connections as soon as they are made."""
        self._do(lambda: setattr(self, "_refusing", True))

    def swallow(self, *ways: Way, only: str | None = None) -> None:
        """Forward nothing in these directions; in none, without any."""
        self._rule(only, lambda faults: faults.swallowed.update(ways or Way))

    def vanish(self, only: str | None = None) -> None:
        """Answer nothing, not even with what TCP answers by itself."""
        self._rule(only, lambda faults: setattr(faults, "vanished", True))
        if only is None:
            self._do(lambda: _drop_what_arrives(self._socket()))

    def delay(self, seconds: float, only: str | None = None) -> None:
        """Keep every piece back for a while, in both directions."""
        self._rule(only, lambda faults: setattr(faults, "delay_s", seconds))

    def cut_after(self, n: int, way: Way, only: str | None = None) -> None:
        """Let ``n`` more bytes of each connection through, then end it with RST."""
        self._rule(only, lambda faults: faults.cut_after.update({way: n}))

    def drop_notifications(self, only: str | None = None) -> None:
        """Take NotificationResponse out of what the server says."""
        self._rule(only, lambda faults: setattr(faults, "deaf", True))

    def lose_answer(self, statement: str = "^commit$", only: str | None = None) -> None:
        """Let the server do the next statement that matches; then cut instead of answering.

        A commit, or a statement outside of a transaction, is done for good by then, and the client
        cannot know. Sets `lost` when that has happened.
        """
        self.lost.clear()
        wanted = re.compile(statement, re.IGNORECASE)
        self._do(lambda: setattr(self, "_losing", (wanted, only)))

    def spare_new(self) -> None:
        """Let connections that are made from now on through; those that were struck stay so."""
        self._do(self._rules.clear)

    def heal(self) -> None:
        """Let everything through again; what was swallowed stays lost, so those connections end."""
        self._do(self._heal)

    # how it is done

    def _do(self, act: Callable[[], Any]) -> Any:
        async def call() -> Any:
            return act()

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(_PATIENCE_S)

    def _of(self, only: str | None) -> Iterator[_Connection]:
        return (c for c in self._connections if only is None or c.application == only)

    def _end(self, only: str | None, *, reset: bool) -> int:
        chosen = [*self._of(only)]
        for connection in chosen:
            connection.end(reset=reset)
            self._connections.discard(connection)
        return len(chosen)

    def _rule(self, only: str | None, change: Callable[[_Faults], None]) -> None:
        def act() -> None:
            self._rules.append((only, change))
            for connection in self._of(only):
                change(connection.faults)
                _apply(connection)

        self._do(act)

    def _heal(self) -> None:
        self._refusing, self._losing = False, None
        self._rules.clear()
        _take_what_arrives(self._socket())
        for connection in [*self._connections]:
            broken = connection.faults.vanished or connection.faults.swallowed
            connection.faults = _Faults()
            connection.healed.set()
            connection.healed = asyncio.Event()
            _apply(connection)
            if broken:
                connection.end(reset=True)
                self._connections.discard(connection)

    def _socket(self) -> TransportSocket:
        assert self._listening is not None
        return self._listening.sockets[0]

    def start(self) -> None:
        self._thread.start()

        async def listen() -> int:
            self._listening = await asyncio.start_server(self._accept, "127.0.0.1", 0)
            return self._listening.sockets[0].getsockname()[1]

        port = asyncio.run_coroutine_threadsafe(listen(), self._loop).result(_PATIENCE_S)
        plain = {"sslmode": "disable", "gssencmode": "disable"}  # its messages are read here
        self.dsn = make_conninfo(**{**self._parts, "host": "127.0.0.1", "port": port, **plain})

    def stop(self) -> None:
        async def end() -> None:
            assert self._listening is not None
            self._listening.close()
            quiet = 0
            # one that was being accepted begins only now, and what ends is closed a turn later
            while quiet < 3:
                await asyncio.sleep(0)  # what never began would close nothing
                if tasks := asyncio.all_tasks() - {asyncio.current_task()}:
                    for task in tasks:
                        task.cancel()
                    await asyncio.wait(tasks)
                quiet = 0 if tasks else quiet + 1

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(_PATIENCE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE_S)
        self._loop.close()

    async def _accept(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError):
                await self._serve(reader, client)
        except asyncio.CancelledError:
            pass  # the proxy stops
        finally:
            _end(client, reset=True)

    async def _serve(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        if self._refusing:
            return
        first = b""
        while (parameters := startup(first)) is None:
            if not (data := await reader.read(_PIECE)):
                return
            first += data
        answers, server = await self._reach()
        application = parameters.get("application_name", "")
        connection = _Connection(client, server, application, _Faults(), asyncio.Event())
        for only, change in self._rules:
            if only is None or only == application:
                change(connection.faults)
        _apply(connection)
        self._connections.add(connection)
        try:
            await self._pass_on(connection, Way.TO_SERVER, server, first)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(connection, Way.TO_SERVER, reader, server))
                group.create_task(self._pump(connection, Way.TO_CLIENT, answers, client))
        except* EOFError:
            connection.end(reset=False)
        except* OSError:
            pass
        finally:
            self._connections.discard(connection)
            _end(server, reset=True)

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._host.startswith("/"):
            return await asyncio.open_unix_connection(
                str(Path(self._host) / f".s.PGSQL.{self._port}")
            )
        return await asyncio.open_connection(self._host, self._port)

    async def _pump(
        self,
        connection: _Connection,
        way: Way,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        while data := await reader.read(_PIECE):
            if way is Way.TO_SERVER:
                self._note_statements(connection, data)
            else:
                data = self._edit_answers(connection, data)
            await self._pass_on(connection, way, writer, data)
        if connection.silent(way):
            await connection.healed.wait()  # nor is the end of it forwarded
        raise EOFError

    def _note_statements(self, connection: _Connection, data: bytes) -> None:
        for message in connection.frames[Way.TO_SERVER].feed(data):
            statement = sql_of(message, connection.prepared).strip(" ;\n")
            if self._losing is None or not statement:
                continue
            wanted, only = self._losing
            if wanted.search(statement) and only in (None, connection.application):
                self._losing = None
                connection.withholding = True

    def _edit_answers(self, connection: _Connection, data: bytes) -> bytes:
        messages = connection.frames[Way.TO_CLIENT].feed(data)
        if connection.withholding:
            if any(message[:1] == READY for message in messages):
                self.lost.set()
                raise ConnectionResetError  # it is done, and nobody will say so
            return b""
        if connection.faults.deaf:
            messages = [message for message in messages if message[:1] != NOTIFICATION]
        return b"".join(messages)

    async def _pass_on(
        self, connection: _Connection, way: Way, writer: asyncio.StreamWriter, data: bytes
    ) -> None:
        faults = connection.faults
        if faults.delay_s:
            with suppress(TimeoutError):
                await asyncio.wait_for(connection.healed.wait(), faults.delay_s)
        if connection.silent(way):
            return
        left = faults.cut_after.get(way)
        if left is not None:
            faults.cut_after[way] = left - len(data)
            data = data[:left]
        writer.write(data)
        await writer.drain()
        if left is not None and faults.cut_after[way] < 0:
            raise ConnectionResetError


def _apply(connection: _Connection) -> None:
    client = connection.client.get_extra_info("socket")
    if connection.faults.vanished:
        _drop_what_arrives(client)
    else:
        _take_what_arrives(client)


def _drop_what_arrives(socket: TransportSocket) -> None:
    """Attach a filter that takes no packet, to which TCP therefore answers nothing."""
    program = ctypes.create_string_buffer(_BPF_RETURN_NOTHING)
    attach = struct.pack("HP", 1, ctypes.addressof(program))
    socket.setsockopt(SOL_SOCKET, _SO_ATTACH_FILTER, attach)


def _take_what_arrives(socket: TransportSocket) -> None:
    with suppress(FileNotFoundError):  # there is no filter
        socket.setsockopt(SOL_SOCKET, _SO_DETACH_FILTER, 0)


def _end(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    if writer.transport.is_closing():
        return
    if reset:
        raw = writer.get_extra_info("socket")
        raw.setsockopt(SOL_SOCKET, SO_LINGER, _RST)
        writer.transport.abort()
    else:
        writer.close()


@contextmanager
def proxied(dsn: str) -> Iterator[Proxy]:
    """Run a proxy before a database; ``.dsn`` leads through it."""
    proxy = Proxy(dsn)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
