"""A worker as its users start it, on a database of the test's own."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
from psycopg.rows import dict_row

from tests import commands
from tests.commands import Command

PATIENCE_S = 45.0
_WORKER = ["worker", "--app", "tests.worker.handlers:app"]


def eventually(probe: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
    """Return the first true answer of a probe; the poll's pause decides nothing."""
    deadline = time.monotonic() + patience_s
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > deadline:
            pytest.fail(f"not within {patience_s:g} s: {what}")
        time.sleep(0.01)


class Bench:
    """A database, the gates of its handlers, and as many workers as a test starts."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self.dsn = dsn
        self.folder = folder
        self.workers: list[Command] = []
        direct = os.environ.get("PGQUEUE_LISTEN_URL", dsn)  # it only looks on, and must see all
        self.connection = psycopg.connect(direct, autocommit=True, row_factory=dict_row)

    def reconnect(self) -> None:
        """Connect again where the server was away."""
        self.connection.close()
        self.connection = psycopg.connect(self.dsn, autocommit=True, row_factory=dict_row)

    def start(self, *arguments: str, wait: bool = True, **environment: str) -> Command:
        """Start `pgqueue worker` with the handlers of these tests."""
        before = self.value("select count(*) from pgqueue_private.worker") if wait else 0
        worker = commands.start(
            [*_WORKER, *arguments],
            {
                **os.environ,
                "PGQUEUE_DATABASE_URL": self.dsn,
                "PGQUEUE_LOG_FORMAT": "json",
                "TEST_GATES": str(self.folder),
                **environment,
            },
            self.folder / f"worker-{len(self.workers)}.log",
        )
        self.workers.append(worker)
        if wait:
            eventually(
                lambda: (
                    worker.poll() is not None
                    or self.value("select count(*) from pgqueue_private.worker") > before
                ),
                "the worker registers",
            )
            assert worker.poll() is None, self.logs()
        return worker

    def stop(self, worker: Command, number: int = signal.SIGTERM) -> int:
        """Signal a worker and give its exit status."""
        worker.send_signal(number)
        return worker.wait(PATIENCE_S)

    def logs(self) -> str:
        """What all workers have said."""
        return "".join(file.read_text() for file in sorted(self.folder.glob("worker-*.log")))

    def close(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                worker.kill()
                worker.wait()
        self.connection.close()

    def rows(self, statement: str, *parameters: Any) -> list[dict[str, Any]]:
        cursor = self.connection.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []

    def value(self, statement: str, *parameters: Any) -> Any:
        return next(iter(self.rows(statement, *parameters)[0].values()))

    def enqueue(self, type: str, payload: Any = None, **options: Any) -> str:
        named = "".join(f", {name} => %s" for name in options)
        text = orjson.dumps(payload or {}).decode()
        return str(
            self.value(
                f"select pgqueue.enqueue(%s::text, %s::jsonb{named})", type, text, *options.values()
            )
        )

    def enqueue_many(self, tasks: list[dict[str, Any]]) -> list[str]:
        text = orjson.dumps(tasks).decode()
        return list(map(str, self.value("select ids from pgqueue.enqueue_many(%s)", text)))

    def task(self, id: str) -> dict[str, Any]:
        return self.rows("select * from pgqueue.tasks where id = %s", id)[0]

    def attempts(self, id: str) -> list[dict[str, Any]]:
        return self.rows("select * from pgqueue.attempts where task_id = %s order by lease_id", id)

    def ended(self, id: str, patience_s: float = PATIENCE_S) -> dict[str, Any]:
        """Wait for a task to end, and give it."""
        final = ("completed", "failed", "cancelled")
        eventually(lambda: self.task(id)["status"] in final, f"{id} ends", patience_s)
        return self.task(id)

    def passed(self, gate: str) -> None:
        """Wait for a handler to pass a gate."""
        eventually((self.folder / gate).exists, f"a handler passes {gate}")

    def open(self, gate: str) -> None:
        """Let a handler through."""
        (self.folder / gate).touch()

    def workers_in(self, state: str) -> list[int]:
        """The pids of worker processes in a state."""
        rows = self.rows(
            "select pid from pgqueue_private.worker where state = %s order by id", state
        )
        return [row["pid"] for row in rows]

    def processes(self) -> list[int]:
        """The pids of worker processes that hold leases or may claim."""
        return self.workers_in("active")


@pytest.fixture
def bench(database: str, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(database, tmp_path)
    yield bench
    bench.close()
