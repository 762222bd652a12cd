"""Users over HTTP, for admins."""

import asyncio
import math
import time

import httpx
import pytest
from pgqueue_api.access import gate as gates
from pgqueue_api.access.gate import Gate
from pgqueue_api.access.notes import Notes
from pgqueue_api.app import Api

from pgqueue import credentials
from pgqueue.errors import DatabaseUnavailable
from tests.api.access.conftest import PASSWORD, People, bearer, signed_in
from tests.api.worker import Worker

ADA = {"email": "Ada@Example.com", "name": "Ada", "role": "admin", "password": PASSWORD}


async def test_the_first_user_closes_the_door(client: httpx.AsyncClient):
    answer = await client.post("/v1/users", json=ADA)
    assert (answer.status_code, answer.headers["location"]) == (201, "/v1/users/1")
    made = answer.json()
    assert (made["email"], made["role"], made["has_password"]) == ("ada@example.com", "admin", True)
    assert "password_hash" not in answer.text
    assert (await client.get("/v1/users")).status_code == 401
    headers = await signed_in(client, "ada@example.com")
    assert (await client.get("/v1/users", headers=headers)).json()["items"] == [made]
    assert (await client.get("/v1/users/1", headers=headers)).json() == made
    assert (await client.post("/v1/users", json=ADA, headers=headers)).status_code == 409


async def test_a_user_is_changed_in_the_version_that_was_read(
    client: httpx.AsyncClient, people: People
):
    _, email = people.user("admin")
    id, _ = people.user("viewer")
    headers, path = await signed_in(client, email), f"/v1/users/{id}"
    read = await client.get(path, headers=headers)
    changed = await client.patch(
        path,
        json={"role": "operator", "name": "Grace"},
        headers={**headers, "if-match": read.headers["etag"]},
    )
    assert (changed.json()["role"], changed.json()["name"]) == ("operator", "Grace")
    stale = await client.patch(
        path, json={"role": "admin"}, headers={**headers, "if-match": read.headers["etag"]}
    )
    assert stale.status_code == 412
    assert (await client.get("/v1/users/99", headers=headers)).status_code == 404


async def test_an_admin_sets_a_password_and_the_sessions_end(
    client: httpx.AsyncClient, people: People
):
    _, email = people.user("admin")
    id, other = people.user("viewer")
    headers, theirs = await signed_in(client, email), await signed_in(client, other)
    path = f"/v1/users/{id}"
    assert (
        await client.patch(path, json={"password": "short"}, headers=headers)
    ).status_code == 422
    changed = await client.patch(path, json={"password": "another passphrase"}, headers=headers)
    assert changed.status_code == 200, changed.text
    assert (await client.get("/v1/me", headers=theirs)).status_code == 401


async def test_one_admin_always_stays(client: httpx.AsyncClient, people: People):
    id, email = people.user("admin")
    headers, path = await signed_in(client, email), f"/v1/users/{id}"
    for change in ({"enabled": False}, {"role": "viewer"}):
        answer = await client.patch(path, json=change, headers=headers)
        assert (answer.status_code, "last admin" in answer.json()["detail"]) == (409, True)
    people.user("admin")
    assert (await client.patch(path, json={"role": "viewer"}, headers=headers)).status_code == 200


async def test_what_cannot_be_a_user_is_refused(client: httpx.AsyncClient):
    for wrong in (
        {"email": "ada"},
        {"email": "a b@example.com"},
        {"email": "a@b@c"},
        {"role": "root"},
        {"password": "short"},
        {"name": "x" * 201},
        {"is_admin": True},
    ):
        answer = await client.post("/v1/users", json={**ADA, **wrong})
        assert answer.status_code == 422, wrong
        assert "short" not in answer.text or wrong != {"password": "short"}
    assert (await client.get("/v1/users")).json()["items"] == []


async def test_who_paused_a_queue_is_named(client: httpx.AsyncClient, people: People):
    id, email = people.user("operator")
    headers = bearer(people.key(id, "queues:write", "tasks:read"))
    await client.post("/v1/queues/mail/pause", json={}, headers=headers)
    assert (await client.get("/v1/queues/mail", headers=headers)).json()["paused_by"] == email


async def test_what_is_changed_elsewhere_is_heard_within_a_second(
    client: httpx.AsyncClient, app: Api, people: People, worker: Worker
):
    id, _ = people.user("admin")
    headers = bearer(people.key(id, "tasks:read"))
    while app.services.hub.deaf is not None:  # it listens from here on
        await client.get("/healthz")
    assert (await client.get("/v1/tasks", headers=headers)).status_code == 200
    changed = app.services.gate._changed
    worker.rows("select pgqueue_private.revoke_api_key(%s)", headers["authorization"][11:23])
    await changed.wait()
    assert (await client.get("/v1/tasks", headers=headers)).status_code == 401


class Away:
    """A database that knows one key, which can be revoked, and that can go away."""

    def __init__(self, key: credentials.ApiKeySecret) -> None:
        self.key = key
        self.up = True
        self.revoked = False
        self.asked = 0
        self._row = {
            "id": key.id,
            "secret_sha256": credentials.sha256(key.secret),
            "left_s": None,
            "user_id": 1,
            "email": "ada@example.com",
            "role": "admin",
            "scopes": ["metrics"],
            "queues": None,
            "types": None,
            "unused_today": False,
        }

    async def row(self, name: str, parameters: dict | None = None) -> dict | None:
        if not self.up:
            raise DatabaseUnavailable
        if name == "access_is_open":
            return {"open": False}
        self.asked += 1
        known = parameters == {"id": self.key.id} and not self.revoked
        return self._row if known else None


@pytest.fixture
def pool() -> Away:
    return Away(credentials.new_api_key())


@pytest.fixture
def gate(pool: Away) -> Gate:
    return Gate(pool, Notes(pool))


def sends(key: credentials.ApiKeySecret) -> dict[bytes, bytes]:
    return {b"authorization": f"Bearer {key.text}".encode()}


async def test_who_was_known_is_known_during_an_outage_and_nobody_else_is(pool: Away, gate: Gate):
    known = sends(pool.key)
    principal = await gate.admit("metrics", "GET", known)
    pool.up = False

    def since(seconds: float, left_s: float = math.inf) -> None:
        now = time.monotonic()
        for digest, found in gate._known.items():
            gate._known[digest] = found._replace(
                fresh_until=now - seconds, valid_until=now + left_s
            )

    for seconds in (1, 3590):
        since(seconds)
        assert await gate.admit("metrics", "GET", known) is principal
    for seconds, left_s in ((3700, math.inf), (1, -1)):  # too long ago, and expired meanwhile
        since(seconds, left_s)
        with pytest.raises(DatabaseUnavailable):
            await gate.admit("metrics", "GET", known)
    with pytest.raises(DatabaseUnavailable):
        await gate.admit("metrics", "GET", sends(credentials.new_api_key()))


async def test_who_watches_is_looked_at_again_without_being_told(
    pool: Away, gate: Gate, monkeypatch: pytest.MonkeyPatch
):
    assert gates._WATCH_S == 60
    monkeypatch.setattr(gates, "_WATCH_S", 0.01)
    known = sends(pool.key)
    principal = await gate.admit("metrics", "GET", known)
    watching = asyncio.create_task(gate.watch(principal, known))
    looked = pool.asked
    gate._known.clear()
    while pool.asked < looked + 1:
        await asyncio.sleep(0)
    assert not watching.done()
    pool.revoked = True
    gate._known.clear()
    await asyncio.wait_for(watching, 45)
