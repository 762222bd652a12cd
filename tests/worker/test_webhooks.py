"""Webhooks, sent by real workers to a real origin."""

import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.worker.conftest import Bench, eventually
from tests.worker.outbound.origin import Origin, Received, Reply

ALLOWED = {"PGQUEUE_OUTBOUND_ALLOW_HOSTS": "127.0.0.0/8, localhost"}


@pytest.fixture
def origin() -> Iterator[Origin]:
    origin = Origin()
    yield origin
    origin.close()


def hook(bench: Bench, url: str, **options: Any) -> str:
    named = "".join(f", {name} => %s" for name in options)
    return str(bench.value(f"select pgqueue.create_webhook(%s{named})", url, *options.values()))


def secrets(bench: Bench, id: str | None) -> list[str]:
    return [row["secret"] for row in bench.rows("select * from pgqueue.webhook_secrets(%s)", id)]


def delivery(bench: Bench, condition: str = "true") -> dict[str, Any]:
    (row,) = bench.rows(f"select * from pgqueue.webhook_deliveries where {condition}")
    return row


def until(bench: Bench, status: str, condition: str = "true") -> dict[str, Any]:
    """Wait for a delivery to be at a status, and give it."""
    look = f"select 1 from pgqueue.webhook_deliveries where {condition} and status = %s"
    eventually(lambda: bench.rows(look, status), f"it is {status}")
    return delivery(bench, condition)


def tried(bench: Bench, n: int) -> dict[str, Any]:
    """Wait until the sender of the only delivery waits for its next try, the n-th being over."""
    over = """select 1 from pgqueue.tasks
              where queue = 'pgqueue.webhooks' and status = 'retrying' and attempt = %s"""
    eventually(lambda: bench.rows(over, n), f"try {n} is over")
    return delivery(bench)


def forward(bench: Bench) -> float:
    """Move the clock to the next try, and give how long that would have been."""
    wait = bench.value(
        """select extract(epoch from next_attempt_at - tried_at)::float8
           from pgqueue.webhook_deliveries"""
    )
    bench.value(
        """select pgqueue_private.shift_clock(
               pgqueue.clock() - clock_timestamp() + (next_attempt_at - pgqueue.clock())
           )::text
           from pgqueue.webhook_deliveries"""
    )
    return wait


def verified(came: Received, secret: str) -> Any:
    """What the receiver gets of it, if the official library takes the signature."""
    headers = {name.lower(): value for name, value in came.headers.items()}
    return Webhook(secret).verify(came.body, headers)


def test_an_ending_reaches_its_receiver_signed(bench: Bench, origin: Origin) -> None:
    id = hook(bench, origin.url(path="/hook?key=1"))
    bench.start(**ALLOWED)
    task = bench.enqueue("echo", {"order": 7})
    (came,) = origin.wait_for(1)
    (secret,) = secrets(bench, id)
    event = verified(came, secret)
    assert (event["type"], event["data"]["id"]) == ("task.completed", task)
    assert event["data"]["result"]["payload"] == {"order": 7}
    assert event["timestamp"] == event["data"]["finished_at"]
    assert came.path == "/hook?key=1"
    assert came.headers["Content-Type"] == "application/json"
    done = until(bench, "delivered")
    assert came.headers["webhook-id"] == str(done["id"])
    assert (done["attempts"], done["response_status"], done["response"]) == (1, 200, "thanks")
    assert done["duration_s"] > 0
    assert bench.ended(str(done["task_id"]))["status"] == "completed"
    with pytest.raises(WebhookVerificationError):
        verified(Received(came.path, came.headers, came.body + b" "), secret)
    assert secret not in bench.logs()


def test_while_a_secret_is_replaced_either_verifies(bench: Bench, origin: Origin) -> None:
    id = hook(bench, origin.url())
    (old,) = secrets(bench, id)
    new = bench.value("select pgqueue.rotate_webhook_secret(%s)", id)
    bench.start(**ALLOWED)
    bench.enqueue("echo")
    (came,) = origin.wait_for(1)
    assert verified(came, old) == verified(came, new)
    assert len(came.headers["webhook-signature"].split()) == 2
    bench.value("select pgqueue.rotate_webhook_secret(%s, 0)", id)
    bench.enqueue("echo")
    *_, came = origin.wait_for(2)
    for secret in (old, new):
        with pytest.raises(WebhookVerificationError):
            verified(came, secret)
    verified(came, secrets(bench, id)[0])


