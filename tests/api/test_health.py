"""Health, readiness, metrics, headers, and a database that goes away."""

import asyncio

import httpx
import pytest
from pgqueue_api.app import Api, create_app

from pgqueue.database import listener
from pgqueue.embedded import EmbeddedServer
from pgqueue.settings import Settings
from tests.api.conftest import submit
from tests.api.worker import Worker


async def test_a_service_is_ready_when_it_hears_and_degraded_where_data_may_be_lost(
    client: httpx.AsyncClient, app: Api
):
    while app.services.hub.deaf:
        await asyncio.sleep(0.01)
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    # as the server of the tests is set
    assert answer.json()["unsafe"] == ["fsync", "full_page_writes"]


async def test_a_listener_that_hears_nothing_is_found_out_and_replaced(
    database: str, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patched:
        # as behind a transaction pooler: the statement succeeds and is no use
        patched.setattr(listener, "query", lambda name: f"select '{name}'")
        app = create_app(Settings(database_url=database))
        transport = httpx.ASGITransport(app)
        async with (
            app.lifespan(),
            httpx.AsyncClient(transport=transport, base_url="http://a") as http,
        ):
            while "hears nothing" not in (answer := await http.get("/readyz")).text:
                assert answer.status_code == 503
                await asyncio.sleep(0.05)
            assert "PGQUEUE_LISTEN_URL" in answer.json()["detail"]
            patched.undo()
            while (answer := await http.get("/readyz")).status_code != 200:
                await asyncio.sleep(0.05)


async def test_metrics_tell_of_requests_flushes_and_depths(
    client: httpx.AsyncClient, worker: Worker
):
    await submit(client)
    worker.rows("select pgqueue_private.sample_queues()")
    await client.get("/v1/tasks/x")
    text = (await client.get("/metrics")).text
    assert 'pgqueue_api_requests_total{method="POST",route="/v1/tasks",status="201"} 1.0' in text
    assert 'status="404"' in text
    assert "pgqueue_api_enqueue_flush_size_count 1.0" in text
    assert 'pgqueue_queue_depth{queue="default",status="queued"} 1.0' in text
    assert 'pgqueue_queue_oldest_age_seconds{queue="default",status="queued"}' in text


SECURITY = {
    "strict-transport-security",
    "x-frame-options",
    "x-content-type-options",
    "content-security-policy",
    "permissions-policy",
    "referrer-policy",
}


@pytest.mark.parametrize("path", ["/v1/tasks", "/nope", "/docs", "/docs/docs.js", "/healthz"])
async def test_every_answer_carries_the_security_headers(client: httpx.AsyncClient, path):
    answer = await client.get(path)
    assert set(answer.headers) >= SECURITY
    assert len(answer.headers.get_list("content-security-policy")) == 1
    assert "unsafe" not in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nope", 404, "not_found"),
        ("GET", "/v1/tasks/x/y/z", 404, "not_found"),
        ("DELETE", "/v1/tasks", 405, "method_not_allowed"),
        ("PUT", "/v1/tasks/bulk", 405, "method_not_allowed"),
        ("GET", "/v1/queues/none", 404, "not_found"),
        ("GET", "/v1/types/none", 404, "not_found"),
        ("GET", "/v1/queues/%00", 422, "invalid"),
        ("GET", "/v1/stats?window_s=1", 422, "invalid"),
    ],
)
async def test_every_error_is_a_problem(client: httpx.AsyncClient, method, path, status, code):
    answer = await client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert {"type", "title", "detail"} <= set(problem)


async def test_a_bug_is_a_problem_that_tells_nothing(client: httpx.AsyncClient, app: Api, capsys):
    app.services.stats = None
    answer = await client.get("/v1/stats")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "internal"
    assert "NoneType" not in answer.text


async def test_types_queues_and_workers_are_listed(client: httpx.AsyncClient, worker: Worker):
    worker.rows("select pgqueue_private.sample_queues()")
    types = (await client.get("/v1/types")).json()["items"]
    assert [kind["name"] for kind in types] == ["noop", "sleep"]
    assert types[1]["payload_schema"]["required"] == ["delay_ms"]
    assert (await client.get("/v1/types/sleep")).json() == types[1]
    [queue] = (await client.get("/v1/queues")).json()["items"]
    assert (queue["name"], queue["queued"], queue["workers"]) == ("default", 0, 1)
    assert (await client.get("/v1/queues/default")).json() == queue
    [seen] = (await client.get("/v1/workers")).json()["items"]
    assert (seen["worker"], seen["state"]) == ("host:1", "active")
    worker.rows("select pgqueue_private.set_worker_state(%s, 'stopped')", worker.id)
    assert (await client.get("/v1/workers")).json()["items"] == []
    assert len((await client.get("/v1/workers?all=true")).json()["items"]) == 1


async def test_without_a_database_the_api_lives_says_503_and_recovers_by_itself(
    private_server: EmbeddedServer,
):
    dsn = private_server.dsn()
    worker = Worker(dsn)
    worker.publish("noop")
    worker.close()
    private_server.stop()
    app = create_app(Settings(database_url=dsn))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://a") as http:
        assert (await http.get("/healthz")).status_code == 200
        for answer in (
            await http.get("/metrics"),  # who may read them is not known yet
            await http.get("/readyz"),
            await http.post("/v1/tasks", json={"type": "noop"}),
            await http.post("/v1/tasks/bulk", json={"tasks": [{"type": "noop"}]}),
            await http.get("/v1/tasks"),
            await http.get("/v1/stats"),
        ):
            assert answer.status_code == 503, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["retry-after"] == "2"
            assert answer.json()["code"] == "database_unavailable"
        private_server.start()
        await submit(http)
        private_server.stop()
        assert (await http.post("/v1/tasks", json={"type": "noop"})).status_code == 503
        assert (await http.get("/metrics")).status_code == 200
        private_server.start()
        # the connections that died with the server are seen to be dead before they are used
        await submit(http)
        assert (await http.get("/v1/tasks")).status_code == 200
        while (await http.get("/readyz")).status_code != 200:
            await asyncio.sleep(0.05)


async def test_readiness_says_what_holds_tasks_back(client: httpx.AsyncClient, worker: Worker):
    waiting = worker.value("select pgqueue.enqueue('of_another_app')::text")
    while (ready := await client.get("/readyz")).status_code != 200:  # once it listens
        await asyncio.sleep(0.01)
    assert "waiting" not in ready.json()
    worker.rows("select pgqueue_private.shift_clock('60 s')")
    answer = await client.get("/readyz")
    assert answer.status_code == 200, answer.text
    (held,) = answer.json()["waiting"]
    assert (held["task_id"], held["code"]) == (waiting, "no_handler")
    worker.rows("select pgqueue_private.sample_queues()")
    metrics = (await client.get("/metrics")).text
    assert 'pgqueue_tasks_without_worker{type="of_another_app"} 1.0' in metrics
