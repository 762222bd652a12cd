"""Hostile payloads by SQL: one task at most suffers, never the claim, the views or a reader."""

import psycopg
import pytest
from psycopg.rows import tuple_row

from pgqueue import PgQueue, Status
from tests.database.queue import Queue

STORABLE = {
    "a number beyond every float": '{"x":1e4300}',
    "a number of 131,072 digits": "1e131071",
    "numbers that are small stored and 2 MiB as text": f"[{','.join(['1e131071'] * 16)}]",
    "a long integer": f'{{"x": {"9" * 5000}}}',
    "60 levels": "[" * 60 + "1" + "]" * 60,
    "64 levels": '{"a":' * 64 + "1" + "}" * 64,
    "odd keys": '{"": 1, "__proto__": {}, "a.b": [], "%s": null, "\'; drop table task": 1}',
    "text beyond the basic plane": '"\\ud83d\\ude00 \U0001f600"',
    "a null": "null",
    "262,144 bytes": '"' + "x" * 262_142 + '"',
}

REFUSED = {
    "65 levels": "[" * 65 + "1" + "]" * 65,
    "65 levels of objects": '{"a":' * 65 + "1" + "}" * 65,
    "1,000 levels": "[" * 1000 + "]" * 1000,
    "262,145 bytes": '"' + "x" * 262_143 + '"',
    "a number beyond jsonb": "1e200000",
    "a NUL": '"\\u0000"',
    "a lone surrogate": '"\\ud800"',
    "not a number": "NaN",
    "no JSON": "{",
}


@pytest.mark.parametrize("payload", STORABLE.values(), ids=STORABLE)
async def test_a_storable_payload_is_claimed_finished_and_read(queue: Queue, payload: str) -> None:
    id = queue.value("select pgqueue.enqueue('t', %s::text::jsonb)::text", payload)
    neighbour = queue.enqueue()
    worker = queue.worker()
    rows = queue.connection.cursor(row_factory=tuple_row).execute(
        "select task_id::text, lease_id, payload "
        "from pgqueue_private.claim(%s, '{default}', null, 10)",
        (worker,),
    )
    leases = {row[0]: row for row in rows}
    assert set(leases) == {id, neighbour}
    assert isinstance(leases[id][2], str)
    assert queue.finish({"task_id": id, "lease_id": leases[id][1]}) == []
    counts = "select status, count(*)::int as n from pgqueue.tasks group by 1 order by 1"
    assert queue.rows(counts) == [{"status": "active", "n": 1}, {"status": "completed", "n": 1}]
    async with PgQueue(queue.connection.info.dsn) as app:
        task = await app.get(id)
    assert task.status == Status.COMPLETED


@pytest.mark.parametrize("payload", REFUSED.values(), ids=REFUSED)
def test_a_payload_out_of_bounds_is_refused(queue: Queue, payload: str) -> None:
    queue.enqueue()
    with pytest.raises(psycopg.Error) as caught:
        queue.value("select pgqueue.enqueue('t', %s::text::jsonb)", payload)
    assert caught.value.sqlstate in ("23514", "22P02", "22P05", "22003")
    assert queue.count("task") == 1


@pytest.mark.parametrize("payload", STORABLE.values(), ids=STORABLE)
def test_a_storable_payload_may_be_a_result_too(queue: Queue, payload: str) -> None:
    lease = queue.start(queue.worker())
    results = (
        f'[{{"task_id": "{lease["task_id"]}", "lease_id": {lease["lease_id"]}, '
        f'"outcome": "completed", "result": {payload}}}]'
    )
    assert queue.value("select refused from pgqueue_private.finish(%s::text::jsonb)", results) == []
    assert queue.value("select status from pgqueue.tasks") == "completed"


@pytest.mark.parametrize("name", ["a,b", "'", "\\", "{}", "%s", "\n", "\U0001f600" * 100])
def test_a_queue_and_a_type_may_have_any_name(queue: Queue, name: str) -> None:
    queue.value("select pgqueue_private.listen('me', 'pgqueue_ready', 30)::text")
    id = queue.enqueue(name, queue=name)
    (lease,) = queue.claim(queue.worker(), queues=(name,))
    assert (lease["task_id"], lease["queue"], lease["type"]) == (id, name, name)
    assert queue.finish(lease) == []
    queue.value("select pgqueue_private.sample_queues()::text")
    queue.value("select pgqueue_private.fold_rollups()")
    assert queue.task(id)["queue"] == name
