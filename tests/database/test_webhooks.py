"""Webhooks in SQL: who is told of what, once for each ending, and by which task."""

import orjson
import psycopg
import pytest

from tests.database.queue import Queue
from tests.database.test_dead_letters import fail

QUEUE = "pgqueue.webhooks"
URL = "https://example.com/hook"


def hook(queue: Queue, url: str = URL, **options: object) -> str:
    named = "".join(f", {name} => %s" for name in options)
    return str(queue.value(f"select pgqueue.create_webhook(%s{named})", url, *options.values()))


def deliveries(queue: Queue) -> list[dict]:
    rows = queue.rows("select * from pgqueue.webhook_deliveries order by id")
    return [{**row, "body": orjson.loads(row["body"])} for row in rows]


def senders(queue: Queue, worker: int) -> list[dict]:
    """Claim the tasks that send: no host gets more than its share of them."""
    rows = queue.rows("select * from pgqueue_private.claim_limited(%s, %s, 100)", worker, QUEUE)
    return [row for row in rows if row["task_id"] is not None]


def messages(queue: Queue) -> list[tuple[str, str]]:
    return [(row["event"], str(row["subject_id"])) for row in deliveries(queue)]


@pytest.mark.usefixtures("running_clock")
def test_each_ending_of_a_task_is_told_once_to_each_who_subscribes(queue: Queue) -> None:
    worker = queue.worker()
    one, two = hook(queue), hook(queue, events=["task.failed"])
    lease = queue.start(worker, type="send", payload='{"order": 7}')
    queue.finish(lease, result={"sent": True})
    failed = fail(queue, worker, "no such order")
    cancelled = queue.enqueue()
    queue.cancel(cancelled, "changed my mind")
    done, lost, lost_too, gone = deliveries(queue)
    assert [row["event"] for row in (done, lost, lost_too, gone)] == [
        "task.completed",
        "task.failed",
        "task.failed",
        "task.cancelled",
    ]
    assert {str(row["webhook_id"]) for row in (lost, lost_too)} == {one, two}
    assert {str(row["webhook_id"]) for row in (done, gone)} == {one}
    task = queue.task(lease["task_id"])
    body = done["body"]
    assert (body["type"], body["timestamp"]) == ("task.completed", body["data"]["finished_at"])
    assert (
        body["data"].items()
        >= {
            "id": lease["task_id"],
            "type": "send",
            "queue": "default",
            "status": "completed",
            "result": {"sent": True},
            "result_omitted": False,
            "error": None,
            "attempt": 1,
            "batch_id": None,
        }.items()
    )
    assert body["timestamp"] == queue.value(
        "select pgqueue_private.json_time(%s)", task["finished_at"]
    )
    assert lost["body"]["data"]["error"] == {"type": "ValueError", "message": "no such order"}
    assert str(lost["subject_id"]) == failed
    assert gone["body"]["data"]["error"]["message"] == "changed my mind"


def test_plain_completions_of_a_flush_are_told_beside_the_others(queue: Queue) -> None:
    hook(queue)
    worker = queue.worker()
    queue.enqueue_many(*[{"type": "t"}] * 3)
    first, second, third = queue.claim(worker)
    queue.rows(
        "select pgqueue_private.finish(%s, %s::uuid[], %s::bigint[])",
        orjson.dumps(
            [{"task_id": third["task_id"], "lease_id": third["lease_id"], "outcome": "completed"}]
        ).decode(),
        [first["task_id"], second["task_id"]],
        [first["lease_id"], second["lease_id"]],
    )
    ids = sorted(lease["task_id"] for lease in (first, second, third))
    assert sorted(messages(queue)) == [("task.completed", id) for id in ids]


def test_what_does_not_end_a_task_and_what_is_refused_is_not_told(queue: Queue) -> None:
    hook(queue)
    worker = queue.worker()
    for outcome in ("failed", "released", "snoozed", "timed_out", "crashed"):
        queue.finish(queue.start(worker), outcome)
    assert messages(queue) == []
    (lease, *_) = queue.claim(worker)
    queue.finish(lease)
    assert len(messages(queue)) == 1
    assert queue.finish(lease) == [lease["lease_id"]]
    assert len(messages(queue)) == 1


