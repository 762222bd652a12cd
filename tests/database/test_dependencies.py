"""Dependencies: a task starts when those that it waits for have ended."""

from typing import Any

import orjson
import psycopg
import pytest

from tests.database.queue import Queue

NOBODY = "00000000-0000-7000-8000-000000000000"


def after(*parents: Any, **options: Any) -> dict[str, Any]:
    """Return a task that waits for others."""
    return {"type": "t", "depends_on": [*parents], **options}


def on_failure(parent: Any, policy: str) -> dict[str, Any]:
    return {"task": parent, "on_failure": policy}


def test_a_task_waits_for_those_it_depends_on(queue: Queue) -> None:
    worker = queue.worker()
    a, b, c = queue.enqueue_many({"type": "t"}, {"type": "t"}, after(0, 1))
    assert queue.status(c) == "blocked"
    assert queue.task(c)["status_reason"] == "waits for 2 tasks"
    leases = queue.claim(worker)
    assert [lease["task_id"] for lease in leases] == [a, b]
    queue.finish(leases[0])
    assert queue.task(c)["status_reason"] == "waits for a task"
    assert queue.broken_rules() == []
    queue.finish(leases[1])
    assert queue.status(c) == "queued"
    assert queue.claimed(worker) == [c]
    assert queue.broken_rules() == []


def test_a_task_may_stand_before_those_it_waits_for(queue: Queue) -> None:
    child, parent = queue.enqueue_many(after(1), {"type": "t"})
    assert (queue.status(child), queue.status(parent)) == ("blocked", "queued")


def test_a_task_waits_for_one_of_an_earlier_request(queue: Queue) -> None:
    worker = queue.worker(lease_s=1000)
    parents = {
        "queued": queue.enqueue(),
        "scheduled": queue.enqueue_many({"type": "t", "delay_s": 60})[0],
        "active": queue.start(worker)["task_id"],
    }
    retrying = queue.start(worker)
    queue.finish(retrying, "failed", delay_s=60)
    parents["retrying"] = retrying["task_id"]
    (child,) = queue.enqueue_many(after(*parents.values()))
    assert queue.task(child)["status_reason"] == "waits for 4 tasks"
    assert queue.broken_rules() == []
    queue.shift_clock(100)
    queue.promote()
    for row in queue.rows("select task_id::text, lease_id from pgqueue_private.running"):
        queue.finish(row)
    for lease in queue.claim(worker):
        queue.finish(lease)
    assert queue.claimed(worker) == [child]
    assert queue.broken_rules() == []


def test_a_parent_that_has_completed_counts_at_once(queue: Queue) -> None:
    worker = queue.worker()
    lease = queue.start(worker)
    queue.finish(lease)
    (child,) = queue.enqueue_many(after(lease["task_id"]))
    assert queue.status(child) == "queued"
    assert queue.count("blocker") == 0
    assert queue.broken_rules() == []


