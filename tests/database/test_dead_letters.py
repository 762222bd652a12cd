"""Dead letters: what failed for good stays findable and can run again, for longer than its day."""

import orjson
import psycopg
import pytest

from tests.database.queue import Queue

ERROR = {"type": "ValueError", "message": "order 17 is not there", "frame": "shop.tasks.charge"}


def fail(queue: Queue, worker: int, message: str = "no", /, **options: object) -> str:
    """Run a task into the ground; gives its id."""
    lease = queue.start(worker, **options)
    error = {**ERROR, "message": message}
    assert queue.finish(lease, "failed", retry=False, error=error) == []
    return lease["task_id"]


def dead_letters(queue: Queue) -> list[str]:
    return queue.values("select id::text from pgqueue.dead_letters order by failed_at")


def drop_day_of(queue: Queue, id: str) -> None:
    """Do what retention does to a day."""
    suffix = queue.value(
        "select to_char(pgqueue_private.id_time(%s) at time zone 'utc', '_YYYYMMDD')", id
    )
    for fact in ("task", "attempt", "task_event", "artifact"):
        queue.rows(f"drop table pgqueue_private.{fact}{suffix}")


def listed(queue: Queue, filter: dict, max_rows: int = 100, **options: object) -> list[str]:
    """Every page of a list, by ids."""
    found, place = [], (None, None)
    named = "".join(f", {name} => %s" for name in options)
    while True:
        row = queue.row(
            f"select * from pgqueue_private.list_dead_letters(%s, %s, %s, %s{named})",
            orjson.dumps(filter).decode(),
            *place,
            max_rows,
            *options.values(),
        )
        found += [orjson.loads(item)["id"] for item in row["items"]]
        place = (row["next_at"], row["next_id"])
        if place == (None, None):
            return found


def test_a_task_that_failed_for_good_is_kept_with_all_it_needs_to_run_again(queue: Queue) -> None:
    worker = queue.worker()
    (id,) = queue.enqueue_many(
        {
            "type": "charge",
            "queue": "q",
            "priority": 2,
            "payload": {"order": 17},
            "max_attempts": 2,
            "timeout_s": 3.5,
            "retry": {"kind": "fixed"},
        }
    )
    (lease,) = queue.claim(worker, queues=("q",))
    queue.finish(lease, "failed", error=ERROR, delay_s=0)
    assert dead_letters(queue) == []
    queue.promote()
    (lease,) = queue.claim(worker, queues=("q",))
    queue.finish(lease, "timed_out", error={**ERROR, "type": "TimedOut"})
    letter = queue.row("select * from pgqueue.dead_letters")
    task = queue.task(id)
    for name in (
        "type",
        "queue",
        "priority",
        "payload",
        "max_attempts",
        "timeout_s",
        "attempt",
        "created_at",
        "error",
    ):
        assert letter[name] == task[name], name
    assert str(letter["id"]) == id
    assert letter["failed_at"] == task["finished_at"]
    assert (letter["outcome"], letter["crash_count"]) == ("timed_out", 0)
    assert letter["retry"] == {"kind": "fixed"}


def test_only_what_failed_for_good_becomes_a_dead_letter(queue: Queue) -> None:
    worker = queue.worker()
    for outcome in ("completed", "cancelled", "failed", "released", "snoozed", "timed_out"):
        queue.finish(queue.start(worker), outcome)
    asked = queue.start(worker)
    queue.cancel(asked["task_id"])
    queue.finish(asked, "failed", retry=False)
    queue.cancel(queue.enqueue())
    assert dead_letters(queue) == []


def test_a_task_that_crashed_too_often_is_a_dead_letter(queue: Queue) -> None:
    id = queue.enqueue()
    for _ in range(3):
        worker = queue.worker()
        queue.claim(worker)
        queue.rescue(worker)
    letter = queue.row("select * from pgqueue.dead_letters")
    assert str(letter["id"]) == id
    assert (letter["outcome"], letter["crash_count"], letter["attempt"]) == ("crashed", 3, 3)
    assert letter["error"]["type"] == "Crashed"


def test_failures_of_one_flush_are_kept_beside_its_successes(queue: Queue) -> None:
    worker = queue.worker()
    queue.enqueue_many(*[{"type": "t"}] * 6)
    leases = queue.claim(worker)
    assert (
        queue.finish_many(
            *(
                {**lease, "outcome": "failed" if n % 2 else "completed", "retry": False}
                for n, lease in enumerate(leases)
            )
        )
        == []
    )
    assert sorted(dead_letters(queue)) == sorted(lease["task_id"] for lease in leases[1::2])