@pytest.mark.usefixtures("running_clock")
def test_the_third_crash_of_a_task_and_a_cancel_of_a_lost_one_are_told(queue: Queue) -> None:
    hook(queue)
    id = queue.enqueue()
    for _ in range(3):
        assert messages(queue) == []
        worker = queue.worker()
        queue.claim(worker)
        queue.rescue(worker)
    assert messages(queue) == [("task.failed", id)]
    worker = queue.worker()
    lease = queue.start(worker)
    queue.cancel(lease["task_id"])
    queue.rescue(worker)
    assert messages(queue)[1:] == [("task.cancelled", lease["task_id"])]


def test_an_ending_that_is_not_committed_is_not_told(queue: Queue) -> None:
    hook(queue)
    lease = queue.start(queue.worker())
    with queue.connection.transaction(force_rollback=True):
        queue.finish(lease)
        assert len(messages(queue)) == 1
    assert messages(queue) == []
    assert queue.count("ready") == 0


def test_a_webhook_hears_of_its_queues_and_its_types_only(queue: Queue) -> None:
    worker = queue.worker()
    hook(queue, queues=["email", "sms"])
    hook(queue, types=["charge"])
    hook(queue, queues=["email"], types=["charge"])
    for type, name, n in (
        ("charge", "email", 3),
        ("charge", "other", 1),
        ("send", "sms", 1),
        ("send", "other", 0),
    ):
        before = queue.count("webhook_delivery")
        queue.finish(queue.start(worker, type=type, queue=name))
        assert queue.count("webhook_delivery") - before == n, (type, name)


def test_a_delivery_is_a_task_in_a_queue_of_its_own_that_tells_nobody(queue: Queue) -> None:
    id = hook(queue, events=["task.completed", "task.failed", "task.cancelled"])
    worker = queue.worker()
    queue.finish(queue.start(worker))
    (delivery,) = deliveries(queue)
    assert delivery["status"] == "pending"
    task = queue.task(str(delivery["task_id"]))
    assert (task["type"], task["queue"]) == ("pgqueue.webhook_delivery", QUEUE)
    assert task["payload"] == {
        "delivery_id": str(delivery["id"]),
        "webhook_id": id,
        "event": "task.completed",
    }
    assert queue.value("select count(*) from pgqueue.queues where name = %s", QUEUE) == 1
    (lease,) = senders(queue, worker)
    queue.finish(lease, "failed", retry=False)
    assert queue.count("webhook_delivery") == 1
    assert [d["status"] for d in deliveries(queue)] == ["failed"]


def test_a_cancelled_sender_cancels_its_delivery(queue: Queue) -> None:
    hook(queue)
    queue.finish(queue.start(queue.worker()))
    (delivery,) = deliveries(queue)
    queue.cancel(str(delivery["task_id"]))
    assert [d["status"] for d in deliveries(queue)] == ["cancelled"]
    assert queue.count("webhook_delivery") == 1


def test_who_subscribes_later_and_who_is_disabled_hears_nothing(queue: Queue) -> None:
    worker = queue.worker()
    id = hook(queue)
    queue.value("select pgqueue.patch_webhook(%s, %s)", id, '{"enabled": false}')
    lease = queue.start(worker)
    queue.finish(lease)
    hook(queue)
    assert messages(queue) == []
    row = queue.row("select * from pgqueue.webhooks where id = %s", id)
    assert (row["enabled"], row["disabled_reason"], row["version"]) == (False, "by hand", 2)
    queue.value("select pgqueue.patch_webhook(%s, %s)", id, '{"enabled": true}')
    queue.finish(queue.start(worker))
    assert len(messages(queue)) == 2


def test_a_large_result_is_left_out_and_said_so(queue: Queue) -> None:
    hook(queue)
    worker = queue.worker()
    queue.finish(queue.start(worker), result="x" * 16_000)
    queue.finish(queue.start(worker), result="x" * 17_000)
    small, large = (row["body"]["data"] for row in deliveries(queue))
    assert (len(small["result"]), small["result_omitted"]) == (16_000, False)
    assert (large["result"], large["result_omitted"]) == (None, True)


