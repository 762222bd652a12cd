"""Accounts of an issuer of OpenID Connect: access tokens, and signing in."""

import asyncio
import base64
import hashlib
import time
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import httpx
import orjson
import pytest
from joserfc.jwk import ECKey, RSAKey
from pgqueue_api.access import issuer
from pgqueue_api.app import Api
from pgqueue_api.services import Services

from pgqueue.settings import Settings
from tests.api.access.conftest import People, bearer
from tests.api.access.provider import Provider, provider
from tests.api.application import application
from tests.api.worker import Worker


@pytest.fixture
async def idp() -> AsyncIterator[Provider]:
    async with provider() as played:
        yield played


@pytest.fixture
async def app(database: str, worker: Worker, idp: Provider) -> AsyncIterator[Api]:
    settings = Settings(
        database_url=database,
        public_url="https://queue.example",
        oidc_issuer=idp.url,
        oidc_audience="pgqueue",
        oidc_client_id="client",
    )
    with application(database) as app:
        app.services = Services(settings)
        async with app.lifespan():
            yield app


async def status(client: httpx.AsyncClient, token: str) -> int:
    return (await client.get("/v1/me", headers=bearer(token))).status_code


async def test_an_access_token_is_its_user_by_the_verified_address(
    client: httpx.AsyncClient, idp: Provider, people: People, worker: Worker
):
    id, _ = people.user("operator", "ada@example.com")
    me = (await client.get("/v1/me", headers=bearer(idp.token()))).json()
    assert (me["user_id"], me["role"], me["via"]) == (id, "operator", "token")
    # from now on the subject is known, whatever happens to the address
    assert await status(client, idp.token(email=None)) == 200
    assert await status(client, idp.token(email="eve@example.com")) == 200
    # and the address opens nothing for another subject, unless it is verified
    for claims in (
        {"email_verified": False},
        {"email_verified": None},
        {"email_verified": "true"},
        {"email": None},
    ):
        assert await status(client, idp.token(sub="subject-2", **claims)) == 401
    assert await status(client, idp.token(sub="subject-3", email="nobody@example.com")) == 401
    assert worker.value("select count(*) from pgqueue_private.app_user") == 1


async def test_a_token_of_another_kind_is_refused(
    client: httpx.AsyncClient, idp: Provider, people: People
):
    people.user("admin", "ada@example.com")
    now = int(time.time())
    header, payload, signature = idp.token().split(".")
    none = base64.urlsafe_b64encode(orjson.dumps({"alg": "none", "kid": "first", "typ": "at+jwt"}))
    other = Provider()
    other.url = idp.url
    refused = {
        "no signature": f"{none.decode().rstrip('=')}.{payload}.",
        "the key as a secret": idp.confused(),
        "another key of that name": other.token(),
        "a changed payload": f"{header}.{payload[:-2]}AA.{signature}",
        "another audience": idp.token(aud="elsewhere"),
        "no audience": idp.token(aud=None),
        "another issuer": idp.token(iss="https://elsewhere.example"),
        "no issuer": idp.token(iss=None),
        "expired": idp.token(exp=now - 60),
        "no expiry": idp.token(exp=None),
        "not yet": idp.token(nbf=now + 600),
        "no subject": idp.token(sub=None),
        "an ID token": idp.token(typ="JWT"),
        "nothing": "a.b.c",
        "long": "a." + "b" * 20_000 + ".c",
    }
    assert {name for name, token in refused.items() if await status(client, token) != 401} == set()
    assert await status(client, idp.token(exp=now - 10)) == 200  # clocks differ a little
    assert await status(client, idp.token()) == 200


async def test_other_algorithms_and_a_list_of_audiences_are_taken(
    client: httpx.AsyncClient, idp: Provider, people: People
):
    people.user("admin", "ada@example.com")
    idp.keys["curve"] = ECKey.generate_key("P-256", {"kid": "curve"})
    assert await status(client, idp.token("curve", alg="ES256", aud=["other", "pgqueue"])) == 200
    assert await status(client, idp.token("curve", alg="ES256", aud=["other"])) == 401


async def test_unknown_keys_make_nobody_fetch_often(
    client: httpx.AsyncClient, app: Api, idp: Provider, people: People
):
    people.user("admin", "ada@example.com")
    assert await status(client, idp.token()) == 200
    other = Provider()
    other.url = idp.url
    fetched = idp.asked.count("/jwks")
    for n in range(50):
        other.keys[f"k{n}"] = other.keys["first"]
        assert await status(client, other.token(f"k{n}")) == 401
    assert idp.asked.count("/jwks") - fetched <= 1


async def test_a_new_key_is_known_within_a_minute(
    client: httpx.AsyncClient,
    app: Api,
    idp: Provider,
    people: People,
    monkeypatch: pytest.MonkeyPatch,
):
    people.user("admin", "ada@example.com")
    assert await status(client, idp.token()) == 200
    idp.keys = {"second": RSAKey.generate_key(2048, {"kid": "second"})}
    assert await status(client, idp.token("second")) == 401  # fetched a moment ago
    monkeypatch.setattr(app.services.oidc.issuer, "_tried_at", time.monotonic() - 61)
    assert await status(client, idp.token("second", jti="another")) == 200


