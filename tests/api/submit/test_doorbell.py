"""The doorbell rings seldom while nobody waits, and at once for those who do."""

import asyncio
from collections.abc import AsyncIterator, Callable

import psycopg
import pytest
from pgqueue_api import submit
from pgqueue_api.submit.doorbell import Doorbell

from pgqueue.database.queries import query

PATIENCE_S = 45
LISTEN = query("listen_on")


class Counted(Doorbell):
    """Says when it has rung."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.rung = asyncio.Semaphore(0)

    async def _ring(self) -> None:
        await super()._ring()
        self.rung.release()

    async def once(self, *queues: str) -> None:
        """Ring, and return when it has."""
        self.ring(queues, ())
        await asyncio.wait_for(self.rung.acquire(), PATIENCE_S)


@pytest.fixture
async def doorbell(database: str) -> AsyncIterator[Counted]:
    doorbell = Counted(database)
    yield doorbell
    await doorbell.close()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the doorbell has waited, each time that it did."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(submit.doorbell, "sleep", sleep)
    return waited


async def test_it_gathers_rings_only_while_nobody_waits(
    doorbell: Counted, pauses: list[float], connect: Callable[..., psycopg.Connection]
) -> None:
    waiting = connect(session=True)
    waiting.execute("listen pgqueue_ready")
    await doorbell.once("a")
    assert pauses == [], "until it has asked, somebody may wait"
    await doorbell.once("b")
    assert pauses == [0.05]

    who = {"name": "me", "channel": "pgqueue_ready", "seconds": 60}
    waiting.execute(LISTEN, who)
    await doorbell.once("c")
    assert pauses == [0.05, 0.05]
    await doorbell.once("d")
    await doorbell.once("e")
    assert pauses == [0.05, 0.05], "they are heard"
    heard = [notice.payload for notice in waiting.notifies(timeout=PATIENCE_S, stop_after=3)]
    assert heard == ["c", "d", "e"]