def test_growing_dead_letters_are_told_in_the_transaction_that_finds_them(queue: Queue) -> None:
    hook(queue, events=["dead_letters.growing", "dead_letters.settled"])
    hook(queue, events=["dead_letters.growing"], queues=["other"])
    queue.rows("select pgqueue.set_dead_letter_policy('email', growth_limit => 2)")
    worker = queue.worker()
    for _ in range(3):
        fail(queue, worker, queue="email")
    with queue.connection.transaction(force_rollback=True):
        queue.rows("select pgqueue_private.watch_dead_letters()")
        assert queue.count("webhook_delivery") == 1
    assert queue.count("webhook_delivery") == 0
    queue.rows("select pgqueue_private.watch_dead_letters()")
    queue.rows("select pgqueue_private.watch_dead_letters()")
    (delivery,) = deliveries(queue)
    assert delivery["event"] == "dead_letters.growing"
    assert (
        delivery["body"]["data"].items()
        >= {
            "queue": "email",
            "last_hour": 3,
            "growth_limit": 2,
            "dead_letters": 3,
        }.items()
    )
    queue.shift_clock(3700)
    queue.rows("select pgqueue_private.watch_dead_letters()")
    assert [d["event"] for d in deliveries(queue)][1:] == ["dead_letters.settled"]


def test_failing_deliveries_that_grow_are_not_told_by_webhooks(queue: Queue) -> None:
    hook(queue, events=["dead_letters.growing", "task.completed"])
    queue.rows("select pgqueue.set_dead_letter_policy('*', growth_limit => 1)")
    worker = queue.worker()
    for _ in range(2):
        queue.finish(queue.start(worker))
    for lease in senders(queue, worker):
        queue.finish(lease, "failed", retry=False)
    queue.rows("select pgqueue_private.watch_dead_letters()")
    assert queue.values("select queue from pgqueue.notices") == [QUEUE]
    assert queue.count("webhook_delivery") == 2


def test_a_secret_is_replaced_by_another_that_signs_beside_it_for_a_time(queue: Queue) -> None:
    id = hook(queue)

    def secrets(of: str | None = id) -> list[str]:
        return queue.values("select secret from pgqueue.webhook_secrets(%s)", of)

    (old,) = secrets()
    assert old.startswith("whsec_")
    assert len(old) == 6 + 44
    new = queue.value("select pgqueue.rotate_webhook_secret(%s, 60)", id)
    assert secrets() == [new, old]
    newer = queue.value("select pgqueue.rotate_webhook_secret(%s, 60)", id)
    assert secrets() == [newer, new]
    queue.shift_clock(61)
    assert secrets() == [newer]
    newest = queue.value("select pgqueue.rotate_webhook_secret(%s, 0)", id)
    assert secrets() == [newest]
    (callback,) = secrets(None)
    assert secrets(None) == [callback]
    other = queue.value("select pgqueue.rotate_webhook_secret()")
    assert secrets(None) == [other, callback]
    assert len({old, new, newer, newest, callback, other}) == 6
    with pytest.raises(psycopg.Error) as raised:
        queue.value("select pgqueue.rotate_webhook_secret('00000000-0000-7000-8000-000000000000')")
    assert raised.value.sqlstate == "PQ002"


def test_of_many_who_rotate_at_once_one_secret_stays_current(queue: Queue) -> None:
    id = hook(queue)
    for of in (id, None):
        queue.at_once(6, lambda q, of=of: q.value("select pgqueue.rotate_webhook_secret(%s)", of))
        held = queue.values("select expires_at is null from pgqueue.webhook_secrets(%s)", of)
        assert held.count(True) == 1
        assert len(held) <= 2


def test_no_view_and_no_task_shows_a_secret(queue: Queue) -> None:
    id = hook(queue)
    queue.finish(queue.start(queue.worker()))
    (secret,) = queue.values("select secret from pgqueue.webhook_secrets(%s)", id)
    for view in queue.values("select viewname from pg_views where schemaname = 'pgqueue'"):
        text = queue.value(f"select coalesce(json_agg(v)::text, '') from pgqueue.{view} as v")
        assert secret not in text, view


@pytest.mark.parametrize(
    "options",
    [
        {"url": "ftp://example.com"},
        {"url": "https://user@example.com/"},
        {"url": "https://example.com/ x"},
        {"url": "https://exämple.com/"},
        {"url": "https://example.com/" + "x" * 2048},
        {"events": ["task.exploded"]},
        {"events": []},
        {"queues": []},
        {"types": [""]},
        {"description": "x" * 1001},
    ],
)
def test_a_webhook_that_cannot_be_is_refused(queue: Queue, options: dict) -> None:
    with pytest.raises(psycopg.Error) as raised:
        hook(queue, **options)
    assert raised.value.sqlstate == "PQ004"


