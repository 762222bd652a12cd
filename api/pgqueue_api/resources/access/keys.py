"""/v1/keys: the API keys of users."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from litestar import Request
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter

from pgqueue import credentials
from pgqueue.errors import NotFound
from pgqueue.models.access import ROLES, ApiKey, ApiKeys, NewApiKey, ShownApiKey
from pgqueue_api.access.principal import Principal, principal_of
from pgqueue_api.http.answers import Json, items
from pgqueue_api.http.parameters import name_in_path
from pgqueue_api.openapi.operation import Answer, operation
from pgqueue_api.problems import Forbidden, Invalid
from pgqueue_api.services import Services

__all__ = ["ROUTES"]

AnyRequest = Request[Any, Any, Any]
KeyId = Annotated[str, name_in_path("The id of the key.", "4fzyo82mK1Qw", max_length=12)]
Owner = Annotated[
    int | None,
    QueryParameter(name="user_id", description="Only those of this user: for admins."),
]

_TAG = "access"


@operation("GET /v1/keys", Answer(200, "The keys."), tag=_TAG, known=True)
async def list_keys(
    request: AnyRequest, services: NamedDependency[Services], user_id: Owner = None
) -> Json[ApiKeys]:
    """List API keys.

    Yours; for admins, those of everyone. Without their secrets, which nobody knows.
    """
    owner = _scope(principal_of(request), user_id)
    rows = await services.writes.rows("list_api_keys", {"user_id": owner, "id": None})
    return items(row["item"] for row in rows)


@operation(
    "POST /v1/keys",
    Answer(201, "Created.", {"Location": "The path of the key."}),
    tag=_TAG,
    problems=(403, 404, 409),
    known=True,
)
async def create_key(
    request: AnyRequest, data: JSONBody[NewApiKey], services: NamedDependency[Services]
) -> Json[ShownApiKey]:
    """Create an API key.

    The answer is the only place where it is shown.
    """
    principal = principal_of(request)
    if principal.via == "open":
        raise Invalid(
            "there are no users, so nobody is asked for a key",
            hint="add the first one: `pgqueue users add --admin ada@example.com`",
        )
    if principal.via == "key":
        principal.check_scope("admin")
    owner, role = principal.user_id, principal.role
    if data.user_id is not None and data.user_id != owner:
        principal.check_scope("admin")
        owner, role = data.user_id, "admin"  # it never may do more than its user, when it is used
    more = sorted(set(data.scopes) - ROLES[role or "viewer"])
    if more:
        raise Forbidden(f"your role does not have {', '.join(more)}", hint="leave them out")
    key = credentials.new_api_key()
    await services.writes.rows(
        "create_api_key",
        {
            "id": key.id,
            "secret_sha256": credentials.sha256(key.secret),
            "user_id": owner,
            "name": data.name,
            "scopes": sorted(set(data.scopes)),
            "queues": data.queues,
            "types": data.types,
            "expires_at": data.expires_at,
        },
    )
    made = orjson.loads(await _key(services, key.id, None))
    return Json(
        orjson.dumps({**made, "key": key.text}),
        status=201,
        Location=f"/v1/keys/{key.id}",
        Cache_Control="no-store",
    )


@operation("GET /v1/keys/{id:str}", Answer(200, "The key."), tag=_TAG, problems=(404,), known=True)
async def get_key(
    id: KeyId, request: AnyRequest, services: NamedDependency[Services]
) -> Json[ApiKey]:
    """Read an API key.

    Without its secret.
    """
    return Json(await _key(services, id, _scope(principal_of(request), None)))


@operation(
    "DELETE /v1/keys/{id:str}", Answer(204, "Revoked."), tag=_TAG, problems=(404,), known=True
)
async def revoke_key(id: KeyId, request: AnyRequest, services: NamedDependency[Services]) -> None:
    """Revoke an API key.

    It stops working within a second; streams that it opened end.
    """
    owner = _scope(principal_of(request), None)
    row = await services.writes.row("revoke_api_key", {"id": id, "user_id": owner})
    if row is None or not row["revoked"]:
        raise _not_found(id)
    services.gate.forget()


ROUTES = [list_keys, create_key, get_key, revoke_key]


async def _key(services: Services, id: str, owner: int | None) -> str:
    row = await services.writes.row("list_api_keys", {"user_id": owner, "id": id})
    if row is None:
        raise _not_found(id)
    item: str = row["item"]
    return item


def _scope(principal: Principal, user_id: int | None) -> int | None:
    """Return whose keys are meant: one's own, but for an admin anyone's."""
    if "admin" in principal.scopes:
        return user_id
    if user_id is not None and user_id != principal.user_id:
        principal.check_scope("admin")
    return principal.user_id


def _not_found(id: str) -> NotFound:
    return NotFound(f"there is no key {id[:12]!r} that works", hint="GET /v1/keys lists them")
