"""GET /v1/tasks/{id}/events, as a browser reads it."""

import asyncio
from uuid import uuid4

import httpx
import pytest
from pgqueue_api.bounds import Bounds
from pgqueue_api.server import Server

from tests.api.sse import Event, events
from tests.api.worker import Worker


@pytest.fixture
def limits(request: pytest.FixtureRequest) -> Bounds:
    return getattr(request, "param", None) or Bounds(poll_s=0.1)


def names(found: list[Event]) -> list[str]:
    return [event.name for event in found]


async def test_a_task_is_watched_from_its_first_state_to_its_end(
    http: httpx.AsyncClient, worker: Worker
):
    id = worker.enqueue()
    async with events(http, f"/v1/tasks/{id}/events") as stream:
        snapshot = await stream.next()
        assert (snapshot.name, snapshot.data["status"]) == ("snapshot", "queued")
        worker.claim()
        assert (await stream.until("status"))[-1].data["status"] == "active"
        worker.progress(id, 40, "rows read")
        progress = (await stream.until("progress"))[-1].data
        assert (progress["progress"]["percent"], progress["status"]) == (40, "active")
        worker.log(id, "half way", rows=5)
        log = (await stream.until("log"))[-1]
        assert (log.data["message"], log.data["data"]) == ("half way", {"rows": 5})
        assert log.id == f"{worker.leases[id]}-1"
        worker.finish(id, result=[1])
        last = await stream.until("end")
        assert names(last) == ["status", "end"]
        assert last[-1].data["result"] == [1]
        assert last[-1].data == (await http.get(f"/v1/tasks/{id}")).json()
        assert await stream.next() is None


async def test_a_finished_task_gives_its_logs_and_its_end(http: httpx.AsyncClient, worker: Worker):
    id = worker.enqueue()
    worker.claim()
    for n in range(450):  # more than one page
        worker.log(id, f"line {n}")
    worker.finish(id)
    async with events(http, f"/v1/tasks/{id}/events") as stream:
        found = await stream.until("end")
        assert names(found) == ["snapshot", *["log"] * 450, "end"]
        assert [event.data["message"] for event in found[1:-1]] == [f"line {n}" for n in range(450)]
        assert await stream.next() is None


async def test_text_comes_as_it_is_written_among_the_log_lines_and_is_resumed(
    http: httpx.AsyncClient, worker: Worker
):
    id = worker.enqueue()
    worker.claim()
    async with events(http, f"/v1/tasks/{id}/events") as stream:
        await stream.next()
        worker.text(id, "Once upon ")
        first = await stream.next()
        assert (first.name, first.data["text"]) == ("text", "Once upon ")
        assert first.id == f"{worker.leases[id]}-1"
        assert set(first.data) == {"task_id", "lease_id", "seq", "at", "text"}
        worker.log(id, "a line")
        assert (await stream.next()).name == "log"
    worker.text(id, "a time")
    worker.finish(id)
    async with events(http, f"/v1/tasks/{id}/events", first.id) as stream:
        found = await stream.until("end")
        assert names(found) == ["snapshot", "log", "text", "end"]
        assert found[2].data["text"] == "a time"
    lines = (await http.get(f"/v1/tasks/{id}/logs")).json()["items"]
    assert [line["message"] for line in lines] == ["a line"]


async def test_last_event_id_goes_on_in_the_logs_without_loss_or_repeats(
    http: httpx.AsyncClient, worker: Worker
):
    id = worker.enqueue()
    worker.claim()
    for n in range(5):
        worker.log(id, f"line {n}")
    async with events(http, f"/v1/tasks/{id}/events") as stream:
        for _ in range(4):
            last = await stream.next()
    assert last.data["message"] == "line 2"
    worker.log(id, "line 5")
    async with events(http, f"/v1/tasks/{id}/events", last.id) as stream:
        assert (await stream.next()).name == "snapshot"
        found = [(await stream.next()).data["message"] for _ in range(3)]
        worker.log(id, "line 6")
        found.append((await stream.next()).data["message"])
    assert found == ["line 3", "line 4", "line 5", "line 6"]


async def test_logs_of_a_second_attempt_follow_those_of_the_first(
    http: httpx.AsyncClient, worker: Worker
):
    id = worker.enqueue()
    async with events(http, f"/v1/tasks/{id}/events") as stream:
        for attempt in (1, 2):
            worker.claim()
            worker.seqs.clear()
            worker.log(id, f"attempt {attempt}")
            worker.finish(id, "failed", delay_s=0)
            worker.rows("select pgqueue_private.promote(10)")
        logs = [(await stream.until("log"))[-1].data["message"] for _ in range(2)]
    assert logs == ["attempt 1", "attempt 2"]


async def test_a_place_that_never_was_hides_nothing_from_anyone(
    http: httpx.AsyncClient, worker: Worker
):
    id = worker.enqueue()
    worker.claim()
    worker.log(id, "before")
    async with (
        events(http, f"/v1/tasks/{id}/events", "999999999999-5") as liar,
        events(http, f"/v1/tasks/{id}/events") as honest,
    ):
        await liar.until("snapshot")
        await honest.until("log")
        worker.log(id, "after")
        for stream in (liar, honest):
            assert (await stream.until("log"))[-1].data["message"] == "after"


