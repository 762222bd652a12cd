"""The synchronous client: the same calls, from plain functions and threads."""

import gc
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from opentelemetry.sdk.trace import TracerProvider
from pydantic import BaseModel, model_serializer

from pgqueue import (
    Conflict,
    DatabaseUnavailable,
    Duplicate,
    NewTask,
    NotFound,
    Status,
    SyncClient,
    UsageError,
    telemetry,
)
from tests.database.queue import Queue

_LISTENS = """select exists (select from pg_stat_activity
              where application_name = 'pgqueue wait' and datname = current_database()
                  and state = 'idle' and query ilike '%pgqueue_private.listen%')"""
_IS_GONE = """select not exists (select from pg_stat_activity
              where application_name like 'pgqueue %' and datname = current_database())"""


@pytest.fixture
def client(database: str) -> Iterator[SyncClient]:
    with SyncClient(database) as client:
        yield client


def _script(text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program that ends without closing its client."""
    return subprocess.run(
        [sys.executable, "-c", text, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_call_does_what_its_other_does(database: str, queue: Queue) -> None:
    with SyncClient(database) as client:
        id = client.enqueue("t", {"n": 1}, queue="q", priority="low")
        task = client.get(id)
        assert (task.payload, task.queue, task.priority) == ({"n": 1}, "q", 8)
        assert client.cancel(id, "no") == Status.CANCELLED
        assert client.wait(id, timeout=45).status_reason == "no"
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


def test_a_client_connects_on_first_use_and_again_after_close(database: str, queue: Queue) -> None:
    before = threading.active_count()
    client = SyncClient(database)
    batches = client.batches
    assert threading.active_count() == before
    for _ in range(2):
        client.enqueue("t")
        batches.create("b")
        client.close()
        assert threading.active_count() == before
    client.close()
    with client:
        client.enqueue("t")
    assert (queue.count("task"), queue.count("batch")) == (3, 2)


@pytest.mark.unpooled("it looks for the sessions that a client leaves: a pooler keeps them")
def test_a_client_that_is_forgotten_ends_its_thread_and_its_sessions(
    database: str, queue: Queue
) -> None:
    before = threading.active_count()
    SyncClient(database).enqueue("t")
    gc.collect()
    assert threading.active_count() == before
    queue.until(_IS_GONE)


def test_a_client_that_nobody_closes_keeps_no_process_alive(database: str, queue: Queue) -> None:
    done = _script(
        "import sys, pgqueue; client = pgqueue.SyncClient(sys.argv[1]); client.enqueue('t')",
        database,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert queue.count("task") == 1


def test_a_client_that_cannot_connect_leaves_no_thread() -> None:
    before = threading.active_count()
    with pytest.raises(DatabaseUnavailable), SyncClient("host=127.0.0.1 port=1 dbname=none"):
        pass
    assert threading.active_count() == before


def test_an_interrupt_ends_a_wait_and_leaves_the_client_usable(
    client: SyncClient, queue: Queue
) -> None:
    id = client.enqueue("t")

    def interrupt() -> None:
        queue.until(_LISTENS)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        client.wait(id)
    thread.join()
    queue.until(_LISTENS.replace("exists", "not exists"))
    assert client.get(id).status == Status.QUEUED


def test_closing_ends_the_calls_of_other_threads(database: str, queue: Queue) -> None:
    client = SyncClient(database)
    id = client.enqueue("t")
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(client.wait, id)
        queue.until(_LISTENS)
        client.close()
        with pytest.raises(UsageError, match="closed during the call"):
            waiting.result()


def test_tasks_are_made_in_the_thread_that_asks(client: SyncClient) -> None:
    made_in = []

    def tasks() -> Iterator[NewTask]:
        for n in range(3):
            made_in.append(threading.current_thread())
            yield NewTask("t", client.get(client.enqueue("t", n)).payload)

    ids = client.enqueue_many(tasks())
    assert [client.get(id).payload for id in ids] == [0, 1, 2]
    assert {*made_in} == {threading.current_thread()}


def test_the_span_of_the_caller_goes_with_the_task(
    client: SyncClient, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry, "_tracer", TracerProvider().get_tracer("test"))
    with telemetry.span_from(None, "order") as span:
        id = client.enqueue("t")
    stored = queue.value("select traceparent from pgqueue.tasks where id = %s", id)
    assert stored == span.traceparent


def test_a_task_goes_in_with_the_callers_transaction_or_not_at_all(
    client: SyncClient, database: str, queue: Queue
) -> None:
    with psycopg.connect(database) as connection:
        one = client.enqueue("t", {"n": 1}, connection=connection)
        many = client.enqueue_many((NewTask("t", n) for n in range(3)), connection=connection)
        unique = client.enqueue_unique("t", dedup_key="k", connection=connection)
        assert queue.count("task") == 0
        connection.commit()
        assert queue.count("task") == 5
        assert client.enqueue("t", dedup_key="k", connection=connection) == unique.id
        with pytest.raises(Duplicate) as caught:
            client.enqueue("t", dedup_key="k", on_conflict="reject", connection=connection)
        assert caught.value.task_id == unique.id
        connection.rollback()
        client.enqueue("t", connection=connection)
        connection.rollback()
    assert queue.count("task") == 5
    assert client.get(one).payload == {"n": 1}
    assert client.get(many[2]).payload == 2


def test_a_callers_transaction_that_waits_holds_up_no_other_call(
    client: SyncClient, database: str, queue: Queue
) -> None:
    with (
        psycopg.connect(database) as one,
        psycopg.connect(database) as other,
        ThreadPoolExecutor(1) as threads,
    ):
        client.enqueue("t", dedup_key="k", connection=one)
        waiting = threads.submit(client.enqueue, "t", dedup_key="k", connection=other)
        queue.until(
            """select exists (select from pg_stat_activity
               where pid = %s and wait_event_type = 'Lock')""",
            other.info.backend_pid,
        )
        id = client.enqueue("t")
        assert client.get(id).status == Status.QUEUED
        assert not waiting.done()
        one.rollback()
        assert waiting.result()


def test_operations_and_webhooks_are_reached_too(client: SyncClient) -> None:
    client.enqueue_many([NewTask("t")] * 3)
    assert client.operations.preview("cancel", {"type": "t"}).matched == 3
    operation = client.operations.start("cancel", {"type": "t"})
    assert client.operations.latest()[0].id == operation.id
    webhook = client.webhooks.create("https://example.com/hook", events=["task.failed"])
    assert client.webhooks.update(webhook.id, enabled=False).enabled is False
    assert [one.id for one in client.webhooks.all()] == [webhook.id]
    client.webhooks.delete(webhook.id)
    assert client.webhooks.all() == []


def test_a_batch_is_entered_before_it_is_filled(client: SyncClient) -> None:
    batch = client.batch("b")
    with pytest.raises(UsageError, match="has not been made"):
        batch.enqueue("t")
    with pytest.raises(NotFound), batch:
        client.get("00000000-0000-7000-8000-000000000000")
    assert batch.get().cancelled_at is not None


def test_a_call_from_within_a_call_is_refused_and_does_not_hang(client: SyncClient) -> None:
    class Nested(BaseModel):
        @model_serializer
        def _serialize(self) -> str:
            return client.enqueue("t")

    with pytest.raises(UsageError):
        client.enqueue("t", Nested())
