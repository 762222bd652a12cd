"""No call that schemathesis can think of breaks the API or stops the queue; see `make fuzz`."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.api.worker import Worker
from tests.figures import Figure
from tests.fuzz.fuzzing import fuzz
from tests.processes import free_port, wait_until
from tests.soundness import assert_sound

CALLS = int(os.environ.get("PGQUEUE_TEST_FUZZ_CALLS", "600"))
SEED = int(os.environ.get("PGQUEUE_TEST_FUZZ_SEED", "1"))
# deliveries are left out: how long they take is up to who does not answer
_LEFT = """
select queue, type, status, status_reason, count(*), min(created_at), max(attempt)
from pgqueue.tasks
where type <> 'pgqueue.webhook_delivery'
    and id in (select task_id from pgqueue_private.ready union all select task_id
    from pgqueue_private.running)
group by 1, 2, 3, 4
"""
COVERED = 10_000
"""From so many calls on, each boundary of each parameter is among them: some 7,000."""

Start = Callable[..., tuple[subprocess.Popen[bytes], Path]]


@pytest.fixture
def start(database: str, tmp_path: Path) -> Iterator[Start]:
    """Start `pgqueue` with these arguments; give the process and its log."""
    started = []

    def start(*arguments: str) -> tuple[subprocess.Popen[bytes], Path]:
        log = tmp_path / f"{arguments[0]}.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "pgqueue", *arguments],
                env={
                    **os.environ,
                    "PGQUEUE_DATABASE_URL": database,
                    "PGQUEUE_LOG_FORMAT": "json",
                },
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started.append(process)
        return process, log

    yield start
    for process in started:
        process.send_signal(signal.SIGTERM)
    for process in started:
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


@pytest.fixture
def things(database: str) -> None:
    """A task with everything below it and a schedule, for calls that need one."""
    worker = Worker(database)
    worker.publish("echo")
    id = worker.enqueue("echo")
    worker.claim()
    worker.log(id, "a line")
    worker.save_checkpoint(id, "fetch", '{"rows": 3}')
    worker.save_artifact(id, "report.pdf", b"%PDF", "application/pdf")
    worker.finish(id)
    worker.connection.execute("select pgqueue.set_schedule('known', 'echo', cron => '0 * * * *')")
    worker.close()


def _set_free(connection: psycopg.Connection) -> None:
    """Take back what calls have told queues: whatever it was, tasks start again."""
    for (name,) in connection.execute("select name from pgqueue.queues").fetchall():
        connection.execute("select pgqueue.resume(%s)", [name])
        connection.execute(
            """select pgqueue.patch_queue(%s, '{
                "concurrency": null, "rate": null, "per_key": null, "slowed_until": null
            }', null)""",
            [name],
        )
    for (name,) in connection.execute("select name from pgqueue.limits").fetchall():
        connection.execute("select pgqueue.delete_limit(%s)", [name])


@pytest.mark.timeout(max(300, CALLS // 5))
@pytest.mark.usefixtures("things")
def test_no_call_breaks_the_api_and_the_queue_drains_afterwards(
    database: str, start: Start, figure: Figure
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    api, api_log = start("api", "--port", str(port))
    worker, _ = start(*("worker", "--app", "tests.fuzz.fuzzed:app"))

    http = httpx.Client(base_url=url, timeout=30)

    def ready() -> bool:
        try:
            known = http.get("/v1/types").json()["items"]
        except httpx.TransportError:
            return False
        return "echo" in {kind["name"] for kind in known}

    wait_until(ready, 60)
    began, used = time.monotonic(), time.process_time()
    found = fuzz(url, CALLS, SEED, coverage=CALLS >= COVERED)
    took, used = time.monotonic() - began, time.process_time() - used
    assert not found.failures, "\n\n".join(found.failures[:10])
    assert found.total >= CALLS
    assert max(found.statuses) < 500
    assert {"fuzzing", "stateful"} <= {phase.lower() for phase in found.calls}
    assert api.poll() is None
    assert worker.poll() is None
    assert '"level":"error"' not in api_log.read_text()
    with psycopg.connect(database, autocommit=True, prepare_threshold=None) as connection:
        _set_free(connection)
        ids = [
            http.post("/v1/tasks", json={"type": "echo", "payload": {"n": n}}).json()["id"]
            for n in range(100)
        ]
        http.close()

        def left() -> list[tuple]:
            return connection.execute(_LEFT).fetchall()

        with suppress(AssertionError):
            wait_until(lambda: not left(), 120)
        assert not left(), "\n".join(map(str, left()))
        ended = "select count(*) from pgqueue.tasks where id = any (%s) and status = 'completed'"
        assert connection.execute(ended, [ids]).fetchone()[0] == 100
        assert_sound(connection)
    figure(
        "poison payloads and results",
        f"{found.total:,} calls to {len(found.operations)} operations, {found.total / took:.0f}/s, "
        f"{used:.0f} s of CPU to make them up",
        "no 5xx, no violation, the queue drains",
    )
