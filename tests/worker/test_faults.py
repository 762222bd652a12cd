"""What breaks, and what holds: no task is lost, none is completed twice."""

from collections import Counter

from tests.worker.conftest import Bench, eventually


def check_ledger(bench: Bench, acknowledged: list[str]) -> Counter[str]:
    """The ledger checker: what clients were told against what the database says happened."""
    finals = bench.rows("select task_id::text, outcome from pgqueue.attempts where final")
    completed = Counter(row["task_id"] for row in finals if row["outcome"] == "completed")
    lost = set(acknowledged) - set(completed)
    unexpected = set(completed) - set(acknowledged)
    double = {id for id, n in completed.items() if n > 1}
    stale = bench.rows(
        "select task_id from pgqueue.attempts as a where a.outcome = 'completed'"
        " and a.result is not null and a.result <> to_jsonb(a.lease_id)"
    )
    assert (len(lost), len(unexpected), len(double), len(stale)) == (0, 0, 0, 0)
    assert bench.value("select count(*) from pgqueue.ready") == 0
    assert bench.value("select count(*) from pgqueue.running") == 0
    assert bench.value("select count(*) from pgqueue.delayed") == 0
    return Counter(row["outcome"] for row in bench.rows("select outcome from pgqueue.attempts"))


def completed(bench: Bench) -> int:
    return bench.value("select count(*) from pgqueue.attempt where outcome = 'completed'")


def load(bench: Bench, tasks: int = 2_000) -> list[str]:
    return bench.enqueue_many([{"type": "ledger", "payload": {"seconds": 0.005}}] * tasks)


def test_sessions_cut_at_random_lose_nothing(bench: Bench) -> None:
    acknowledged = load(bench)
    bench.start("--concurrency", "20")
    for share in range(100, 2_000, 100):
        eventually(lambda share=share: completed(bench) >= share, f"{share} are completed")
        bench.rows(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and application_name like 'pgqueue%%'"
            " and pid <> pg_backend_pid() order by random() limit 2"
        )
    eventually(lambda: completed(bench) >= len(acknowledged), "all are completed")
    check_ledger(bench, acknowledged)


def test_a_lost_doorbell_delays_a_task_by_the_poll_at_most(bench: Bench) -> None:
    bench.start()
    bench.ended(bench.enqueue("echo"))
    bench.rows(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and application_name = 'pgqueue listen'"
    )
    bench.rows("delete from pgqueue.listener")
    assert bench.ended(bench.enqueue("echo"), patience_s=5)["status"] == "completed"
    eventually(
        lambda: bench.rows(
            "select 1 from pg_stat_activity where datname = current_database()"
            " and application_name = 'pgqueue listen' and query ilike 'listen%%'"
        ),
        "it listens again",
        15,
    )
