"""GET /v1/stats."""

import httpx
import pytest
from pgqueue_api.app import Api

from tests.api.worker import Worker


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize("window_s", [3600, 86_400])
async def test_figures_are_the_same_before_and_after_folding(
    client: httpx.AsyncClient, worker: Worker, folded, window_s
):
    for _ in range(10):
        worker.enqueue()
    claimed = worker.claim(max_tasks=8)
    for id in claimed[:6]:
        worker.finish(id)
    worker.finish(claimed[6], "failed", retry=False)
    worker.finish(claimed[7], "failed", delay_s=60)
    worker.rows("select pgqueue_private.sample_queues()")
    if folded:
        worker.rows("select pgqueue_private.fold_rollups()")
    stats = (await client.get("/v1/stats", params={"window_s": window_s})).json()
    assert stats["counts"] == {"completed": 6, "failed": 1, "queued": 2, "retrying": 1}
    assert stats["success_rate"] == pytest.approx(6 / 7, abs=1e-6)
    assert stats["active_workers"] == 1
    assert stats["wait_s"]["n"] == stats["run_s"]["n"] == 8
    assert 0 < stats["run_s"]["p50"] <= stats["run_s"]["p95"] <= stats["run_s"]["p99"] < 60
    assert stats["throughput_per_s"] > 0
    assert len(stats["days"]) == 7
    assert stats["days"][-1] | {"day": ""} == {
        "day": "",
        "completed": 6,
        "failed": 1,
        "cancelled": 0,
    }
    other = (await client.get("/v1/stats", params={"queue": "other"})).json()
    assert other["counts"] == {}
    assert (other["success_rate"], other["wait_s"]["p50"]) == (None, None)


async def test_any_number_of_dashboards_cost_one_query_a_second(
    client: httpx.AsyncClient, app: Api, worker: Worker
):
    first = (await client.get("/v1/stats")).json()
    assert (await client.get("/v1/stats")).json() == first


@pytest.mark.parametrize(
    ("seconds", "max_s"), [(0.0004, 0.0005), (0.003, 0.004), (1.5, 2.1), (100, 132)]
)
def test_a_percentile_lies_in_the_bucket_of_its_value(worker: Worker, seconds, max_s):
    found = worker.value(
        "select pgqueue_private.percentile((select array_agg(case when b = "
        "pgqueue_private.bucket(make_interval(secs => %s)) then 5 else 0 end order by b) "
        "from generate_series(0, 25) as b), 0.5)",
        seconds,
    )
    assert max_s / 4 < found <= max_s


async def test_maintenance_is_among_the_figures(client: httpx.AsyncClient, worker: Worker):
    worker.rows(
        """select pgqueue_private.record_duties('[{"name": "fold", "interval_s": 10,
               "started_ago_s": 30, "finished_ago_s": 29.5, "due_ago_s": 19.5, "duration_s": 0.5,
               "error": "no", "error_ago_s": 60}]', 'here:7')"""
    )
    (duty,) = (await client.get("/v1/stats")).json()["maintenance"]
    assert 19 < duty.pop("lag_s") < 25
    times = [duty.pop(f"last_{name}_at") for name in ("error", "started", "finished")]
    assert times == sorted(times)
    assert duty == {
        "duty": "fold",
        "state": "ok",
        "interval_s": 10,
        "last_duration_s": 0.5,
        "run_by": "here:7",
        "last_error": "no",
    }
