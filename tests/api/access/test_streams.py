"""Streams end when who opened them may no longer read."""

import asyncio

import httpx

from tests.api.access.conftest import People, bearer
from tests.api.conftest import submit
from tests.api.worker import Worker


async def read_all(
    http: httpx.AsyncClient, path: str, headers: dict[str, str], opened: asyncio.Event
) -> bytes:
    content = b""
    async with http.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200
        async for piece in answer.aiter_raw():
            content += piece
            opened.set()
    return content


async def test_a_stream_ends_when_its_key_is_revoked(
    http: httpx.AsyncClient, people: People, worker: Worker
):
    id, _ = people.user("admin")
    all_of_it = bearer(people.key(id, "tasks:read", "tasks:write"))
    task = (await http.post("/v1/tasks", json={"type": "noop"}, headers=all_of_it)).json()
    keys = [people.key(id, "tasks:read") for _ in range(2)]
    streams = []
    for key in keys:
        for path in (f"/v1/tasks/{task['id']}/events", "/v1/events"):
            opened = asyncio.Event()
            streams.append(asyncio.create_task(read_all(http, path, bearer(key), opened)))
            await opened.wait()
    worker.rows("select pgqueue_private.revoke_api_key(%s)", keys[0][4:16])
    async with asyncio.timeout(45):
        contents = await asyncio.gather(*streams[:2])
    assert all(b"event: snapshot" in content for content in contents)
    assert not any(stream.done() for stream in streams[2:])
    for stream in streams[2:]:
        stream.cancel()
    await asyncio.gather(*streams[2:], return_exceptions=True)


async def test_the_first_user_ends_the_streams_of_everyone(http: httpx.AsyncClient, people: People):
    id = (await submit(http))["id"]
    opened = asyncio.Event()
    stream = asyncio.create_task(read_all(http, f"/v1/tasks/{id}/events", {}, opened))
    await opened.wait()
    people.user("admin")
    async with asyncio.timeout(45):
        await stream
