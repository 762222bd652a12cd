"""Notifications: only while someone listens, never too long, never by the writers themselves."""

from collections.abc import Callable

import psycopg
import pytest

from tests.database.queue import Queue

CHANNELS = ("pgqueue_ready", "pgqueue_event", "pgqueue_control")


@pytest.fixture
def heard(connect: Callable[..., psycopg.Connection]) -> Callable[[], list[tuple[str, str]]]:
    """What was notified since the last call."""
    ear = connect(session=True)
    for channel in CHANNELS:
        ear.execute(f"listen {channel}")

    def heard() -> list[tuple[str, str]]:
        # a notification sent before this one comes before this one
        ear.execute("select pg_notify('pgqueue_ready', 'end')")
        got: list[tuple[str, str]] = []
        for notice in ear.notifies():
            if notice.payload == "end":
                return got
            got.append((notice.channel, notice.payload))
        raise AssertionError

    return heard


def test_an_enqueue_rings_only_while_someone_waits(queue: Queue, heard: Callable) -> None:
    queue.enqueue()
    assert heard() == []
    _listen(queue, "pgqueue_ready")
    queue.enqueue(queue="mail")
    assert heard() == [("pgqueue_ready", "mail")]
    queue.shift_clock(31)
    queue.enqueue()
    assert heard() == []


def test_a_listener_may_take_its_name_off(queue: Queue, heard: Callable) -> None:
    _listen(queue, "pgqueue_ready")
    _listen(queue, "pgqueue_ready", 0)
    queue.enqueue()
    assert heard() == []


def test_an_enqueue_rings_when_its_transaction_commits(queue: Queue, heard: Callable) -> None:
    _listen(queue, "pgqueue_ready")
    with queue.holding() as other:
        other.enqueue()
        assert heard() == []
    assert heard() == [("pgqueue_ready", "default")]
    with queue.holding() as other:
        other.enqueue()
        raise psycopg.Rollback
    assert heard() == []


def test_a_task_of_the_future_rings_nobody(queue: Queue, heard: Callable) -> None:
    _listen(queue, "pgqueue_ready")
    queue.enqueue(run_at="2100-01-01")
    assert heard() == []


def test_the_writing_functions_notify_nobody_themselves(queue: Queue, heard: Callable) -> None:
    for channel in CHANNELS:
        _listen(queue, channel)
    worker = queue.worker()
    queue.enqueue_many(*[{"type": "t"}] * 3, {"type": "t", "delay_s": 5})
    for lease in queue.claim(worker):
        queue.progress({"task_id": lease["task_id"], "lease_id": lease["lease_id"], "percent": 1})
        queue.finish(lease)
    queue.shift_clock(6)
    queue.promote()
    queue.claim(queue.worker())
    queue.rescue(worker)
    queue.heartbeat(worker)
    assert heard() == []


def test_a_ring_names_each_queue_once(queue: Queue, heard: Callable) -> None:
    _listen(queue, "pgqueue_ready")
    queue.rows("select pgqueue_private.ring('{b,a,b}')")
    assert heard() == [("pgqueue_ready", "a,b")]


@pytest.mark.parametrize("name", ["q", "\U0001f600"])
def test_a_ring_of_very_many_queues_still_fits(queue: Queue, heard: Callable, name: str) -> None:
    _listen(queue, "pgqueue_ready")
    queues = [f"{n:03}" + name * 97 for n in range(200)]
    queue.rows("select pgqueue_private.ring(%s)", queues)
    ((_, payload),) = heard()
    assert 0 < len(payload.encode()) <= 7_900
    assert set(payload.split(",")) <= set(queues)


@pytest.mark.parametrize("n", [1, 199, 200, 201, 1000])
def test_announcements_hold_every_id_and_fit(queue: Queue, heard: Callable, n: int) -> None:
    ids = queue.enqueue_many(*[{"type": "t"}] * n)
    queue.value("select pgqueue_private.announce(%s::uuid[])::text", ids)
    notices = heard()
    assert {channel for channel, _ in notices} == {"pgqueue_event"}
    assert all(len(payload.encode()) <= 7_900 for _, payload in notices)
    assert len(notices) <= n // 200 + 1
    assert sorted(id for _, payload in notices for id in payload.split(",")) == ids


def test_announcing_nothing_says_nothing(queue: Queue, heard: Callable) -> None:
    queue.value("select pgqueue_private.announce('{}')::text")
    queue.rows("select pgqueue_private.ring('{}')")
    assert heard() == []


def test_a_cancel_tells_the_workers_and_the_watchers(queue: Queue, heard: Callable) -> None:
    worker = queue.worker()
    lease = queue.start(worker)
    queue.cancel(lease["task_id"])
    assert heard() == [
        ("pgqueue_control", str(worker)),
        ("pgqueue_event", lease["task_id"]),
    ]
    queue.finish(lease)


def test_a_retry_rings(queue: Queue, heard: Callable) -> None:
    lease = queue.start(queue.worker())
    queue.finish(lease, "failed", retry=False)
    _listen(queue, "pgqueue_ready")
    queue.retry(lease["task_id"])
    assert ("pgqueue_ready", "default") in heard()


def _listen(queue: Queue, channel: str, seconds: float = 30) -> None:
    queue.value("select pgqueue_private.listen('me', %s, %s)::text", channel, seconds)
