"""What a transition touches: never more than its batch, whatever the planner believes."""

from typing import Self

import orjson
import pytest

from tests.database.queue import Queue

BATCH = 50
FACTS_AND_TOKENS = ("task", "attempt", "task_event", "ready", "delayed", "running", "dedup")


class Touched:
    """What a session reads of the facts and tokens between `with` and its end."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self.scanned: set[str] = set()
        self.rows = 0

    def __enter__(self) -> Self:
        # in one transaction, so that nothing is sent off to the collector in between
        self._transaction = self._queue.connection.transaction()
        self._transaction.__enter__()
        self._before = self._counters()
        return self

    def __exit__(self, *error: object) -> None:
        after = self._counters()
        for name, (scans, rows) in after.items():
            scans_before, rows_before = self._before.get(name, (0, 0))
            self.rows += rows - rows_before
            if scans > scans_before:
                self.scanned.add(name)
        self._transaction.__exit__(*error)

    def _counters(self) -> dict[str, tuple[int, int]]:
        rows = self._queue.rows(
            """select relname::text as name, coalesce(seq_scan, 0) as scans,
               coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) as rows
               from pg_stat_xact_user_tables where schemaname = 'pgqueue_private'"""
        )
        return {
            row["name"]: (row["scans"], row["rows"])
            for row in rows
            if row["name"].startswith(FACTS_AND_TOKENS)
        }


def _results(leases: list[dict], outcome: str) -> str:
    return orjson.dumps(
        [
            {
                "task_id": lease["task_id"],
                "lease_id": lease["lease_id"],
                "outcome": outcome,
                "delay_s": 5,
            }
            for lease in leases
        ]
    ).decode()


def _fill(queue: Queue) -> int:
    """Make history and a backlog; gives an active worker."""
    worker = queue.worker(1e6)
    queue.enqueue_many(*[{"type": "t"}] * 4000)
    for outcome in ("completed", "completed", "failed"):
        leases = queue.claim(worker, 800)
        queue.value("select refused from pgqueue_private.finish(%s)", _results(leases, outcome))
    queue.claim(worker, 600)
    queue.enqueue_many(*[{"type": "t", "delay_s": 9_000}] * 500)
    queue.enqueue_unique(*({"type": "u", "dedup_key": str(n), "delay_s": 1e6} for n in range(1500)))
    return worker


def _never_analysed(queue: Queue) -> int:
    return _fill(queue)


def _analysed_while_empty(queue: Queue) -> int:
    queue.rows("vacuum analyze")
    return _fill(queue)


def _analysed_while_full(queue: Queue) -> int:
    worker = _fill(queue)
    queue.rows("analyze")
    return worker


def _bloated(queue: Queue) -> int:
    """Far more dead tokens than live ones, which a held snapshot keeps."""
    holder = queue.session()
    holder.rows("begin isolation level repeatable read")
    holder.value("select count(*) from pgqueue_private.task")
    worker = _fill(queue)
    queue.rows("vacuum analyze")
    leases = queue.claim(worker, 5000)
    queue.value("select refused from pgqueue_private.finish(%s)", _results(leases, "completed"))
    queue.rows("vacuum analyze pgqueue_private.ready")
    queue.enqueue_many(*[{"type": "t"}] * 200)
    return worker


@pytest.mark.parametrize(
    "state", [_never_analysed, _analysed_while_empty, _analysed_while_full, _bloated]
)
def test_no_transition_scans_a_table_or_touches_more_than_its_batch(
    queue: Queue, state: object
) -> None:
    worker = state(queue)
    touched: dict[str, Touched] = {}

    def measured(name: str, call: object) -> object:
        with Touched(queue) as touched[name]:
            return call()

    ids = measured("enqueue_many", lambda: queue.enqueue_many(*[{"type": "t"}] * BATCH))
    leases = measured("claim", lambda: queue.claim(worker, BATCH))
    assert len(leases) == len(ids) == BATCH
    measured(
        "record_progress",
        lambda: queue.progress(
            *[{"task_id": x["task_id"], "lease_id": x["lease_id"], "percent": 1} for x in leases]
        ),
    )
    for outcome, part in (
        ("completed", leases[:20]),
        ("failed", leases[20:35]),
        ("released", leases[35:]),
    ):
        refused = measured(
            f"finish as {outcome}",
            lambda part=part, outcome=outcome: queue.value(
                "select refused from pgqueue_private.finish(%s)", _results(part, outcome)
            ),
        )
        assert refused == []
    queue.shift_clock(9_001)
    assert measured("promote", lambda: queue.promote(BATCH))["moved"] == BATCH
    names = "select * from pgqueue_private.runnable_queues()"
    assert measured("runnable_queues", lambda: queue.values(names)) == ["default"]
    measured("heartbeat", lambda: queue.heartbeat(worker))
    measured("cancel", lambda: queue.cancel(ids[-1]))
    measured("get", lambda: queue.task(ids[0]))
    keyed = [{"type": "t", "dedup_key": str(n), "on_conflict": "replace"} for n in range(BATCH)]
    measured("enqueue_unique", lambda: queue.enqueue_unique(*keyed))
    again = measured("enqueue_unique once more", lambda: queue.enqueue_unique(*keyed))
    assert {verdict for _, verdict in again} == {"replaced"}
    measured("change_task", lambda: queue.update(again[0][0], priority=1))
    queue.rows(
        """insert into pgqueue_private.queue (name, created_at, ageing_s)
            values ('default', now(), 1)
           on conflict (name) do update set ageing_s = 1"""
    )
    queue.shift_clock(9_900)
    age = f"select pgqueue_private.age_tasks({BATCH})"
    assert measured("age_tasks", lambda: queue.value(age)) == BATCH
    prune = f"select pgqueue_private.prune_dedup({BATCH})"
    assert measured("prune_dedup", lambda: queue.value(prune)) == BATCH

    assert {name: seen.scanned for name, seen in touched.items() if seen.scanned} == {}
    allowed = {"cancel": 12, "get": 8, "heartbeat": 0, "runnable_queues": 4, "change_task": 12}
    allowed |= {"enqueue_unique": 8 * BATCH, "enqueue_unique once more": 16 * BATCH}
    too_many = {
        name: seen.rows
        for name, seen in touched.items()
        if seen.rows > allowed.get(name, 4 * BATCH)
    }
    assert too_many == {}


def test_a_session_that_planned_on_empty_tables_does_not_suffer_later(queue: Queue) -> None:
    worker = queue.worker(1e6)
    for _ in range(7):  # past the five executions after which a plan is kept
        queue.finish(queue.start(worker))
        queue.promote()
    queue.enqueue_many(*[{"type": "t"}] * 4000)
    queue.claim(worker, 2000)
    with Touched(queue) as seen:
        leases = queue.claim(worker, BATCH)
        queue.value("select refused from pgqueue_private.finish(%s)", _results(leases, "completed"))
    assert seen.scanned == set()
    assert seen.rows <= 6 * BATCH


def test_what_turns_plans_off_turns_their_compilation_off_too(queue: Queue) -> None:
    """Before PostgreSQL 18 what is off costs 10¹⁰, which sets JIT on: 3 s for each call."""
    compiled = queue.values(
        """select proname::text from pg_proc
           where pronamespace in ('pgqueue'::regnamespace, 'pgqueue_private'::regnamespace)
               and 'enable_seqscan=off' = any (proconfig) and not 'jit=off' = any (proconfig)"""
    )
    assert compiled == []


def test_an_enqueue_hashes_the_types_and_not_the_tasks(queue: Queue) -> None:
    said: list[str] = []
    queue.connection.add_notice_handler(lambda notice: said.append(notice.message_primary or ""))
    with queue.connection.transaction():
        queue.connection.execute(
            """load 'auto_explain';
            set local auto_explain.log_min_duration = 0;
            set local auto_explain.log_nested_statements = on;
            set local auto_explain.log_level = notice"""
        )
        queue.enqueue_many(*[{"type": "t"}] * BATCH)
    (plan,) = [text for text in said if "insert into task (" in text]
    assert "Hash Left Join" in plan, plan  # a right join hashes what is on the left: the tasks
    assert "Hash Right Join" not in plan, plan
