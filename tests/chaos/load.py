"""Tasks in numbers, and what became of them."""

from collections import Counter

from tests.worker.conftest import Bench, eventually

__all__ = ["check_load", "completed", "drained", "load"]

_PATIENCE_S = 150  # for a machine that has other things to do


def load(bench: Bench, tasks: int = 2_000, **payload: object) -> list[str]:
    """Enqueue tasks, and give their ids: they are acknowledged.

    Each takes 20 ms, so that the fastest machine has some left when the last fault comes.
    """
    payload = {"seconds": 0.02, **payload}
    return bench.enqueue_many([{"type": "ledger", "payload": payload}] * tasks)


def completed(bench: Bench) -> int:
    """Count attempts that are recorded as completed."""
    return int(
        bench.value("select count(*) from pgqueue_private.attempt where outcome = 'completed'")
    )


def drained(bench: Bench, tasks: int) -> None:
    """Wait until so many are completed."""
    eventually(lambda: completed(bench) >= tasks, f"{tasks} are completed", _PATIENCE_S)


def check_load(bench: Bench, acknowledged: list[str]) -> Counter[str]:
    """Hold what clients were told against what the database says happened; give the outcomes.

    Nothing is lost, nothing unexpected, nothing completed twice, and no result is that of another
    lease than the one it is recorded for.
    """
    finals = bench.rows("select task_id::text, outcome from pgqueue.attempts where final")
    ended = Counter(row["task_id"] for row in finals if row["outcome"] == "completed")
    lost = set(acknowledged) - set(ended)
    unexpected = set(ended) - set(acknowledged)
    double = {id for id, n in ended.items() if n > 1}
    stale = bench.rows(
        "select task_id from pgqueue.attempts as a where a.outcome = 'completed'"
        " and a.result is not null and a.result <> to_jsonb(a.lease_id)"
    )
    assert (len(lost), len(unexpected), len(double), len(stale)) == (0, 0, 0, 0)
    for place in ("ready", "running", "delayed"):
        assert bench.value(f"select count(*) from pgqueue_private.{place}") == 0, place
    return Counter(row["outcome"] for row in bench.rows("select outcome from pgqueue.attempts"))
