"""Every list that has pages: together they hold what one large page holds, with any filter."""

from typing import Any

import httpx

from tests.api.worker import Worker

# Rows whose times are equal or nearly so.
NEW_ID = "pgqueue_private.new_id(pgqueue_private.id_bits(now()), n)"
LETTERS = f"""
    insert into pgqueue_private.dead_letter (
        task_id, failed_at, created_at, attempt, crash_count, queue, type, outcome, fingerprint,
        payload, options
    )
    select
        {NEW_ID}, now() - n / 3 * interval '1 s', now(), 1, 0, (array['p', 'q'])[1 + mod(n, 2)],
        (array['noop', 'sleep'])[1 + mod(n / 2, 2)], 'failed', 'f', '{{}}', '{{}}'
    from generate_series(1, 9) as n
"""
OPERATIONS = f"""
    insert into pgqueue_private.operation (
        id, kind, state, filter, per_second, matched, matched_exact, requested_by, created_at,
        next_at
    )
    select
        {NEW_ID}, (array['redrive', 'delete', 'cancel'])[1 + mod(n, 3)],
        (array['completed', 'failed', 'queued'])[1 + mod(n / 2, 3)], '{{"all": true}}', 1, 0, true,
        'me', now(), now()
    from generate_series(1, 9) as n
"""
NOTICES = """
    insert into pgqueue_private.notice (at, kind, message, data)
    select now(), 'dead_letters_growing', 'm', '{}' from generate_series(1, 7) as n
"""
DELIVERIES = f"""
    insert into pgqueue_private.webhook_delivery (
        id, created_at, webhook_id, task_id, status, event, url, body
    )
    select
        {NEW_ID}, now(), %s, %s,
        (array['pending', 'delivered', 'failed', 'cancelled'])[1 + mod(n, 4)],
        'task.failed', 'http://e', '{{}}'
    from generate_series(1, 11) as n
"""
AUDIT = """
    select pgqueue_private.audit_asked(
        1 + mod(n, 2), 'a', 'open', null, (array['pause_queue', 'sign_out'])[1 + mod(n / 2, 2)],
        '/', null
    )
    from generate_series(1, 9) as n
"""
SLOTS = """
    insert into pgqueue_private.schedule_slot (schedule_id, due_at, at, fate)
    select
        s.id, now() - n * interval '1 us', now(),
        (array['enqueued', 'skipped', 'missed'])[1 + mod(n, 3)]
    from generate_series(1, 8) as n, pgqueue_private.schedule as s
    where s.name = 'b'
"""
BATCH = """
    select id::text from pgqueue.create_batch('outer', (
        select jsonb_agg(jsonb_build_object('type', 'noop', 'max_attempts', 1))
        from generate_series(1, 8)
    ))
"""


def fill(worker: Worker) -> dict[str, str]:
    """Put something into every list; return what the paths name."""
    batch = worker.value(BATCH)
    for name in ("one", "two", "three"):
        worker.rows("select pgqueue.create_batch(%s, open => true)", name)
    completed, failed, cancelled, logging = worker.claim(max_tasks=4)
    worker.finish(completed)
    worker.finish(failed, "failed", error={"message": "no"})
    worker.finish(cancelled, "cancelled")
    for n in range(5):
        worker.log(logging, f"line {n}", announce=False)
    for statement in (LETTERS, OPERATIONS, NOTICES, AUDIT):
        worker.rows(statement)
    for name in "Babc":
        worker.rows("select pgqueue.set_limit(%s, 1)", name)
        options = "{}" if name == "c" else '{"queue": "q"}'
        worker.rows(
            "select pgqueue.set_schedule(%s, %s, cron => '0 0 1 1 *', options => %s)",
            *(name, "sleep" if name == "a" else "noop", options),
        )
    worker.rows(SLOTS)
    webhook = worker.value("select pgqueue.create_webhook('http://example.com/')::text")
    worker.rows(DELIVERIES, webhook, batch)
    worker.rows(DELIVERIES, None, batch)
    return {
        "/v1/tasks/{id}/logs": logging,
        "/v1/batches/{id}/tasks": batch,
        "/v1/webhooks/{id}/deliveries": webhook,
        "/v1/schedules/{schedule}/slots": "b",
    }


async def walk(client: httpx.AsyncClient, path: str, limit: int, **filter: str) -> list[Any]:
    """Follow a cursor to the end, and require that none comes twice."""
    found: list[Any] = []
    seen: set[str] = set()
    cursor: dict[str, str] = {}
    while True:
        answer = await client.get(path, params={"limit": limit, **filter, **cursor})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page["items"]) <= limit
        found += page["items"]
        if page["next"] is None:
            return found
        assert page["next"] not in seen, f"{path} {filter} stays at a cursor"
        seen.add(page["next"])
        cursor = {"cursor": page["next"]}


def values(name: str, schema: Any, document: Any, rows: list[Any]) -> list[str]:
    """Return the values to filter by: all that the document names, else what is there."""
    if reference := schema.get("$ref"):
        schema = document["components"]["schemas"][reference.rpartition("/")[2]]
    if any(isinstance(row.get(name), int) for row in rows):
        return [*{str(row[name]) for row in rows}, "99"]
    return schema.get("enum") or sorted({*(row.get(name) or "q" for row in rows), "unheard"})


async def test_the_pages_of_every_list_are_the_list_with_every_filter(
    client: httpx.AsyncClient, worker: Worker
) -> None:
    named = fill(worker)
    document = (await client.get("/openapi.json")).json()
    lists = {
        path: [p for p in item["get"]["parameters"] if p["in"] == "query"]
        for path, item in document["paths"].items()
        if any(p["name"] == "cursor" for p in item.get("get", {}).get("parameters", ()))
    }
    assert len(lists) == 13
    for path, parameters in lists.items():
        of = path.replace("{id}", named.get(path, "")).replace("{schedule}", named.get(path, ""))
        every = await walk(client, of, 200)
        assert len(every) > 3, f"{path} has nothing to show"
        for limit in (1, 3):
            assert await walk(client, of, limit) == every, (path, limit)
        filters = {p["name"]: p["schema"] for p in parameters}
        for name in filters.keys() & {"status", "state", "kind", "fate", "type", "queue"}:
            for value in values(name, filters[name], document, every):
                expected = [row for row in every if holds(row, name, value)]
                found = await walk(client, of, 2, **{name: value})
                assert found == expected, (path, name, value)


def holds(row: dict[str, Any], name: str, value: str) -> bool:
    """Whether a row is in a filtered list: a schedule names its queue among its options."""
    return bool((row.get(name) or row.get("options", {}).get(name)) == value)
