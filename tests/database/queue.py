"""The SQL contract, called as any client would: by its functions."""

import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import psycopg
from psycopg.rows import dict_row

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
_PATIENCE_S = 45
_NUMBERS = itertools.count()

_SHOWN_ELSEWHERE = """
    select 'view' as topic, v.id::text as subject, 'is shown as ' || v.status as detail
    from pgqueue.tasks as v
    join pgqueue_private.task_places() as p on p.id = v.id
    left join pgqueue_private.delayed as d on d.task_id = v.id
    where v.status is distinct from case
        when p.place = 'running' then 'active'
        when p.place = 'delayed' then d.status
        when p.place = 'ready' then 'queued'
        when p.outcome in ('completed', 'cancelled') then p.outcome
        else 'failed'
    end
"""


class Queue:
    """A queue in a database of its own, and as many sessions on it as a race needs."""

    def __init__(self, connect: Callable[..., psycopg.Connection], threads: ThreadPoolExecutor):
        self.connect = connect
        self.name = f"session {next(_NUMBERS)}"  # the pid would be the pooler's idea
        self.connection = connect(application_name=self.name)
        self._threads = threads
        self._pace = ""

    def on(self, connection: psycopg.Connection) -> "Queue":
        """The same queue through another session."""
        other = object.__new__(Queue)
        name = connection.info.parameter_status("application_name")
        other.__dict__.update(self.__dict__, connection=connection, name=name)
        return other

    def session(self, **options: Any) -> "Queue":
        """The same queue through a session of its own."""
        return self.on(self.connect(application_name=f"session {next(_NUMBERS)}", **options))

    def rows(self, statement: str, *parameters: Any) -> list[dict[str, Any]]:
        with self.connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def row(self, statement: str, *parameters: Any) -> dict[str, Any]:
        (row,) = self.rows(statement, *parameters)
        return row

    def value(self, statement: str, *parameters: Any) -> Any:
        (value,) = self.row(statement, *parameters).values()
        return value

    def values(self, statement: str, *parameters: Any) -> list[Any]:
        return [next(iter(row.values())) for row in self.rows(statement, *parameters)]

    def count(self, table: str) -> int:
        return self.value(f"select count(*) from pgqueue_private.{table}")

    # transitions

    def enqueue(self, type: str = "t", **options: Any) -> str:
        named = ", ".join(f"{name} => %s" for name in options)
        separator = ", " if named else ""
        return self.value(
            f"select pgqueue.enqueue(%s{separator}{named})::text", type, *options.values()
        )

    def enqueue_many(self, *tasks: dict[str, Any]) -> list[str]:
        return self.value(
            "select ids::text[] from pgqueue.enqueue_many(%s)", orjson.dumps(tasks).decode()
        )

    def enqueue_unique(
        self, *tasks: dict[str, Any], strict: bool = True
    ) -> list[tuple[str | None, str]]:
        """Enqueue tasks with keys; gives each one's id, or the other's, and its verdict."""
        row = self.row(
            "select ids::text[], verdicts from pgqueue.enqueue_unique(%s, strict => %s)",
            orjson.dumps(tasks).decode(),
            strict,
        )
        return list(zip(row["ids"], row["verdicts"], strict=True))

    def worker(self, lease_s: float = 15, queues: tuple[str, ...] = ("default",)) -> int:
        return self.value(
            "select pgqueue_private.register_worker('sup:1', 'host', 7, '1', %s, '{t}', 10, %s)",
            list(queues),
            lease_s,
        )

    def claim(
        self,
        worker: int,
        max_tasks: int = 100,
        queues: tuple[str, ...] = ("default",),
        cursors: dict[tuple[str, int], int] | None = None,
    ) -> list[dict[str, Any]]:
        known = cursors or {}
        rows = self.rows(
            "select * from pgqueue_private.claim(%s, %s::text[], %s::bigint[], %s)",
            worker,
            list(queues),
            [known.get((queue, n), 0) for n in range(11) for queue in queues] if known else None,
            max_tasks,
        )
        for row in rows:
            row["task_id"] = str(row["task_id"])
        return sorted(rows, key=lambda row: (row["priority"], row["seq"]))

    def claimed(self, worker: int, max_tasks: int = 100, **options: Any) -> list[str]:
        return [lease["task_id"] for lease in self.claim(worker, max_tasks, **options)]

    def start(self, worker: int, **options: Any) -> dict[str, Any]:
        """Enqueue a task and claim it: gives its lease."""
        id = self.enqueue(**options)
        queue = (options.get("queue") or "default",)
        (lease,) = [row for row in self.claim(worker, queues=queue) if row["task_id"] == id]
        return lease

    def finish(self, lease: dict[str, Any], outcome: str = "completed", **more: Any) -> list[int]:
        """Finish one attempt; gives the leases that were refused.

        A failure is tried again at once, unless delay_s says else: None waits as the policy says.
        """
        more.setdefault("delay_s", 0 if outcome in ("failed", "timed_out") else None)
        return self.finish_many({**_of(lease), "outcome": outcome, **more})

    def finish_many(self, *results: dict[str, Any]) -> list[int]:
        return self.value(
            "select refused from pgqueue_private.finish(%s)",
            orjson.dumps(results, default=str).decode(),
        )

    def complete(self, *leases: dict[str, Any]) -> list[int]:
        """Complete attempts with nothing to keep, the way of most; gives the refused leases."""
        return self.value(
            "select refused from pgqueue_private.finish('[]', %s::uuid[], %s::bigint[])",
            [lease["task_id"] for lease in leases],
            [lease["lease_id"] for lease in leases],
        )

    def cancel(self, id: str, reason: str | None = None) -> str | None:
        return self.value("select pgqueue.cancel(%s, %s)", id, reason)

    def retry(self, id: str) -> str | None:
        return self.value("select pgqueue.retry(%s)", id)

    def update(self, id: str, **changes: Any) -> str | None:
        named = "".join(f", {name} => %s" for name in changes)
        return self.value(f"select pgqueue.update_task(%s{named})", id, *changes.values())

    def promote(self, max_tasks: int = 1000) -> dict[str, Any]:
        return self.row("select * from pgqueue_private.promote(%s)", max_tasks)

    def rescue(self, *dead: int) -> int:
        return self.value("select rescued from pgqueue_private.rescue(%s::bigint[])", list(dead))

    def heartbeat(self, *workers: int, lease_s: float = 15) -> dict[str, Any]:
        return self.row(
            "select * from pgqueue_private.heartbeat(%s::bigint[], %s)", list(workers), lease_s
        )

    def progress(self, *updates: dict[str, Any]) -> list[int]:
        return self.value(
            "select refused from pgqueue_private.record_progress(%s)",
            orjson.dumps(updates).decode(),
        )

    def slow_clock(self) -> None:
        """Start the service's clock at noon, and let it go a hundred times slower than ours.

        Neither the hour nor a busy machine changes a result then, and no two moments are the same.
        """
        self._pace = "(pg_catalog.clock_timestamp() - timestamptz '{began}') / 100".format(
            began=self.value("select clock_timestamp()").isoformat()
        )
        self.shift_clock(0)

    def stop_clock(self, at: datetime = NOON) -> None:
        """Let it stand still, so that what is foretold is exact; only ``shift_clock`` moves it."""
        self._pace = "interval '0'"
        self._set_clock(at)

    def shift_clock(self, seconds: float) -> None:
        """Set the clock to so long after it began: at noon, or now if it runs as users' do."""
        if self._pace:
            self._set_clock(NOON + timedelta(seconds=seconds))
        else:
            self.value(
                "select pgqueue_private.shift_clock(make_interval(secs => %s))::text",
                float(seconds),
            )

    def now(self) -> datetime:
        """Return the time of the service: a test of a moment asks here, not its own clock."""
        return self.value("select pgqueue.clock()")

    def _set_clock(self, at: datetime) -> None:
        self.rows(
            "create or replace function pgqueue.clock() returns timestamptz language sql volatile"
            f" parallel safe as $$ select timestamptz '{at.isoformat()}' + {self._pace} $$"
        )

    # looks

    def task(self, id: str) -> dict[str, Any]:
        return self.row("select * from pgqueue.tasks where id = %s", id)

    def status(self, id: str) -> str:
        return self.task(id)["status"]

    def attempts(self, id: str) -> list[dict[str, Any]]:
        return self.rows(
            "select * from pgqueue_private.attempt where task_id = %s order by lease_id", id
        )

    def broken_rules(self) -> list[dict[str, Any]]:
        """Return what is not sound, and the tasks that their view shows in another place."""
        return self.rows("select * from pgqueue.check()") + self.rows(_SHOWN_ELSEWHERE)

    # races

    @contextmanager
    def holding(self) -> Iterator["Queue"]:
        """A session in a transaction that commits when the block ends."""
        other = self.session()
        with other.connection.transaction():
            yield other

    def blocked(self, call: Callable[["Queue"], Any]) -> "Future[Any]":
        """Start a call in a session of its own; return once it waits for a lock of another."""
        other = self.session()
        future = self._threads.submit(call, other)
        self.until(
            """select exists (
                   select from pg_stat_activity
                   where application_name = %s and wait_event_type = 'Lock'
               )""",
            other.name,
            unless=future,
        )
        return future

    @contextmanager
    def waiting_for_nobody(self) -> Iterator[None]:
        """Fail where a call of this session in the block waits for a lock of another."""
        self.rows("set lock_timeout = '5s'")
        try:
            yield
        except psycopg.errors.LockNotAvailable as error:
            raise AssertionError(f"it waited for a lock of another session: {error}") from None
        self.rows("reset lock_timeout")

    def at_once(self, n: int, call: Callable[["Queue"], Any]) -> list[Any]:
        """Make a call in n sessions at once and give what each returned."""
        sessions = [self.session() for _ in range(n)]
        return [f.result(_PATIENCE_S) for f in [self._threads.submit(call, s) for s in sessions]]

    def until(self, condition: str, *parameters: Any, unless: "Future[Any] | None" = None) -> None:
        """Ask until a condition holds."""
        deadline = time.monotonic() + _PATIENCE_S
        while not self.value(condition, *parameters):
            if unless is not None and unless.done():
                raise AssertionError(f"did not wait but returned {unless.result()}")
            assert time.monotonic() < deadline, condition


def _of(lease: dict[str, Any]) -> dict[str, Any]:
    return {"task_id": lease["task_id"], "lease_id": lease["lease_id"]}
