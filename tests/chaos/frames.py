"""The messages of PostgreSQL's protocol (version 3), cut out of a stream of bytes.

https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import struct

__all__ = ["NOTIFICATION", "READY", "Frames", "sql_of", "startup"]

NOTIFICATION, READY = b"A", b"Z"
_QUERY, _PARSE, _BIND = b"Q", b"P", b"B"


class Frames:
    """Gathers bytes and gives whole messages: one byte of type, four of length, the content."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes; give the messages that are complete by now."""
        rest = self._rest
        rest += data
        messages, begin = [], 0
        while len(rest) - begin >= 5:
            end = begin + 1 + struct.unpack_from(">I", rest, begin + 1)[0]
            if end > len(rest):
                break
            messages.append(bytes(rest[begin:end]))
            begin = end
        del rest[:begin]
        return messages


def startup(data: bytes) -> dict[str, str] | None:
    """Return the parameters of a startup message; {}: another packet, None: incomplete."""
    if len(data) < 8 or len(data) < struct.unpack(">I", data[:4])[0]:
        return None
    if struct.unpack(">I", data[4:8])[0] >> 16 != 3:
        return {}  # a request to cancel
    words = data[8:].rstrip(b"\0").decode().split("\0")
    return dict(zip(words[::2], words[1::2], strict=True))


def sql_of(message: bytes, prepared: dict[bytes, str]) -> str:
    """Return the SQL that a client's message runs; ``prepared`` remembers what was named."""
    kind, content = message[:1], message[5:]
    if kind == _QUERY:
        return content.rstrip(b"\0").decode()
    if kind == _PARSE:
        name, text = content.split(b"\0")[:2]
        prepared[name] = text.decode()
    elif kind == _BIND:
        return prepared.get(content.split(b"\0")[1], "")
    return ""