async def test_an_issuer_that_is_down_is_trusted_by_its_last_keys_for_a_day(
    client: httpx.AsyncClient, app: Api, idp: Provider, people: People
):
    people.user("admin", "ada@example.com")
    assert await status(client, idp.token()) == 200
    idp.down = True
    found = app.services.oidc.issuer
    for hours, expected in ((1, 200), (23, 200), (25, 503)):
        found._fetched_at = time.monotonic() - hours * 3600
        found._tried_at = time.monotonic() - 61
        assert await status(client, idp.token(jti=str(hours))) == expected
    idp.down = False
    found._tried_at = time.monotonic() - 61
    assert await status(client, idp.token(jti="up")) == 200


async def test_who_asks_at_the_same_time_shares_one_fetch(
    client: httpx.AsyncClient, idp: Provider, people: People
):
    people.user("admin", "ada@example.com")
    tokens = [idp.token(jti=str(n)) for n in range(20)]
    assert set(await asyncio.gather(*(status(client, token) for token in tokens))) == {200}
    assert idp.asked == ["/.well-known/openid-configuration", "/jwks"]


async def test_an_issuer_that_calls_itself_otherwise_is_not_trusted(
    client: httpx.AsyncClient, idp: Provider, people: People
):
    people.user("admin", "ada@example.com")
    idp.name = "https://elsewhere.example"
    answer = await client.get("/v1/me", headers=bearer(idp.token()))
    assert (answer.status_code, answer.json()["code"]) == (503, "issuer_unavailable")


async def begun(client: httpx.AsyncClient, to: str = "/ui/tasks") -> tuple[dict, dict[str, str]]:
    """Begin to sign in: what the issuer is asked, and the cookie of the browser."""
    answer = await client.get("/v1/session/oidc", params={"to": to})
    assert answer.status_code == 302, answer.text
    query = {k: v[0] for k, v in parse_qs(urlsplit(answer.headers["location"]).query).items()}
    cookie = answer.headers["set-cookie"].partition(";")[0]
    client.cookies.clear()
    return query, {"cookie": cookie}


async def back(client: httpx.AsyncClient, headers: dict[str, str], **query: str) -> httpx.Response:
    answer = await client.get("/v1/session/oidc/callback", params=query, headers=headers)
    client.cookies.clear()
    return answer


async def test_a_code_signs_in(client: httpx.AsyncClient, idp: Provider, people: People):
    id, _ = people.user("operator", "ada@example.com")
    asked, browser = await begun(client)
    assert asked["redirect_uri"] == "https://queue.example/v1/session/oidc/callback"
    assert (asked["response_type"], asked["client_id"], asked["scope"]) == (
        "code",
        "client",
        "openid email",
    )
    idp.codes["code-1"] = {"nonce": asked["nonce"]}
    answer = await back(client, browser, code="code-1", state=asked["state"], iss=idp.url)
    assert (answer.status_code, answer.headers["location"]) == (302, "/ui/tasks")
    cookie = {"cookie": answer.headers["set-cookie"].partition(";")[0]}
    me = (await client.get("/v1/me", headers=cookie)).json()
    assert (me["user_id"], me["via"]) == (id, "session")
    (form,) = idp.forms
    assert form["redirect_uri"] == asked["redirect_uri"]
    digest = hashlib.sha256(form["code_verifier"].encode()).digest()
    assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == asked["code_challenge"]


async def test_a_sign_in_is_used_once_by_the_browser_that_began_it(
    client: httpx.AsyncClient, idp: Provider, people: People, worker: Worker
):
    people.user("admin", "ada@example.com")
    for n, (change, why) in enumerate(
        (
            ({"state": "another"}, "begun"),
            ({"cookie": "__Host-pgqueue-oidc=another"}, "begun"),
            ({"cookie": ""}, "begun"),
            ({"nonce": "another"}, "another sign-in"),
            ({"iss": "https://elsewhere.example"}, "did not"),
            ({"code": "unknown"}, "invalid_grant"),
            ({"error": "access_denied"}, "did not"),
        )
    ):
        asked, browser = await begun(client)
        idp.codes[f"c{n}"] = {"nonce": change.get("nonce", asked["nonce"])}
        if "cookie" in change:
            browser = {"cookie": change["cookie"]}
        query = {"code": change.get("code", f"c{n}"), "state": change.get("state", asked["state"])}
        query |= {k: v for k, v in change.items() if k in ("iss", "error")}
        answer = await back(client, browser, **query)
        assert answer.status_code in (401, 503), change
        assert why in answer.json()["detail"], change
        assert "__Host-pgqueue=" not in answer.headers.get("set-cookie", "")
        if "state" not in change:
            idp.codes["again"] = {"nonce": asked["nonce"]}
            again = await back(client, browser, code="again", state=asked["state"])
            assert again.status_code == 401
    asked, browser = await begun(client)
    worker.rows("select pgqueue_private.shift_clock('11 minutes')")
    idp.codes["late"] = {"nonce": asked["nonce"]}
    assert (await back(client, browser, code="late", state=asked["state"])).status_code == 401


@pytest.mark.parametrize(
    "to",
    [
        "//elsewhere.example",
        "/\\elsewhere.example",
        "https://elsewhere.example",
        "ui",
        "",
        "/ui\r\nx: y",
    ],
)
async def test_one_goes_on_to_a_path_of_this_server_only(client: httpx.AsyncClient, to: str):
    answer = await client.get("/v1/session/oidc", params={"to": to})
    assert answer.status_code == 422
    assert "location" not in answer.headers


def test_the_bounds_are_those_of_the_documentation():
    assert (issuer._FRESH_S, issuer._REFETCH_S, issuer._STALE_S) == (600, 60, 86_400)
