"""The processes in which the built-in types run hostile input, as a worker has them."""

import inspect
from collections.abc import AsyncIterator

import pytest
from pgqueue_worker.isolation.pool import Pool

from tests.tasks import recording


@pytest.fixture(scope="module")
async def pool() -> AsyncIterator[Pool]:
    """One for each module: a fork server starts in half a second."""
    recording.pool = Pool(None, builtin=False, dsn="", grace_s=0)
    yield recording.pool
    await recording.pool.close()


@pytest.fixture(autouse=True)
def isolating(request: pytest.FixtureRequest) -> None:
    """Set the pool for tests that run handlers; the others have no event loop for it."""
    if inspect.iscoroutinefunction(request.function):
        request.getfixturevalue("pool")
