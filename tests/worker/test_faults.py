"""What breaks, and what holds: no task is lost, none is completed twice."""

import os
import signal
from collections import Counter
from pathlib import Path

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


def test_tasks_of_a_killed_worker_process_run_again_within_a_second(bench: Bench) -> None:
    bench.start()
    task = bench.enqueue("gate", {"name": "k"})
    bench.passed("k-in-1")
    (pid,) = bench.processes()
    bench.open("k-out")
    os.kill(pid, signal.SIGKILL)
    assert bench.ended(task)["status"] == "completed"
    crashed, ran = bench.attempts(task)
    assert (crashed["outcome"], ran["outcome"]) == ("crashed", "completed")
    lease_left_s = bench.value(
        "select extract(epoch from expires_at - %s)::float8 from pgqueue.worker where id = %s",
        crashed["finished_at"],
        crashed["worker_id"],
    )
    assert lease_left_s > 5, "nobody waited for the lease to run out"


def test_a_task_that_kills_its_process_thrice_fails_and_its_neighbours_do_not(
    bench: Bench,
) -> None:
    bench.start()
    killer = bench.enqueue("die", max_attempts=1)
    neighbours = [bench.enqueue("echo") for _ in range(20)]
    ended = bench.ended(killer)
    assert (ended["status"], ended["error"]["type"]) == ("failed", "Crashed")
    assert [a["outcome"] for a in bench.attempts(killer)] == ["crashed"] * 3
    assert {bench.ended(id)["status"] for id in neighbours} == {"completed"}


def test_a_killed_supervisor_takes_its_processes_along_and_its_tasks_run_again(
    bench: Bench,
) -> None:
    supervisor = bench.start(PGQUEUE_LEASE_S="3", PGQUEUE_HEARTBEAT_S="0.5")
    task = bench.enqueue("gate", {"name": "s"})
    bench.passed("s-in-1")
    (pid,) = bench.processes()
    supervisor.kill()
    supervisor.wait()
    eventually(lambda: not Path(f"/proc/{pid}/stat").exists() or is_zombie(pid), "it dies too", 5)
    bench.start(PGQUEUE_LEASE_S="3")
    bench.open("s-out")
    assert bench.ended(task, patience_s=15)["status"] == "completed"
    assert [a["outcome"] for a in bench.attempts(task)] == ["crashed", "completed"]


def is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"


def test_a_worker_frozen_past_its_lease_cannot_finish_the_task(bench: Bench) -> None:
    frozen = bench.start(PGQUEUE_LEASE_S="2", PGQUEUE_HEARTBEAT_S="0.5")
    task = bench.enqueue("gate", {"name": "f"})
    bench.passed("f-in-1")
    (pid,) = bench.processes()
    for process in (frozen.pid, pid):
        os.kill(process, signal.SIGSTOP)
    bench.open("f-out")
    bench.start(PGQUEUE_LEASE_S="2")
    assert bench.ended(task)["status"] == "completed"
    winner = bench.attempts(task)[-1]
    for process in (pid, frozen.pid):
        os.kill(process, signal.SIGCONT)
    eventually(lambda: "worker_lost" in bench.logs() or "lease_lost" in bench.logs(), "it is told")
    assert bench.attempts(task)[-1]["lease_id"] == winner["lease_id"]
    outcomes = [a["outcome"] for a in bench.attempts(task)]
    assert outcomes == ["crashed", "completed"]


def test_a_handler_that_holds_the_event_loop_is_not_rescued(bench: Bench) -> None:
    bench.start(PGQUEUE_LEASE_S="1.5", PGQUEUE_HEARTBEAT_S="0.3")
    task = bench.enqueue("block")
    bench.passed("block-in")
    renewed = "select expires_at from pgqueue.worker"
    first = bench.value(renewed)
    eventually(lambda: (bench.value(renewed) - first).total_seconds() > 15, "ten leases pass", 60)
    bench.open("block-out")
    assert bench.ended(task)["result"] == "unharmed"
    assert [a["outcome"] for a in bench.attempts(task)] == ["completed"]


def test_killing_worker_processes_loses_nothing(bench: Bench) -> None:
    acknowledged = load(bench)
    worker = bench.start("--processes", "2", "--concurrency", "20")
    for share in (300, 800, 1_300):
        eventually(lambda share=share: completed(bench) >= share, f"{share} are completed")
        for pid in bench.processes():
            os.kill(pid, signal.SIGKILL)
    eventually(lambda: completed(bench) >= len(acknowledged), "all are completed")
    outcomes = check_ledger(bench, acknowledged)
    assert outcomes["crashed"] <= 3 * 2 * 40 * 2, "no more than was in flight ran again"
    assert bench.stop(worker) == 0


def test_killing_the_supervisor_loses_nothing(bench: Bench) -> None:
    acknowledged = load(bench)
    settings = {"PGQUEUE_LEASE_S": "2", "PGQUEUE_HEARTBEAT_S": "0.5"}
    supervisor = bench.start("--concurrency", "20", **settings)
    eventually(lambda: completed(bench) >= 500, "500 are completed")
    supervisor.kill()
    supervisor.wait()
    bench.start("--concurrency", "20", **settings)
    eventually(lambda: completed(bench) >= len(acknowledged), "all are completed")
    check_ledger(bench, acknowledged)


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
