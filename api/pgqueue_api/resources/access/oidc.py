"""/v1/session/oidc: signing in with an issuer of OpenID Connect, by the code flow with PKCE."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Annotated, Any
from urllib.parse import urlencode

from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from pgqueue import credentials
from pgqueue.errors import NotFound
from pgqueue_api.access.oidc import Oidc
from pgqueue_api.openapi.operation import Answer, operation
from pgqueue_api.problems import Invalid, Unauthenticated
from pgqueue_api.resources.access.session import start_session
from pgqueue_api.services import Services

__all__ = ["ROUTES"]

AnyRequest = Request[Any, Any, Any]

_TAG = "access"
_BROWSER = "__Host-pgqueue-oidc"
_OURS = re.compile(r"/(?![/\\])[!-\[\]-~]*")
_MINUTES = 10

ReturnTo = Annotated[
    str,
    QueryParameter(name="to", max_length=2000, description="The path to go on to, such as `/ui`."),
]
Code = Annotated[str | None, QueryParameter(name="code", max_length=4096, description="The code.")]
State = Annotated[
    str | None, QueryParameter(name="state", max_length=200, description="The state that was sent.")
]
Iss = Annotated[
    str | None, QueryParameter(name="iss", max_length=2000, description="The issuer (RFC 9207).")
]
Refusal = Annotated[
    str | None, QueryParameter(name="error", max_length=200, description="Why it was refused.")
]


@operation(
    "GET /v1/session/oidc",
    Answer(302, "Go to the issuer.", {"Location": "Where to sign in."}),
    tag=_TAG,
    problems=(404, 503),
    public=True,
)
async def begin_oidc(services: NamedDependency[Services], to: ReturnTo = "/ui") -> Response[bytes]:
    """Sign in with another account.

    Leads to the issuer that `PGQUEUE_OIDC_ISSUER` names, and from there back to the path `to`.
    """
    oidc = _configured(services)
    if not _OURS.fullmatch(to):
        raise Invalid("`to` must be a path of this server", hint="such as /ui/tasks")
    state, browser, nonce, verifier = (credentials.new_token() for _ in range(4))
    await services.access.rows(
        "begin_login",
        {
            "state_sha256": credentials.sha256(state),
            "browser_sha256": credentials.sha256(browser),
            "nonce": nonce,
            "code_verifier": verifier,
            "return_to": to,
        },
    )
    challenge = hashlib.sha256(verifier.encode()).digest()
    query = {
        "response_type": "code",
        "client_id": oidc.client_id,
        "redirect_uri": _callback_url(services),
        "scope": "openid email",
        "state": state,
        "nonce": nonce,
        "code_challenge": base64.urlsafe_b64encode(challenge).decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    endpoint = await oidc.issuer.endpoint("authorization_endpoint")
    mark = "&" if "?" in endpoint else "?"
    cookie = (
        f"{_BROWSER}={browser}; Path=/; Max-Age={60 * _MINUTES}; Secure; HttpOnly; SameSite=Lax"
    )
    headers = {"Location": endpoint + mark + urlencode(query), "Set-Cookie": cookie}
    return Response(b"", status_code=302, media_type="text/plain", headers=headers)


@operation(
    "GET /v1/session/oidc/callback",
    Answer(302, "Signed in.", {"Location": "The path to go on to.", "Set-Cookie": "The session."}),
    tag=_TAG,
    problems=(401, 404, 422, 503),
    public=True,
    any_query=True,  # issuers add parameters of their own
)
async def end_oidc(
    *,
    request: AnyRequest,
    services: NamedDependency[Services],
    code: Code = None,
    given_state: State = None,
    iss: Iss = None,
    error: Refusal = None,
) -> Response[bytes]:
    """Come back from the issuer.

    The browser must be the one that began, and the state is used once.
    """
    oidc = _configured(services)
    login = await services.access.row(
        "end_login",
        {
            "state_sha256": credentials.sha256(given_state or ""),
            "browser_sha256": credentials.sha256(request.cookies.get(_BROWSER, "")),
        },
    )
    if login is None or not login["valid"]:
        raise Unauthenticated(
            "this sign-in was not begun here, or too long ago", hint="begin again"
        )
    if error is not None or code is None or (iss is not None and iss != oidc.issuer.url):
        raise Unauthenticated("the issuer did not sign you in", hint="begin again")
    user = await oidc.user_of_code(
        code, login["code_verifier"], login["nonce"], _callback_url(services), services.access
    )
    client = request.client.host if request.client else ""
    await services.audit.tried(user["email"], user["user_id"], "/v1/session/oidc", client, 302)
    token = await start_session(request, services, user["user_id"])
    headers = {"Location": login["return_to"], "Set-Cookie": token}
    return Response(b"", status_code=302, media_type="text/plain", headers=headers)


ROUTES = [begin_oidc, end_oidc]


def _configured(services: Services) -> Oidc:
    if services.oidc is None or not services.oidc.client_id:
        raise NotFound("there is no issuer to sign in with", hint="set PGQUEUE_OIDC_ISSUER")
    return services.oidc


def _callback_url(services: Services) -> str:
    return services.public_url + "/v1/session/oidc/callback"
