"""The synchronous client: the same calls, from plain functions and threads."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pgqueue import Conflict, DatabaseUnavailable, NewTask, NotFound, Status, SyncClient, UsageError
from tests.database.queue import Queue


def test_every_call_does_what_its_other_does(database: str, queue: Queue) -> None:
    with SyncClient(database) as client:
        id = client.enqueue("t", {"n": 1}, queue="q", priority="low")
        task = client.get(id)
        assert (task.payload, task.queue, task.priority) == ({"n": 1}, "q", 8)
        assert client.cancel(id, "no") == Status.CANCELLED
        assert client.wait(id, timeout=10).status_reason == "no"
        assert client.retry(id) == Status.QUEUED
        ids = client.enqueue_many([NewTask("a"), {"type": "b"}])
        assert [client.get(id).type for id in ids] == ["a", "b"]
    assert queue.count("task") == 3


def test_errors_are_those_of_the_other_client(database: str) -> None:
    with SyncClient(database) as client:
        id = client.enqueue("t")
        with pytest.raises(Conflict):
            client.retry(id)
        with pytest.raises(NotFound):
            client.get("00000000-0000-7000-8000-000000000000")
        with pytest.raises(UsageError):
            client.enqueue("t", priority=99)
        with pytest.raises(TimeoutError):
            client.wait(id, timeout=0.05)
        assert client.get(id).status == Status.QUEUED


def test_one_client_serves_many_threads(database: str) -> None:
    with SyncClient(database) as client, ThreadPoolExecutor(8) as threads:
        ids = list(threads.map(lambda n: client.enqueue("t", n), range(40)))
        assert sorted(task.payload for task in threads.map(client.get, ids)) == [*range(40)]


@pytest.mark.unpooled("it counts the sessions that a client leaves: a pooler keeps them")
def test_leaving_the_client_leaves_no_session_and_no_thread(database: str, queue: Queue) -> None:
    before = threading.active_count()
    with SyncClient(database) as client:
        client.enqueue("t")
    assert threading.active_count() == before
    queue.until(
        """select not exists (select from pg_stat_activity
           where application_name = 'pgqueue client' and datname = current_database())"""
    )


def test_a_client_that_is_not_open_says_so(database: str) -> None:
    client = SyncClient(database)
    with pytest.raises(UsageError, match="not open"):
        client.enqueue("t")
    with client:
        client.enqueue("t")
    with pytest.raises(UsageError, match="not open"):
        client.enqueue("t")
    with client:
        client.enqueue("t")


def test_a_client_that_cannot_connect_leaves_no_thread() -> None:
    before = threading.active_count()
    with pytest.raises(DatabaseUnavailable), SyncClient("host=127.0.0.1 port=1 dbname=none"):
        pass
    assert threading.active_count() == before
