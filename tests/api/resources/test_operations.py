"""/v1/operations, and their streams."""

from uuid import uuid4

import httpx
import pytest
from pgqueue_api.bounds import Bounds
from pgqueue_api.server import Server

from tests.api.resources.test_dead_letters import fail
from tests.api.sse import events
from tests.api.worker import Worker

ALL = {"kind": "redrive", "filter": {"all": True}}


@pytest.fixture
def limits(request: pytest.FixtureRequest) -> Bounds:
    return getattr(request, "param", None) or Bounds(poll_s=0.1)


def step(worker: Worker) -> None:
    """Play the supervisor: work on all parts that are due."""
    worker.rows("select * from pgqueue_private.run_operations()")
    worker.rows("update pgqueue_private.operation set next_at = created_at")


async def start(client: httpx.AsyncClient, **fields: object) -> dict:
    answer = await client.post("/v1/operations", json={**ALL, **fields})
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/v1/operations/{answer.json()['id']}"
    return answer.json()


async def test_an_operation_runs_and_is_kept(client: httpx.AsyncClient, worker: Worker):
    ids = [fail(worker) for _ in range(3)]
    other = fail(worker, type="sleep")
    operation = await start(client, filter={"type": "noop"}, reason="fixed")
    assert (operation["state"], operation["matched"]) == ("queued", 3)
    assert operation["requested_by"].startswith("http ")
    step(worker)
    path = f"/v1/operations/{operation['id']}"
    operation = (await client.get(path)).json()
    assert (operation["state"], operation["done"]) == ("completed", 3)
    assert operation["reason"] == "fixed"
    assert {(await client.get(f"/v1/tasks/{id}")).json()["status"] for id in ids} == {"queued"}
    assert (await client.get(f"/v1/dead-letters/{other}")).status_code == 200


async def test_a_dry_run_counts_shows_some_and_stores_nothing(
    client: httpx.AsyncClient, worker: Worker
):
    ids = [fail(worker) for _ in range(3)]
    answer = await client.post("/v1/operations", json={**ALL, "dry_run": True})
    assert answer.status_code == 200
    assert answer.json() == {
        "dry_run": True,
        "kind": "redrive",
        "matched": 3,
        "matched_exact": True,
        "sample": [
            {"id": id, "type": "noop", "queue": "default", "status": "failed"} for id in ids
        ],
    }
    assert (await client.get("/v1/operations")).json() == {"items": [], "next": None}


async def test_operations_are_listed_latest_first(client: httpx.AsyncClient, worker: Worker):
    ids = [(await start(client, kind=kind))["id"] for kind in ("redrive", "cancel", "redrive")]
    await client.post(f"/v1/operations/{ids[0]}/cancel")

    async def listed(**parameters: object) -> list[str]:
        page = (await client.get("/v1/operations", params=parameters)).json()
        if page["next"]:
            return [o["id"] for o in page["items"]] + await listed(
                **{**parameters, "cursor": page["next"]}
            )
        return [o["id"] for o in page["items"]]

    assert await listed(limit=1) == ids[::-1]
    assert await listed(kind="redrive") == [ids[2], ids[0]]
    assert await listed(state="cancelled") == [ids[0]]


async def test_a_cancelled_operation_goes_no_further(client: httpx.AsyncClient, worker: Worker):
    fail(worker)
    id = (await start(client))["id"]
    answer = await client.post(f"/v1/operations/{id}/cancel")
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    step(worker)
    assert (await client.get(f"/v1/operations/{id}")).json()["done"] == 0


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"kind": "redrive"}, ""),
        ({**ALL, "kind": "drop"}, "/kind"),
        ({**ALL, "filter": {}}, "/filter"),
        ({**ALL, "filter": {"colour": 1}}, "/filter"),
        ({**ALL, "filter": {"ids": []}}, "/filter/ids"),
        ({**ALL, "per_second": 0}, "/per_second"),
        ({**ALL, "colour": 1}, ""),
        ([], ""),
    ],
)
async def test_a_body_that_cannot_be_right_is_422_and_says_where(
    client: httpx.AsyncClient, body, place
):
    answer = await client.post("/v1/operations", json=body)
    assert answer.status_code == 422
    assert place in {error["pointer"] for error in answer.json()["errors"]}


@pytest.mark.parametrize(
    "body",
    [
        {**ALL, "filter": {"all": True, "queue": "q"}},
        {**ALL, "filter": {"status": "queued"}},
        {"kind": "cancel", "filter": {"fingerprint": "0" * 16}},
        {**ALL, "filter": {"from": "noon"}},
        {**ALL, "filter": {"ids": ["x"]}},
    ],
)
async def test_a_filter_that_makes_no_sense_is_422_dry_or_not(client: httpx.AsyncClient, body):
    for dry_run in (True, False):
        answer = await client.post("/v1/operations", json={**body, "dry_run": dry_run})
        assert answer.status_code == 422, answer.text


async def test_unknown_operations_are_404(client: httpx.AsyncClient):
    for method, path in (("GET", ""), ("POST", "/cancel"), ("GET", "/events")):
        answer = await client.request(method, f"/v1/operations/{uuid4()}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_an_operation_is_watched_to_its_end(http: httpx.AsyncClient, worker: Worker):
    for _ in range(3):
        fail(worker)
    operation = await start(http, per_second=5)
    path = f"/v1/operations/{operation['id']}"
    async with events(http, f"{path}/events") as stream:
        first = await stream.next()
        assert (first.name, first.data) == ("snapshot", operation)
        step(worker)
        progress = await stream.next()
        assert (progress.name, progress.data["done"]) == ("progress", 1)
        for _ in range(3):
            step(worker)
        last = (await stream.until("end"))[-1].data
        assert (last["state"], last["done"]) == ("completed", 3)
        assert last == (await http.get(path)).json()
        assert await stream.next() is None


@pytest.mark.parametrize("limits", [Bounds(poll_s=3600)], indirect=True)
async def test_progress_is_seen_without_a_poll(http: httpx.AsyncClient, worker: Worker):
    fail(worker)
    id = (await start(http))["id"]
    async with events(http, f"/v1/operations/{id}/events") as stream:
        await stream.next()
        step(worker)
        assert (await stream.until("end"))[-1].data["done"] == 1


async def test_an_operation_that_has_ended_gives_its_snapshot_and_its_end(
    http: httpx.AsyncClient, worker: Worker
):
    id = (await start(http))["id"]
    step(worker)
    async with events(http, f"/v1/operations/{id}/events") as stream:
        assert [e.name for e in await stream.until("end")] == ["snapshot", "end"]


@pytest.mark.parametrize("limits", [Bounds(heartbeat_s=0.1, poll_s=0.1)], indirect=True)
async def test_a_silent_stream_has_a_heartbeat(http: httpx.AsyncClient, worker: Worker):
    id = (await start(http))["id"]
    async with events(http, f"/v1/operations/{id}/events") as stream:
        await stream.next()
        assert await stream.comment() == ""


@pytest.mark.parametrize("limits", [Bounds(queue_streams=1, poll_s=0.1)], indirect=True)
async def test_streams_are_limited_and_end_with_the_server(
    http: httpx.AsyncClient, worker: Worker, served: Server
):
    path = f"/v1/operations/{(await start(http))['id']}/events"
    async with events(http, path) as stream:
        await stream.next()
        assert (await http.get(path)).status_code == 503
        served.should_exit = True
        assert await stream.next() is None
        assert "the server is stopping" in stream.comments
