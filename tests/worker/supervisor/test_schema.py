"""A worker and a schema that do not fit: it waits, or it drains, and says what to do."""

import httpx

from pgqueue.database.migrations import code_version, migrate
from tests.processes import free_port
from tests.worker.conftest import Bench, eventually


def readiness(port: int) -> tuple[int, str]:
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=45)
    except httpx.TransportError as error:
        return 0, str(error)
    return answer.status_code, answer.text


def test_a_worker_before_its_schema_waits_for_it_and_starts_by_itself(bench: Bench) -> None:
    port = free_port()
    bench.rows("update pgqueue_private.code set version = version - 1")
    worker = bench.start("--metrics-port", str(port), wait=False)
    message = f"the schema is at version {code_version() - 1}, this code needs {code_version()}"
    eventually(lambda: message in readiness(port)[1], "it says why it waits")
    assert readiness(port)[0] == 503
    assert "run `pgqueue migrate`" in readiness(port)[1]
    id = bench.enqueue("echo")
    assert worker.poll() is None
    assert bench.processes() == []
    migrate(bench.dsn)
    assert bench.ended(id)["status"] == "completed"
    eventually(lambda: readiness(port)[0] == 200, "it is ready")


def test_a_worker_that_a_migration_no_longer_allows_drains_and_says_so(bench: Bench) -> None:
    port = free_port()
    worker = bench.start("--metrics-port", str(port))
    id = bench.enqueue("gate", {"name": "it"})
    bench.passed("it-in-1")
    bench.rows(
        "insert into pgqueue_private.migration (version, name, min_code) values (9998, 'x', 9999)"
    )
    eventually(lambda: "code of version 9999" in readiness(port)[1], "it says that it is too old")
    assert readiness(port)[0] == 503
    assert "upgrade pgqueue" in readiness(port)[1]
    bench.open("it-out")
    assert worker.wait(45) == 1
    assert bench.ended(id)["status"] == "completed"
    assert [row["outcome"] for row in bench.attempts(id)] == ["completed"]
    assert "upgrade pgqueue" in bench.logs()


def test_a_finish_that_the_schema_does_not_understand_yet_is_kept_and_sent_again(
    bench: Bench,
) -> None:
    """Its function is gone for a moment: the attempt must not be lost, nor taken for a failure."""
    bench.start()
    id = bench.enqueue("gate", {"name": "it"})
    bench.passed("it-in-1")
    for name in ("finish", "complete"):
        bench.rows(f"alter function pgqueue_private.{name} rename to {name}_away")
    bench.open("it-out")
    eventually(lambda: '"doing":"finish"' in bench.logs(), "its finish is refused")
    for name in ("finish", "complete"):
        bench.rows(f"alter function pgqueue_private.{name}_away rename to {name}")
    assert bench.ended(id)["status"] == "completed"
    assert [row["outcome"] for row in bench.attempts(id)] == ["completed"]
