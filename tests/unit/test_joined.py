"""What is written in one turn of the event loop goes in one packet, in order and whole."""

import asyncio

from pgqueue_api.http.joined import Joined


class Transport:
    """Notes what is asked of it."""

    def __init__(self) -> None:
        self.said: list[bytes | str] = []
        self.closing = False

    def write(self, data: bytes) -> None:
        self.said.append(data)

    def close(self) -> None:
        self.said.append("close")

    def is_closing(self) -> bool:
        return self.closing

    def get_write_buffer_size(self) -> int:
        return 100


def _joined() -> tuple[Joined, Transport]:
    transport = Transport()
    return Joined(transport, asyncio.get_running_loop()), transport


async def test_what_is_written_in_one_turn_goes_together() -> None:
    joined, transport = _joined()
    joined.write(b"head")
    joined.write(b"body")
    assert transport.said == []
    assert joined.get_write_buffer_size() == 108
    await asyncio.sleep(0)
    assert transport.said == [b"headbody"]
    joined.write(b"more")
    await asyncio.sleep(0)
    assert transport.said == [b"headbody", b"more"]
    assert joined.get_write_buffer_size() == 100


async def test_what_is_written_before_the_end_is_sent_before_the_end() -> None:
    joined, transport = _joined()
    joined.write(b"last words")
    joined.close()
    assert transport.said == [b"last words", "close"]
    await asyncio.sleep(0)
    assert transport.said == [b"last words", "close"]


async def test_nothing_is_written_to_a_connection_that_was_cut() -> None:
    joined, transport = _joined()
    joined.write(b"too late")
    transport.closing = True
    await asyncio.sleep(0)
    assert transport.said == []
