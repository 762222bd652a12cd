"""A queue for each test of the SQL contract, and a look at its invariants after each."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from tests.database.queue import Queue


@pytest.fixture(scope="session")
def template(template_of_two_days: str) -> str:
    return template_of_two_days


@pytest.fixture
def running_clock() -> None:
    """Ask for it where the clock of the queue must run as it does for users."""


@pytest.fixture
def queue(
    request: pytest.FixtureRequest, connect: Callable[..., psycopg.Connection]
) -> Iterator[Queue]:
    """A queue of this test's own. However the test left it, facts and tokens must agree.

    Its clock begins at noon and goes slowly: neither the hour nor a busy machine changes a result.
    """
    with ThreadPoolExecutor(16) as threads:
        queue = Queue(connect, threads)
        if "running_clock" not in request.fixturenames:
            queue.slow_clock()
        yield queue
        idle = queue.connection.info.transaction_status == TransactionStatus.IDLE
        assert (queue if idle else queue.session()).broken_rules() == []
