"""GET /v1/events: the tasks of a queue, of a type, or all."""

import httpx
import orjson

from tests.api.conftest import submit
from tests.api.sse import Events, events
from tests.api.worker import Worker


async def frame(stream: Events, name: str, id: str | None = None) -> dict:
    """Wait for a frame of a name, of one task."""
    while True:
        event = (await stream.until(name))[-1]
        if id is None or event.data.get("id", event.data.get("task_id")) == id:
            return event.data


async def test_a_queue_is_watched_from_submit_to_end(http: httpx.AsyncClient, worker: Worker):
    worker.rows("select pgqueue_private.sample_queues()")
    async with events(http, "/v1/events?queue=default") as stream:
        snapshot = await stream.next()
        assert snapshot.name == "snapshot"
        assert [queue["name"] for queue in snapshot.data["queues"]] == ["default"]
        assert snapshot.data["active"] == []
        task = await submit(http)
        assert (await frame(stream, "status", task["id"]))["status"] == "queued"
        worker.claim()
        assert (await frame(stream, "status", task["id"]))["status"] == "active"
        worker.progress(task["id"], 10)
        assert (await frame(stream, "progress", task["id"]))["progress"]["percent"] == 10
        worker.log(task["id"], "hello")
        assert (await frame(stream, "log", task["id"]))["message"] == "hello"
        worker.finish(task["id"])
        assert (await frame(stream, "status", task["id"]))["status"] == "completed"


async def test_a_stream_gives_only_what_its_filters_let_through(
    http: httpx.AsyncClient, worker: Worker
):
    other = worker.enqueue("noop", queue="other")
    wanted = worker.enqueue("sleep", queue="wanted")
    async with (
        events(http, "/v1/events?queue=wanted") as by_queue,
        events(http, "/v1/events?type=sleep") as by_type,
    ):
        assert (await by_queue.next()).name == "snapshot"
        assert (await by_type.next()).name == "snapshot"
        worker.claim("other")
        worker.claim("wanted")
        worker.log(other, "not this")
        worker.log(wanted, "this")
        for stream in (by_queue, by_type):
            found = await stream.until("log")
            assert found[-1].data["message"] == "this"
            assert {event.data.get("id", wanted) for event in found} == {wanted}


async def test_tasks_that_are_active_are_in_the_snapshot(http: httpx.AsyncClient, worker: Worker):
    id = worker.enqueue()
    worker.claim()
    async with events(http, "/v1/events") as stream:
        [active] = (await stream.next()).data["active"]
        assert (active["id"], active["queue"]) == (id, "default")


async def test_an_end_that_was_not_notified_is_seen_all_the_same(
    http: httpx.AsyncClient, worker: Worker
):
    id = worker.enqueue()
    worker.claim()
    async with events(http, "/v1/events") as stream:
        assert (await frame(stream, "status", id))["status"] == "active"
        worker.finish(id, announce=False)
        assert (await frame(stream, "status", id))["status"] == "completed"


async def test_last_event_id_goes_on_in_the_logs_of_all_tasks(
    http: httpx.AsyncClient, worker: Worker
):
    ids = [worker.enqueue() for _ in range(3)]
    worker.claim()
    async with events(http, "/v1/events") as stream:
        await stream.next()
        for id in ids:
            worker.log(id, f"first of {id}")
        seen = [(await stream.until("log"))[-1] for _ in range(2)]
    for id in ids:
        worker.log(id, f"second of {id}")
    async with events(http, "/v1/events", seen[-1].id) as stream:
        seen += [(await stream.until("log"))[-1] for _ in range(4)]
    messages = [event.data["message"] for event in seen]
    assert sorted(messages) == sorted(f"{n} of {id}" for n in ("first", "second") for id in ids)


async def test_lines_that_commit_out_of_order_are_not_skipped(
    http: httpx.AsyncClient, worker: Worker, connect
):
    early, late = worker.enqueue(), worker.enqueue()
    worker.claim()
    slow = connect()
    async with events(http, "/v1/events") as stream:
        await stream.next()
        with slow.transaction():
            # the older transaction commits last
            line = {"seq": 1, "level": "info", "message": "early"}
            line |= {"task_id": early, "lease_id": worker.leases[early]}
            slow.execute(
                "select pgqueue_private.append_events(%s)", (orjson.dumps([line]).decode(),)
            )
            worker.log(late, "late")
        found = [(await stream.until("log"))[-1].data["message"] for _ in range(2)]
    assert found == ["early", "late"]


async def test_text_is_for_the_watchers_of_its_task_only(http: httpx.AsyncClient, worker: Worker):
    id = worker.enqueue()
    worker.claim()
    async with events(http, "/v1/events") as stream:
        await stream.next()
        worker.text(id, "a token")
        worker.log(id, "a line")
        found = await stream.until("log")
        assert "text" not in [event.name for event in found]
        assert found[-1].data["message"] == "a line"
