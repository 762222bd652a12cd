"""Schedules over HTTP."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest

from tests.api.worker import Worker

WORKDAYS = {
    "cron": "30 9 * * 1-5",
    "timezone": "Europe/Berlin",
    "type": "sleep",
    "payload": {"delay_ms": 5},
    "queue": "q",
    "priority": "high",
    "overlap": "skip",
    "jitter_s": 0,
    "retry": {"kind": "fixed", "base_s": 3},
}


async def create(client: httpx.AsyncClient, name: str = "workdays", **fields: object) -> dict:
    made = await client.post("/v1/schedules", json={"name": name, **WORKDAYS, **fields})
    assert made.status_code == 201, made.text
    return made.json()


async def test_a_schedule_is_made_and_its_next_due_time_is_known(client: httpx.AsyncClient):
    made = await client.post("/v1/schedules", json={"name": "workdays", **WORKDAYS})
    assert (made.status_code, made.headers["location"]) == (201, "/v1/schedules/workdays")
    assert made.headers["etag"] == '"1"'
    schedule = made.json()
    assert schedule["priority"] == 2
    for word in WORKDAYS.keys() - {"priority"}:
        assert schedule[word] == WORKDAYS[word]
    assert (schedule["state"], schedule["run_count"], schedule["missed"]) == ("active", 0, "latest")
    assert datetime.fromisoformat(schedule["next_due_at"]) > datetime.now(UTC)
    for which in ("workdays", schedule["id"], schedule["id"].upper()):
        read = await client.get(f"/v1/schedules/{which}")
        assert read.json() == schedule
        assert read.headers["etag"] == '"1"'
    again = await client.post("/v1/schedules", json={"name": "workdays", **WORKDAYS})
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


async def test_a_schedule_for_one_time_is_made(client: httpx.AsyncClient):
    at = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    made = await create(client, cron=None, run_at=at, timezone=None)
    assert datetime.fromisoformat(made["next_due_at"]) == datetime.fromisoformat(at)


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"name": "a b"}, "/name"),
        ({"name": "preview"}, "/name"),
        ({"cron": "0 0 30 2 *"}, "/cron"),
        ({"cron": "R * * * *"}, "/cron"),
        ({"cron": "* * * * * *"}, "/cron"),
        ({"cron": "@daily"}, "/cron"),
        ({"cron": "1" * 101}, "/cron"),
        ({"cron": 5}, "/cron"),
        ({"cron": None}, "/cron"),
        ({"run_at": "2030-01-01T00:00:00Z"}, "/cron"),
        ({"timezone": "Mars/Olympus"}, "/timezone"),
        ({"timezone": "../../etc/passwd"}, "/timezone"),
        ({"starts_at": "2030-01-01T00:00:00"}, "/starts_at"),
        ({"jitter_s": -1}, "/jitter_s"),
        ({"missed": "some"}, "/missed"),
        ({"missed_max": 0}, "/missed_max"),
        ({"overlap": "maybe"}, "/overlap"),
        ({"priority": 11}, "/priority"),
        ({"payload": {"delay_ms": "x"}}, "/payload/delay_ms"),
        ({"payload": {"delay_ms": 1, "name": "x" * 300_000}}, None),
        ({"every": 5}, ""),
    ],
)
async def test_what_cannot_be_right_is_refused_and_pointed_at(
    client: httpx.AsyncClient, fields: dict, pointer: str | None
):
    answer = await client.post("/v1/schedules", json={"name": "workdays", **WORKDAYS, **fields})
    assert answer.status_code in (422, 413), answer.text
    if pointer is not None:
        assert pointer in [error["pointer"] for error in answer.json()["errors"]]
    assert (await client.get("/v1/schedules")).json()["items"] == []


async def test_a_type_that_no_worker_has_published_is_refused(client: httpx.AsyncClient):
    answer = await client.post("/v1/schedules", json={"name": "s", **WORKDAYS, "type": "slep"})
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_type")


async def test_a_preview_shows_the_next_five_times_and_stores_nothing(client: httpx.AsyncClient):
    answer = await client.post(
        "/v1/schedules/preview",
        json={
            "cron": "30 2 * * *",
            "timezone": "Europe/Berlin",
            "starts_at": "2127-03-29T00:00:00Z",
        },
    )
    assert answer.status_code == 200, answer.text
    times = answer.json()["due_times"]
    assert [time["local"] for time in times] == [
        "2127-03-29T02:30:00+01:00",
        "2127-03-30T03:00:00+02:00",  # the clocks jump from 02:00 to 03:00
        "2127-03-31T02:30:00+02:00",
        "2127-04-01T02:30:00+02:00",
        "2127-04-02T02:30:00+02:00",
    ]
    assert times[1]["due_at"] == "2127-03-30T01:00:00.000000Z"
    assert (await client.get("/v1/schedules")).json()["items"] == []
    wrong = await client.post("/v1/schedules/preview", json={"cron": "0 0 31 2 *"})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/cron")


async def test_a_change_of_another_version_changes_nothing(client: httpx.AsyncClient):
    await create(client)
    for method, body in ((client.patch, {"type": "noop"}), (client.put, WORKDAYS)):
        stale = await method("/v1/schedules/workdays", json=body, headers={"If-Match": '"9"'})
        assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
    changed = await client.patch(
        "/v1/schedules/workdays", json={"cron": "0 10 * * *"}, headers={"If-Match": '"1"'}
    )
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    assert changed.json()["cron"] == "0 10 * * *"
    assert changed.json()["timezone"] == "Europe/Berlin"
    assert "T09:00" in changed.json()["next_due_at"] or "T08:00" in changed.json()["next_due_at"]
    for body in ({"cron": "x"}, {"payload": {}}, {"type": "unknown"}, {"run_at": "2030-01-01Z"}):
        refused = await client.patch(
            "/v1/schedules/workdays", json=body, headers={"If-Match": '"2"'}
        )
        assert refused.status_code == 422, body


async def test_put_makes_or_replaces_everything(client: httpx.AsyncClient):
    body = {"cron": "0 * * * *", "type": "noop"}
    early = await client.put("/v1/schedules/s", json=body, headers={"If-Match": "*"})
    assert early.status_code == 412
    made = await client.put("/v1/schedules/s", json={**body, "queue": "q", "missed": "all"})
    assert (made.status_code, made.headers["etag"]) == (201, '"1"')
    replaced = await client.put("/v1/schedules/s", json=body)
    assert replaced.status_code == 200
    assert (replaced.json()["queue"], replaced.json()["missed"]) == (None, "latest")
    for name, status in (("a b", 422), ("x" * 101, 422), ("preview", 405)):
        assert (await client.put(f"/v1/schedules/{name}", json=body)).status_code == status


async def test_a_schedule_is_deleted_as_it_was_read(client: httpx.AsyncClient):
    await create(client)
    stale = await client.delete("/v1/schedules/workdays", headers={"If-Match": '"4"'})
    assert stale.status_code == 412
    gone = await client.delete("/v1/schedules/workdays", headers={"If-Match": '"1"'})
    assert gone.status_code == 204
    for method, path in (
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/pause"),
        ("POST", "/resume"),
        ("POST", "/trigger"),
        ("GET", "/slots"),
    ):
        answer = await client.request(method, f"/v1/schedules/workdays{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path


async def test_a_schedule_is_paused_resumed_and_triggered(client: httpx.AsyncClient):
    await create(client)
    paused = await client.post("/v1/schedules/workdays/pause")
    assert (paused.json()["state"], paused.json()["next_due_at"]) == ("paused", None)
    triggered = await client.post("/v1/schedules/workdays/trigger")
    task = triggered.json()
    assert triggered.status_code == 201
    assert triggered.headers["location"] == f"/v1/tasks/{task['id']}"
    assert (task["type"], task["payload"], task["queue"]) == ("sleep", {"delay_ms": 5}, "q")
    resumed = await client.post("/v1/schedules/workdays/resume")
    assert (resumed.json()["state"], resumed.json()["run_count"]) == ("active", 1)
    assert resumed.json()["next_due_at"] is not None
    (slot,) = (await client.get("/v1/schedules/workdays/slots")).json()["items"]
    assert (slot["kind"], slot["fate"], slot["task_id"]) == ("trigger", "enqueued", task["id"])


async def test_a_backfill_is_taken_one_at_a_time_and_ends_in_the_past(client: httpx.AsyncClient):
    await create(client, cron="0 * * * *")
    now = datetime.now(UTC)
    day = {"from": (now - timedelta(days=1)).isoformat(), "to": now.isoformat()}
    later = {**day, "to": (now + timedelta(hours=1)).isoformat()}
    path = "/v1/schedules/workdays/backfill"
    assert (await client.post(path, json=later)).status_code == 422
    assert (await client.post(path, json={"from": day["to"], "to": day["from"]})).status_code == 422
    assert (await client.post(path, json={"from": "yesterday"})).status_code == 422
    taken = await client.post(path, json=day)
    assert taken.status_code == 202
    assert datetime.fromisoformat(taken.json()["backfill_to"]) == now
    assert (await client.post(path, json=day)).status_code == 409


async def test_lists_have_pages(client: httpx.AsyncClient, worker: Worker):
    for n in range(5):
        await create(client, f"s{n}", type="noop", payload={}, queue=f"q{n % 2}")
    names, cursor = [], None
    while True:
        query = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = (await client.get("/v1/schedules", params=query)).json()
        names += [item["name"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert names == [f"s{n}" for n in range(5)]
    some = (await client.get("/v1/schedules", params={"queue": "q1"})).json()["items"]
    assert [item["name"] for item in some] == ["s1", "s3"]
    assert (await client.get("/v1/schedules", params={"cursor": "é"})).status_code == 422

    triggered = [(await client.post("/v1/schedules/s0/trigger")).json()["id"] for _ in range(5)]
    found, cursor = [], None
    while True:
        query = {"limit": 2, "fate": "enqueued", **({"cursor": cursor} if cursor else {})}
        page = (await client.get("/v1/schedules/s0/slots", params=query)).json()
        found += [item["task_id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == triggered[::-1]
    assert all(UUID(id) for id in found)


async def test_what_code_declares_is_changed_in_the_code_only(
    client: httpx.AsyncClient, worker: Worker
):
    worker.connection.execute(
        """select pgqueue_private.declare_schedules(
               'shop:app', '[{"name": "s", "cron": "0 * * * *", "type": "noop"}]'
           )"""
    )
    read = (await client.get("/v1/schedules/s")).json()
    assert read["declared_by"] == "shop:app"
    headers = {"If-Match": "*"}
    for answer in (
        await client.patch("/v1/schedules/s", json={"cron": "5 * * * *"}, headers=headers),
        await client.put("/v1/schedules/s", json=WORKDAYS, headers=headers),
        await client.delete("/v1/schedules/s"),
    ):
        assert answer.status_code == 409
        assert "shop:app" in answer.json()["detail"]
    assert (await client.post("/v1/schedules/s/pause")).status_code == 200