@pytest.mark.timeout(180)  # nine tries, one after the other
def test_what_is_not_taken_is_sent_again_under_its_id_for_more_than_a_day(
    bench: Bench, origin: Origin
) -> None:
    hook(bench, origin.url())
    origin.reply = lambda _: Reply(500, body=b"\xff\0" + b"oops" * 1000)
    bench.start(**ALLOWED)
    bench.enqueue("echo")
    waits = []
    for n in range(1, 8):
        row = tried(bench, n)
        assert (row["attempts"], row["response_status"], row["status"]) == (n, 500, "pending")
        waits.append(forward(bench))
    for waited, usual in zip(waits, (5, 300, 1800, 7200, 18000, 36000, 36000), strict=True):
        assert usual - 1 <= waited <= usual * 1.2 + 30  # what a busy machine takes to note a try
    assert sum(waits) > 86_400
    row = until(bench, "failed")
    assert (row["attempts"], row["error"]) == (8, "the receiver answered 500")
    assert row["response"].startswith("\ufffd\ufffdoops")
    assert len(row["response"]) <= 1024
    letter = eventually(lambda: bench.rows("select * from pgqueue.dead_letters"), "it is a letter")
    assert (letter[0]["queue"], letter[0]["id"]) == ("pgqueue.webhooks", row["task_id"])
    assert len({came.headers["webhook-id"] for came in origin.received}) == 1
    stamps = [came.headers["webhook-timestamp"] for came in origin.received]
    assert len(set(stamps)) > 5

    origin.reply = lambda _: Reply(204, body=b"")
    bench.rows("select pgqueue.redeliver(%s)", row["id"])
    row = until(bench, "delivered")
    assert (row["attempts"], row["response_status"]) == (9, 204)
    assert origin.received[-1].headers["webhook-id"] == origin.received[0].headers["webhook-id"]
    assert bench.rows("select * from pgqueue.dead_letters") == []


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "120"}, 120),
        (
            {
                "Retry-After": "Fri, 02 Jan 2026 00:02:00 GMT",
                "Date": "Fri, 02 Jan 2026 00:00:00 GMT",
            },
            120,
        ),
        ({"Retry-After": "Fri, 02 Jan 2099 00:02:00 GMT"}, 5),  # by a clock that nobody knows
        ({"Retry-After": "1"}, 5),
        ({"Retry-After": "99999999999999999999"}, 86_400),
        ({"Retry-After": "soon"}, 5),
    ],
)
def test_no_try_comes_before_the_receiver_wants_one(headers: dict, seconds: int) -> None:
    from pgqueue_worker.webhooks.delivery import WAITS_S, retry_after_s

    asked = retry_after_s({name.lower(): value for name, value in headers.items()})
    assert max(asked, WAITS_S[0]) == seconds


def test_the_next_try_is_as_late_as_the_receiver_asks(bench: Bench, origin: Origin) -> None:
    hook(bench, origin.url())
    origin.reply = lambda _: Reply(503, {"Retry-After": "120"})
    bench.start(**ALLOWED)
    bench.enqueue("echo")
    tried(bench, 1)
    assert 119 <= forward(bench) <= 125


def test_a_receiver_that_is_gone_is_told_no_more(bench: Bench, origin: Origin) -> None:
    id = hook(bench, origin.url())
    origin.reply = lambda _: Reply(410)
    bench.start(**ALLOWED)
    bench.enqueue("echo")
    row = until(bench, "failed")
    assert (row["attempts"], row["response_status"]) == (1, 410)
    assert bench.ended(str(row["task_id"]))["status"] == "cancelled"
    (known,) = bench.rows("select * from pgqueue.webhooks where id = %s", id)
    assert (known["enabled"], known["version"]) == (False, 2)
    assert "410" in known["disabled_reason"]
    assert bench.rows("select * from pgqueue.dead_letters") == []
    bench.ended(bench.enqueue("echo"))
    assert bench.value("select count(*) from pgqueue_private.webhook_delivery") == 1


def test_what_waits_for_a_deleted_webhook_is_cancelled(bench: Bench, origin: Origin) -> None:
    id = hook(bench, origin.url())
    bench.value("select pgqueue.test_webhook(%s)", id)
    bench.value("select pgqueue.delete_webhook(%s)", id)
    bench.start(**ALLOWED)
    until(bench, "cancelled")
    assert origin.received == []


