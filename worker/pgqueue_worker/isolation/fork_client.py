"""The fork server as its worker sees it: it starts children and reports their end."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from pgqueue_worker.isolation.fork_server import FAILED, FORKED, NEWS

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Mapping


class Forked(NamedTuple):
    """A child: its pid, our end of its socket, and its exit status once it has ended.

    The status is ``None`` when nobody knows it, because the fork server ended first.
    """

    pid: int
    end: socket.socket
    ended: Future[int | None]


class ForkClient:
    """Starts the fork server with the first child, and another one if it should end.

    ``env`` is the environment of the server, and so of its children; ``None`` is the worker's own.
    """

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        self._env = env
        self._turn = asyncio.Lock()
        self._server: asyncio.subprocess.Process | None = None
        self._socket: socket.socket | None = None
        self._requested: deque[Future[tuple[int, Future[int | None]]]] = deque()
        self._ended: dict[int, Future[int | None]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def fork(self, output: int | None = None) -> Forked:
        """Return a new child; raise ``OSError`` if none can be started.

        Its output goes to the file descriptor ``output``, or else where the worker's goes.
        """
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                async with self._turn:
                    server = self._socket or await self._start()
                    forked = loop.create_future()
                    self._requested.append(forked)
                    passed = [theirs.fileno()] if output is None else [theirs.fileno(), output]
                    socket.send_fds(server, [b"+"], passed)
                pid, ended = await forked
            except BaseException:
                ours.close()
                raise
        return Forked(pid, ours, ended)

    async def close(self) -> None:
        """End the server, and with it every child that it still has."""
        if self._reading is None or self._server is None:
            return
        self._reading.cancel()
        with suppress(asyncio.CancelledError):
            await self._reading
        with suppress(ProcessLookupError):  # what a handler has forked may hold the socket open
            self._server.terminate()
        await self._server.wait()

    async def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            self._server = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "pgqueue_worker.isolation.fork_server",
                str(theirs.fileno()),
                pass_fds=(theirs.fileno(),),
                env=dict(
                    os.environ if self._env is None else self._env
                ),  # uvloop takes only a dict
            )
        ours.setblocking(False)  # noqa: FBT003  the name of the call says what it is
        reader, writer = await asyncio.open_connection(sock=ours.dup())
        self._socket = ours
        self._reading = asyncio.create_task(self._read(self._server, reader, writer))
        return ours

    async def _read(
        self,
        server: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                news, pid, status = NEWS.unpack(await reader.readexactly(NEWS.size))
                if news == FORKED:
                    self._ended[pid] = loop.create_future()
                    forked = self._requested.popleft()
                    if not forked.done():
                        forked.set_result((pid, self._ended[pid]))
                elif news == FAILED:
                    failed = self._requested.popleft()
                    if not failed.done():
                        failed.set_exception(
                            OSError(status, f"no child could be forked: {os.strerror(status)}")
                        )
                elif (ended := self._ended.pop(pid, None)) is not None:
                    ended.set_result(status)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._forget()
            writer.close()
        await server.wait()

    def _forget(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        for forked in self._requested:
            if not forked.done():
                forked.set_exception(ChildProcessError("the fork server ended"))
        self._requested.clear()
        for ended in self._ended.values():
            ended.set_result(None)
        self._ended.clear()
