"""The line between a supervisor and its worker process: JSON objects over a socket pair."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import orjson

_MAX_LINE = 16 * 1024 * 1024


class Control:
    """One end of the line. ``receive`` gives ``None`` once the other end is gone."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, end: socket.socket) -> Control:
        """Speak over one end of a socket pair."""
        reader, writer = await asyncio.open_connection(sock=end, limit=_MAX_LINE)
        return cls(reader, writer)

    def send(self, kind: str, **fields: Any) -> None:
        """Send a message; one to an end that is gone is forgotten."""
        if not self._writer.is_closing():
            self._writer.write(orjson.dumps({"kind": kind, **fields}) + b"\n")

    async def receive(self) -> dict[str, Any] | None:
        """Give the next message."""
        try:
            line = await self._reader.readline()
        except (ConnectionError, ValueError):
            return None
        if not line.endswith(b"\n"):
            return None
        message: dict[str, Any] = orjson.loads(line)
        return message

    def close(self) -> None:
        """Close this end."""
        self._writer.close()