def test_a_failure_that_is_not_committed_leaves_no_letter(queue: Queue) -> None:
    lease = queue.start(queue.worker())
    with queue.connection.transaction(force_rollback=True):
        queue.finish(lease, "failed", retry=False)
        assert dead_letters(queue) == [lease["task_id"]]
    assert dead_letters(queue) == []
    assert queue.status(lease["task_id"]) == "active"


def test_failures_that_differ_only_in_names_and_numbers_have_one_fingerprint(queue: Queue) -> None:
    def fingerprint(type: str = "charge", **error: str) -> str:
        return queue.value(
            "select pgqueue_private.fingerprint(%s, %s)",
            type,
            orjson.dumps({**ERROR, **error}).decode(),
        )

    usual = fingerprint()
    assert len(usual) == 16
    for message in ("order 4 is not there", "order 019b2f6e-8a3c-7d12 is not there"):
        assert fingerprint(message=message) == usual
    assert fingerprint(message="no user 'bob'") == fingerprint(message='no user "eve"')
    for other in (
        fingerprint(message="order 17 is gone"),
        fingerprint(type="refund"),
        fingerprint(frame="shop.tasks.refund"),
        queue.value("select pgqueue_private.fingerprint('charge', null)"),
        queue.value("""select pgqueue_private.fingerprint('charge', '"text"')"""),
    ):
        assert other != usual


def test_a_redriven_task_runs_again_and_is_no_letter_any_more(queue: Queue) -> None:
    worker = queue.worker()
    id = fail(queue, worker)
    assert str(queue.value("select pgqueue.redrive(%s)", id)) == id
    assert (queue.status(id), dead_letters(queue)) == ("queued", [])
    (lease,) = queue.claim(worker)
    assert (lease["task_id"], lease["budget"]) == (id, 4)
    queue.finish(lease, "failed", retry=False)
    assert dead_letters(queue) == [id]


def test_a_retry_takes_the_letter_away(queue: Queue) -> None:
    id = fail(queue, queue.worker())
    queue.retry(id)
    assert dead_letters(queue) == []
    assert queue.value("select pgqueue.redrive(%s)", id) is None


def test_a_letter_outlives_the_day_of_its_task_and_is_redriven_as_a_new_one(queue: Queue) -> None:
    worker = queue.worker()
    (id,) = queue.enqueue_many(
        {
            "type": "charge",
            "queue": "q",
            "priority": 2,
            "payload": {"order": 17, "none": None},
            "max_attempts": 2,
            "timeout_s": 3.5,
            "retry": {"kind": "fixed"},
            "dedup_key": "order-17",
            "tags": ["vip", "17"],
        }
    )
    (lease,) = queue.claim(worker, queues=("q",))
    queue.finish(lease, "failed", retry=False, error=ERROR)
    drop_day_of(queue, id)
    queue.rows("truncate pgqueue_private.rollup_flush")  # what it counted is gone with the day
    assert queue.rows("select from pgqueue.tasks") == []
    assert dead_letters(queue) == [id]
    queue.rows("select pgqueue.ensure_partitions((pgqueue.clock() at time zone 'utc')::date, 2)")

    new = str(queue.value("select pgqueue.redrive(%s)", id))
    assert new != id
    assert dead_letters(queue) == []
    task = queue.task(new)
    assert (task["type"], task["queue"], task["priority"]) == ("charge", "q", 2)
    assert (task["payload"], task["max_attempts"]) == ({"order": 17, "none": None}, 2)
    assert (task["timeout_s"], task["retry"]) == (3.5, {"kind": "fixed"})
    assert (task["status"], task["dedup_key"]) == ("queued", None)
    assert task["tags"] == ["vip", "17"]


def test_of_many_who_redrive_one_letter_one_does(queue: Queue) -> None:
    id = fail(queue, queue.worker())
    with queue.holding() as other:
        assert str(other.value("select pgqueue.redrive(%s)", id)) == id
        waiting = queue.blocked(lambda q: q.value("select pgqueue.redrive(%s)", id))
    assert waiting.result(45) is None
    again = fail(queue, queue.worker(), queue="q")
    answers = queue.at_once(8, lambda q: q.value("select pgqueue.redrive(%s)", again))
    assert [str(a) for a in answers if a] == [again]
    assert queue.value("select count(*) from pgqueue_private.ready where task_id = %s", again) == 1


def test_a_deleted_letter_leaves_its_task_failed(queue: Queue) -> None:
    id = fail(queue, queue.worker())
    assert queue.value("select pgqueue.delete_dead_letter(%s)", id) is True
    assert queue.value("select pgqueue.delete_dead_letter(%s)", id) is False
    assert (queue.status(id), dead_letters(queue)) == ("failed", [])


