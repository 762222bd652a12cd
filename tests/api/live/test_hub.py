"""What the hub keeps of a watched task, whatever the order in which reads come back."""

import asyncio
from typing import Any

from pgqueue_api.live.watched_task import START, WatchedTask


def found(version: str, began: float) -> dict[str, Any]:
    """Return what a read of a task without logs finds."""
    return {
        "version": version,
        "state": version,
        "ended": False,
        "last_lease": 0,
        "last_seq": 0,
        "logs": None,
        "began": began,
    }


async def test_a_read_that_was_overtaken_takes_no_state_back() -> None:
    loop = asyncio.get_running_loop()
    watch = WatchedTask()
    before = loop.time()
    assert watch.take(found("1", before), START)
    slow, quick = loop.time(), loop.time()
    assert watch.take(found("2", quick), START)
    assert watch.take(found("2", slow), START), "the same state needs no other read"
    assert not watch.take(found("1", slow), START)
    assert watch.state == b"2"
    assert watch.take(found("3", loop.time()), START)
    assert watch.state == b"3"
