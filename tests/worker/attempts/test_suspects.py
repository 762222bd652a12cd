"""Tasks that crashed twice: each runs in a process of its own, and holds nobody up."""

from tests.worker.conftest import Bench

CRASHED_TWICE = "update pgqueue_private.ready set crashes = 2 where task_id = any (%s)"


def suspects(bench: Bench, type: str, *payloads: dict) -> list[str]:
    """Enqueue tasks that stood beside two crashes."""
    with bench.connection.transaction():
        ids = [bench.enqueue(type, payload) for payload in payloads]
        bench.rows(CRASHED_TWICE, ids)
    return ids


def test_others_run_beside_suspects(bench: Bench) -> None:
    long, longer = suspects(bench, "gate", {"name": "a"}, {"name": "b"})
    bench.start()
    bench.passed("a-in-1")
    bench.passed("b-in-1")
    assert bench.ended(bench.enqueue("echo"))["status"] == "completed"
    bench.open("a-out")
    bench.open("b-out")
    assert {bench.ended(id)["status"] for id in (long, longer)} == {"completed"}


def test_the_third_crash_of_a_suspect_takes_nobody_with_it(bench: Bench) -> None:
    neighbour = bench.enqueue("gate", {"name": "n"})
    bench.start()
    bench.passed("n-in-1")
    (culprit,) = suspects(bench, "die", {})
    failed = bench.ended(culprit)
    assert (failed["status"], failed["error"]["type"]) == ("failed", "Crashed")
    bench.open("n-out")
    assert bench.ended(neighbour)["crash_count"] == 0


def test_a_suspect_is_cancelled_and_has_its_timeout_as_others_do(bench: Bench) -> None:
    bench.start()
    (cancelled,) = suspects(bench, "gate", {"name": "c"})
    bench.passed("c-in-1")
    bench.rows("select pgqueue.cancel(%s)", cancelled)
    assert bench.ended(cancelled)["status"] == "cancelled"
    (slow,) = suspects(bench, "slow", {})
    assert bench.ended(slow)["status"] == "failed"
    assert [a["outcome"] for a in bench.attempts(slow)] == ["timed_out"]
