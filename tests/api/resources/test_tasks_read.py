"""GET /v1/tasks and what hangs below a task."""

import hashlib
from uuid import uuid4

import httpx
import pytest

from pgqueue import Task
from pgqueue.models.schedule import Schedule
from tests.api.conftest import submit
from tests.api.worker import Worker


async def ids(client: httpx.AsyncClient, **filters: object) -> list[str]:
    """Follow the cursor to the end and give the ids of all pages."""
    found: list[str] = []
    parameters = {name.rstrip("_"): value for name, value in filters.items()}
    while True:
        answer = await client.get("/v1/tasks", params=parameters)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += [item["id"] for item in page["items"]]
        if page["next"] is None:
            return found
        parameters["cursor"] = page["next"]


async def test_an_unknown_id_is_404_everywhere(client: httpx.AsyncClient):
    path = f"/v1/tasks/{uuid4()}"
    for part in (
        "",
        "/attempts",
        "/checkpoints",
        "/logs",
        "/artifacts",
        "/artifacts/a.pdf",
        "/events",
    ):
        answer = await client.get(path + part)
        assert answer.status_code == 404, part
        assert answer.json()["code"] == "not_found"
    for part in ("/cancel", "/retry"):
        assert (await client.post(path + part)).status_code == 404


async def test_what_is_no_id_is_404(client: httpx.AsyncClient):
    for id in ("7", "x", "%00", "0" * 40, "..%2f"):
        answer = await client.get(f"/v1/tasks/{id}")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


async def test_pages_give_every_task_once_newest_first(client: httpx.AsyncClient, worker: Worker):
    made = [worker.enqueue() for _ in range(23)]
    assert await ids(client, limit=5) == made[::-1]
    assert await ids(client, limit=23) == made[::-1]
    assert await ids(client) == made[::-1]


@pytest.fixture
def every(worker: Worker) -> dict[str, list[str]]:
    """Tasks in each status, on two queues, of two types."""
    made: dict[str, list[str]] = {}

    def add(status: str, queue: str, type: str, **options: object) -> str:
        id = worker.enqueue(type, queue=queue, **options)
        made.setdefault(status, []).append(id)
        made.setdefault(f"{queue}/{type}", []).append(id)
        return id

    kinds = [(queue, type) for queue in ("a", "b") for type in ("noop", "sleep")]
    for kind in kinds:
        done, failed, cancelled, retrying, active = (
            add(status, *kind)
            for status in ("completed", "failed", "cancelled", "retrying", "active")
        )
        assert sorted(worker.claim(kind[0])) == [done, failed, cancelled, retrying, active]
        worker.finish(done)
        worker.finish(failed, "failed", retry=False, error={"message": "no"})
        worker.finish(cancelled, "cancelled")
        worker.finish(retrying, "failed", delay_s=3600)
    for kind in kinds:
        add("queued", *kind)
        worker.rows("select pgqueue.cancel(%s)", add("cancelled", *kind))
        add("scheduled", *kind, run_at="2090-01-01T00:00:00Z")
    return made


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize("limit", [1, 3, 200])
async def test_filters_find_what_matches_and_nothing_else(
    client: httpx.AsyncClient, worker: Worker, every, limit, folded
):
    if folded:
        worker.rows("select pgqueue_private.fold_rollups()")
    everything = sorted(id for key, found in every.items() if "/" not in key for id in found)
    assert sorted(await ids(client, limit=limit)) == everything
    for status in ("completed", "failed", "cancelled", "retrying", "active", "queued", "scheduled"):
        assert await ids(client, limit=limit, status=status) == sorted(every[status])[::-1], status
        both = set(every[status]) & set(every["a/noop"])
        found = await ids(client, limit=limit, status=status, queue="a", type="noop")
        assert set(found) == both, status
        assert len(found) == len(both)
    for queue in ("a", "b"):
        matching = every[f"{queue}/noop"] + every[f"{queue}/sleep"]
        assert await ids(client, limit=limit, queue=queue) == sorted(matching)[::-1]
    assert sorted(await ids(client, limit=limit, type="noop")) == sorted(
        every["a/noop"] + every["b/noop"]
    )
    assert await ids(client, type="nothing") == []
    assert await ids(client, status="blocked") == []


