"""The number that autoscalers read."""

import httpx

from tests.api.conftest import submit
from tests.api.worker import Worker


async def test_the_number_and_what_it_is_made_of(client: httpx.AsyncClient, worker: Worker):
    await submit(client)
    await submit(client)
    worker.claim(max_tasks=1)
    answer = await client.get("/v1/queues/default/scale")
    assert answer.status_code == 200, answer.text
    scale = answer.json()
    assert scale.pop("at").endswith("Z")
    assert 0 <= scale.pop("wait_s") < 10
    assert scale == {
        "queue": "default",
        "wanted": 2,
        "active": 1,
        "backlog": 1,
        "backlog_exact": True,
        "startable": 1,
        "workers": 1,
        "slots": 10,
    }


async def test_a_queue_that_is_not_there_has_none(client: httpx.AsyncClient):
    assert (await client.get("/v1/queues/none/scale")).status_code == 404
    wrong = await client.get("/v1/queues/default/scale?patience_s=-1")
    assert wrong.status_code == 422
