"""How long a failed task waits: one computation, by the nearest policy."""

import orjson
import psycopg
import pytest

from tests.database.queue import Queue

PLAIN = {"jitter": "none"}


def policy(**fields: object) -> str:
    return orjson.dumps({**PLAIN, **fields}).decode()


def delay_of(queue: Queue, id: str) -> float:
    """The delay that the latest attempt was followed by, in seconds."""
    return queue.value(
        """select extract(epoch from t.next_retry_at - a.finished_at)::float8
           from pgqueue.tasks as t join pgqueue.attempts as a on a.task_id = t.id
           where t.id = %s order by a.lease_id desc limit 1""",
        id,
    )


def fail(queue: Queue, lease: dict, outcome: str = "failed", **more: object) -> float:
    """Fail an attempt as a worker does, without a delay of its own; gives the delay."""
    assert queue.finish(lease, outcome, **{"delay_s": None, **more}) == []
    return delay_of(queue, lease["task_id"])


@pytest.mark.parametrize(
    ("fields", "delays"),
    [
        ({}, [1, 2, 4, 8, 16]),
        ({"base_s": 3}, [3, 6, 12, 24, 48]),
        ({"kind": "linear", "base_s": 5}, [5, 10, 15, 20, 25]),
        ({"kind": "fixed", "base_s": 7}, [7, 7, 7, 7, 7]),
        ({"cap_s": 5}, [1, 2, 4, 5, 5]),
        ({"kind": "linear", "base_s": 5, "cap_s": 12}, [5, 10, 12, 12, 12]),
        ({"kind": "fixed", "base_s": 7, "cap_s": 5}, [5, 5, 5, 5, 5]),
        ({"base_s": 0}, [0, 0, 0, 0, 0]),
    ],
)
def test_delays_grow_by_their_kind_up_to_the_cap(
    queue: Queue, fields: dict, delays: list[float]
) -> None:
    assert [
        queue.value("select pgqueue_private.backoff(%s, %s)", policy(**fields), n)
        for n in range(1, 6)
    ] == delays


@pytest.mark.parametrize(("jitter", "low"), [("full", 0.0), ("equal", 5.0)])
def test_jitter_spreads_over_its_share_of_the_delay(queue: Queue, jitter: str, low: float) -> None:
    fixed = policy(kind="fixed", base_s=10, jitter=jitter)
    delays = queue.values(
        "select pgqueue_private.backoff(%s, 1) from generate_series(1, 500) order by 1", fixed
    )
    assert low <= delays[0] < low + 1
    assert 9 < delays[-1] <= 10


@pytest.mark.parametrize("kind", ["exponential", "linear", "fixed"])
def test_no_attempt_and_no_number_is_too_much(queue: Queue, kind: str) -> None:
    for base in ("1", "315360000", "1e-400", "0." + "9" * 9000):
        text = f'{{"kind": "{kind}", "base_s": {base}}}'
        assert queue.value("select pgqueue_private.retry_fits(%s)", text) is True
        for attempt in (-1, 0, 1, 61, 1000, 32_767):
            assert 0 <= queue.value("select pgqueue_private.backoff(%s, %s)", text, attempt) <= 3600


def test_no_policy_is_exponential_from_a_second_with_equal_jitter(queue: Queue) -> None:
    lease = queue.start(queue.worker(), max_attempts=9)
    assert 0.5 <= fail(queue, lease) <= 1
    queue.shift_clock(2)
    queue.promote()
    (again,) = queue.claim(queue.worker())
    assert 1 <= fail(queue, again) <= 2


