"""A ring wakes a claimer for its own queues only: an empty claim takes half a ms of CPU."""

import asyncio
from types import SimpleNamespace

import pytest
from pgqueue_worker.attempts.claimer import Claimer
from pgqueue_worker.measurements import Measurements


class Link:
    """Has no tasks, and counts the claims."""

    def __init__(self) -> None:
        self.claims = 0
        self.idle = asyncio.Event()

    async def rows(self, name: str, _: object = ()) -> list[tuple[object, ...]]:
        self.claims += name == "claim_tasks"
        return []

    def hearing(self) -> "Link":
        return self

    def __enter__(self) -> None:
        self.idle.set()

    def __exit__(self, *error: object) -> None:
        pass


async def claims_after(ring: list[str], *, all_queues: bool = False) -> int:
    """Ring for a claimer of the queue mail that waits, and give how often it looks for it."""
    link = Link()
    claimer = Claimer(
        link,
        1,
        ["mail"],
        all_queues=all_queues,
        poll_s=3600,
        lease_s=60,
        runner=SimpleNamespace(
            room=10, free_slots=10, lease_ids=set(), backlog_queues=set(), types={"t": None}
        ),
        finisher=SimpleNamespace(waiting=0, lease_ids=set()),
        outbox=None,
        measurements=Measurements(),
        on_waiting=lambda *, waiting: None,
        on_round=lambda at: None,
    )
    running = asyncio.create_task(claimer.run())
    await link.idle.wait()
    before = link.claims
    claimer.ring(ring)
    for _ in range(20):
        await asyncio.sleep(0)
    looked = link.claims - before
    claimer.stop()
    await running
    return looked


@pytest.mark.parametrize("ring", [["mail"], ["pdf", "mail"], []])
async def test_it_looks_for_its_own_queues(ring: list[str]) -> None:
    assert await claims_after(ring) > 0


async def test_it_does_not_look_for_those_of_others() -> None:
    assert await claims_after(["pdf", "images"]) == 0


async def test_one_that_serves_all_looks_for_any() -> None:
    assert await claims_after(["pdf"], all_queues=True) > 0
