"""No list is larger than 4 MiB, however large what it lists is, and every item is reached."""

import httpx
import pytest

from pgqueue import PgQueue
from pgqueue.settings import Settings
from tests.api.conftest import submit
from tests.api.worker import Worker

MIB = 1024 * 1024


async def pages(client: httpx.AsyncClient, path: str) -> list[list[dict]]:
    found, cursor = [], {}
    while True:
        answer = await client.get(path, params={"limit": 200, **cursor})
        assert answer.status_code == 200, answer.text
        assert len(answer.content) < 4.2 * MIB
        found.append(answer.json()["items"])
        if answer.json()["next"] is None:
            return found
        cursor = {"cursor": answer.json()["next"]}


SCHEDULES = """
    select count(pgqueue.set_schedule(
        'large-' || n, 'noop', jsonb_build_object('a', repeat('x', 250000)), cron => '0 0 1 1 *'
    )) as n from generate_series(100, 139) as n
"""
BATCHES = """
    with made as (insert into pgqueue_private.batch (id, name, metadata, created_at)
    select pgqueue_private.new_id(n, 0), n::text, jsonb_build_object('a', repeat('x', 250000)),
        now()
    from generate_series(1, 40) as n returning id) select count(*) as n from made
"""


@pytest.mark.parametrize(("path", "made"), [("/v1/schedules", SCHEDULES), ("/v1/batches", BATCHES)])
async def test_a_page_ends_where_it_is_large_enough(
    client: httpx.AsyncClient, worker: Worker, path: str, made: str
):
    worker.value(made)
    found = await pages(client, path)
    assert len(found) >= 3
    names = [one["name"] for items in found for one in items]
    assert len(names) == len(set(names)) == 40
    assert names == sorted(names, key=lambda name: (len(name), name), reverse=path == "/v1/batches")


async def test_a_page_of_long_lines_is_bounded(client: httpx.AsyncClient, worker: Worker):
    id = (await submit(client))["id"]
    worker.value(
        "with made as (insert into pgqueue_private.task_event "
        "(task_id, lease_id, seq, at, type, level, message) "
        "select %s::uuid, 1, n, now(), 'log', 'info', repeat('x', 100000) "
        "from generate_series(1, 100) as n returning seq) select count(*) as n from made",
        id,
    )
    found = await pages(client, f"/v1/tasks/{id}/logs")
    assert len(found) >= 3
    assert [line["seq"] for lines in found for line in lines] == [*range(1, 101)]


QUEUES = """
    select count(pgqueue.patch_queue(
        'large-' || n, jsonb_build_object('fairness', jsonb_build_object('weights', (
            select jsonb_object_agg(repeat('x', 200) || k, 1) from generate_series(1, 1000) as k
        )))
    )) as n from generate_series(1, 30) as n
"""
TYPES = """
    select pgqueue_private.publish_types(jsonb_agg(jsonb_build_object(
        'name', 't' || n, 'queue', 'default', 'description', '', 'payload_schema',
        jsonb_build_object('description', repeat('x', 250000))
    ))) from generate_series(1, 30) as n
"""


@pytest.mark.parametrize(("path", "made"), [("/v1/queues", QUEUES), ("/v1/types", TYPES)])
async def test_a_list_without_pages_ends_where_it_is_large_enough(
    client: httpx.AsyncClient, worker: Worker, path: str, made: str
):
    worker.rows(made)
    answer = await client.get(path)
    assert len(answer.content) < 4.2 * MIB
    assert 10 < len(answer.json()["items"]) < 30


async def test_the_library_finds_schedules_however_large(worker: Worker, database: str):
    worker.value(SCHEDULES)
    async with PgQueue(settings=Settings(database_url=database)) as app:
        found = await app.schedules.find(limit=39)
    assert [one.name for one in found] == [f"large-{n}" for n in range(100, 139)]
