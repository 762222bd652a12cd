"""The list of tasks against a look at every task: any filter, window, size of page and past."""

import itertools
import re
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from tests.database.queue import NOON, Queue

Row = dict[str, Any]
Window = tuple[datetime, datetime]

EVERYTHING = "ffffffff-ffff-ffff-ffff-ffffffffffff"
STATUSES = [
    *("scheduled", "queued", "blocked", "active", "retrying"),
    *("completed", "failed", "cancelled"),
]
OUTCOMES = [
    "completed",
    "failed",
    "timed_out",
    "snoozed",
    "cancelled",
    "released",
    "leave",
    "again",
]
QUEUES = ("p", "q")

# Minutes to wait, what to do then, and a number that picks among its variants.
STEPS = st.lists(
    st.tuples(
        st.integers(0, 45),
        st.sampled_from(
            ["enqueue", "enqueue", "work", "work", "cancel", "retry", "expire", "fold"]
        ),
        st.integers(0, 47),
    ),
    min_size=12,
    max_size=24,
)
FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(STATUSES),
        "type": st.sampled_from(["a", "b", "unheard"]),
        "queue": st.sampled_from([*QUEUES, "unheard"]),
        "tags": st.sampled_from([["x"], ["y", "x"], ["unheard"]]),
    },
)
READS = st.lists(
    st.tuples(
        FILTERS,
        st.sampled_from([2, 7, 50]),
        st.sampled_from([0, 500]),
        *[st.none() | st.integers(0, 200)] * 2,
    ),
    min_size=12,
    max_size=12,
)


class Past:
    """Tasks with a past, made step by step by a clock that only the steps move."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.worker = queue.worker(1e9)
        self.outcomes = itertools.cycle(OUTCOMES)
        queue.rows(
            "create or replace function pgqueue.clock() returns timestamptz language sql volatile"
            " parallel safe as $$ select current_setting('test.clock')::timestamptz $$"
        )

    def live(self, steps: list[tuple[int, str, int]]) -> None:
        at = NOON - timedelta(hours=11)
        for n, (minutes, action, variant) in enumerate(steps):
            at += timedelta(minutes=minutes, microseconds=n)
            self.queue.rows(f"set test.clock = '{at.isoformat()}'")
            getattr(self, action)(variant)

    def enqueue(self, variant: int) -> None:
        task = {"type": "ab"[variant % 2], "queue": QUEUES[variant // 2 % 2]}
        tags = [["x"], ["x", "y"], None][variant % 3]
        more: dict[str, Any] = [{}, {}, {"delay_s": 3_000}, {"expires_in_s": 4_000}][
            variant // 4 % 4
        ]
        parent = {"depends_on": [{"task": 0, "on_failure": ["cancel", "run", "fail"][variant % 3]}]}
        child = task | parent if variant % 5 == 0 else task
        self.queue.enqueue_many(task | more | {"tags": tags}, task, child)

    def work(self, variant: int) -> None:
        self.queue.promote()
        leases = self.queue.claim(self.worker, 1 + variant % 8, queues=QUEUES)
        if variant % 6 == 0:
            self.queue.complete(*leases)
            return
        for lease in leases:
            outcome = next(self.outcomes)
            if outcome == "again":
                self.queue.finish(lease, "failed", delay_s=2_000)
            elif outcome != "leave":
                more = {"delay_s": 1_000} if outcome == "snoozed" else {"retry": False}
                self.queue.finish(lease, outcome, **more)
        self.queue.rows("select pgqueue_private.follow_up()")

    def cancel(self, variant: int) -> None:
        self._each("status not in ('completed', 'failed', 'cancelled')", variant, self.queue.cancel)

    def retry(self, variant: int) -> None:
        self._each("status in ('failed', 'cancelled')", variant, self.queue.retry)

    def expire(self, variant: int) -> None:
        self.queue.rows("select pgqueue_private.expire(%s)", 1 + variant)

    def fold(self, variant: int) -> None:
        self.queue.rows("select pgqueue_private.fold_rollups(%s)", variant)

    def _each(self, condition: str, variant: int, call: Any) -> None:
        found = f"select id::text from pgqueue.tasks where {condition} order by id"
        for id in self.queue.values(found)[variant % 5 :: 5][:3]:
            call(id)


def matching(every: list[Row], filter: Row, window: Window) -> list[Row]:
    """Return what a list must hold, by looking at every task."""
    return [
        row
        for row in every
        if all(row[name] == filter.get(name, row[name]) for name in ("status", "type", "queue"))
        and {*filter.get("tags", ())} <= {*row["tags"]}
        and window[0] <= row["created_at"] < window[1]
    ]


def check_pages(
    queue: Queue, every: list[Row], filter: Row, window: Window, size: tuple[int, int]
) -> None:
    """Require that all pages together are what must be listed, and that each gets on."""
    expected = matching(every, filter, window)
    found: list[str] = []
    before: str | None = EVERYTHING
    while before is not None:
        page = queue.row(
            "select items, next_before::text, searched_until::timestamptz"
            " from pgqueue_private.list_tasks(%s, %s, %s, %s, %s, %s)",
            *(Jsonb(filter), *window, before, *size),
        )
        found += [re.search(r'"id": "([^"]*)"', item)[1] for item in page["items"]]  # type: ignore[index]
        assert len(page["items"]) <= size[0]
        assert page["next_before"] is None or page["next_before"] < before, "it does not get on"
        sure = [row["id"] for row in expected if row["created_at"] > page["searched_until"]]
        assert found[: len(sure)] == sure
        before = page["next_before"]
    assert found == [row["id"] for row in expected]


@settings(
    max_examples=5,
    phases=[Phase.generate],  # examples build on each other, so none can be made smaller
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(STEPS, READS)
def test_every_filter_lists_what_looking_at_every_task_finds(
    queue: Queue, steps: list[tuple[int, str, int]], reads: list[Any]
) -> None:
    """The tasks of all examples are in one database: what came before is the past of the next."""
    Past(queue).live(steps)
    every = queue.rows(
        "select id::text, status, type, queue, tags, created_at from pgqueue.tasks order by id desc"
    )
    moments = [row["created_at"] for row in every] or [NOON]
    for filter, *size, low, high in reads:
        window = (
            NOON - timedelta(days=1) if low is None else moments[low % len(moments)],
            NOON + timedelta(days=2) if high is None else moments[high % len(moments)],
        )
        check_pages(queue, every, filter, window, tuple(size))
