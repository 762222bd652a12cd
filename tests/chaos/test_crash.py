"""PostgreSQL crash and restart: the drain goes on, and no lease is given out twice."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pgqueue.database.link import Link
from pgqueue.database.options import Options
from pgqueue.embedded import EmbeddedServer
from pgqueue.errors import DatabaseUnavailable
from tests.chaos.crashing import answers, check_sound, crash, seconds
from tests.chaos.load import check_load, completed, load
from tests.figures import Figure
from tests.worker.conftest import Bench, eventually

ROW = "PostgreSQL crash and restart"


@pytest.fixture
def bench(private_server: EmbeddedServer, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(private_server.dsn(), tmp_path)
    yield bench
    bench.close()


@pytest.mark.timeout(180)
def test_a_crash_of_postgresql_loses_nothing_and_the_drain_resumes(
    private_server: EmbeddedServer, bench: Bench, figure: Figure
) -> None:
    acknowledged = load(bench)
    bench.start("--concurrency", "20")
    resumed_s = []
    for share in (400, 1_000):
        eventually(lambda share=share: completed(bench) >= share, f"{share} are completed")
        crash(private_server)
        private_server.start()
        bench.reconnect()
        before = completed(bench)
        resumed_s.append(seconds(lambda n=before: completed(bench) > n, "the drain resumes"))
    eventually(lambda: completed(bench) >= len(acknowledged), "all are completed", 60)
    check_load(bench, acknowledged)
    check_sound(bench.dsn)
    assert "Traceback" not in bench.logs()
    assert bench.logs().count("database_unavailable") < 100, "it waits quietly"
    assert max(resumed_s) < 10
    figure(
        ROW,
        f"2 crashes under load: drain resumed after {max(resumed_s):.1f} s at most; lost 0,"
        " double 0, stale 0",
        "≤ 10 s, 0 / 0",
    )


@pytest.mark.timeout(180)
def test_workers_keep_their_tasks_over_an_outage_that_is_longer_than_their_lease(
    private_server: EmbeddedServer, bench: Bench, figure: Figure
) -> None:
    # long enough for a disk that takes seconds to sync the commit of a heartbeat
    bench.start(PGQUEUE_LEASE_S="5", PGQUEUE_HEARTBEAT_S="0.5")
    task = bench.enqueue("gate", {"name": "o"})
    bench.passed("o-in-1")
    processes = bench.processes()
    crash(private_server)
    down = time.monotonic()
    eventually(lambda: time.monotonic() > down + 12, "the lease runs out, twice over")
    private_server.start()
    bench.reconnect()
    renewed = (
        "select 1 from pgqueue_private.worker where expires_at > pgqueue.clock() "
        "and state = 'active'"
    )
    eventually(lambda: bench.rows(renewed), "its lease holds again")
    assert bench.ended(bench.enqueue("echo"))["status"] == "completed"
    rescued = """
        select exists (
            select from pgqueue.maintenance where duty = 'rescue' and last_finished_at > %s
        )
    """
    now = bench.value("select pgqueue.clock()")
    eventually(lambda: bench.value(rescued, now), "what was lost has been looked for")
    bench.open("o-out")
    assert bench.ended(task)["status"] == "completed"
    outcomes = [attempt["outcome"] for attempt in bench.attempts(task)]
    assert (outcomes, bench.processes()) == (["completed"], processes)
    check_sound(bench.dsn)
    figure(ROW, "12 s away with a lease of 5 s: no attempt was cut, no worker given up", "–")


async def test_lease_ids_that_a_crash_makes_the_server_forget_are_not_given_out_again(
    bench: Bench, figure: Figure
) -> None:
    bench.enqueue_many([{"type": "echo"}] * 20)
    worker = bench.value(
        "select pgqueue_private.register_worker('sup:1', 'host', "
        "7, '1', '{default}', '{}', 10, 900)"
    )
    asked = {
        "worker": worker,
        "queues": ["default"],
        "cursors": None,
        "max_tasks": 20,
        "types": None,
    }
    link = Link(bench.dsn, Options("pgqueue worker claim", setup="skip_leases"))
    await link.rows("claim_tasks", {**asked, "max_tasks": 0})
    (pid,) = bench.rows("select pid from pg_stat_activity where backend_type = 'walwriter'")
    os.kill(pid["pid"], signal.SIGSTOP)  # what no commit waits for stays in memory
    before = await link.rows("claim_tasks", asked)
    os.kill(pid["pid"], signal.SIGKILL)  # and is lost: the server starts over

    eventually(lambda: not _alive(bench), "every session ends")
    with pytest.raises(DatabaseUnavailable):
        await link.rows("claim_tasks", asked)
    eventually(lambda: answers(bench.dsn), "it is back")
    after = await link.rows("claim_tasks", asked)
    await link.close()
    assert {row[0] for row in before} == {row[0] for row in after}, "the claims are forgotten"
    again = {row[1] for row in before} & {row[1] for row in after}
    assert len(before) == 20
    assert again == set()
    check_sound(bench.dsn)
    figure(ROW, f"{len(again)} of 20 forgotten lease ids were given out again", "0")


def _alive(bench: Bench) -> bool:
    try:
        bench.rows("select")
    except psycopg.OperationalError:
        return False
    return True