@pytest.mark.parametrize("garbage", ["x", "-", "1-", "1-2-3", "9" * 40, "1-x", "\u00b2-1"])
async def test_an_id_that_is_none_begins_at_the_start(
    http: httpx.AsyncClient, worker: Worker, garbage
):
    id = worker.enqueue()
    worker.claim()
    worker.log(id, "first")
    headers = {"last-event-id": garbage.encode()}
    async with http.stream("GET", f"/v1/tasks/{id}/events", headers=headers) as response:
        assert response.status_code == 200
        async for line in response.aiter_lines():
            if '"first"' in line:
                break


async def test_what_is_not_notified_is_seen_within_a_poll(http: httpx.AsyncClient, worker: Worker):
    id = worker.enqueue()
    async with events(http, f"/v1/tasks/{id}/events") as stream:
        await stream.next()
        worker.connection.execute(
            "select * from pgqueue_private.claim(%s, '{default}', null, 1)", (worker.id,)
        )
        assert (await stream.until("status"))[-1].data["status"] == "active"


@pytest.mark.parametrize("limits", [Bounds(poll_s=3600)], indirect=True)
async def test_what_is_notified_is_seen_without_a_poll(http: httpx.AsyncClient, worker: Worker):
    id = worker.enqueue()
    async with events(http, f"/v1/tasks/{id}/events") as stream:
        await stream.next()
        worker.claim()
        await stream.until("status")
        worker.log(id, "seen")
        await stream.until("log")
        worker.finish(id)
        await stream.until("end")


async def test_a_listener_that_was_cut_comes_back_and_nothing_is_missed(
    http: httpx.AsyncClient, worker: Worker
):
    id = worker.enqueue()
    async with events(http, f"/v1/tasks/{id}/events") as stream:
        await stream.next()
        worker.rows(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and application_name like 'pgqueue api%'"
        )
        worker.claim()
        await stream.until("status")
        worker.finish(id)
        await stream.until("end")


@pytest.mark.parametrize("limits", [Bounds(heartbeat_s=0.1)], indirect=True)
async def test_a_silent_stream_has_a_heartbeat(http: httpx.AsyncClient, worker: Worker):
    id = worker.enqueue()
    async with events(http, f"/v1/tasks/{id}/events") as stream:
        await stream.next()
        assert await stream.comment() == ""


async def test_many_watchers_of_one_task_see_the_same(http: httpx.AsyncClient, worker: Worker):
    id = worker.enqueue()
    worker.claim()

    async def watch() -> list[str]:
        async with events(http, f"/v1/tasks/{id}/events") as stream:
            first = await stream.next()
            entered.release()
            return [first.name, *names(await stream.until("end"))]

    entered = asyncio.Semaphore(0)
    async with asyncio.TaskGroup() as group:
        watchers = [group.create_task(watch()) for _ in range(30)]
        for _ in watchers:
            await entered.acquire()
        for n in range(20):
            worker.log(id, f"line {n}")
        worker.finish(id)
    for watcher in watchers:
        seen = watcher.result()
        assert seen.count("log") == 20
        assert (seen[0], seen[-1]) == ("snapshot", "end")


async def test_an_unknown_task_is_404_before_the_stream_starts(http: httpx.AsyncClient):
    answer = await http.get(f"/v1/tasks/{uuid4()}/events")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_when_everyone_has_left_workers_need_not_notify(
    http: httpx.AsyncClient, worker: Worker, served: Server
):
    id = worker.enqueue()
    async with events(http, f"/v1/tasks/{id}/events") as stream:
        await stream.next()
        assert (
            worker.value("select count(*) from pgqueue_private.listener where expires_at > now()")
            == 1
        )
    hub = served._app.services.hub
    while hub.watchers:  # until the server has seen the client leave
        await asyncio.to_thread(worker.value, "select pg_sleep(0.01)")
    await hub.close()
    assert (
        worker.value("select count(*) from pgqueue_private.listener where expires_at > now()") == 0
    )


@pytest.mark.parametrize("limits", [Bounds(streams=2)], indirect=True)
async def test_streams_are_limited(http: httpx.AsyncClient, worker: Worker):
    id = worker.enqueue()
    path = f"/v1/tasks/{id}/events"
    async with events(http, path) as first, events(http, path) as second:
        await first.next()
        await second.next()
        answer = await http.get(path)
        assert answer.status_code == 503
        assert answer.json()["code"] == "overloaded"


async def test_a_stop_of_the_server_ends_its_streams_at_once(
    http: httpx.AsyncClient, worker: Worker, served: Server
):
    id = worker.enqueue()
    async with (
        events(http, f"/v1/tasks/{id}/events") as task,
        events(http, "/v1/events") as every,
    ):
        await task.next()
        await every.next()
        served.should_exit = True
        assert await task.next() is None
        assert await every.next() is None
        assert "the server is stopping" in task.comments
