"""API keys over HTTP: made once, shown once, revoked at once."""

import re

import httpx

from pgqueue.models.access import SCOPES
from tests.api.access.conftest import People, bearer, signed_in
from tests.api.worker import Worker

NEW = {"name": "shop", "scopes": ["tasks:read"]}


async def test_a_key_is_shown_once_and_works(
    client: httpx.AsyncClient, people: People, worker: Worker
):
    id, email = people.user("operator")
    headers = await signed_in(client, email)
    answer = await client.post("/v1/keys", json=NEW, headers=headers)
    assert answer.status_code == 201
    made = answer.json()
    key = made.pop("key")
    assert re.fullmatch(r"pgq_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}", key)
    assert (made["user_id"], made["email"], made["scopes"]) == (id, email, ["tasks:read"])
    assert (await client.get("/v1/tasks", headers=bearer(key))).status_code == 200
    assert (await client.get("/v1/me", headers=bearer(key))).json()["key_id"] == made["id"]
    for path in (answer.headers["location"], "/v1/keys"):
        assert key[17:] not in (await client.get(path, headers=headers)).text
    stored = worker.rows("select * from pgqueue_private.api_key")
    assert key[17:60] not in str(stored)


async def test_a_revoked_key_stops_at_once_and_stays_in_the_list(
    client: httpx.AsyncClient, people: People
):
    _, email = people.user("operator")
    headers = await signed_in(client, email)
    made = (await client.post("/v1/keys", json=NEW, headers=headers)).json()
    assert (await client.get("/v1/me", headers=bearer(made["key"]))).status_code == 200
    path = f"/v1/keys/{made['id']}"
    assert (await client.delete(path, headers=headers)).status_code == 204
    assert (await client.get("/v1/me", headers=bearer(made["key"]))).status_code == 401
    assert (await client.delete(path, headers=headers)).status_code == 404
    (listed,) = (await client.get("/v1/keys", headers=headers)).json()["items"]
    assert listed["revoked_at"] is not None


async def test_others_keys_are_as_unknown_ones_but_for_an_admin(
    client: httpx.AsyncClient, people: People
):
    _, one = people.user("operator")
    other_id, other = people.user("viewer")
    _, admin = people.user("admin")
    mine = await signed_in(client, one)
    made = (await client.post("/v1/keys", json=NEW, headers=mine)).json()
    theirs = await signed_in(client, other)
    for method in ("GET", "DELETE"):
        unknown = await client.request(method, "/v1/keys/000000000000", headers=theirs)
        known = await client.request(method, f"/v1/keys/{made['id']}", headers=theirs)
        assert unknown.status_code == known.status_code == 404
        assert known.text == unknown.text.replace("000000000000", made["id"])
    assert (await client.get("/v1/keys", headers=theirs)).json()["items"] == []
    assert (
        await client.get(f"/v1/keys?user_id={made['user_id']}", headers=theirs)
    ).status_code == 403
    for_other = {**NEW, "user_id": other_id}
    assert (await client.post("/v1/keys", json=for_other, headers=mine)).status_code == 403
    admins = await signed_in(client, admin)
    assert (await client.post("/v1/keys", json=for_other, headers=admins)).status_code == 201
    assert len((await client.get("/v1/keys", headers=admins)).json()["items"]) == 2
    assert (await client.delete(f"/v1/keys/{made['id']}", headers=admins)).status_code == 204


async def test_a_key_has_no_scope_that_its_user_has_not(client: httpx.AsyncClient, people: People):
    _, email = people.user("viewer")
    people.user("admin")
    headers = await signed_in(client, email)
    answer = await client.post("/v1/keys", json={**NEW, "scopes": [*SCOPES]}, headers=headers)
    assert answer.status_code == 403
    assert "admin, queues:write" in answer.json()["detail"]


async def test_a_key_makes_no_keys_unless_it_is_an_admins(
    client: httpx.AsyncClient, people: People
):
    id, _ = people.user("operator")
    admin, _ = people.user("admin")
    stolen = bearer(people.key(id, *SCOPES))
    assert (await client.post("/v1/keys", json=NEW, headers=stolen)).status_code == 403
    trusted = bearer(people.key(admin, *SCOPES))
    assert (await client.post("/v1/keys", json=NEW, headers=trusted)).status_code == 201


async def test_what_cannot_be_a_key_is_refused_with_the_place(
    client: httpx.AsyncClient, people: People
):
    _, email = people.user("admin")
    headers = await signed_in(client, email)
    for wrong, word in (
        ({"scopes": ["everything"]}, "scopes"),
        ({"scopes": []}, "scopes"),
        ({"name": ""}, "name"),
        ({"queues": ["a b"]}, "queues"),
        ({"expires_at": "2030-01-01"}, "expires_at"),
        ({"expires_at": "2001-01-01T00:00:00Z"}, "expired"),
        ({"queues": ["mail"]}, "only submits"),
    ):
        answer = await client.post("/v1/keys", json={**NEW, **wrong}, headers=headers)
        assert answer.status_code == 422, wrong
        assert word in answer.text
    missing = {**NEW, "user_id": 10_000}
    assert (await client.post("/v1/keys", json=missing, headers=headers)).status_code == 404
