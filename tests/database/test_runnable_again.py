"""Whatever a task was given, and however it becomes runnable again, it keeps all of it.

Every pair of options meets every way back. To add an option to the test, add a line to ``OPTIONS``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from tests.database.queue import Queue

Row = dict[str, Any]

LONG_S = 1e7  # a lease and a time to start that outlast every shift of the clock
DAY_S = 86_400
USER = 7

_NUMBERED = "{n}"  # becomes the number of the task
_BATCH = "{batch}"
_PARENT = "{parent}"

# What a task of any of the cases has.
USUAL = {
    "type": "order",
    "priority": 4,
    "max_attempts": 3,
    "timeout_s": 90,
    "traceparent": "00-11111111111111111111111111111111-2222222222222222-01",
    "retry": {"kind": "fixed", "base_s": 7},
    "payload": {"n": _NUMBERED, "amount": 1.50},
}

# What a task may ask for: an option by its name. "queue" is part of the name of the task's queue.
OPTIONS: dict[str, Row] = {
    "limit_key": {"limit_key": "tenant", "cost": 2, "queue": "keyed"},
    "fairness_key": {"fairness_key": "turn-{n}", "queue": "fair"},
    "depends_on": {"depends_on": [{"task": _PARENT, "on_failure": "run"}]},
    "batch": {"batch_id": _BATCH},
    "dedup_key": {"dedup_key": "key-{n}"},
    "expires_at": {"expires_in_s": LONG_S},
    "delay": {"delay_s": 60},
    "queue limits": {"queue": "limited"},
    "callback_url": {"callback_url": "https://example.com/{n}"},
    "tags": {"tags": ["order", "order-{n}"]},
}
PAIRS = [(), *itertools.combinations(OPTIONS, 1), *itertools.combinations(OPTIONS, 2)]

LIMITS = {
    "fair": {"fairness": {}},
    "limited": {"concurrency": 10_000, "rate": [{"count": 100_000, "per_seconds": 1}]},
}


@dataclass(frozen=True)
class Start:
    """What the token says of starts so far."""

    attempt: int = 0
    budget: int = USUAL["max_attempts"]
    crashes: int = 0


class Cases:
    """A task for each pair of options, all of them runnable."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        queue.value("select pgqueue.patch_limit('tenant', %s)", _json({"concurrency": 10_000}))
        self.parent = queue.enqueue(queue="parents")
        self.batch = queue.row("select id::text from pgqueue.create_batch('b')")["id"]
        self.given = [self._task(n, pair) for n, pair in enumerate(PAIRS)]
        self.queues = sorted({task["queue"] for task in self.given})
        for name in self.queues:
            settings: Row = {}
            for part in name.split("-"):
                settings |= LIMITS.get(part, {})
            if settings:
                queue.value("select pgqueue.patch_queue(%s, %s)", name, _json(settings))
        self.ids = queue.value(
            "select ids::text[] from pgqueue.enqueue_unique(%s, %s)", _json(self.given), USER
        )
        queue.value("select pgqueue.close_batch(%s)", self.batch)
        (parent,) = queue.claim(queue.worker(), queues=("parents",))
        queue.finish(parent)
        self.elapsed_s = 0
        self.wait(61)

    def _task(self, n: int, pair: tuple[str, ...]) -> Row:
        queue = "-".join(OPTIONS[name]["queue"] for name in pair if "queue" in OPTIONS[name])
        task = {**USUAL, "queue": queue or "plain"}
        for name in pair:
            task |= {key: value for key, value in OPTIONS[name].items() if key != "queue"}
        text = _json(task).replace(_BATCH, self.batch).replace(_PARENT, self.parent)
        filled: Row = orjson.loads(text.replace(_NUMBERED, str(n)))
        return filled

    def wait(self, seconds: float) -> None:
        """Let time pass, and make runnable what is due then."""
        self.elapsed_s += seconds
        self.queue.shift_clock(self.elapsed_s)
        self.queue.promote()

    def claim(self) -> list[Row]:
        """Start every task that may start; return what the worker is told of each."""
        worker = self.queue.worker(LONG_S, tuple(self.queues))
        leases = self.queue.claim(worker, 1000, queues=tuple(self.queues))
        for name in self.queues:
            leases += self.queue.rows(
                "select * from pgqueue_private.claim_limited(%s, %s, 1000)"
                " where task_id is not null",
                worker,
                name,
            )
        return leases

    def finish(self, leases: list[Row], outcome: str, **more: Any) -> None:
        results = [
            {"task_id": x["task_id"], "lease_id": x["lease_id"], "outcome": outcome, **more}
            for x in leases
        ]
        assert self.queue.finish_many(*results) == []

    def each(self, function: str) -> list[Any]:
        """Call a function of the contract for each task."""
        call = f"select pgqueue.{function}(id) from unnest(%s::uuid[]) as id"
        return self.queue.values(call, self.ids)

    def facts(self) -> list[Row]:
        return self._in_order("pgqueue_private.task", "id")

    def tokens(self) -> list[Row]:
        return self._in_order("pgqueue_private.ready", "task_id")

    def running(self) -> list[Row]:
        return self._in_order("pgqueue_private.running", "task_id")

    def _in_order(self, table: str, key: str) -> list[Row]:
        return self.queue.rows(
            f"select r.* from unnest(%s::uuid[]) with ordinality as i (id, n)"
            f" join {table} as r on r.{key} = i.id order by i.n",
            self.ids,
        )

    def expected_tokens(self, start: Start) -> list[Row]:
        """What the options say that each token holds."""
        return [
            {
                "queue": task["queue"],
                "priority": task["priority"],
                "limit_key": task.get("limit_key"),
                "fairness_key": (
                    task.get("fairness_key", str(USER)) if "fair" in task["queue"] else None
                ),
                "attempt": start.attempt,
                "budget": start.budget,
                "crashes": start.crashes,
            }
            for task in self.given
        ]


