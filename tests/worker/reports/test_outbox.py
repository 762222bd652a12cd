"""What a handler reports just before its end is kept, whichever call reaches PostgreSQL first."""

import asyncio
import math
from types import SimpleNamespace

import orjson
import pytest
from pgqueue_worker.lease import Lease, Progress
from pgqueue_worker.measurements import Measurements
from pgqueue_worker.reports.outbox import Outbox, storable
from pydantic import SecretStr

from pgqueue.errors import DatabaseUnavailable, UsageError

HALF, ALL = Progress(50, None), Progress(100, "done")


class Link:
    """Holds each call up until it is told how the call ends."""

    def __init__(self) -> None:
        self.calls: asyncio.Queue[asyncio.Future] = asyncio.Queue()

    async def rows(self, _: str, arguments: dict[str, str]) -> list[tuple[list[int], bool]]:
        answer = asyncio.get_running_loop().create_future()
        self.calls.put_nowait(answer)
        return await answer


@pytest.fixture
async def link() -> Link:
    return Link()


@pytest.fixture
async def outbox(link: Link):
    outbox = Outbox(link, Measurements())
    running = asyncio.create_task(outbox.run())
    yield outbox
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
def lease() -> Lease:
    task = SimpleNamespace(id="t", lease_id=1, traceparent=None)
    return Lease(task, 0.0)


def report(outbox: Outbox, lease: Lease, progress: Progress) -> None:
    lease.progress = progress
    outbox.add_progress(lease)


async def test_progress_is_the_finishes_too_until_it_is_recorded(
    outbox: Outbox, link: Link, lease: Lease
) -> None:
    report(outbox, lease, HALF)
    call = await link.calls.get()
    assert lease.progress == HALF, "a finish that overtakes the call has it"
    call.set_result([([], False)])
    while lease.progress is not None:
        await asyncio.sleep(0)


async def test_progress_that_came_during_a_call_is_sent_after_it(
    outbox: Outbox, link: Link, lease: Lease
) -> None:
    report(outbox, lease, HALF)
    call = await link.calls.get()
    report(outbox, lease, ALL)
    call.set_result([([], False)])
    call = await link.calls.get()
    assert lease.progress == ALL
    call.set_result([([], False)])


@pytest.mark.parametrize(
    ("error", "kept"), [(DatabaseUnavailable("away"), HALF), (UsageError("refused"), None)]
)
async def test_progress_is_sent_again_unless_it_was_refused(
    outbox: Outbox, link: Link, lease: Lease, error: Exception, kept: Progress | None
) -> None:
    report(outbox, lease, HALF)
    call = await link.calls.get()
    call.set_exception(error)
    if kept is None:
        while lease.progress is not None:
            await asyncio.sleep(0)
    else:
        await link.calls.get()
    assert lease.progress == kept


def test_a_value_of_a_log_line_that_json_lacks_is_shown_and_the_others_are_kept() -> None:
    kept = storable({"loss": math.nan, "step": 3, "key": SecretStr("hunter2"), "long": "x" * 2_000})
    shown = orjson.loads(orjson.dumps(kept))
    assert shown == {
        "loss": "nan",
        "step": 3,
        "key": "SecretStr('**********')",
        "long": "'" + "x" * 999,
    }
