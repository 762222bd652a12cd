"""Handler blocks the event loop or the GIL for ten leases: its supervisor answers for it."""

import pytest

from tests.figures import Figure
from tests.worker.conftest import Bench, eventually

ROW = "handler blocks the event loop or the GIL for 10 leases"
LEASE_S = 1.5
LEASES = 10

pytestmark = pytest.mark.timeout(240)


def test_a_handler_that_blocks_for_ten_leases_is_not_rescued(bench: Bench, figure: Figure) -> None:
    bench.start(
        *("--app", "tests.chaos.handlers:app", "--processes", "2", "--concurrency", "1"),
        PGQUEUE_LEASE_S=f"{LEASE_S:g}",
        PGQUEUE_HEARTBEAT_S="0.3",
    )
    eventually(lambda: len(bench.processes()) == 2, "both are there")
    tasks = {"event loop": bench.enqueue("block"), "GIL": bench.enqueue("match")}
    bench.passed("block-in")
    bench.passed("match-in")
    passed = LEASES * LEASE_S
    renewed_for = """
        select extract(epoch from min(w.expires_at) - max(r.started_at))::float8 - %s
        from pgqueue_private.running as r join pgqueue_private.worker as w on w.id = r.worker_id
    """
    eventually(lambda: bench.value(renewed_for, LEASE_S) > passed, "ten leases pass")
    bench.open("block-out")
    bench.open("match-out")
    for what, task in tasks.items():
        assert bench.ended(task, 120)["status"] == "completed"
        (attempt,) = bench.attempts(task)
        held_s = (attempt["finished_at"] - attempt["started_at"]).total_seconds()
        assert held_s > passed
        figure(ROW, f"{what} held for {held_s / LEASE_S:.0f} leases: 0 rescues", "no false rescue")
    assert bench.value("select count(*) from pgqueue.attempts where outcome <> 'completed'") == 0
    assert "worker_lost" not in bench.logs()
    assert "lease_lost" not in bench.logs()