def retry_failed(cases: Cases) -> Start:
    cases.finish(cases.claim(), "failed", retry=False)
    assert set(cases.each("retry")) == {"queued"}
    return Start(attempt=1, budget=4)


def retry_cancelled(cases: Cases) -> Start:
    cases.finish(cases.claim(), "failed", delay_s=1000)
    assert set(cases.each("cancel")) == {"cancelled"}
    assert set(cases.each("retry")) == {"queued"}
    return Start(attempt=1, budget=4)


def retry_waiting(cases: Cases) -> Start:
    cases.finish(cases.claim(), "failed", delay_s=1000, reason="try later")
    assert set(cases.each("retry")) == {"queued"}
    return Start(attempt=1)


def promote_failed(cases: Cases) -> Start:
    cases.finish(cases.claim(), "failed", delay_s=5)
    cases.wait(6)
    return Start(attempt=1)


def snooze(cases: Cases) -> Start:
    cases.finish(cases.claim(), "snoozed", delay_s=5)
    cases.wait(6)
    return Start()


def release(cases: Cases) -> Start:
    cases.finish(cases.claim(), "released")
    return Start()


def release_for_later(cases: Cases) -> Start:
    cases.finish(cases.claim(), "released", delay_s=5)
    cases.wait(6)
    return Start()


def crash(cases: Cases) -> Start:
    cases.finish(cases.claim(), "crashed")
    return Start(attempt=1, budget=4, crashes=1)


def rescue(cases: Cases) -> Start:
    leases = cases.claim()
    workers = {row["worker_id"] for row in cases.running()}
    assert cases.queue.rescue(*workers) == len(leases)
    return Start(attempt=1, budget=4, crashes=1)


def redrive(cases: Cases) -> Start:
    cases.finish(cases.claim(), "failed", retry=False)
    assert [str(id) for id in cases.each("redrive")] == cases.ids
    return Start(attempt=1, budget=4)


def redrive_after_its_day(cases: Cases) -> Start:
    cases.finish(cases.claim(), "failed", retry=False)
    day = cases.queue.value("select pgqueue_private.day_of(%s)", cases.ids[0])
    cases.wait(9 * DAY_S)
    while cases.queue.row("select * from pgqueue_private.prune_day(%s)", day)["did"] == "going on":
        pass
    assert cases.facts() == []
    cases.ids = [str(id) for id in cases.each("redrive")]
    return Start()


def unblock(cases: Cases) -> Start:
    """Only one task of the key finds room; the others become runnable when there is more."""
    cases.queue.value("select pgqueue.patch_limit('tenant', %s)", _json({"concurrency": 1}))
    leases = cases.claim()
    blocked = cases.queue.count("delayed where status = 'blocked'")
    assert blocked == sum("limit_key" in task for task in cases.given) - 1
    cases.queue.value("select pgqueue.patch_limit('tenant', %s)", _json({"concurrency": 10_000}))
    cases.finish(leases, "released")
    return Start()