def test_letters_are_listed_by_every_filter_latest_first_in_pages_that_lose_nothing(
    queue: Queue,
) -> None:
    worker = queue.worker(1e6)
    for n in range(24):
        queue.shift_clock(n)
        fail(queue, worker, "ab"[n % 2], type="xy"[n % 3 == 0], queue="pq"[n % 4 == 0])
    queue.rows(
        "update pgqueue_private.dead_letter set failed_at = date_trunc('hour', failed_at)"
    )  # ties
    queue.rows(
        """update pgqueue_private.dead_letter as d
            set failed_at = failed_at + n / 3 * interval '1 second'
           from (select task_id, row_number() over (order by task_id) as n
           from pgqueue_private.dead_letter)
               as o where o.task_id = d.task_id"""
    )
    queue.rows(
        """update pgqueue_private.attempt as a set finished_at = d.failed_at
           from pgqueue_private.dead_letter as d where d.task_id = a.task_id"""
    )
    rows = queue.rows("select * from pgqueue.dead_letters order by failed_at desc, id desc")
    one = rows[10]
    filters: list[dict[str, str]] = [{}]
    for name in ("type", "queue", "fingerprint"):
        filters += [{**f, name: one[name]} for f in filters]
    filters += [{**f, "from": str(rows[18]["failed_at"])} for f in filters]
    filters += [{**f, "to": str(rows[4]["failed_at"])} for f in filters]
    filters += [{"ids": [str(r["id"]) for r in rows[3:9]], "queue": one["queue"]}]
    for filter in filters:
        expected = [
            str(r["id"])
            for r in rows
            if all(
                filter.get(name, r[name]) == r[name] for name in ("type", "queue", "fingerprint")
            )
            and str(r["id"]) in filter.get("ids", str(r["id"]))
            and filter.get("from", "") <= str(r["failed_at"]) < filter.get("to", "z")
        ]
        assert listed(queue, filter) == expected, filter
        assert listed(queue, filter, 3) == expected, filter
        assert listed(queue, filter, 3, max_looked=1) == expected, filter
        assert listed(queue, filter, 5, max_bytes=10) == expected, filter


def test_a_filter_that_matches_little_looks_at_a_bounded_part(queue: Queue) -> None:
    worker = queue.worker()
    for _ in range(6):
        fail(queue, worker, queue="p")
    row = queue.row(
        "select * from pgqueue_private.scan_dead_letters(%s, null, null, false, 10, 4)",
        '{"queue": "p", "type": "none"}',
    )
    assert (row["ids"], row["looked"], row["ended"]) == ([], 4, False)


@pytest.mark.usefixtures("running_clock")
def test_groups_count_by_fingerprint_and_show_the_latest_as_an_example(queue: Queue) -> None:
    worker = queue.worker()
    for n in range(3):
        last = fail(queue, worker, f"order {n} is gone")
    fail(queue, worker, "other")
    row = queue.row("select * from pgqueue_private.group_dead_letters('{}', 10)")
    first, second = map(orjson.loads, row["items"])
    assert (first["count"], first["example_id"], first["type"]) == (3, last, "t")
    assert first["error"] == {
        "type": "ValueError",
        "message": "order 2 is gone",
        "frame": "shop.tasks.charge",
    }
    assert (second["count"], row["searched_until"]) == (1, None)
    row = queue.row("select * from pgqueue_private.group_dead_letters('{}', 1, max_looked => 2)")
    (only,) = map(orjson.loads, row["items"])
    assert only["count"] == 1
    assert row["searched_until"] is not None
    (filtered,) = queue.value(
        "select items from pgqueue_private.group_dead_letters(%s, 10)",
        orjson.dumps({"fingerprint": second["fingerprint"]}).decode(),
    )
    assert orjson.loads(filtered) == second


def test_letters_are_pruned_when_they_have_had_their_time(queue: Queue) -> None:
    worker = queue.worker(1e9)
    queue.rows("select pgqueue.set_dead_letter_policy('short', retention => '1 day')")
    kept, short = fail(queue, worker), fail(queue, worker, queue="short")
    queue.shift_clock(23 * 3600)
    assert queue.value("select pgqueue_private.prune_dead_letters()") == 0
    queue.shift_clock(25 * 3600)
    assert dead_letters(queue) == [kept, short]
    assert queue.value("select pgqueue_private.prune_dead_letters()") == 1
    assert dead_letters(queue) == [kept]
    queue.shift_clock(29.9 * 86_400)
    assert queue.value("select pgqueue_private.prune_dead_letters()") == 0
    queue.shift_clock(30.1 * 86_400)
    for _ in range(3):
        fail(queue, worker)
    queue.shift_clock(61 * 86_400)
    assert [queue.value("select pgqueue_private.prune_dead_letters(2)") for _ in range(3)] == [
        2,
        2,
        0,
    ]