async def test_a_window_of_time_holds_its_start_and_not_its_end(
    client: httpx.AsyncClient, worker: Worker
):
    made = []
    for hours in (-3, -2, -1):
        worker.rows("select pgqueue_private.shift_clock(make_interval(hours => %s))", hours)
        made.append(worker.enqueue())
    worker.rows("select pgqueue_private.shift_clock('0')")
    times = [(await client.get(f"/v1/tasks/{id}")).json()["created_at"][:23] + "Z" for id in made]
    assert await ids(client, from_=times[1]) == made[:0:-1]
    assert await ids(client, to=times[1]) == made[:1]
    assert await ids(client, from_=times[0], to=times[2]) == made[1::-1]
    assert await ids(client, from_=times[2], to=times[0]) == []
    assert await ids(client, from_="2090-01-01T00:00:00Z") == []
    assert await ids(client, to="1960-01-01T00:00:00Z") == []
    assert await ids(client, from_="1960-01-01T00:00:00Z", to="9999-01-01") == made[::-1]


async def test_a_search_for_the_rare_is_bounded_and_goes_on_where_it_stopped(worker: Worker):
    worker.rows(
        "select pgqueue.enqueue_many((select jsonb_agg(jsonb_build_object('type', 'noop')) "
        "from generate_series(1, 6000)))"
    )
    worker.rows("select pgqueue_private.shift_clock('-1 hour')")
    rare = worker.enqueue(tags=["rare"])
    worker.rows("select pgqueue_private.shift_clock('0')")
    before, rounds, found = None, 0, []
    while rounds == 0 or before is not None:
        page = worker.rows(
            """select *
               from pgqueue_private.list_tasks('{"tags": ["rare"]}', null, null, %s, 50, 0)""",
            before,
        )[0]
        assert before is None or page["next_before"] is None or page["next_before"] < before
        before, rounds = page["next_before"], rounds + 1
        found += page["items"]
    assert rounds > 5  # no time at all: a chunk a page
    assert len(found) == 1
    assert rare in found[0]


async def test_a_page_tells_how_far_back_it_has_searched(client: httpx.AsyncClient, worker: Worker):
    made = [worker.enqueue() for _ in range(3)]
    page = (await client.get("/v1/tasks", params={"limit": 2})).json()
    oldest = page["items"][-1]["created_at"]
    assert page["searched_until"][:23] == oldest[:23]
    rest = (await client.get("/v1/tasks", params={"cursor": page["next"]})).json()
    assert [item["id"] for item in rest["items"]] == made[:1]
    assert (rest["next"], rest["searched_until"]) == (None, None)


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=x",
        "status=done",
        "cursor=x",
        "cursor=%00",
        "cursor=" + "A" * 300,
        "from=yesterday",
        "to=2020-13-01",
        "from=" + "1" * 41,
        "type=%00",
        "queue=" + "x" * 101,
    ],
)
async def test_a_parameter_that_cannot_be_right_is_named(client: httpx.AsyncClient, query):
    answer = await client.get(f"/v1/tasks?{query}")
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["parameter"] == query.split("=")[0]


async def test_a_page_of_large_tasks_ends_early_and_loses_none(
    client: httpx.AsyncClient, worker: Worker
):
    large = '{"a": "' + "x" * 250_000 + '"}'
    made = [worker.enqueue(payload=large) for _ in range(20)]
    first = await client.get("/v1/tasks")
    assert 1 <= len(first.json()["items"]) < 20
    assert len(first.content) < 5_000_000
    assert await ids(client) == made[::-1]


POISON_IN_SQL = ['{"x": 1e4300}', '{"x": 1e130000}', '"text"', "null", "[1e400]"]


@pytest.mark.parametrize("payload", POISON_IN_SQL)
async def test_what_came_in_by_sql_can_be_read(client: httpx.AsyncClient, worker: Worker, payload):
    id = worker.enqueue("no such type", payload, queue="odd, name")
    answer = await client.get(f"/v1/tasks/{id}")
    assert answer.status_code == 200
    assert answer.text.startswith("{")
    assert (await client.get("/v1/tasks")).status_code == 200