def test_settings_change_one_by_one_and_only_at_the_version_that_was_read(queue: Queue) -> None:
    id = hook(queue, queues=["email"])

    def patch(settings: dict, versions: list[int] | None = None) -> int | None:
        text = orjson.dumps(settings).decode()
        return queue.value("select pgqueue.patch_webhook(%s, %s, %s::bigint[])", id, text, versions)

    assert patch({"url": "http://other.example:8080/x?y=1"}) == 2
    assert patch({"queues": None}, [1]) is None
    assert patch({"queues": None, "events": ["task.failed"]}, [2]) == 3
    row = queue.row("select * from pgqueue.webhooks")
    assert (row["url"], row["queues"], row["events"]) == (
        "http://other.example:8080/x?y=1",
        None,
        ["task.failed"],
    )
    for wrong in ({"secret": "x"}, {"url": None}, {"events": None}):
        with pytest.raises(psycopg.Error) as raised:
            patch(wrong)
        assert raised.value.sqlstate == "PQ004"
    assert queue.value("select pgqueue.delete_webhook(%s, array[2])", id) is False
    assert queue.value("select pgqueue.delete_webhook(%s)", id) is True
    assert queue.value("select pgqueue.delete_webhook(%s)", id) is False
    assert queue.count("webhook_secret") == 0
    with pytest.raises(psycopg.Error) as raised:
        patch({"enabled": False})
    assert raised.value.sqlstate == "PQ002"


def test_what_was_sent_is_sent_again_under_the_same_id(queue: Queue) -> None:
    hook(queue)
    worker = queue.worker()
    queue.finish(queue.start(worker))
    (first,) = deliveries(queue)

    def redeliver() -> None:
        queue.rows("select pgqueue.redeliver(%s)", first["id"])

    with pytest.raises(psycopg.Error) as raised:
        redeliver()
    assert raised.value.sqlstate == "PQ003"
    (lease,) = senders(queue, worker)
    queue.rows(
        "select pgqueue_private.record_delivery(%s, 'failed', %s)", first["id"], '{"error": "no"}'
    )
    queue.finish(lease, "failed", retry=False)
    assert queue.count("dead_letter") == 1
    redeliver()
    assert queue.count("dead_letter") == 0
    (second,) = deliveries(queue)
    assert (second["id"], second["status"], second["body"]) == (
        first["id"],
        "pending",
        first["body"],
    )
    assert second["task_id"] != first["task_id"]
    assert (second["attempts"], second["error"]) == (1, "no")
    (lease,) = senders(queue, worker)
    assert orjson.loads(lease["payload"])["delivery_id"] == str(first["id"])


def test_the_log_keeps_the_newest_twenty_tries(queue: Queue) -> None:
    hook(queue)
    queue.finish(queue.start(queue.worker()))
    (delivery,) = deliveries(queue)
    for n in range(25):
        queue.rows(
            "select pgqueue_private.record_delivery(%s, 'pending', %s)",
            delivery["id"],
            orjson.dumps({"response_status": 500, "duration_s": n, "response": "x"}).decode(),
        )
    (delivery,) = deliveries(queue)
    assert (delivery["attempts"], delivery["duration_s"]) == (25, 24)
    assert [one["duration_s"] for one in delivery["tries"]] == [*range(5, 25)]


@pytest.mark.usefixtures("running_clock")
def test_what_was_sent_is_pruned_after_a_week_and_what_failed_after_a_month(queue: Queue) -> None:
    hook(queue)
    worker = queue.worker()
    for status in ("delivered", "cancelled", "failed", "pending"):
        queue.finish(queue.start(worker))
        queue.rows(
            "select pgqueue_private.record_delivery(max(id::text)::uuid, %s) "
            "from pgqueue_private.webhook_delivery",
            status,
        )
    queue.finish(queue.start(worker))

    def left() -> list[str]:
        queue.value("select pgqueue_private.prune_webhooks()")
        return queue.values("select status from pgqueue_private.webhook_delivery order by id")

    assert left() == ["delivered", "cancelled", "failed", "pending", "pending"]
    queue.shift_clock(7 * 86_400 + 60)
    assert left() == ["failed", "pending", "pending"]
    queue.shift_clock(30 * 86_400 + 60)
    assert left() == []


def test_a_webhook_can_be_tried_out(queue: Queue) -> None:
    id = hook(queue, events=["task.failed"])
    queue.value("select pgqueue.test_webhook(%s)", id)
    (delivery,) = deliveries(queue)
    assert delivery["body"]["type"] == "webhook.test"
    assert delivery["body"]["data"] == {"webhook_id": id}


