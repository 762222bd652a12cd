"""The audit trail: every change has an entry, before it is made."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest
from pgqueue_api.app import Api

from pgqueue.models.access import SCOPES
from tests.api.access.conftest import People, bearer, signed_in
from tests.api.access.test_rules import ALL, STREAMS, ask
from tests.api.worker import Worker

UNCHANGING = {"submit", "submit_bulk", "receive_hook", "sign_in"}


async def entries(
    client: httpx.AsyncClient, app: Api, headers: dict[str, str], **query
) -> list[dict]:
    await app.services.notes.done()
    answer = await client.get("/v1/audit", params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def test_every_change_has_an_entry_and_no_reading_has(
    client: httpx.AsyncClient, app: Api, people: People, worker: Worker
):
    id, email = people.user("admin")
    headers = bearer(people.key(id, *SCOPES))
    changes = [name for name, (method, _) in ALL.items() if method != "GET"]
    statuses = {}
    for name in ALL:
        if name in STREAMS:
            continue
        statuses[name] = (await ask(client, name, headers)).status_code
    found = await entries(client, app, headers, limit=200)
    noted = {entry["action"]: entry for entry in found}
    assert set(noted) == set(changes) - UNCHANGING
    for name, entry in noted.items():
        assert (entry["user_id"], entry["actor"], entry["via"]) == (id, email, "key")
        assert (entry["object"], entry["status"]) == (ALL[name][1], statuses[name])
        assert entry["key_id"] == headers["authorization"][11:23]
        assert entry["address"] == "127.0.0.1"


async def test_it_is_found_by_user_and_by_action_page_by_page(
    client: httpx.AsyncClient, app: Api, people: People
):
    admin, _ = people.user("admin")
    other, _ = people.user("operator")
    headers, others = bearer(people.key(admin, *SCOPES)), bearer(people.key(other, *SCOPES))
    for n in range(3):
        for sent in (headers, others):
            await client.post(f"/v1/queues/q{n}/pause", json={}, headers=sent)
            await client.post(f"/v1/queues/q{n}/resume", json={}, headers=sent)
    found = await entries(client, app, headers, user_id=other, action="pause_queue")
    assert [entry["object"] for entry in found] == [f"/v1/queues/q{n}/pause" for n in (2, 1, 0)]
    seen, cursor = [], None
    while True:
        page = (
            await client.get(
                "/v1/audit",
                params={"limit": 5} | ({"cursor": cursor} if cursor else {}),
                headers=headers,
            )
        ).json()
        seen += [entry["id"] for entry in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 12
    assert seen == sorted(seen, reverse=True)
    assert (await client.get("/v1/audit", headers=others)).status_code == 403


async def test_signing_in_is_noted_whatever_comes_of_it(
    client: httpx.AsyncClient, app: Api, people: People
):
    id, email = people.user("admin")
    await client.post("/v1/session", json={"email": email, "password": "wrong"})
    headers = await signed_in(client, email)
    await client.delete("/v1/session", headers=headers)
    headers = await signed_in(client, email)
    found = await entries(client, app, headers)
    assert [(entry["action"], entry["status"], entry["user_id"]) for entry in found] == [
        ("sign_in", 201, id),
        ("sign_out", 204, id),
        ("sign_in", 201, id),
        ("sign_in", 401, 0),
    ]
    assert all(entry["actor"] == email for entry in found)


async def test_what_cannot_be_noted_is_not_done(
    client: httpx.AsyncClient, app: Api, worker: Worker
):
    worker.rows("""
        create function pgqueue_private.full() returns trigger language plpgsql
        as $$ begin raise exception using errcode = '53100'; end $$;
        create trigger full_disk before insert on pgqueue_private.audit
        for each row execute function pgqueue_private.full();
    """)
    answer = await client.post("/v1/queues/mail/pause", json={})
    assert answer.status_code == 503
    assert (
        worker.value("select count(*) from pgqueue_private.queue where paused_at is not null") == 0
    )
    assert (await client.post("/v1/tasks", json={"type": "noop"})).status_code == 201


async def test_nobody_changes_an_entry(client: httpx.AsyncClient, app: Api, worker: Worker):
    await client.post("/v1/queues/mail/pause", json={})
    (entry,) = await entries(client, app, {})
    assert (entry["via"], entry["actor"], entry["status"]) == ("open", "", 200)
    for change in ("delete from %s", "update %s set actor = 'eve'", "update %s set status = 201"):
        with pytest.raises(psycopg.Error, match="only grows"):
            worker.rows(change % "pgqueue_private.audit")
    assert await entries(client, app, {}) == [entry]


def test_months_are_made_when_they_begin_and_leave_by_retention(worker: Worker):
    note = "select pgqueue_private.audit_asked(0, 'a', 'open', null, 'x', '/', null)"
    for days in (0, 31, 62):
        worker.rows("select pgqueue_private.shift_clock(%s * interval '1 day')", days)
        worker.rows(note)
    assert worker.value("select count(distinct tableoid) from pgqueue_private.audit") == 3
    assert worker.value("select pgqueue_private.prune_audit(365)") == 0
    worker.rows("select pgqueue_private.shift_clock('150 days')")
    assert worker.value("select pgqueue_private.prune_audit(31)") == 3
    assert worker.value("select count(*) from pgqueue.audit") == 0
    worker.rows(note)
    assert worker.value("select count(*) from pgqueue.audit") == 1


def test_two_that_begin_a_month_at_the_same_time_make_it_once(worker: Worker, database: str):
    note = "select pgqueue_private.audit_asked(0, 'a', 'open', null, 'x', '/', null)"
    waits = """select exists (
        select from pg_locks where locktype = 'advisory' and not granted and pid = %s
    )"""
    with psycopg.connect(database) as first, psycopg.connect(database) as second:
        first.execute(note)
        with ThreadPoolExecutor(1) as threads:
            noting = threads.submit(second.execute, note)
            while not worker.value(waits, second.info.backend_pid):
                assert not noting.done()
            first.commit()
            noting.result(45)
        second.commit()
    assert worker.value("select count(*) from pgqueue.audit") == 2
