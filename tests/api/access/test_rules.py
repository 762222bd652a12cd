"""Who may do what: every operation against every kind of caller."""

import re

import httpx
import pytest
from pgqueue_api.access.rules import KNOWN, need_of
from pgqueue_api.app import ROUTES, Api, document
from pgqueue_api.openapi.operation import operation

from pgqueue import credentials
from pgqueue.models.access import ROLES, SCOPES
from tests.api.access.conftest import People, bearer, signed_in
from tests.api.worker import Worker

ID = "019b2f6e-8a3c-7d12-8000-0a1b2c3d4e5f"


def named(path: str) -> str:
    """A path with something in each place."""
    ids = "1" if path.startswith("/v1/users/") else ID
    return re.sub(r"\{\w+\}", "x", re.sub(r"\{(\w*id)\}", ids, path))


ALL = {
    declared["operationId"]: (method.upper(), _path)
    for path, item in document()["paths"].items()
    for method, declared in item.items()
    for _path in [named(path)]
}
STREAMS = {"watch_tasks", "watch_task", "watch_batch", "watch_operation"}

# Written once more, by hand: what the rules must come to.
PUBLIC = {"healthz", "readyz", "openapi", "docs", "sign_in", "begin_oidc", "end_oidc"}
FOR_ALL_KNOWN = {
    *("get_me", "sign_out", "change_password"),
    *("list_keys", "create_key", "get_key", "revoke_key"),
}
FOR_METRICS = {"metrics"}
FOR_ADMINS = {
    *("list_users", "add_user", "get_user", "patch_user", "list_audit"),
    *("get_webhook_secrets", "get_callback_secrets"),
    *("rotate_webhook_secret", "rotate_callback_secret"),
    *("create_webhook", "patch_webhook", "delete_webhook", "test_webhook"),
    *("redeliver_webhook", "redeliver_callback", "delete_dead_letter"),
}
SUBMITS = {"submit", "submit_bulk"}
OF_NOBODY = "this needs the scope"


def allowed(role: str) -> set[str]:
    """The operations that a role may use, by the lists above."""
    reads = {name for name, (method, _) in ALL.items() if method == "GET"} - FOR_ADMINS
    if role == "viewer":
        return reads | PUBLIC | FOR_ALL_KNOWN | FOR_METRICS
    if role == "operator":
        return set(ALL) - FOR_ADMINS
    return set(ALL)


async def ask(client: httpx.AsyncClient, name: str, headers: dict[str, str]) -> httpx.Response:
    method, path = ALL[name]
    if name in STREAMS:
        method = "HEAD"  # let in or not, by the same rule, and without an end to wait for
    return await client.request(method, path, headers=headers)


def passed(answer: httpx.Response) -> bool:
    """Whether the caller was let in; what came of it is another matter."""
    return answer.status_code not in (401, 403)


@pytest.mark.parametrize("role", ["viewer", "operator", "admin"])
@pytest.mark.parametrize("via", ["key", "session"])
async def test_a_role_may_do_what_is_its_own(
    client: httpx.AsyncClient, people: People, role: str, via: str
):
    people.user("admin")
    id, email = people.user(role)
    if via == "key":
        headers = bearer(people.key(id, *SCOPES))
    else:
        headers = await signed_in(client, email)
    let_in = set()
    for name in ALL:
        if name in ("sign_out", "change_password", "sign_in"):
            continue  # they are about the session itself: see test_sessions.py
        if passed(await ask(client, name, headers)):
            let_in.add(name)
    assert let_in == allowed(role) - {"sign_out", "change_password", "sign_in"}


async def test_nobody_may_do_what_is_not_public(client: httpx.AsyncClient, people: People):
    people.user("admin")
    for name in ALL.keys() - PUBLIC:
        answer = await ask(client, name, {})
        assert answer.status_code == 401, name
        assert answer.headers["www-authenticate"] == "Bearer"
    for name in PUBLIC - {"sign_in"}:
        assert passed(await ask(client, name, {})), name