@pytest.mark.parametrize("outcome", ["failed", "timed_out"])
def test_the_nearest_policy_wins(queue: Queue, outcome: str) -> None:
    worker = queue.worker()
    others = [
        {"retry": None},
        {"retry": {"kind": "fixed", "base_s": 20, "jitter": "none"}},
        {"retry": {"kind": "fixed", "base_s": 30, "jitter": "none"}},
    ]
    queue.value("select pgqueue.set_queue('default', retry => %s)::text", policy(base_s=10))
    delays = []
    for type, own in (("silent", None), ("loud", None), ("loud", others[2]["retry"])):
        queue.value(
            "select pgqueue_private.publish_types(%s)::text",
            orjson.dumps(
                [
                    {
                        "name": type,
                        "queue": "default",
                        "description": "",
                        "payload_schema": {},
                        **others[type == "loud"],
                    }
                ]
            ).decode(),
        )
        lease = queue.start(
            worker, type=type, retry=None if own is None else orjson.dumps(own).decode()
        )
        delays.append(fail(queue, lease, outcome))
    assert delays == [10, 20, 30]


def test_a_delay_that_the_attempt_asks_for_comes_before_any_policy(queue: Queue) -> None:
    worker = queue.worker()
    lease = queue.start(worker, retry=policy(base_s=10))
    assert fail(queue, lease, delay_s=77) == 77
    lease = queue.start(worker, retry=policy(base_s=10))
    queue.finish(lease, "failed", delay_s=None, run_at="2100-01-01T00:00:00Z")
    assert queue.task(lease["task_id"])["next_retry_at"].year in (2099, 2100)


def test_a_policy_changed_while_an_attempt_runs_holds_for_its_end(queue: Queue) -> None:
    lease = queue.start(queue.worker())
    queue.value("select pgqueue.set_queue('default', retry => %s)::text", policy(base_s=40))
    assert fail(queue, lease) == 40


def test_each_failure_of_a_batch_waits_by_its_own_policy(queue: Queue) -> None:
    ids = queue.enqueue_many(
        *({"type": "t", "retry": {"base_s": n, **PLAIN}} for n in range(1, 6)), {"type": "t"}
    )
    leases = queue.claim(queue.worker())
    failed = [
        {"task_id": lease["task_id"], "lease_id": lease["lease_id"], "outcome": "failed"}
        for lease in leases[:5]
    ]
    done = {**failed[0], **{k: leases[5][k] for k in ("task_id", "lease_id")}}
    assert queue.finish_many(*failed, {**done, "outcome": "completed"}) == []
    assert [delay_of(queue, id) for id in ids[:5]] == [1, 2, 3, 4, 5]
    assert queue.status(ids[5]) == "completed"


WRONG = [
    "[]",
    '"fixed"',
    '{"kind": "cubic"}',
    '{"kind": null}',
    '{"base_s": -1}',
    '{"base_s": "1"}',
    '{"base_s": 1e4300}',
    '{"cap_s": 1e9}',
    '{"jitter": true}',
    '{"factor": 2}',
]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_policy_that_is_none_is_refused_at_every_entry(queue: Queue, wrong: str) -> None:
    type = '[{"name": "t", "queue": "default", "description": "", "retry": %s}]' % wrong  # noqa: UP031
    for call, parameter in (
        ("select pgqueue.enqueue('t', retry => %s)", wrong),
        ("select pgqueue_private.publish_types(%s)::text", type),
        ("select pgqueue.set_queue('q', retry => %s)::text", wrong),
    ):
        with pytest.raises(psycopg.Error) as caught:
            queue.rows(call, parameter)
        assert caught.value.sqlstate == "PQ004", call
    assert queue.count("task") == queue.count("task_type") == queue.count("queue") == 0


def test_attempts_are_those_of_the_task_its_type_its_queue_or_three(queue: Queue) -> None:
    queue.value("select pgqueue.set_queue('q', max_attempts => 7)::text")
    base = {"queue": "q", "description": "", "payload_schema": {}}
    types = [{"name": "loud", "max_attempts": 5, **base}, {"name": "silent", **base}]
    queue.value("select pgqueue_private.publish_types(%s)::text", orjson.dumps(types).decode())
    ids = queue.enqueue_many(
        {"type": "silent", "max_attempts": 9},
        {"type": "loud"},
        {"type": "silent"},
        {"type": "silent", "queue": "other"},
        {"type": "unknown", "queue": "q"},
    )
    assert [queue.task(id)["max_attempts"] for id in ids] == [9, 5, 7, 3, 7]
    assert queue.task(queue.enqueue("silent"))["max_attempts"] == 7
