"""Any sequence of transitions, on real PostgreSQL, against a model of one screen."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import hypothesis
import hypothesis.strategies as st
import orjson
import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from tests.database.queue import Queue
from tests.database.test_batches import close, create
from tests.database.test_limits import claim as claim_limited
from tests.database.test_limits import limit
from tests.property.model import Task

EXAMPLES = int(os.environ.get("EXAMPLES", "500"))
STEPS = int(os.environ.get("STEPS", "50"))
SEED = int(os.environ.get("SEED", "1"))
SHARDS = 4  # so that all processes of pytest have something to do

# The clock moves in steps of 1,000 s and everything is due in between: a slow test changes nothing.
STEP_S = 1_000
LEASE_S = 1.5 * STEP_S
LIVE = ("active", "draining")
UNSTARTED = ("queued", "scheduled", "retrying", "blocked")

_LOOK = """
    select v.id::text, v.status, v.attempt, p.places, v.lease_id, v.max_attempts
    from pgqueue.tasks as v
    join pgqueue_private.task_places() as p on p.id = v.id
"""


class Machine(RuleBasedStateMachine):
    """One example is one transaction that is rolled back: thousands need one database."""

    ids = Bundle("ids")
    leases = Bundle("leases")
    workers = Bundle("workers")

    def __init__(self, queue: Queue) -> None:
        super().__init__()
        self.queue = queue
        self.queue.rows("begin")
        self.batch = create(self.queue, None, open=True)
        self.now = 0.0
        self.tasks: dict[str, Task] = {}
        self.states: dict[int, str] = {}
        self.expires: dict[int, float] = {}
        self.last_lease = 0
        self.paused = False
        self.concurrency: int | None = None

    def teardown(self) -> None:
        try:
            if self.queue.connection.info.transaction_status.name == "INTRANS":
                assert self.queue.broken_rules() == []
                close(self.queue, self.batch)
                assert self.queue.broken_rules() == []
        finally:
            self.queue.connection.rollback()

    @contextmanager
    def refused(self, code: str) -> Any:
        with pytest.raises(psycopg.Error) as caught, self.queue.connection.transaction():
            yield
        assert caught.value.sqlstate == code

    @initialize(target=ids)
    def begin(self) -> object:
        """Start in the middle: some tasks, two workers."""
        return multiple(*[self.enqueue(5, 2, None, batch=False) for _ in range(3)])

    @initialize(target=workers)
    def open(self) -> object:
        return multiple(self.register(), self.register())

    def _enqueue(self, task: Task, **more: Any) -> str:
        given = {"type": "t", "priority": task.priority, "max_attempts": task.max_attempts}
        (id,) = self.queue.enqueue_many(given | more)
        self.tasks[id] = task
        return id

    @rule(
        target=ids,
        priority=st.sampled_from([2, 5, 8]),
        tries=st.integers(1, 3),
        delay=st.sampled_from([None, None, 0.5, 1.5]),
        batch=st.booleans(),
    )
    def enqueue(self, priority: int, tries: int, delay: float | None, batch: bool) -> str:
        task, more = Task(priority, tries), {}
        if delay:
            task.move("scheduled", self.now + delay)
            more["delay_s"] = delay * STEP_S
        if batch:
            more["batch_id"] = self.batch
        return self._enqueue(task, **more)

    @rule(target=ids, parent=ids, on_failure=st.sampled_from(["cancel", "run", "fail"]))
    def enqueue_child(self, parent: str, on_failure: str) -> str:
        task = Task(5, 2)
        task.depend(self.tasks[parent], on_failure)
        return self._enqueue(task, depends_on=[{"task": parent, "on_failure": on_failure}])

    @rule(target=workers)
    def register(self) -> int:
        worker = self.queue.worker(LEASE_S)
        self.states[worker], self.expires[worker] = "active", self.now + 1.5
        return worker

    @rule(worker=workers, state=st.sampled_from(["draining", "stopped"]))
    def leave(self, worker: int, state: str) -> None:
        self.queue.value("select pgqueue_private.set_worker_state(%s, %s)::text", worker, state)
        if self.states[worker] in LIVE:
            self.states[worker] = state

    def _claim(self, worker: int, max_tasks: int) -> object:
        if self.states[worker] not in LIVE or self.expires[worker] <= self.now:
            with self.refused("PQ001"):
                self.queue.claim(worker, max_tasks)
            return multiple()
        unlimited = self.queue.claim(worker, max_tasks)
        room, claimed = max_tasks, unlimited
        if self.paused or self.concurrency is not None:
            assert unlimited == []
            held = sum(task.lease is not None for task in self.tasks.values())
            room = 0 if self.paused else min(max_tasks, max(self.concurrency - held, 0))
            claimed = claim_limited(self.queue, worker, max_tasks)
        assert len({lease["lease_id"] for lease in claimed}) == len(claimed)
        wanted = sorted(task.priority for task in self.tasks.values() if task.waits)[:room]
        taken = [self.tasks[lease["task_id"]] for lease in claimed]
        assert all(task.waits for task in taken)
        assert sorted(task.priority for task in taken) == (
            wanted if self.states[worker] == "active" else []
        )
        for lease, task in zip(claimed, taken, strict=True):
            assert lease["lease_id"] > self.last_lease
            task.start(lease["lease_id"], worker)
        self.last_lease = max((lease["lease_id"] for lease in claimed), default=self.last_lease)
        return multiple(*claimed)

    some_claim = rule(target=leases, worker=workers, max_tasks=st.integers(1, 4))(_claim)
    one_claims = rule(target=leases, worker=workers, max_tasks=st.just(1))(_claim)
    all_claimed = rule(target=leases, worker=workers, max_tasks=st.just(100))(_claim)

    def _finish(self, lease: dict, outcome: str, delay: float | None, retry: bool) -> None:
        """Finish an attempt, or one that lost its lease long ago: that is refused."""
        task = self.tasks[lease["task_id"]]
        more = {"delay_s": delay * STEP_S} if delay else {}
        refused = self.queue.finish(lease, outcome, retry=retry, **more)
        if task.lease != lease["lease_id"]:
            assert refused == [lease["lease_id"]]
        else:
            assert refused == []
            task.finish(outcome, self.now, delay, retry=retry)

    completed = rule(
        lease=leases, outcome=st.just("completed"), delay=st.none(), retry=st.just(True)
    )(_finish)
    not_completed = rule(
        lease=leases,
        outcome=st.sampled_from(
            ["failed", "timed_out", "snoozed", "released", "crashed", "cancelled"]
        ),
        delay=st.sampled_from([None, 0.5]),
        retry=st.booleans(),
    )(_finish)

    @rule(lease=leases)
    def complete(self, lease: dict) -> None:
        """As above, by the short way that plain completions take."""
        task = self.tasks[lease["task_id"]]
        holds = task.lease == lease["lease_id"]
        refused = self.queue.value(
            "select refused from pgqueue_private.finish('[]', array[%s]::uuid[], "
            "array[%s]::bigint[])",
            lease["task_id"],
            lease["lease_id"],
        )
        assert refused == ([] if holds else [lease["lease_id"]])
        if holds:
            task.finish("completed", self.now, None, retry=True)

    @rule(lease=leases)
    def progress(self, lease: dict) -> None:
        update = {"task_id": lease["task_id"], "lease_id": lease["lease_id"], "percent": 1}
        holds = self.tasks[lease["task_id"]].lease == lease["lease_id"]
        assert self.queue.progress(update) == ([] if holds else [lease["lease_id"]])

    @rule(worker=workers)
    def heartbeat(self, worker: int) -> None:
        """A heartbeat of a worker that is lost revives nothing."""
        beat = self.queue.heartbeat(worker, lease_s=LEASE_S)
        holds = self.states[worker] in LIVE
        assert beat["active"] == ([worker] if holds else [])
        assert {c["lease_id"] for c in beat["cancels"]} == {
            task.lease for task in self.tasks.values() if task.cancel and task.worker == worker
        }
        if holds:
            self.expires[worker] = self.now + 1.5

    @rule(dead=st.none() | workers)
    def rescue(self, dead: int | None) -> None:
        rescued = self.queue.rescue(*([dead] if dead else []))
        for worker, state in self.states.items():
            if state in LIVE and (worker == dead or self.expires[worker] < self.now):
                self.states[worker] = "lost"
        lost = [t for t in self.tasks.values() if t.lease and self.states[t.worker] not in LIVE]
        assert rescued == len(lost)
        for task in lost:
            task.crash()

    @rule(target=leases, dead=workers)
    def take_over(self, dead: int) -> object:
        """A worker dies and a new one runs what it held: every old lease is stale now."""
        self.rescue(dead)
        return self._claim(self.register(), 100)

    @rule(lease=leases, state=st.sampled_from(["draining", "stopped"]))
    def holder_leaves(self, lease: dict, state: str) -> None:
        """Who drains keeps what it runs; who stopped does not."""
        worker = self.tasks[lease["task_id"]].worker
        self.leave(worker, state)
        self.rescue(None)

    @rule(id=ids)
    def cancel(self, id: str) -> None:
        task = self.tasks[id]
        if task.status == "active":
            task.cancel = True
        elif task.status in UNSTARTED:
            task.move("cancelled")
        assert self.queue.cancel(id) == task.status

    @rule(id=ids)
    def retry(self, id: str) -> None:
        task = self.tasks[id]
        if task.status not in ("retrying", "failed", "cancelled"):
            with self.refused("PQ003"):
                self.queue.retry(id)
            return
        task.again()
        assert self.queue.retry(id) == "queued"

    @rule(id=ids)
    def redrive(self, id: str) -> None:
        task = self.tasks[id]
        redriven = self.queue.value("select pgqueue.redrive(%s)::text", id)
        assert redriven == (id if task.status == "failed" else None)
        if redriven:
            task.again()

    @rule(id=ids, priority=st.sampled_from([None, 1, 5, 9]), delay=st.sampled_from([None, 0.5, -1]))
    def update(self, id: str, priority: int | None, delay: float | None) -> None:
        task = self.tasks[id]
        at = "select pgqueue.clock() + %s * interval '1 second'"
        run_at = None if delay is None else self.queue.value(at, delay * STEP_S)
        if task.status not in UNSTARTED or (task.status == "blocked" and delay is not None):
            with self.refused("PQ003"):
                self.queue.update(id, priority=priority, run_at=run_at)
            return
        if priority is not None:
            task.priority = priority
        if delay is not None and delay > 0:
            status = "retrying" if task.status == "retrying" else "scheduled"
            task.move(status, self.now + delay)
        elif delay is not None:
            task.move("queued")
        assert self.queue.update(id, priority=priority, run_at=run_at) == task.status

    @rule(paused=st.booleans())
    def pause(self, paused: bool) -> None:
        self.paused = paused
        limit(self.queue, orjson.dumps({"paused": paused}).decode())

    @rule(concurrency=st.none() | st.integers(1, 3))
    def limit(self, concurrency: int | None) -> None:
        self.concurrency = concurrency
        limit(self.queue, orjson.dumps({"concurrency": concurrency}).decode())

    @rule()
    def promote(self) -> None:
        due = [t for t in self.tasks.values() if t.due is not None and t.due <= self.now]
        assert self.queue.promote()["moved"] == len(due)
        for task in due:
            task.move("queued")

    @rule(steps=st.integers(1, 2))
    def advance(self, steps: int) -> None:
        self.now += steps
        self.queue.shift_clock(self.now * STEP_S)

    @rule()
    def fold(self) -> None:
        self.queue.value("select pgqueue_private.fold_rollups()")
        self.queue.value("select pgqueue_private.fold_batches()")

    @invariant()
    def database_and_model_agree(self) -> None:
        """Each task is in one place, under the model's lease, and was not tried too often."""
        shown = {row["id"]: row for row in self.queue.rows(_LOOK)}
        assert {id: (row["status"], row["attempt"]) for id, row in shown.items()} == {
            id: (task.status, task.attempt) for id, task in self.tasks.items()
        }
        for id, task in self.tasks.items():
            assert shown[id]["places"] == (task.status not in ("completed", "failed", "cancelled"))
            assert task.attempt <= task.budget
            if task.lease:
                assert shown[id]["lease_id"] == task.lease


@pytest.mark.timeout(300 + EXAMPLES * STEPS // 25)  # a hundred times what it takes alone
@pytest.mark.parametrize("shard", range(SHARDS))
def test_any_sequence_of_transitions_leaves_facts_and_tokens_agreeing(
    connect: Callable[..., psycopg.Connection], shard: int
) -> None:
    with ThreadPoolExecutor(1) as threads:
        queue = Queue(connect, threads)

        @hypothesis.seed(SEED * SHARDS + shard)
        def machine() -> Machine:
            return Machine(queue)

        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=-(-EXAMPLES // SHARDS),
                stateful_step_count=STEPS,
                derandomize=False,
                database=None,
                deadline=None,
                phases=[Phase.generate, Phase.shrink],
                suppress_health_check=[*HealthCheck],
            ),
        )
