"""What is handed in while a batch is on its way goes together; what is bad fails alone."""

import asyncio

from pgqueue.database.gathering import Gatherer
from pgqueue.errors import DatabaseUnavailable, UsageError


class Server:
    """Answers each element with itself in upper case, once it may."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.may_answer = asyncio.Event()
        self.down = False

    async def send(self, elements: list[bytes]) -> list[bytes]:
        self.batches.append(elements)
        await self.may_answer.wait()
        if self.down:
            raise DatabaseUnavailable
        if b"bad" in elements:
            raise UsageError
        return [element.upper() for element in elements]


async def _hand_in(gatherer: Gatherer[bytes], *elements: bytes) -> list[asyncio.Future[bytes]]:
    futures = [gatherer.add(element) for element in elements]
    await asyncio.sleep(0)
    return futures


async def test_what_gathers_behind_a_batch_goes_together_and_each_gets_its_own_answer() -> None:
    server = Server()
    gatherer = Gatherer(server.send)
    first = await _hand_in(gatherer, b"a")
    rest = await _hand_in(gatherer, b"b", b"c", b"d")
    assert gatherer.waiting == 3
    server.may_answer.set()
    assert await asyncio.gather(*first, *rest) == [b"A", b"B", b"C", b"D"]
    assert server.batches == [[b"a"], [b"b", b"c", b"d"]]


async def test_a_batch_is_bounded() -> None:
    server = Server()
    server.may_answer.set()
    gatherer = Gatherer(server.send)
    big = b"x" * (3 * 1024 * 1024)
    await asyncio.gather(*[gatherer.add(big) for _ in range(3)])
    await asyncio.gather(*[gatherer.add(b"y") for _ in range(1_200)])
    assert [len(batch) for batch in server.batches] == [1, 1, 1, 500, 500, 200]


async def test_a_bad_one_fails_alone() -> None:
    server = Server()
    server.may_answer.set()
    gatherer = Gatherer(server.send)
    answers = await asyncio.gather(
        *[gatherer.add(element) for element in (b"a", b"b", b"bad", b"c", b"d")],
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [bytes, bytes, UsageError, bytes, bytes]


async def test_all_fail_when_the_database_cannot_be_reached_and_later_ones_are_sent() -> None:
    server = Server()
    server.may_answer.set()
    server.down = True
    gatherer = Gatherer(server.send)
    answers = await asyncio.gather(gatherer.add(b"a"), gatherer.add(b"b"), return_exceptions=True)
    assert [type(answer) for answer in answers] == [DatabaseUnavailable] * 2
    assert len(server.batches) == 1  # nothing is tried twice: it may have been stored
    server.down = False
    assert await gatherer.add(b"c") == b"C"


async def test_who_gives_up_takes_nobody_along() -> None:
    server = Server()
    gatherer = Gatherer(server.send)
    given_up, kept = await _hand_in(gatherer, b"a", b"b")
    given_up.cancel()
    server.may_answer.set()
    assert await kept == b"B"


async def test_drained_waits_for_what_was_taken() -> None:
    server = Server()
    gatherer = Gatherer(server.send)
    (future,) = await _hand_in(gatherer, b"a")
    await gatherer.drained(0)
    assert not future.done()
    server.may_answer.set()
    await gatherer.drained()
    assert future.done()