@pytest.mark.parametrize("outcome", ["failed", "cancelled"])
@pytest.mark.parametrize(
    ("policy", "status"), [("cancel", "cancelled"), ("run", "queued"), ("fail", "failed")]
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_parent_that_does_not_complete_decides_by_the_policy_of_its_edge(
    queue: Queue, outcome: str, policy: str, status: str, when: str
) -> None:
    worker = queue.worker()
    lease = queue.start(worker)
    parent = lease["task_id"]
    if when == "before":
        queue.finish(lease, outcome, retry=False)
    (child,) = queue.enqueue_many(after(on_failure(parent, policy)))
    if when == "after":
        queue.finish(lease, outcome, retry=False)
    task = queue.task(child)
    assert task["status"] == status
    if status != "queued":
        how = "failed" if outcome == "failed" else "was cancelled"
        assert task["status_reason"] == f"task {parent}, which it waited for, {how}"
    assert queue.count("dead_letter") == (outcome == "failed") + (status == "failed")
    assert queue.broken_rules() == []


def test_cancel_is_what_happens_unless_it_is_said(queue: Queue) -> None:
    a, b = queue.enqueue_many({"type": "t"}, after(0))
    queue.cancel(a)
    assert queue.status(b) == "cancelled"


def test_a_failure_goes_all_the_way_down(queue: Queue) -> None:
    worker = queue.worker()
    chain = queue.enqueue_many({"type": "t"}, *[after(n) for n in range(50)])
    queue.finish(queue.claim(worker)[0], "failed", retry=False)
    assert {queue.status(id) for id in chain[1:]} == {"cancelled"}
    assert queue.count("blocker") == 0
    assert queue.broken_rules() == []


def test_a_child_that_is_cancelled_does_not_wait_for_its_other_parents(queue: Queue) -> None:
    worker = queue.worker()
    a, b, child = queue.enqueue_many({"type": "t"}, {"type": "t"}, after(0, 1))
    queue.cancel(a)
    assert queue.status(child) == "cancelled"
    queue.finish(queue.claim(worker)[0])
    assert (queue.status(b), queue.status(child)) == ("completed", "cancelled")
    assert queue.count("blocker") == 0
    assert queue.broken_rules() == []


def test_a_wave_too_large_for_one_transaction_is_gone_on_with_later(queue: Queue) -> None:
    parent, *_ = queue.enqueue_many(
        {"type": "t"}, *[after(0) for _ in range(5001)], *[after(n) for n in range(1, 11)]
    )
    queue.cancel(parent)
    assert queue.count("follow_later") == 10
    assert queue.value("select count(*) from pgqueue_private.delayed") == 10
    assert queue.value("select pgqueue_private.follow_up()") == 10
    assert queue.value("select pgqueue_private.follow_up()") == 0
    assert queue.value("select count(*) from pgqueue_private.delayed") == 0
    assert queue.broken_rules() == []


def test_two_parents_that_end_at_once_release_their_child_once(queue: Queue) -> None:
    worker = queue.worker()
    *_, child = queue.enqueue_many({"type": "t"}, {"type": "t"}, after(0, 1))
    first, last = queue.claim(worker)
    with queue.holding() as other:
        other.finish(first)
        assert other.status(child) == "blocked"
        waiting = queue.blocked(lambda q: q.finish(last))
    waiting.result(45)
    assert queue.claimed(worker) == [child]
    assert queue.broken_rules() == []


def test_two_of_three_parents_that_end_at_once_leave_the_child_to_the_third(queue: Queue) -> None:
    worker = queue.worker()
    *_, child = queue.enqueue_many(*[{"type": "t"}] * 4, after(0, 1, 2, 3))
    leases = queue.claim(worker)
    with queue.holding() as one, queue.holding() as other:
        one.finish(leases[0])
        other.finish(leases[1])  # neither waits for the other: two more are to come
    assert queue.task(child)["status_reason"] == "waits for 2 tasks"
    with queue.holding() as other:
        other.finish(leases[2])
        waiting = queue.blocked(lambda q: q.finish(leases[3]))
    waiting.result(45)
    assert queue.status(child) == "queued"
    assert queue.broken_rules() == []


def test_many_parents_that_end_at_once_release_their_child_once(queue: Queue) -> None:
    worker = queue.worker()
    *_, child = queue.enqueue_many(*[{"type": "t"}] * 80, after(*range(80)))
    leases = queue.claim(worker)
    parts = iter([leases[n::8] for n in range(8)])

    def finish_part(other: Queue) -> None:
        for lease in next(parts):
            other.finish(lease)

    queue.at_once(8, finish_part)
    assert queue.claimed(worker) == [child]
    assert queue.broken_rules() == []


def test_one_parent_completes_while_the_other_fails(queue: Queue) -> None:
    worker = queue.worker()
    *_, child = queue.enqueue_many({"type": "t"}, {"type": "t"}, after(0, 1))
    first, last = queue.claim(worker)
    with queue.holding() as other:
        other.finish(first)
        waiting = queue.blocked(lambda q: q.finish(last, "failed", retry=False))
    waiting.result(45)
    assert queue.status(child) == "cancelled"
    assert queue.broken_rules() == []


@pytest.mark.parametrize("place", ["ready", "delayed", "running"])
def test_a_parent_cannot_end_unseen_while_its_child_is_enqueued(queue: Queue, place: str) -> None:
    worker = queue.worker()
    if place == "running":
        lease = queue.start(worker)
        parent = lease["task_id"]
    else:
        delay = {"delay_s": 60} if place == "delayed" else {}
        (parent,) = queue.enqueue_many({"type": "t", **delay})
    with queue.holding() as other:
        (child,) = other.enqueue_many(after(parent))
        if place == "running":
            waiting = queue.blocked(lambda q: q.finish(lease))
        else:
            waiting = queue.blocked(lambda q: q.cancel(parent))
    waiting.result(45)
    assert queue.status(child) == ("queued" if place == "running" else "cancelled")
    assert queue.broken_rules() == []


def test_who_enqueues_a_child_sees_that_its_parent_ends(queue: Queue) -> None:
    worker = queue.worker()
    lease = queue.start(worker)
    with queue.holding() as other:
        other.finish(lease)
        waiting = queue.blocked(lambda q: q.enqueue_many(after(lease["task_id"])))
    (child,) = waiting.result(45)
    assert queue.status(child) == "queued"
    assert queue.broken_rules() == []


def test_a_claim_passes_over_a_parent_whose_child_is_enqueued(queue: Queue) -> None:
    worker = queue.worker()
    parent = queue.enqueue()
    with queue.holding() as other:
        (child,) = other.enqueue_many(after(parent))
        assert queue.session().claim(worker) == []
    (lease,) = queue.claim(worker)
    queue.finish(lease)
    assert queue.status(child) == "queued"


def test_a_parent_that_is_retried_is_still_waited_for(queue: Queue) -> None:
    worker = queue.worker()
    _parent, child = queue.enqueue_many({"type": "t"}, after(0))
    for _ in range(2):
        (lease,) = queue.claim(worker)
        queue.finish(lease, "failed")
        queue.promote()
    queue.rescue(worker)
    worker = queue.worker()
    assert queue.status(child) == "blocked"
    queue.finish(queue.claim(worker)[0])
    assert queue.status(child) == "queued"


def test_a_child_stays_cancelled_when_its_parent_is_run_again(queue: Queue) -> None:
    worker = queue.worker()
    parent, child = queue.enqueue_many({"type": "t"}, after(0))
    queue.finish(queue.claim(worker)[0], "failed", retry=False)
    queue.retry(parent)
    queue.finish(queue.claim(worker)[0])
    assert (queue.status(parent), queue.status(child)) == ("completed", "cancelled")
    assert queue.broken_rules() == []


def test_a_child_that_is_retried_by_hand_waits_for_nobody(queue: Queue) -> None:
    worker = queue.worker()
    a, _b, child = queue.enqueue_many({"type": "t"}, {"type": "t"}, after(0, 1))
    queue.cancel(a)
    queue.retry(child)
    assert queue.status(child) == "queued"
    assert queue.broken_rules() == []
    for lease in queue.claim(worker):
        queue.finish(lease)
    assert queue.status(child) == "completed"
    assert queue.broken_rules() == []


def test_a_blocked_task_can_be_cancelled_and_its_own_children_go_with_it(queue: Queue) -> None:
    worker = queue.worker()
    a, b, c = queue.enqueue_many({"type": "t"}, after(0), after(1))
    assert queue.cancel(b) == "cancelled"
    assert queue.status(c) == "cancelled"
    queue.finish(queue.claim(worker)[0])
    assert (queue.status(a), queue.status(b)) == ("completed", "cancelled")
    assert queue.broken_rules() == []


def test_a_blocked_task_expires_like_any_other(queue: Queue) -> None:
    a, b = queue.enqueue_many({"type": "t"}, after(0, expires_in_s=5))
    queue.shift_clock(10)
    queue.value("select pgqueue_private.expire(100)")
    assert (queue.status(a), queue.status(b)) == ("queued", "cancelled")
    assert queue.broken_rules() == []


def test_a_parent_that_expires_is_one_that_was_cancelled(queue: Queue) -> None:
    _, b = queue.enqueue_many({"type": "t", "expires_in_s": 5}, after(0))
    queue.shift_clock(10)
    queue.value("select pgqueue_private.expire(100)")
    assert queue.status(b) == "cancelled"
    assert queue.broken_rules() == []


def test_a_blocked_task_is_not_released_by_another_time(queue: Queue) -> None:
    _, b = queue.enqueue_many({"type": "t"}, after(0))
    with pytest.raises(psycopg.Error, match="is blocked") as refused:
        queue.value("select pgqueue.update_task(%s, run_at => pgqueue.clock())", b)
    assert refused.value.sqlstate == "PQ003"
    assert queue.update(b, priority=1) == "blocked"
    assert queue.broken_rules() == []


def test_a_released_task_keeps_its_priority_and_waits_for_its_time(queue: Queue) -> None:
    worker = queue.worker(lease_s=1000)
    _, soon, later = queue.enqueue_many(
        {"type": "t"}, after(0, priority=7), after(0, delay_s=60, priority=3)
    )
    queue.update(soon, priority=2)
    queue.finish(queue.claim(worker)[0])
    assert queue.status(later) == "scheduled"
    (lease,) = queue.claim(worker)
    assert (lease["task_id"], lease["priority"]) == (soon, 2)
    queue.shift_clock(100)
    queue.promote()
    (lease,) = queue.claim(worker)
    assert (lease["task_id"], lease["priority"]) == (later, 3)


def test_the_bell_rings_in_the_commit_that_releases(queue: Queue) -> None:
    worker = queue.worker()
    queue.enqueue_many({"type": "t"}, after(0, queue="other"))
    (lease,) = queue.claim(worker)
    listening = queue.session(session=True)
    listening.rows("listen pgqueue_ready")
    listening.rows("select pgqueue_private.listen('me', 'pgqueue_ready', 60)")
    queue.finish(lease)
    (notice,) = listening.connection.notifies(timeout=45, stop_after=1)
    assert notice.payload == "other"


@pytest.mark.parametrize(
    ("edges", "around"),
    [
        ([[0]], "0 → 0"),
        ([[1], [0]], "0 → 1 → 0"),
        ([[], [3], [1], [2, 0]], "1 → 3 → 2 → 1"),
    ],
)
def test_a_circle_is_refused_with_the_way_around(
    queue: Queue, edges: list[list[int]], around: str
) -> None:
    with pytest.raises(psycopg.Error, match=f"wait for each other: {around}") as refused:
        queue.enqueue_many(*[after(*parents) for parents in edges])
    assert refused.value.sqlstate == "PQ004"
    assert queue.count("task") == 0


def test_a_graph_that_only_looks_like_a_circle_is_none(queue: Queue) -> None:
    ids = queue.enqueue_many(after(1, 2), after(3), after(3), {"type": "t"})
    assert [queue.status(id) for id in ids] == ["blocked", "blocked", "blocked", "queued"]


@pytest.mark.parametrize(
    ("parent", "why"),
    [
        (NOBODY, "which does not exist"),
        (7, "cannot depend on this"),
        (-1, "cannot depend on this"),
        ("x", "cannot depend on this"),
        (None, "cannot depend on this"),
        ({"task": 0, "on_failure": "shrug"}, "cannot depend on this"),
        ({"on_failure": "run"}, "cannot depend on this"),
    ],
)
def test_what_cannot_be_waited_for_is_refused(queue: Queue, parent: Any, why: str) -> None:
    with pytest.raises(psycopg.Error, match=why) as refused:
        queue.enqueue_many({"type": "t"}, after(0, parent))
    assert refused.value.sqlstate == "PQ004"
    assert refused.value.diag.message_detail == "/1/depends_on/1"
    assert queue.count("task") == 0


def test_a_list_that_is_none_is_refused(queue: Queue) -> None:
    with pytest.raises(psycopg.Error, match="must be a list"):
        queue.enqueue_many({"type": "t", "depends_on": {"a": 1}})


def test_depending_on_nobody_is_depending_on_nobody(queue: Queue) -> None:
    (id,) = queue.enqueue_many(after())
    assert queue.status(id) == "queued"


def test_a_parent_that_is_named_twice_counts_once(queue: Queue) -> None:
    worker = queue.worker()
    _, b = queue.enqueue_many({"type": "t"}, after(0, 0))
    queue.finish(queue.claim(worker)[0])
    assert queue.status(b) == "queued"


def test_a_blocked_task_of_a_batch_counts_as_waiting_and_then_as_cancelled(queue: Queue) -> None:
    batch = queue.value(
        """select id::text from pgqueue.create_batch(
            'b', '[{"type": "t"}, {"type": "t", "depends_on": [0]}]', on_failure => '{"type": "f"}'
        )"""
    )
    looked = "select waiting, cancelled, status from pgqueue.batches where id = %s"
    assert queue.row(looked, batch) == {"waiting": 2, "cancelled": 0, "status": "running"}
    queue.cancel(queue.value("select task_id::text from pgqueue_private.ready"))
    assert queue.row(looked, batch) == {"waiting": 0, "cancelled": 2, "status": "cancelled"}
    assert queue.value("select count(*) from pgqueue_private.task where type = 'f'") == 1
    assert queue.broken_rules() == []


def test_fan_out_and_fan_in_of_ten_thousand(queue: Queue) -> None:
    worker = queue.worker()
    n = 10_000
    _first, *_middle, last = queue.enqueue_many(
        {"type": "t"}, *[after(0)] * n, after(*range(1, n + 1))
    )
    queue.finish(queue.claim(worker)[0])
    done = 0
    while leases := queue.claim(worker, 1000):
        queue.finish_many(
            *[
                {"task_id": x["task_id"], "lease_id": x["lease_id"], "outcome": "completed"}
                for x in leases
            ]
        )
        done += len(leases)
    assert done == n + 1
    assert queue.status(last) == "completed"
    assert queue.count("blocker") == 0


def graph(queue: Queue, id: str, max_tasks: int = 1000) -> dict[str, Any]:
    return orjson.loads(queue.value("select pgqueue.task_graph(%s, %s)", id, max_tasks))


def test_a_graph_shows_who_waits_for_whom(queue: Queue) -> None:
    a, b, c, d, e = queue.enqueue_many(
        {"type": "a"}, after(0), after(on_failure(0, "run")), after(1, 2), {"type": "alone"}
    )
    for start in (a, b, c, d):
        shown = graph(queue, start)
        assert [node["id"] for node in shown["nodes"]] == [a, b, c, d]
        assert [(x["from"], x["to"], x["on_failure"]) for x in shown["edges"]] == [
            (a, b, "cancel"), (a, c, "run"), (b, d, "cancel"), (c, d, "cancel"),
        ]  # fmt: skip
        assert not shown["truncated"]
    assert shown["nodes"][1]["status"] == "blocked"
    assert graph(queue, e)["edges"] == []
    assert queue.value("select pgqueue.task_graph(%s)", NOBODY) is None


def test_a_graph_is_cut_where_it_is_too_large(queue: Queue) -> None:
    first, *_ = queue.enqueue_many({"type": "t"}, *[after(0) for _ in range(50)])
    shown = graph(queue, first, 10)
    assert len(shown["nodes"]) == 10
    assert len(shown["edges"]) == 9
    assert shown["truncated"]


def test_a_task_with_a_key_may_be_waited_for_and_may_wait(queue: Queue) -> None:
    keyed = {"type": "k", "dedup_key": "x"}
    ((other, _),) = queue.enqueue_unique(keyed)
    rows = queue.enqueue_unique(
        keyed, {"type": "t"}, after(0, 1), {**keyed, "dedup_key": "y"}, {**keyed, "dedup_key": "y"},
        after(on_failure(4, "run"), type="k", dedup_key="z"),
    )  # fmt: skip
    ids = [id for id, _ in rows]
    assert ids[0] == other
    edges = queue.rows(
        "select child_id::text, parent_id::text, on_failure from pgqueue_private.dependency"
    )
    assert {tuple(edge.values()) for edge in edges} == {
        (ids[2], other, "cancel"), (ids[2], ids[1], "cancel"), (ids[5], ids[3], "run"),
    }  # fmt: skip
    assert queue.broken_rules() == []


def test_one_task_is_enqueued_by_sql_to_wait_for_others(queue: Queue) -> None:
    worker = queue.worker()
    a, b = queue.enqueue(), queue.enqueue()
    child = queue.value(
        "select pgqueue.enqueue('t', depends_on => %s::uuid[], on_failure => 'run')::text",
        [a, b],
    )
    assert queue.rows(
        "select parent_id::text as id, on_failure, waiting from pgqueue.dependencies order by 1"
    ) == [
        {"id": a, "on_failure": "run", "waiting": True},
        {"id": b, "on_failure": "run", "waiting": True},
    ]
    assert queue.status(child) == "blocked"
    for lease in queue.claim(worker):
        queue.finish(lease, "failed", retry=False)
    assert queue.status(child) == "queued"