async def test_keys_that_do_not_work_are_refused_alike(
    client: httpx.AsyncClient, app: Api, people: People, worker: Worker
):
    admin, _ = people.user("admin")
    gone, _ = people.user("operator")
    revoked, expired = people.key(admin, *SCOPES), people.key(admin, *SCOPES, expires_in="1 hour")
    of_disabled = people.key(gone, *SCOPES)
    worker.rows("select pgqueue_private.revoke_api_key(%s)", revoked[4:16])
    worker.rows("""select pgqueue_private.patch_user(%s, '{"enabled": false}')""", gone)
    worker.rows("select pgqueue_private.shift_clock('2 hours')")
    app.services.gate.forget()
    wrong = revoked[:30] + ("a" if revoked[30] != "a" else "b") + revoked[31:]
    right = people.key(admin, *SCOPES)
    unknown = people.key(admin, *SCOPES)
    worker.rows("delete from pgqueue_private.api_key where id = %s", unknown[4:16])
    other_secret = credentials.ApiKeySecret(right[4:16], revoked[17:60]).text
    answers = [
        await client.get("/v1/tasks", headers={"authorization": sent})
        for key in (revoked, expired, of_disabled, wrong, unknown, other_secret, "x", "")
        for sent in (f"Bearer {key}", f"bearer  {key}")
    ]
    answers.append(await client.get("/v1/tasks", headers={"authorization": f"Basic {right}"}))
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    assert (await client.get("/v1/tasks", headers=bearer(right))).status_code == 200


@pytest.mark.parametrize("scope", SCOPES)
async def test_a_key_may_do_what_its_scopes_say(
    client: httpx.AsyncClient, people: People, scope: str
):
    admin, _ = people.user("admin")
    headers = bearer(people.key(admin, scope))
    needs = {handler.operation_id: need_of(handler) for handler in ROUTES if handler.operation_id}
    for name in ALL.keys() - PUBLIC - {"create_key", "start_operation", "change_password"}:
        may = needs[name] in (scope, KNOWN, None)
        if name == "receive_hook":
            may = scope == "tasks:write"
        answer = await ask(client, name, headers)
        assert passed(answer) == may, (name, answer.text)
        assert may or answer.status_code == 403


async def test_a_key_never_may_do_more_than_its_user(
    client: httpx.AsyncClient, app: Api, people: People, worker: Worker
):
    people.user("admin")
    id, _ = people.user("operator")
    headers = bearer(people.key(id, *SCOPES))
    task = {"type": "noop"}
    assert (await client.post("/v1/tasks", json=task, headers=headers)).status_code == 201
    assert (await client.get("/v1/users", headers=headers)).status_code == 403
    worker.rows("""select pgqueue_private.patch_user(%s, '{"role": "viewer"}')""", id)
    app.services.gate.forget()
    answer = await client.post("/v1/tasks", json=task, headers=headers)
    assert (answer.status_code, answer.json()["detail"]) == (
        403,
        "this needs the scope tasks:write",
    )
    assert answer.json()["hint"] == "ask someone who is operator or admin"


async def test_a_key_for_a_queue_or_a_type_submits_there_and_does_nothing_else(
    client: httpx.AsyncClient, people: People
):
    admin, _ = people.user("admin")
    headers = bearer(people.key(admin, "tasks:write", queues=["mail"], types=["noop"]))
    good = {"type": "noop", "queue": "mail"}
    sleeps = {"type": "sleep", "queue": "mail", "payload": {"delay_ms": 1}}
    assert (await client.post("/v1/tasks", json=good, headers=headers)).status_code == 201
    for wrong in ({"type": "noop"}, sleeps):
        answer = await client.post("/v1/tasks", json=wrong, headers=headers)
        assert answer.status_code == 403, answer.text
        assert "it is for" in answer.json()["hint"]
    bulk = {"tasks": [good, {"type": "noop"}, sleeps]}
    answer = await client.post("/v1/tasks/bulk", json=bulk, headers=headers)
    assert [item["ok"] for item in answer.json()["items"]] == [True, False, False]
    for name in ALL.keys() - PUBLIC - SUBMITS - FOR_ALL_KNOWN:
        assert (await ask(client, name, headers)).status_code == 403, name


