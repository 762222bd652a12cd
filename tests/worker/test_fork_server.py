"""The process that children are forked from outlives whatever happens to them."""

import asyncio
import os
import resource
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pgqueue_worker.isolation.child_process import ChildProcess
from pgqueue_worker.isolation.fork_client import ForkClient, Forked
from pgqueue_worker.isolation.messages import frame
from pgqueue_worker.isolation.pool import _AttemptChildren
from pgqueue_worker.lease import ClaimedTask

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client() -> AsyncIterator[ForkClient]:
    client = ForkClient()
    yield client
    await client.close()


async def fork(client: ForkClient, number: int) -> list[Forked]:
    return [await client.fork() for _ in range(number)]


async def test_children_that_end_at_the_same_time_are_each_reported(client: ForkClient) -> None:
    lives, *children = await fork(client, 41)
    for _ in range(10):
        for child in children:
            child.end.close()
        assert {await child.ended for child in children} == {0}
        children = await fork(client, 40)
    assert not lives.ended.done()
    for child in (lives, *children):
        child.end.close()


async def test_a_child_that_cannot_be_forked_costs_the_others_nothing(client: ForkClient) -> None:
    lives = await client.fork()
    server = client._server
    assert server is not None
    # its descriptors are those that it has: the socket of one more child finds no place
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (3, 4096))
    for _ in range(3):
        with pytest.raises(OSError, match="fork"):
            await client.fork()
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (1024, 4096))
    another = await client.fork()
    for child in (another, lives):
        assert not child.ended.done()
        child.end.close()
        assert await child.ended == 0


async def test_an_attempt_is_stopped_whether_or_not_its_handler_has_started(
    client: ForkClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_GATES", str(tmp_path))
    child = await ChildProcess.fork(client)
    app = {"app": "tests.worker.isolated:app", "builtin": False}
    child.send({"kind": "attempts", **app, "dsn": None, "log_format": "json", "log_level": "info"})
    assert (await child.receive())[0] == {"kind": "ready"}
    for n in range(60):
        type = ("hang", "hang_async", "wait")[n % 3]
        task = ClaimedTask(
            **{**dict.fromkeys(ClaimedTask._fields), "id": "t", "lease_id": n, "type": type},
        )._replace(attempt=1, payload='{"name": "n"}')
        run = frame({"kind": "run", "task": tuple(task), "traceparent": None})
        stop = frame({"kind": "stop", "lease_id": n})
        child._writer.write(run)
        if n % 2:  # when it has said that it is about to start
            assert (await child.receive())[0] == {"kind": "started"}
        child._writer.write(stop)
        answer = {"kind": "started"}
        while answer == {"kind": "started"}:
            answer, _ = await child.receive()
        assert answer["interrupted"]["type"] == "CancelledError", answer
    os.kill(child.pid, signal.SIGTERM)  # of somebody else: nothing was asked for
    child._writer.close()
    assert await child.ended == -signal.SIGKILL


class Warm:
    """A child that is ready, as far as who lends it looks at it."""

    def __init__(self) -> None:
        self.process = self
        self.killed = False

    def kill(self) -> None:
        self.killed = True


async def test_a_child_is_lent_to_who_still_waits_and_one_stays_warm(client: ForkClient) -> None:
    children = _AttemptChildren(client, {}, 1.0)
    children._starting = 2  # nobody begins another
    gone, waits = (asyncio.create_task(children._take()) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()  # it leaves the queue when it runs next
    first, second, third = Warm(), Warm(), Warm()
    children._offer(first)
    assert await waits is first
    with pytest.raises(asyncio.CancelledError):
        await gone
    children._keep_one(second)
    children._keep_one(third)
    assert (children._idle, second.killed, third.killed) == ([second], False, True)
