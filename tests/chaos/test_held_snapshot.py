"""Held snapshot for long: nothing that dies meanwhile is cleaned away, and claims cost the same.

Blocks and index entries are asserted, which no busy machine changes; the time is only told.
"""

from dataclasses import dataclass
from statistics import median

import pytest

from tests.database.conftest import queue
from tests.database.queue import Queue
from tests.figures import Figure

__all__ = ["queue"]

ROW = "held snapshot for long"
TASKS = 5_000
BATCH = 100


@dataclass
class Cost:
    """Of a call: the blocks that it touched, and the time it took in the server."""

    blocks: int
    ms: float


@dataclass
class Round:
    """A batch: its claim, the entries of the order of ready that it looked at, and its finish."""

    claim: Cost
    entries: int
    finish: Cost


def _cost(queue: Queue, statement: str, *parameters: object) -> Cost:
    """Run a statement and give what it cost, whatever it called."""
    (explained,) = queue.value(f"explain (analyze, buffers, format json) {statement}", *parameters)
    plan = explained["Plan"]
    return Cost(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"], explained["Execution Time"])


def _entries_read(queue: Queue) -> int:
    """Return the entries of the order of ready that were ever looked at, the dead included."""
    queue.value("select pg_stat_force_next_flush()::text")
    return queue.value(
        "select idx_tup_read from pg_stat_user_indexes where indexrelname = 'ready_order'"
    )


def _drain(queue: Queue, use_cursor: bool) -> list[Round]:
    """Drain while a transaction of another session holds its snapshot."""
    queue.enqueue_many(*[{"type": "t"}] * TASKS)
    holder = queue.session()
    holder.rows("begin isolation level repeatable read")
    holder.value("select count(*) from pgqueue_private.task")
    worker = queue.worker(1e6)
    cursors = [0] * 11
    rounds = []
    entries = _entries_read(queue)
    while queue.value("select exists (select from pgqueue_private.ready)"):
        claim = f"select * from pgqueue_private.claim(%s, '{{default}}', %s::bigint[], {BATCH})"
        claimed = _cost(queue, claim, worker, cursors)
        before, entries = entries, _entries_read(queue)
        results = queue.value(
            """select jsonb_agg(jsonb_build_object('task_id', r.task_id, 'lease_id', r.lease_id,
               'outcome', 'completed'))::text from pgqueue_private.running as r"""
        )
        if use_cursor:
            cursors[5] = queue.value(
                "select max(seq) from pgqueue_private.running as r "
                "join pgqueue_private.task on id = r.task_id"
            )
        finished = _cost(queue, "select * from pgqueue_private.finish(%s)", results)
        rounds.append(Round(claimed, entries - before, finished))
        entries = _entries_read(queue)
    assert len(rounds) == TASKS / BATCH
    return rounds


@pytest.mark.timeout(120)
def test_claim_and_finish_cost_the_same_however_long_a_snapshot_is_held(
    queue: Queue, figure: Figure
) -> None:
    rounds = _drain(queue, use_cursor=True)
    assert max(row.entries for row in rounds) <= BATCH + 1
    early, late = rounds[5:15], rounds[-10:]
    for call in ("claim", "finish"):
        first, last = ([getattr(row, call) for row in part] for part in (early, late))
        ratio = median(c.blocks for c in last) / median(c.blocks for c in first)
        assert ratio <= 1.5, call
        times = [1000 * median(c.ms for c in part) / BATCH for part in (first, last)]
        figure(
            ROW,
            f"{call}: {ratio:.2f} × the blocks after {TASKS:,} tasks, {times[0]:.0f} → "
            f"{times[1]:.0f} µs a task",
            "≤ 1.5 ×",
        )


@pytest.mark.timeout(120)
def test_without_its_cursor_a_claim_would_wade_through_the_dead(queue: Queue) -> None:
    rounds = _drain(queue, use_cursor=False)
    assert rounds[-1].entries > 4_000