async def test_without_users_everyone_may_do_everything(client: httpx.AsyncClient):
    me = (await client.get("/v1/me")).json()
    assert (me["via"], me["role"], set(me["scopes"])) == ("open", None, set(SCOPES))
    for name in ALL.keys() - {"sign_in", "change_password", *STREAMS}:
        answer = await ask(client, name, {"authorization": "Bearer of-a-proxy"})
        assert passed(answer), name
    answer = await client.post("/v1/keys", json={"name": "k", "scopes": ["metrics"]})
    assert (answer.status_code, "pgqueue users add" in answer.json()["hint"]) == (422, True)


async def test_a_server_that_others_reach_is_closed_without_users(
    client: httpx.AsyncClient, app: Api
):
    app.services.gate.local = False
    assert (await client.get("/v1/tasks")).status_code == 401
    assert (await client.post("/v1/tasks", json={"type": "noop"})).status_code == 401


async def test_only_admins_delete_many(client: httpx.AsyncClient, people: People):
    people.user("admin")
    id, _ = people.user("operator")
    headers = bearer(people.key(id, *SCOPES))
    asked = {"kind": "cancel", "filter": {"queue": "none"}, "dry_run": True}
    answer = await client.post("/v1/operations", json=asked, headers=headers)
    assert answer.status_code == 200, answer.text
    asked["kind"] = "delete"
    answer = await client.post("/v1/operations", json=asked, headers=headers)
    assert answer.status_code == 403


async def test_readyz_tells_what_waits_to_those_who_may_read(
    client: httpx.AsyncClient, people: People, worker: Worker
):
    admin, _ = people.user("admin")
    key = bearer(people.key(admin, "tasks:read"))
    answer = await client.post(
        "/v1/tasks", json={"type": "noop"}, headers=bearer(people.key(admin, *SCOPES))
    )
    assert answer.status_code == 201
    worker.rows("select pgqueue_private.shift_clock('60 s')")
    assert "waiting" not in (await client.get("/readyz")).json()
    assert "waiting" in (await client.get("/readyz", headers=key)).json()


def test_a_route_without_a_rule_cannot_be_served():
    async def forgotten() -> None:
        """Forgotten."""

    handler = operation("POST /v1/forgotten", *[_answer()], tag="something new")(forgotten)
    with pytest.raises(LookupError):
        need_of(handler)


def _answer():
    from pgqueue_api.openapi.operation import Answer

    return Answer(200, "Done.")


def test_the_roles_contain_each_other():
    assert ROLES["viewer"] < ROLES["operator"] < ROLES["admin"] == set(SCOPES)


async def test_tasks_belong_to_who_submitted_them(
    client: httpx.AsyncClient, people: People, worker: Worker
):
    ids = {}
    for n in range(3):
        id, _ = people.user("operator" if n else "admin")
        headers = bearer(people.key(id, *SCOPES))
        same = {"type": "noop", "dedup_key": "same"}
        ones = [
            await client.post("/v1/tasks", json={"type": "noop"}, headers=headers),
            await client.post("/v1/tasks", json=same, headers=headers),
            await client.post(
                "/v1/tasks", json={"type": "noop"}, headers={**headers, "idempotency-key": "same"}
            ),
        ]
        assert [one.status_code for one in ones] == [201] * 3
        bulk = await client.post(
            "/v1/tasks/bulk", json={"tasks": [{"type": "noop"}]}, headers=headers
        )
        ids[id] = {*(one.json()["id"] for one in ones), bulk.json()["items"][0]["id"]}
        batch = await client.post(
            "/v1/batches", json={"name": "b", "tasks": [{"type": "noop"}]}, headers=headers
        )
        assert batch.status_code == 201
        owner = worker.value(
            "select user_id from pgqueue_private.task where batch_id = %s", batch.json()["id"]
        )
        assert owner == id
    rows = worker.rows("select id::text, user_id from pgqueue_private.task where batch_id is null")
    assert {row["id"]: row["user_id"] for row in rows} == {
        task: user for user, tasks in ids.items() for task in tasks
    }
