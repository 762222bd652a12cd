"""The process that children are forked from outlives whatever happens to them."""

import resource
from collections.abc import AsyncIterator

import pytest
from pgqueue_worker.isolation.fork_client import ForkClient, Forked

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
