"""The forker as its worker sees it: where children come from, and who tells of their end."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from pgqueue_worker.isolation.forker import FORKED, NEWS

if TYPE_CHECKING:
    from asyncio import Future


class Forked(NamedTuple):
    """A child: its pid, our end of its line, and its exit status once it has ended.

    The status is ``None`` when nobody knows it, because the forker ended first.
    """

    pid: int
    end: socket.socket
    ended: Future[int | None]


class Nursery:
    """Starts the forker with the first child, and another if it should end."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._line: socket.socket | None = None
        self._asked: deque[Future[tuple[int, Future[int | None]]]] = deque()
        self._ended: dict[int, Future[int | None]] = {}
        self._hearing: asyncio.Task[None] | None = None

    async def fork(self) -> Forked:
        """Give a new child; ``OSError`` when there is none to be had."""
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                async with self._turn:
                    line = self._line or await self._start()
                    told = loop.create_future()
                    self._asked.append(told)
                    socket.send_fds(line, [b"+"], [theirs.fileno()])
                pid, ended = await told
            except BaseException:
                ours.close()
                raise
        return Forked(pid, ours, ended)

    async def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "pgqueue_worker.isolation.forker",
                str(theirs.fileno()),
                pass_fds=(theirs.fileno(),),
                env=dict(os.environ),  # uvloop takes nothing else
            )
        ours.setblocking(False)  # noqa: FBT003  the name of the call says what it is
        reader, writer = await asyncio.open_connection(sock=ours.dup())
        self._line = ours
        self._hearing = asyncio.create_task(self._hear(process, reader, writer))
        return ours

    async def _hear(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                news, pid, status = NEWS.unpack(await reader.readexactly(NEWS.size))
                if news == FORKED:
                    self._ended[pid] = loop.create_future()
                    told = self._asked.popleft()
                    if not told.done():
                        told.set_result((pid, self._ended[pid]))
                elif (ended := self._ended.pop(pid, None)) is not None:
                    ended.set_result(status)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._forget()
            writer.close()
        await process.wait()

    def _forget(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None
        for told in self._asked:
            if not told.done():
                told.set_exception(ChildProcessError("the forker ended"))
        self._asked.clear()
        for ended in self._ended.values():
            ended.set_result(None)
        self._ended.clear()