async def test_a_task_tells_of_its_attempts(client: httpx.AsyncClient, worker: Worker):
    task = await submit(client, payload={"n": 1})
    worker.claim()
    worker.progress(task["id"], 40, "rows read")
    seen = (await client.get(f"/v1/tasks/{task['id']}")).json()
    assert seen["status"] == "active"
    assert (seen["progress"]["percent"], seen["progress"]["message"]) == (40, "rows read")
    assert seen["progress"]["at"].endswith("Z")
    worker.finish(task["id"], "failed", delay_s=60, error={"type": "E", "message": "no"})
    seen = (await client.get(f"/v1/tasks/{task['id']}")).json()
    assert seen["status"] == "retrying"
    assert seen["next_retry_at"] is not None
    assert seen["error"]["message"] == "no"
    await client.post(f"/v1/tasks/{task['id']}/retry")
    worker.claim()
    worker.finish(task["id"], result={"rows": 3})
    seen = (await client.get(f"/v1/tasks/{task['id']}")).json()
    assert (seen["status"], seen["result"], seen["attempt"]) == ("completed", {"rows": 3}, 2)
    attempts = (await client.get(f"/v1/tasks/{task['id']}/attempts")).json()["items"]
    assert [a["outcome"] for a in attempts] == ["completed", "failed"]
    assert attempts[0]["worker"] == "host:1"


async def test_a_task_tells_what_it_remembers(client: httpx.AsyncClient, worker: Worker):
    id = worker.enqueue()
    path = f"/v1/tasks/{id}/checkpoints"
    assert (await client.get(path)).json() == {"items": []}
    worker.claim()
    worker.save_checkpoint(id, "fetch", '{"rows": 3}')
    worker.save_checkpoint(id, "", '{"x": 1e4300}')
    worker.save_checkpoint(id, "", '"ä"')
    last, fetch = (await client.get(path)).json()["items"]
    assert (last["name"], last["data"], last["size"]) == ("", "ä", 4)
    assert (fetch["name"], fetch["data"], fetch["attempt"]) == ("fetch", {"rows": 3}, 1)
    assert fetch["lease_id"] == worker.leases[id]
    assert fetch["at"].endswith("Z")


async def test_logs_come_in_order_page_by_page(client: httpx.AsyncClient, worker: Worker):
    id = worker.enqueue()
    worker.claim()
    for n in range(7):
        worker.log(id, f"line {n}", n=n)
    lines, cursor = [], None
    while True:
        page = (
            await client.get(
                f"/v1/tasks/{id}/logs",
                params={"limit": 3, **({"cursor": cursor} if cursor else {})},
            )
        ).json()
        lines += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert [line["message"] for line in lines] == [f"line {n}" for n in range(7)]
    assert lines[3]["data"] == {"n": 3}


async def test_an_artifact_is_given_with_its_type_and_never_runs_as_a_page(
    client: httpx.AsyncClient, worker: Worker
):
    id = worker.enqueue()
    worker.claim()
    data = b"<script>alert(1)</script>" + bytes(range(256))
    worker.save_artifact(id, "report.html", data, "text/html")
    [artifact] = (await client.get(f"/v1/tasks/{id}/artifacts")).json()["items"]
    digest = hashlib.sha256(data).hexdigest()
    assert (artifact["size"], artifact["sha256"]) == (len(data), digest)
    answer = await client.get(artifact["href"])
    assert answer.content == data
    assert answer.headers["content-type"] == "text/html"
    assert answer.headers["etag"] == f'"{digest}"'
    assert answer.headers["content-disposition"] == 'inline; filename="report.html"'
    assert answer.headers["content-security-policy"].startswith("sandbox;")
    assert answer.headers["x-content-type-options"] == "nosniff"
    again = await client.get(artifact["href"], headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_a_task_and_a_schedule_have_the_fields_of_their_models(client: httpx.AsyncClient):
    task = await submit(client)
    read = (await client.get(f"/v1/tasks/{task['id']}")).json()
    assert read.keys() == Task.model_fields.keys() == task.keys()
    await client.post("/v1/schedules", json={"name": "s", "type": "noop", "cron": "0 0 1 1 *"})
    assert (await client.get("/v1/schedules/s")).json().keys() == Schedule.model_fields.keys()
