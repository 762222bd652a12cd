"""What a worker and a child of its say to each other: JSON, and bytes behind it."""

from __future__ import annotations

import struct
import threading
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    import asyncio
    import socket

Message = dict[str, Any]

_LENGTHS = struct.Struct(">II")
_MOST = 64 * 1024 * 1024  # of either part, to a worker: more than any call of a context may send


def framed(message: Message, blob: bytes = b"") -> bytes:
    """Give the bytes that stand for a message."""
    text = orjson.dumps(message)
    return _LENGTHS.pack(len(text), len(blob)) + text + blob


async def read(stream: asyncio.StreamReader) -> tuple[Message, bytes]:
    """Give the next message; ``IncompleteReadError`` at the end, ``ValueError`` if it is none."""
    text_size, blob_size = _LENGTHS.unpack(await stream.readexactly(_LENGTHS.size))
    if max(text_size, blob_size) > _MOST:
        raise ValueError(f"a message of {text_size + blob_size:,} bytes")
    message: Message = orjson.loads(await stream.readexactly(text_size))
    return message, await stream.readexactly(blob_size)


class Wire:
    """A child's end. Sending is safe from any thread; one thread receives."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._stream = end.makefile("rb")
        self._turn = threading.Lock()

    def send(self, message: Message, blob: bytes = b"") -> None:
        """Send; returns when the kernel has it."""
        frame = framed(message, blob)
        with self._turn:
            self._end.sendall(frame)

    def receive(self) -> tuple[Message, bytes]:
        """Wait for the next message; ``EOFError`` when the worker is gone."""
        text_size, blob_size = _LENGTHS.unpack(self._exactly(_LENGTHS.size))
        return orjson.loads(self._exactly(text_size)), self._exactly(blob_size)

    def _exactly(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) < size:
            raise EOFError
        return data
