"""JSON knows one kind of number: 5.0 is 5, wherever a whole number is asked for."""

import json

import httpx
import psycopg
import pytest

from tests.api.conftest import submit
from tests.api.worker import Worker

RATE = [{"count": 5.0, "per_seconds": 60.0, "smooth": False}]
SETTINGS = {
    "concurrency": {"concurrency": 2.0},
    "rate": {"rate": RATE},
    "per_key concurrency": {"per_key": {"concurrency": 2.0}},
    "per_key rate": {"per_key": {"rate": RATE}},
    "max_attempts": {"max_attempts": 3.0},
    "ageing_s": {"ageing_s": 60.0},
    "fairness": {"fairness": {"weights": {"a": 2.0}}},
    "retention": {"retention": {"tasks_s": 86400.0}},
    "retry": {"retry": {"kind": "fixed", "base_s": 1.0, "cap_s": 2.0, "jitter": "none"}},
}


def started(worker: Worker, queue: str) -> list[str]:
    """Claim one task, as a worker does from a queue that may have a limit."""
    limited = (
        "select task_id::text from pgqueue_private.claim_limited(%s, %s, 1) "
        "where task_id is not null"
    )
    return worker.claim(queue, max_tasks=1) or [
        row["task_id"] for row in worker.rows(limited, worker.id, queue)
    ]


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
async def test_a_setting_of_a_queue_given_as_5_0_stops_nothing(
    client: httpx.AsyncClient, worker: Worker, settings: dict
):
    answer = await client.put("/v1/queues/mail", json=settings)
    assert answer.status_code == 201, answer.text
    task = await submit(client, queue="mail", limit_key="a")
    waiting = await submit(client, queue="mail", limit_key="a")
    assert started(worker, "mail") == [task["id"]]
    explained = await client.get(f"/v1/tasks/{waiting['id']}/explain")
    assert explained.status_code == 200, explained.text
    assert (await client.get("/v1/queues/mail")).status_code == 200


@pytest.mark.parametrize("settings", [{"concurrency": 2.0}, {"rate": RATE}], ids=["n", "rate"])
async def test_a_limit_given_as_5_0_stops_nothing(
    client: httpx.AsyncClient, worker: Worker, settings: dict
):
    answer = await client.put("/v1/limits/a", json=settings)
    assert answer.status_code == 201, answer.text
    task = await submit(client, limit_key="a")
    assert started(worker, "default") == [task["id"]]


@pytest.mark.parametrize(
    "settings",
    [
        {"rate": RATE},
        {"per_key": {"concurrency": 2.0}},
        {"per_key": {"rate": RATE}},
        {"fairness": {"weights": {"a": 2.0}}},
    ],
)
def test_sql_takes_no_setting_that_it_could_not_read_again(worker: Worker, settings: dict):
    with pytest.raises(psycopg.Error) as error:
        worker.value("select pgqueue.patch_queue('mail', %s::text::jsonb)", json.dumps(settings))
    assert error.value.sqlstate in ("PQ004", "23514", "22P02")
    assert worker.claim("mail") == []
    id = worker.enqueue(queue="mail", limit_key="a")
    assert started(worker, "mail") == [id]