def test_a_policy_of_a_queue_goes_before_that_of_all(queue: Queue) -> None:
    fail(queue, queue.worker(), queue="q")

    def policy() -> tuple:
        row = queue.row("select * from pgqueue_private.dead_letter_queues()")
        return (row["retention"].days, row["growth_limit"], row["alert_type"])

    assert policy() == (30, 1000, None)
    queue.rows("select pgqueue.set_dead_letter_policy('*', growth_limit => 5, alert_type => 'a')")
    queue.rows("select pgqueue.set_dead_letter_policy('q', retention => '2 days')")
    assert policy() == (2, 5, "a")
    queue.rows("select pgqueue.set_dead_letter_policy('q', growth_limit => 7)")
    assert policy() == (2, 7, "a")
    queue.rows("select pgqueue.reset_dead_letter_policy('q')")
    assert policy() == (30, 5, "a")
    queue.rows("select pgqueue.reset_dead_letter_policy('*')")
    assert policy() == (30, 1000, None)
    for wrong in ("growth_limit => 0", "retention => '1 minute'"):
        with pytest.raises(psycopg.errors.CheckViolation):
            queue.rows(f"select pgqueue.set_dead_letter_policy('q', {wrong})")


def test_growth_beyond_the_limit_is_told_once_and_again_when_it_was_over(queue: Queue) -> None:
    worker = queue.worker(1e9)
    queue.rows("select pgqueue.set_dead_letter_policy('default', growth_limit => 4)")
    listener = queue.connect(session=True)
    listener.execute("listen pgqueue_notice")

    def watched() -> list[str]:
        return [
            row["kind"] for row in queue.rows("select * from pgqueue_private.watch_dead_letters()")
        ]

    for _ in range(4):
        fail(queue, worker)
    assert watched() == []
    fail(queue, worker)
    assert watched() == ["dead_letters_growing"]
    assert watched() == []
    queue.rows(
        """delete from pgqueue_private.dead_letter
           where task_id in (select id from pgqueue.dead_letters limit 2)"""
    )
    assert watched() == []  # 3 are left: more than half
    for _ in range(3):
        fail(queue, worker)
    assert watched() == []  # beyond it again, but it was never over
    queue.shift_clock(3700)
    assert watched() == ["dead_letters_settled"]
    for _ in range(5):
        fail(queue, worker)
    (alert,) = queue.rows("select * from pgqueue_private.watch_dead_letters()")
    assert alert["data"]["last_hour"] == 5
    assert alert["data"]["dead_letters"] == 11
    kinds = queue.values("select kind from pgqueue.notices order by id")
    assert kinds == ["dead_letters_growing", "dead_letters_settled", "dead_letters_growing"]
    heard = [n.payload for n in listener.notifies(timeout=45, stop_after=3)]
    assert heard == queue.values("select id::text from pgqueue.notices order by id")
    level = queue.row("select * from pgqueue_private.dead_letter_level")
    assert (level["n"], level["last_hour"], level["growing"]) == (11, 5, True)


def test_of_many_who_watch_one_tells(queue: Queue) -> None:
    queue.rows(
        "select pgqueue.set_dead_letter_policy('*', growth_limit => 1, alert_type => 'page')"
    )
    worker = queue.worker()
    for _ in range(2):
        fail(queue, worker)
    with queue.holding() as other:
        assert len(other.rows("select * from pgqueue_private.watch_dead_letters()")) == 1
        assert (
            queue.rows("select * from pgqueue_private.watch_dead_letters()") == []
        )  # does not wait
    alerts = queue.at_once(
        6, lambda q: q.rows("select * from pgqueue_private.watch_dead_letters()")
    )
    assert sum(map(len, alerts)) == 0
    assert (
        queue.count("notice"),
        queue.value("select count(*) from pgqueue.tasks where type = 'page'"),
    ) == (1, 1)


def test_an_alert_is_a_task_that_is_stored_with_its_notice_or_not_at_all(queue: Queue) -> None:
    queue.rows(
        "select pgqueue.set_dead_letter_policy('*', growth_limit => 1, alert_type => 'page')"
    )
    worker = queue.worker()
    for _ in range(2):
        fail(queue, worker)
    with queue.connection.transaction(force_rollback=True):
        queue.rows("select * from pgqueue_private.watch_dead_letters()")
    assert (queue.count("notice"), queue.count("ready")) == (0, 0)
    queue.rows("select * from pgqueue_private.watch_dead_letters()")
    task = queue.row("select * from pgqueue.tasks where type = 'page'")
    assert task["payload"]["queue"] == "default"
    assert task["payload"] == queue.value("select data from pgqueue.notices")