def test_a_redirect_is_no_success_and_is_not_followed(bench: Bench, origin: Origin) -> None:
    hook(bench, origin.url())
    origin.reply = lambda _: Reply(307, {"Location": origin.url(path="/inner")})
    bench.start(**ALLOWED)
    bench.enqueue("echo")
    assert tried(bench, 1)["response_status"] == 307
    assert [came.path for came in origin.received] == ["/hook"]


def test_a_receiver_that_is_not_public_is_refused_and_the_log_says_why(
    bench: Bench, origin: Origin
) -> None:
    hook(bench, origin.url("localhost"))
    bench.start()
    bench.enqueue("echo")
    row = tried(bench, 1)
    assert "which is not public" in row["error"]
    assert row["response_status"] is None
    assert origin.received == []


def sender(bench: Bench) -> int:
    """The process that sends webhooks."""
    (row,) = bench.rows(
        """select pid from pgqueue_private.worker
           where state = 'active' and queues = '{pgqueue.webhooks}' order by id desc limit 1"""
    )
    return row["pid"]


def test_a_sender_that_is_killed_in_the_middle_sends_again_under_the_same_id(
    bench: Bench, origin: Origin
) -> None:
    hook(bench, origin.url())
    held = threading.Event()
    origin.reply = lambda _: Reply(wait=None if len(origin.received) else held)
    bench.start(**ALLOWED)
    bench.enqueue("echo")
    origin.wait_for(1)
    os.kill(sender(bench), signal.SIGKILL)
    first, second = origin.wait_for(2)
    held.set()
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    row = until(bench, "delivered")
    assert bench.ended(str(row["task_id"]))["crash_count"] == 1


def test_a_slow_receiver_delays_no_other_and_no_task(bench: Bench, origin: Origin) -> None:
    slow = Origin()
    release = threading.Event()
    slow.reply = lambda _: Reply(wait=release)
    try:
        hook(bench, slow.url("localhost"), types=["echo"])
        hook(bench, origin.url())
        bench.start("--concurrency", "2", **ALLOWED)
        tasks = bench.enqueue_many([{"type": "echo"}] * 30)
        origin.wait_for(30)
        for id in tasks:
            assert bench.ended(id)["status"] == "completed"
        assert bench.value(
            "select count(*) from pgqueue.webhook_deliveries where status = 'pending'"
        ) == len(tasks)
    finally:
        release.set()
        slow.close()


def test_workers_of_other_queues_send_webhooks_and_users_workers_never_serve_their_queue(
    bench: Bench, origin: Origin
) -> None:
    hook(bench, origin.url())
    bench.start("--queues", "default", **ALLOWED)
    bench.start(**ALLOWED)
    bench.ended(bench.enqueue("echo"))
    row = until(bench, "delivered")
    bench.ended(str(row["task_id"]))
    (attempt,) = bench.attempts(str(row["task_id"]))
    assert attempt["outcome"] == "completed"
    assert (
        bench.value("select count(*) from pgqueue_private.task_type where name like 'pgqueue%'")
        == 0
    )


def test_a_burst_ends_when_its_webhooks_are_sent(bench: Bench, origin: Origin) -> None:
    hook(bench, origin.url())
    bench.enqueue("echo")
    worker = bench.start("--burst", **ALLOWED)
    assert worker.wait(45) == 0
    assert delivery(bench)["status"] == "delivered"


def test_without_webhooks_there_is_no_process_that_sends_them(bench: Bench) -> None:
    worker = bench.start()
    bench.ended(bench.enqueue("echo"))
    eventually(
        lambda: bench.rows(
            """select 1 from pgqueue.maintenance
               where duty = 'webhooks' and last_finished_at is not null"""
        ),
        "the duty has run",
    )
    # one process, and the shell that leads its group
    assert len(psutil.Process(worker.pid).children()) == 2
    assert len(bench.processes()) == 1


def test_a_wrong_setting_is_told_at_once(bench: Bench) -> None:
    worker = bench.start(wait=False, PGQUEUE_OUTBOUND_ALLOW_HOSTS="10.0.0.0/99")
    assert worker.wait(45) != 0
    assert "neither the name of a host nor a network" in bench.logs()
