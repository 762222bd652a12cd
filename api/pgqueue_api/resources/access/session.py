"""/v1/session: signing in and out of a browser; /v1/me: who asks, and what they may do."""

from __future__ import annotations

from typing import Any

import orjson
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import JSONBody

from pgqueue import credentials
from pgqueue.errors import PgQueueError
from pgqueue.models.access import ChangedPassword, Me, SignIn
from pgqueue_api.access.gate import COOKIE
from pgqueue_api.access.principal import Principal, principal_of
from pgqueue_api.http.answers import Json
from pgqueue_api.openapi.operation import Answer, operation
from pgqueue_api.problems import Forbidden
from pgqueue_api.services import Services

__all__ = ["ROUTES", "start_session"]

AnyRequest = Request[Any, Any, Any]

_LASTS_S = 7 * 86_400
_TAG = "access"


@operation("GET /v1/me", Answer(200, "You."), tag=_TAG, known=True)
async def get_me(request: AnyRequest) -> Json[Me]:
    """Read who you are.

    And what you may do here, with this key or in this session.
    """
    return _me(principal_of(request))


@operation(
    "POST /v1/session",
    Answer(201, "Signed in.", {"Set-Cookie": "The cookie of the session."}),
    tag=_TAG,
    problems=(401, 429),
    public=True,
)
async def sign_in(
    request: AnyRequest, data: JSONBody[SignIn], services: NamedDependency[Services]
) -> Json[Me]:
    """Sign in.

    Starts a session of a week, which ends after eight hours without a request. For browsers: the
    cookie is sent over HTTPS only, except on this machine. Programs use API keys.
    """
    client = request.client.host if request.client else ""
    try:
        user = await services.passwords.check(data.email, data.password, client)
    except PgQueueError as error:
        await services.audit.tried(data.email, 0, "/v1/session", client, error.status)
        raise
    await services.audit.tried(data.email, user["id"], "/v1/session", client, 201)
    cookie = await start_session(request, services, user["id"])
    headers = {b"cookie": cookie.partition(";")[0].encode()}
    answer = _me(await services.gate.principal(headers), status=201)
    answer.headers["Set-Cookie"] = cookie
    return answer


@operation(
    "DELETE /v1/session",
    Answer(204, "Signed out.", {"Set-Cookie": "Removes the cookie."}),
    tag=_TAG,
    known=True,
)
async def sign_out(request: AnyRequest, services: NamedDependency[Services]) -> Response[None]:
    """Sign out.

    Ends this session.
    """
    digest = principal_of(request).session_sha256
    if digest is not None:
        await _close(services, digest)
    return Response(None, status_code=204, headers={"Set-Cookie": _cookie("", 0)})


@operation(
    "PUT /v1/me/password", Answer(204, "Changed."), tag=_TAG, problems=(401, 429), known=True
)
async def change_password(
    request: AnyRequest, data: JSONBody[ChangedPassword], services: NamedDependency[Services]
) -> None:
    """Change your password.

    In a session. Your other sessions end; your API keys stay.
    """
    principal = principal_of(request)
    if principal.session_sha256 is None:
        raise Forbidden("only a session changes a password", hint="sign in first")
    client = request.client.host if request.client else ""
    await services.passwords.check(principal.email, data.old, client)
    await services.access.rows(
        "set_password",
        {
            "user_id": principal.user_id,
            "password_hash": await services.passwords.hash(data.new),
            "kept_sha256": principal.session_sha256,
        },
    )
    services.gate.forget()


async def start_session(request: AnyRequest, services: Services, user_id: int) -> str:
    """Start a session of a user in this browser, and return the value of its ``Set-Cookie``."""
    token = credentials.new_token()
    await services.access.rows(
        "open_session",
        {"token_sha256": credentials.sha256(token), "user_id": user_id, "lasts_s": _LASTS_S},
    )
    old = request.cookies.get(COOKIE)
    if old is not None:  # it may be another's: a session never becomes that of another user
        await _close(services, credentials.sha256(old))
    return _cookie(token, _LASTS_S)


ROUTES = [get_me, sign_in, sign_out, change_password]


async def _close(services: Services, digest: bytes) -> None:
    await services.access.rows("close_session", {"token_sha256": digest})
    services.gate.forget()


def _cookie(token: str, lasts_s: int) -> str:
    return f"{COOKIE}={token}; Path=/; Max-Age={lasts_s}; Secure; HttpOnly; SameSite=Lax"


def _me(principal: Principal, status: int = 200) -> Json[Me]:
    known = principal.via != "open"
    me = {
        "user_id": principal.user_id if known else None,
        "email": principal.email if known else None,
        "role": principal.role,
        "via": principal.via,
        "key_id": principal.key_id,
        "scopes": sorted(principal.scopes),
        "queues": None if principal.queues is None else sorted(principal.queues),
        "types": None if principal.types is None else sorted(principal.types),
        "csrf_token": principal.csrf_token,
    }
    return Json(orjson.dumps(me), status=status, Cache_Control="no-store")