@pytest.mark.usefixtures("running_clock")
def test_the_callback_of_a_task_is_told_of_its_end_beside_those_who_subscribe(queue: Queue) -> None:
    id = hook(queue)
    worker = queue.worker()
    for outcome in ("completed", "failed"):
        lease = queue.start(worker, callback_url="https://caller.example/done?token=1")
        queue.finish(lease, outcome, retry=False)
        call, subscribed = sorted(deliveries(queue)[-2:], key=lambda row: str(row["url"]))
        assert (call["webhook_id"], call["url"]) == (None, "https://caller.example/done?token=1")
        assert str(subscribed["webhook_id"]) == id
        assert call["event"] == f"task.{outcome}"
        assert call["body"] == subscribed["body"]
    waiting = queue.enqueue(callback_url="https://caller.example/done")
    queue.cancel(waiting)
    assert [row["event"] for row in deliveries(queue)[4:]] == ["task.cancelled"] * 2


def test_a_callback_needs_nobody_who_subscribes(queue: Queue) -> None:
    worker = queue.worker()
    (id,) = queue.enqueue_many({"type": "t", "callback_url": "http://caller.example:81/x"})
    (lease,) = queue.claim(worker)
    queue.rows(
        "select pgqueue_private.finish('[]', array[%s]::uuid[], array[%s]::bigint[])",
        id,
        lease["lease_id"],
    )
    assert messages(queue) == [("task.completed", id)]


@pytest.mark.parametrize(
    "url", ["nowhere", "ftp://x.example/", "http://u@x.example/", "http://x y/"]
)
def test_a_callback_url_that_cannot_be_is_refused(queue: Queue, url: str) -> None:
    with pytest.raises(psycopg.Error) as raised:
        queue.enqueue(callback_url=url)
    assert raised.value.sqlstate == "PQ004"


def test_tasks_that_end_with_those_they_waited_for_are_told_too(queue: Queue) -> None:
    hook(queue, events=["task.cancelled"])
    (parent,) = queue.enqueue_many({"type": "t"})
    (child, grandchild) = (
        queue.enqueue_many({"type": "t", "depends_on": [parent], "callback_url": URL})[0]
        for _ in range(2)
    )
    queue.cancel(parent)
    assert sorted(messages(queue)) == sorted(
        [("task.cancelled", id) for id in (parent, child, child, grandchild, grandchild)]
    )


@pytest.mark.parametrize("outcome", ["completed", "failed", "cancelled"])
def test_the_end_of_a_batch_is_told(queue: Queue, outcome: str) -> None:
    hook(queue, events=[f"batch.{outcome}"])
    hook(queue, events=[f"batch.{outcome}"], queues=["default"])
    worker = queue.worker()
    id = queue.value(
        "select id::text from pgqueue.create_batch('night', %s, callback_url => %s)",
        '[{"type": "t"}, {"type": "t"}]',
        "https://caller.example/batch",
    )
    one, two = queue.claim(worker)
    queue.finish(one)
    assert messages(queue) == []
    queue.finish(two, outcome, retry=False)
    subscribed, call = sorted(deliveries(queue), key=lambda row: row["webhook_id"] is None)
    assert (call["url"], call["event"]) == ("https://caller.example/batch", f"batch.{outcome}")
    assert (subscribed["url"], subscribed["body"]) == (URL, call["body"])
    assert call["body"]["data"].items() >= {"id": id, "name": "night", "total": 2}.items()
    assert (call["body"]["data"]["status"], call["body"]["data"][outcome]) in (
        (outcome, 1),
        ("completed", 2),
    )


def test_no_receiver_gets_more_than_its_share_of_those_that_send(queue: Queue) -> None:
    hook(queue, "https://slow.example/a", types=["slow"])
    hook(queue, "https://SLOW.example/b", types=["slow"])
    hook(queue, "https://slow.example:8443/", types=["slow"])
    hook(queue, "https://quick.example/", types=["quick"])
    worker = queue.worker()
    for type in ["slow"] * 12 + ["quick"] * 2:
        queue.finish(queue.start(worker, type=type))
    held = senders(queue, worker)
    key = "select limit_key from pgqueue.tasks where id = %s"
    hosts = [queue.value(key, lease["task_id"]) for lease in held]
    assert {host: hosts.count(host) for host in hosts} == {
        "webhook:slow.example": 10,
        "webhook:slow.example:8443": 10,
        "webhook:quick.example": 2,
    }
    queue.finish(held[hosts.index("webhook:slow.example")])
    (lease,) = senders(queue, worker)
    assert queue.value(key, lease["task_id"]) == "webhook:slow.example"
