"""Any sequence of transitions, against a model of one screen."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import hypothesis.strategies as st
import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.database.queue import Queue
from tests.servers import Server

# The clock moves in steps of 1,000 s and everything is due in between: a slow test changes nothing.
STEP_S = 1_000
LEASE_S = 1.5 * STEP_S
LIVE = ("active", "draining")


@dataclass
class Expected:
    """What the model knows of a task."""

    priority: int
    max_attempts: int
    budget: int
    status: str = "queued"
    delayed: bool = False
    attempt: int = 0
    crashes: int = 0
    due: float = 0
    lease: int | None = None
    worker: int = 0
    cancel: bool = False

    def end(self, status: str) -> None:
        self.status, self.lease, self.cancel, self.delayed = status, None, False, False

    def wait(self, status: str, due: float) -> None:
        self.end(status)
        self.delayed, self.due = True, due


class Machine(RuleBasedStateMachine):
    ids = Bundle("ids")
    leases = Bundle("leases")
    workers = Bundle("workers")

    def __init__(self, server: Server, template: str, threads: ThreadPoolExecutor) -> None:
        super().__init__()
        self.server, self.name = server, server.create(template)
        self.connection = psycopg.connect(server.dsn(self.name), autocommit=True)
        self.queue = Queue(lambda **_: self.connection, threads)
        self.now = 0.0
        self.tasks: dict[str, Expected] = {}
        self.states: dict[int, str] = {}
        self.expires: dict[int, float] = {}
        self.last_lease = 0

    def teardown(self) -> None:
        self.connection.close()
        self.server.drop(self.name)

    @initialize(target=ids)
    def begin(self) -> object:
        """Start in the middle: two workers and some tasks, one of which is taken."""
        return multiple(*[self.enqueue(5, 2, None) for _ in range(3)])

    @initialize(target=workers)
    def open(self) -> object:
        return multiple(self.register(), self.register())

    @rule(
        target=ids,
        priority=st.sampled_from([2, 5, 8]),
        tries=st.integers(1, 3),
        delay=st.sampled_from([None, None, 0.5, 1.5]),
    )
    def enqueue(self, priority: int, tries: int, delay: float | None) -> str:
        task = {"type": "t", "priority": priority, "max_attempts": tries}
        (id,) = self.queue.enqueue_many(task | ({"delay_s": delay * STEP_S} if delay else {}))
        self.tasks[id] = Expected(priority, tries, tries)
        if delay:
            self.tasks[id].wait("scheduled", self.now + delay)
        return id

    @rule(target=workers)
    def register(self) -> int:
        worker = self.queue.worker(LEASE_S)
        self.states[worker], self.expires[worker] = "active", self.now + 1.5
        return worker

    @rule(worker=workers, state=st.sampled_from(["draining", "stopped"]))
    def leave(self, worker: int, state: str) -> None:
        self.queue.value("select pgqueue.set_worker_state(%s, %s)::text", worker, state)
        if self.states[worker] in LIVE:
            self.states[worker] = state

    def _claim(self, worker: int, most: int) -> object:
        held = self.states[worker] in LIVE and self.expires[worker] > self.now
        if not held:
            with pytest.raises(psycopg.Error) as caught:
                self.queue.claim(worker, most)
            assert caught.value.sqlstate == "PQ001"
            return multiple()
        runnable = [t for t in self.tasks.values() if t.status == "queued" and not t.delayed]
        wanted = sorted(t.priority for t in runnable)[:most]
        leases = self.queue.claim(worker, most)
        assert [lease["priority"] for lease in leases] == (
            wanted if self.states[worker] == "active" else []
        )
        for lease in leases:
            task = self.tasks[lease["task_id"]]
            assert (task.status, task.delayed) == ("queued", False)
            task.attempt += 1
            assert (lease["attempt"], lease["budget"]) == (task.attempt, task.budget)
            assert lease["lease_id"] > self.last_lease
            task.status, task.lease, task.worker = "active", lease["lease_id"], worker
        self.last_lease = max((lease["lease_id"] for lease in leases), default=self.last_lease)
        return multiple(*leases)

    some_claim = rule(target=leases, worker=workers, most=st.integers(1, 4))(_claim)
    one_claims = rule(target=leases, worker=workers, most=st.just(1))(_claim)
    all_claimed = rule(target=leases, worker=workers, most=st.just(100))(_claim)

    def _finish(self, lease: dict, outcome: str, delay: float | None, retry: bool) -> None:
        task = self.tasks[lease["task_id"]]
        more = {"delay_s": delay * STEP_S} if delay else {}
        refused = self.queue.finish(lease, outcome, retry=retry, **more)
        if task.lease != lease["lease_id"]:
            assert refused == [lease["lease_id"]]
            return
        assert refused == []
        due = self.now + (delay or 0)
        if task.cancel:
            task.end("cancelled")
        elif outcome in ("completed", "cancelled"):
            task.end(outcome)
        elif outcome == "released":
            task.attempt -= 1
            task.wait("queued", due) if delay else task.end("queued")
        elif outcome == "snoozed":
            task.attempt -= 1
            task.wait("scheduled", due)
        elif outcome == "crashed":
            self._crash(task)
        elif retry and task.attempt < task.budget:
            task.wait("retrying", due)
        else:
            task.end("failed")

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
    def progress(self, lease: dict) -> None:
        update = {"task_id": lease["task_id"], "lease_id": lease["lease_id"], "percent": 1}
        holds = self.tasks[lease["task_id"]].lease == lease["lease_id"]
        assert self.queue.progress(update) == ([] if holds else [lease["lease_id"]])

    @rule(worker=workers)
    def heartbeat(self, worker: int) -> None:
        beat = self.queue.heartbeat(worker, lease_s=LEASE_S)
        holds = self.states[worker] in LIVE
        assert beat["active"] == ([worker] if holds else [])
        assert {c["lease_id"] for c in beat["cancels"]} == {
            t.lease for t in self.tasks.values() if t.cancel and t.worker == worker
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
            if task.cancel:
                task.end("cancelled")
            else:
                self._crash(task)

    def _crash(self, task: Expected) -> None:
        if task.crashes == 2:
            task.end("failed")
        else:
            task.end("queued")
            task.crashes += 1
            task.budget += 1

    @rule(target=leases, dead=workers)
    def take_over(self, dead: int) -> object:
        """A worker dies and a new one runs what it held: every old lease is stale now."""
        self.rescue(dead)
        return self._claim(self.register(), 100)

    @rule(id=ids)
    def cancel(self, id: str) -> None:
        task = self.tasks[id]
        if task.status == "active":
            task.cancel = True
        elif task.status not in ("completed", "failed"):
            task.end("cancelled")
        assert self.queue.cancel(id) == task.status

    @rule(id=ids)
    def retry(self, id: str) -> None:
        task = self.tasks[id]
        if task.status not in ("retrying", "failed", "cancelled"):
            with pytest.raises(psycopg.Error) as caught:
                self.queue.retry(id)
            assert caught.value.sqlstate == "PQ003"
            return
        assert self.queue.retry(id) == "queued"
        if task.status != "retrying":
            task.budget, task.crashes = task.attempt + task.max_attempts, 0
        task.end("queued")

    @rule(id=ids, priority=st.sampled_from([None, 1, 5, 9]), delay=st.sampled_from([None, 0.5, -1]))
    def update(self, id: str, priority: int | None, delay: float | None) -> None:
        task = self.tasks[id]
        at = "select pgqueue.clock() + %s * interval '1 second'"
        run_at = None if delay is None else self.queue.value(at, delay * STEP_S)
        if task.status not in ("scheduled", "queued", "retrying"):
            with pytest.raises(psycopg.Error) as caught:
                self.queue.update(id, priority=priority, run_at=run_at)
            assert caught.value.sqlstate == "PQ003"
            return
        if priority is not None:
            task.priority = priority
        if delay is not None and delay > 0:
            retries = task.status == "retrying"
            task.wait("retrying" if retries else "scheduled", self.now + delay)
        elif delay is not None:
            task.end("queued")
        assert self.queue.update(id, priority=priority, run_at=run_at) == task.status

    @rule()
    def promote(self) -> None:
        due = [t for t in self.tasks.values() if t.delayed and t.due <= self.now]
        assert self.queue.promote()["moved"] == len(due)
        for task in due:
            task.end("queued")

    @rule(steps=st.integers(1, 2))
    def advance(self, steps: int) -> None:
        self.now += steps
        self.queue.shift_clock(self.now * STEP_S)

    @precondition(lambda self: self.tasks)
    @rule()
    def fold(self) -> None:
        self.queue.value("select pgqueue.fold_rollups()")

    @invariant()
    def database_and_model_agree(self) -> None:
        shown = self.queue.rows("select id::text, status, attempt from pgqueue.tasks")
        assert {t["id"]: (t["status"], t["attempt"]) for t in shown} == {
            id: (task.status, task.attempt) for id, task in self.tasks.items()
        }
        assert self.queue.broken_rules() == []


@pytest.mark.timeout(300)
def test_any_sequence_of_transitions_leaves_facts_and_tokens_agreeing(
    server: Server, template: str
) -> None:
    with ThreadPoolExecutor(1) as threads:
        machine: Callable[[], Machine] = lambda: Machine(server, template, threads)  # noqa: E731
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=30,
                stateful_step_count=40,
                deadline=None,
                suppress_health_check=[*HealthCheck],
            ),
        )
