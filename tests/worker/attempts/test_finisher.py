"""Finishes that come alone are recorded at once; those that come fast gather."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from pgqueue_worker.attempts import finisher as module
from pgqueue_worker.attempts.finisher import Finish, Finisher
from pgqueue_worker.measurements import Measurements

from pgqueue.handlers.ending import COMPLETED

TOOK_S = 0.2


class Link:
    """Takes its time for each call, and notes how many finishes it was given."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.called = asyncio.Semaphore(0)

    async def rows(self, _: str, arguments: dict[str, str]) -> list[tuple[list[int], bool]]:
        self.batches.append(arguments["lease_ids"].count(",") + 1)
        await asyncio.sleep(TOOK_S)
        self.called.release()
        return [([], False)]


@pytest.fixture
def link() -> Link:
    return Link()


@pytest.fixture
async def finisher(link: Link, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Finisher]:
    monkeypatch.setattr(module, "_MAX_WAIT_S", 60)
    finisher = Finisher(link, None, Measurements(), lambda: None)
    running = asyncio.create_task(finisher.run())
    yield finisher
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def add(finisher: Finisher, n: int) -> None:
    for lease_id in range(n):
        finisher.add(Finish("t", lease_id, COMPLETED))


@pytest.mark.parametrize(
    ("first", "batches"),
    [
        pytest.param(63, [63, 1, 1], id="after a few, at once"),
        pytest.param(64, [64, 2], id="after many, as long as the last call took"),
    ],
)
async def test_the_next_are_recorded(
    finisher: Finisher, link: Link, first: int, batches: list[int]
) -> None:
    add(finisher, first)
    await link.called.acquire()
    add(finisher, 1)
    await asyncio.sleep(TOOK_S / 4)
    add(finisher, 1)
    await finisher.drained()
    assert link.batches == batches
