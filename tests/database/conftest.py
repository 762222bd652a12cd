"""A queue for each test of the SQL contract, and a look at its invariants after each."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.database.queue import Queue


@pytest.fixture
def queue(connect: Callable[..., psycopg.Connection]) -> Iterator[Queue]:
    """A queue of this test's own. However the test left it, facts and tokens must agree."""
    with ThreadPoolExecutor(16) as threads:
        queue = Queue(connect, threads)
        queue.stop_clock()
        yield queue
        assert queue.session().broken_rules() == []
