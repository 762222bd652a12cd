"""Signing in and out, and what a session withstands."""

import httpx
import pytest
from pgqueue_api.app import Api

from tests.api.access.conftest import PASSWORD, People, signed_in
from tests.api.worker import Worker

HOURS = "select pgqueue_private.shift_clock('%s hours')"


async def me(client: httpx.AsyncClient, headers: dict[str, str]) -> int:
    return (await client.get("/v1/me", headers=headers)).status_code


async def test_a_session_says_who_one_is(client: httpx.AsyncClient, people: People):
    id, email = people.user("admin")
    answer = await client.post("/v1/session", json={"email": email.upper(), "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-pgqueue=")
    assert set(cookie.split("; ")[1:]) == {
        *("Path=/", "Max-Age=604800", "Secure", "HttpOnly", "SameSite=Lax"),
    }
    assert answer.headers["cache-control"] == "no-store"
    shown = answer.json()
    assert (shown["user_id"], shown["email"], shown["via"]) == (id, email, "session")
    client.cookies.clear()
    assert (await client.get("/v1/me", headers={"cookie": cookie.split(";")[0]})).json() == shown


async def test_every_failure_to_sign_in_is_answered_alike(
    client: httpx.AsyncClient, people: People
):
    _, email = people.user("admin")
    answers = [
        await client.post("/v1/session", json={"email": one, "password": password})
        for one, password in (
            (email, "wrong"),
            (email, PASSWORD + " "),
            ("nobody@example.com", PASSWORD),
            ("x", ""),
        )
    ]
    assert {(answer.status_code, answer.text) for answer in answers} == {(401, answers[0].text)}
    assert "set-cookie" not in answers[0].headers


async def test_a_change_from_a_page_needs_its_token(client: httpx.AsyncClient, people: People):
    _, email = people.user("admin")
    headers = await signed_in(client, email)
    _, other = people.user("admin")
    others = await signed_in(client, other)
    task = {"type": "noop"}
    for token in (None, "", "wrong", others["x-csrf-token"]):
        sent = {"cookie": headers["cookie"]} | ({} if token is None else {"x-csrf-token": token})
        for path in ("/v1/tasks", "/v1/queues/q/pause"):
            answer = await client.post(path, json=task if path == "/v1/tasks" else {}, headers=sent)
            assert answer.status_code == 403, path
            assert "X-CSRF-Token" in answer.json()["detail"]
    assert (await client.post("/v1/tasks", json=task, headers=headers)).status_code == 201
    assert (await client.get("/v1/tasks", headers={"cookie": headers["cookie"]})).status_code == 200


async def test_signing_in_again_is_another_session_and_ends_the_one_before(
    client: httpx.AsyncClient, people: People
):
    _, email = people.user("admin")
    first = await signed_in(client, email)
    chosen = {"cookie": "__Host-pgqueue=chosen-by-an-attacker"}
    credentials = {"email": email, "password": PASSWORD}
    answer = await client.post("/v1/session", json=credentials, headers=chosen)
    assert "chosen-by-an-attacker" not in answer.headers["set-cookie"]
    assert await me(client, chosen) == 401
    client.cookies.clear()
    sent = {"cookie": first["cookie"]}
    answer = await client.post("/v1/session", json=credentials, headers=sent)
    assert answer.status_code == 201
    client.cookies.clear()
    assert await me(client, sent) == 401


async def test_signing_out_ends_the_session_and_removes_the_cookie(
    client: httpx.AsyncClient, people: People
):
    _, email = people.user("admin")
    headers, other = await signed_in(client, email), await signed_in(client, email)
    assert (
        await client.delete("/v1/session", headers={"cookie": headers["cookie"]})
    ).status_code == 403
    answer = await client.delete("/v1/session", headers=headers)
    assert (answer.status_code, answer.headers["set-cookie"][:16]) == (204, "__Host-pgqueue=;")
    client.cookies.clear()
    assert (await me(client, headers), await me(client, other)) == (401, 200)


async def test_a_session_ends_when_it_is_idle_and_after_a_week(
    client: httpx.AsyncClient, app: Api, people: People, worker: Worker
):
    _, email = people.user("admin")
    used, idle = await signed_in(client, email), await signed_in(client, email)
    for hours in range(7, 7 * 24, 7):
        worker.rows(HOURS % hours)
        app.services.gate.forget()
        assert await me(client, used) == 200, hours
        await app.services.notes.done()
    assert await me(client, idle) == 401
    worker.rows(HOURS % (7 * 24 + 1))
    app.services.gate.forget()
    assert await me(client, used) == 401
    worker.rows("select pgqueue_private.prune()")
    assert worker.value("select count(*) from pgqueue_private.session") == 0


async def test_another_password_ends_the_other_sessions(client: httpx.AsyncClient, people: People):
    _, email = people.user("admin")
    here, elsewhere = await signed_in(client, email), await signed_in(client, email)
    new = "another passphrase"
    wrong = await client.put("/v1/me/password", json={"old": "no", "new": new}, headers=here)
    assert wrong.status_code == 401
    short = await client.put(
        "/v1/me/password", json={"old": PASSWORD, "new": "short"}, headers=here
    )
    assert short.status_code == 422
    changed = await client.put("/v1/me/password", json={"old": PASSWORD, "new": new}, headers=here)
    assert changed.status_code == 204, changed.text
    assert (await me(client, here), await me(client, elsewhere)) == (200, 401)
    for password, status in ((PASSWORD, 401), (new, 201)):
        answer = await client.post("/v1/session", json={"email": email, "password": password})
        assert answer.status_code == status


@pytest.mark.parametrize("change", ['{"enabled": false}', '{"role": "viewer"}'])
async def test_who_is_disabled_or_has_another_role_is_signed_out(
    client: httpx.AsyncClient, app: Api, people: People, worker: Worker, change: str
):
    people.user("admin")
    id, email = people.user("operator")
    headers = await signed_in(client, email)
    worker.rows("select pgqueue_private.patch_user(%s, %s)", id, change)
    app.services.gate.forget()
    assert await me(client, headers) == 401


async def test_a_request_with_a_key_and_a_session_is_refused(
    client: httpx.AsyncClient, people: People
):
    id, email = people.user("admin")
    headers = await signed_in(client, email)
    key = people.key(id, "tasks:read")
    answer = await client.get("/v1/tasks", headers={**headers, "authorization": f"Bearer {key}"})
    assert (answer.status_code, answer.json()["hint"]) == (422, "send one of them")


async def test_guesses_have_to_wait(client: httpx.AsyncClient, app: Api, people: People):
    _, email = people.user("admin")
    wrong = {"email": email, "password": "wrong"}
    for _ in range(5):
        assert (await client.post("/v1/session", json=wrong)).status_code == 401
    failed = app.services.passwords._failed
    for source, (tries, at) in failed.items():  # a second may pass before the next try
        failed[source] = (tries, at + 30)
    answers = [
        await client.post("/v1/session", json={"email": email, "password": password})
        for password in ("wrong", PASSWORD)
    ]
    assert [answer.status_code for answer in answers] == [429, 429]
    assert 1 <= int(answers[0].headers["retry-after"]) <= 60
    _, other = people.user("viewer")
    assert await signed_in(client, other)
