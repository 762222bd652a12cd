"""A client on a database of its own, and the queue behind it as SQL sees it."""

from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import psycopg
import pytest

from pgqueue import PgQueue
from tests.database.queue import Queue


@pytest.fixture(scope="session")
def template(template_of_two_days: str) -> str:
    return template_of_two_days


@pytest.fixture
def queue(connect: Callable[..., psycopg.Connection]) -> Iterator[Queue]:
    """The other side of the client: it claims and finishes."""
    with ThreadPoolExecutor(4) as threads:
        yield Queue(partial(connect, session=True), threads)


@pytest.fixture
async def app(database: str) -> AsyncIterator[PgQueue]:
    async with PgQueue(database) as app:
        yield app