def postpone_and_recall(cases: Cases) -> Start:
    for wanted in ("pgqueue.clock() + interval '1 hour'", "pgqueue.clock()"):
        cases.queue.rows(
            f"select pgqueue.update_task(id, run_at => {wanted}) from unnest(%s::uuid[]) as id",
            cases.ids,
        )
    return Start()


def age(cases: Cases) -> Start:
    for name in cases.queues:
        cases.queue.value("select pgqueue.patch_queue(%s, %s)", name, _json({"ageing_s": 100}))
    cases.wait(120)
    assert cases.queue.value("select pgqueue_private.age_tasks()") == len(cases.ids)
    for task in cases.given:
        task["priority"] -= 1
    return Start()


def nothing(cases: Cases) -> Start:
    """They became runnable for the first time: at once, with time, or when their parent ended."""
    return Start()


WAYS = [
    *(nothing, retry_failed, retry_cancelled, retry_waiting, promote_failed, snooze, release),
    *(release_for_later, crash, rescue, redrive, redrive_after_its_day, unblock),
    *(postpone_and_recall, age),
]

# The rest of what a new task has that stands in for one whose day is gone.
_OF_ITS_OWN = {"id", "created_at", "seq", "dedup_key", "expires_at"}


def test_the_options_above_are_all_that_a_task_may_have(queue: Queue) -> None:
    facts = Cases(queue).facts()
    given = {name for fact in facts for name, value in fact.items() if value is not None}
    columns = set(
        queue.values(
            "select attname from pg_attribute where attrelid = 'pgqueue_private.task'::regclass"
            " and attnum > 0 and not attisdropped"
        )
    )
    assert columns - given == {"followed"}


@pytest.mark.parametrize("way", WAYS)
def test_a_task_that_becomes_runnable_again_has_all_that_it_was_given(
    queue: Queue, way: Callable[[Cases], Start]
) -> None:
    cases = Cases(queue)
    facts = cases.facts()

    start = way(cases)

    changed = {
        redrive_after_its_day: _OF_ITS_OWN,
        postpone_and_recall: {"run_at"},
    }.get(way, set())
    assert _differences(cases.facts(), facts, changed) == []
    assert _differences(cases.tokens(), cases.expected_tokens(start)) == []
    leases = cases.claim()
    assert len(leases) == len(cases.ids)
    by_id = {str(row["task_id"]): row for row in leases}
    for fact, lease, row in zip(
        facts, [by_id[id] for id in cases.ids], cases.running(), strict=True
    ):
        assert row["cost"] == fact["cost"]
        assert row["limit_key"] == fact["limit_key"]
        assert row["batch_id"] == lease["batch_id"] == fact["batch_id"]
        assert row["followed"] == any((fact["batch_id"], fact["callback_url"], fact["followed"]))
        assert orjson.loads(lease["payload"]) == fact["payload"]
        assert lease["type"] == row["type"] == fact["type"]
        assert not lease["expired"]
        assert lease["traceparent"] == fact["traceparent"]
        assert lease["timeout_s"] == fact["timeout_s"]
        if way is not postpone_and_recall:
            run_at = fact["run_at"] and fact["run_at"].timestamp()
            assert lease["run_at_s"] == pytest.approx(run_at)

    cases.finish(leases, "completed")
    in_batch = sum("batch_id" in task for task in cases.given)
    batch = queue.row("select * from pgqueue.batches where id = %s", cases.batch)
    assert (batch["total"], batch["completed"]) == (in_batch, in_batch)
    assert batch["status"] == "completed"
    called = queue.values(
        "select url from pgqueue_private.webhook_delivery"
        " where event = 'task.completed' order by url"
    )
    assert called == sorted(t["callback_url"] for t in cases.given if "callback_url" in t)


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _differences(
    rows: list[Row], expected: list[Row], but: Collection[str] = ()
) -> list[tuple[Any, ...]]:
    """The fields that differ: options of the task, name of the field, what it is, what it was."""
    return [
        (" and ".join(pair), name, row[name], value)
        for pair, row, wanted in zip(PAIRS, rows, expected, strict=True)
        for name, value in wanted.items()
        if name not in but and row[name] != value
    ]
