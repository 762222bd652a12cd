"""Messages between a worker and a child: JSON, followed by bytes."""

from __future__ import annotations

import struct
import threading
from typing import TYPE_CHECKING, Any

import orjson

from pgqueue_worker.forks import refuse_copy

if TYPE_CHECKING:
    import asyncio
    import socket

Message = dict[str, Any]

_SIZES = struct.Struct(">II")
_MAX_PART = (
    64 * 1024 * 1024
)  # of the JSON and of the bytes: more than any call of a context may send


class MessageTooLarge(ValueError):
    """A message is larger than its reader takes; ``size`` is that of the part that is too large."""

    def __init__(self, size: int) -> None:
        super().__init__(f"a message of {size:,} bytes")
        self.size = size


def frame(message: Message, blob_size: int = 0) -> bytes:
    """Return the bytes that announce a message: its JSON, and how many bytes follow."""
    text = orjson.dumps(message)
    return _SIZES.pack(len(text), blob_size) + text


async def read_message(
    stream: asyncio.StreamReader, max_text: int = _MAX_PART, max_blob: int = _MAX_PART
) -> tuple[Message, bytes]:
    """Return the next message, which may come from a child that has been taken over.

    Raise ``IncompleteReadError`` at the end, ``MessageTooLarge``, or ``ValueError`` for no message.
    """
    text_size, blob_size = _SIZES.unpack(await stream.readexactly(_SIZES.size))
    if text_size > max_text or blob_size > max_blob:
        raise MessageTooLarge(blob_size if blob_size > max_blob else text_size)
    message = orjson.loads(await stream.readexactly(text_size))
    if not isinstance(message, dict):
        raise ValueError("a message is a JSON object")  # noqa: TRY004  as for what is no JSON at all
    return message, await stream.readexactly(blob_size)


class MessageSocket:
    """A child's end. Sending is safe from any thread; one thread receives."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._stream = end.makefile("rb")
        self._turn = threading.Lock()

    def send(self, message: Message, blob: bytes = b"") -> None:
        """Send a message; return when the kernel has it."""
        refuse_copy()
        announced = frame(message, len(blob))
        with self._turn:
            self._socket.sendall(announced)
            if blob:  # apart: a copy of 64 MiB may be more than the memory limit leaves
                self._socket.sendall(blob)

    def receive(self) -> tuple[Message, bytes]:
        """Wait for the next message; raise ``EOFError`` when the worker is gone."""
        text_size, blob_size = _SIZES.unpack(self._exactly(_SIZES.size))
        return orjson.loads(self._exactly(text_size)), self._exactly(blob_size)

    def _exactly(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) < size:
            raise EOFError
        return data
