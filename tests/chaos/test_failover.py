"""Failover to a synchronous standby: nothing that was acknowledged is lost, and all goes on.

Clients name both servers in one address and ask for the one that takes writes. The old primary is
ended at once, is killed, or stays and is told to take no more writes; after each failover it comes
back as the standby, at its old address. FAILOVERS says how often: `make failover` does it 10 times.
"""

import itertools
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pgqueue.client.sync.client import SyncClient
from pgqueue.database.migrations import migrate
from tests.chaos.crashing import check_sound, crash
from tests.chaos.enqueuing import Enqueuer
from tests.chaos.service import Service
from tests.chaos.standby import Pair, pair
from tests.figures import Figure
from tests.worker.conftest import Bench, eventually

FAILOVERS = int(os.environ.get("FAILOVERS", "3"))
ROW = "failover to a synchronous standby"

_LISTENERS = """
select count(distinct application_name) = 2 from pg_stat_activity
where application_name in ('pgqueue listen', 'pgqueue api listen')
"""
_STARTED = "select 1 from pgqueue_private.attempt where started_at > %s limit 1"


@pytest.fixture
def servers(tmp_path_factory: pytest.TempPathFactory, postgres_major: str) -> Iterator[Pair]:
    with pair(tmp_path_factory.mktemp("pair"), postgres_major) as servers:
        migrate(servers.primary.dsn())
        servers.rebuild()
        yield servers


def over_http(api: Service, key: str) -> str:
    answer = api.submit("ledger", payload={"key": key})
    answer.raise_for_status()
    return answer.json()["id"]


def everything_answers(api: Service, n: int) -> None:
    """Use each of the API's pools, whose connections were to the server that is gone."""
    key = {"Idempotency-Key": f"failover-{n}"}
    task = {"type": "ledger", "payload": {"key": f"pools/{n}"}}
    keyed = {**task, "dedup_key": str(n)}
    for answer in (
        api.http.get("/v1/tasks"),
        api.http.get("/v1/stats"),
        api.http.post("/v1/tasks", json=task, headers=key),
        api.http.post("/v1/tasks", json=keyed),
    ):
        assert answer.is_success, answer.text


def fail_over(servers: Pair, how: str) -> float:
    """Take the primary away and promote the standby; give the moment when the primary went."""
    if how == "retired":
        servers.retire()
        since = time.monotonic()
    else:
        since = time.monotonic()
        crash(servers.primary, signal.SIGKILL if how == "killed" else signal.SIGQUIT)
    servers.promote()
    return since


@pytest.mark.timeout(120 + 60 * FAILOVERS)
def test_failovers_lose_nothing_that_was_acknowledged(
    servers: Pair, tmp_path: Path, figure: Figure
) -> None:
    enqueue_s, start_s, hear_s = [], [], []
    with ExitStack() as stack:
        bench = Bench(servers.dsn, tmp_path)
        stack.callback(bench.close)
        bench.start("--concurrency", "20", PGQUEUE_LEASE_S="60")
        api = stack.enter_context(Service(servers.dsn, tmp_path / "api.log"))
        library = stack.enter_context(SyncClient(servers.dsn))
        eventually(api.is_ready, "the API is ready")
        clients = [
            Enqueuer("http", lambda key: over_http(api, key)),
            Enqueuer("library", lambda key: library.enqueue("ledger", {"key": key})),
        ]
        for client in clients:
            stack.enter_context(client)
        ways = itertools.cycle(("ended", "killed", "retired"))
        for n, how in zip(range(FAILOVERS), ways, strict=False):
            everything_answers(api, n)
            started = time.monotonic()
            for client in clients:
                client.works_again(started)
            since = fail_over(servers, how)
            enqueue_s += [client.works_again(since) for client in clients]
            bench.reconnect()
            began = bench.value("select pgqueue.clock()")
            eventually(lambda at=began: bench.rows(_STARTED, at), "the next task starts")
            start_s.append(time.monotonic() - since)
            with servers.session(servers.primary) as primary:
                eventually(
                    lambda on=primary: on.execute(_LISTENERS).fetchone() == (True,),
                    "both listeners are back",
                )
            hear_s.append(time.monotonic() - since)
            servers.rebuild()
            everything_answers(api, FAILOVERS + n)
        for client in clients:
            client.stop()
        acknowledged = set().union(*(client.acknowledged for client in clients))
        asked = {call.key for client in clients for call in client.calls}
        waiting = (
            "select count(*) from pgqueue.tasks"
            " where status not in ('completed', 'failed', 'cancelled')"
        )
        eventually(lambda: bench.value(waiting) == 0, "the queue drains", 120)
        rows = bench.rows(
            "select t.id::text, t.payload ->> 'key' as key, a.outcome from pgqueue.tasks as t"
            " join pgqueue.attempts as a on a.task_id = t.id and a.final"
        )
        ended = Counter(row["id"] for row in rows if row["outcome"] == "completed")
        lost = acknowledged - ended.keys()
        double = {id for id, n in ended.items() if n > 1}
        unexpected = {row["key"] for row in rows if not row["key"].startswith("pools/")} - asked
        failed = [row for row in rows if row["outcome"] != "completed"]
        assert (lost, double, unexpected, failed) == (set(), set(), set(), [])
        assert len(acknowledged) > 10 * FAILOVERS
        check_sound(servers.primary.dsn())
        assert "worker_died" not in bench.logs()
        assert "Traceback" not in bench.logs() + api.said()
        refused = sum(call.error is not None for client in clients for call in client.calls)
    figure(
        ROW,
        f"{FAILOVERS} failovers: lost 0 of {len(acknowledged):,} acknowledged, double 0; at most"
        f" {max(enqueue_s):.1f} s until enqueue works again, {max(start_s):.1f} s until the next"
        f" task starts, {max(hear_s):.1f} s until both listeners are back; {refused} calls failed",
        "lost 0, double 0",
    )
