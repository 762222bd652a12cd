"""/v1/users: who may use this service, for admins."""

from __future__ import annotations

from typing import Annotated

from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter

from pgqueue.models.access import NewUser, User, Users, UserSettings
from pgqueue_api.http.answers import Json, items
from pgqueue_api.http.editable import Editable
from pgqueue_api.http.parameters import IfMatch
from pgqueue_api.openapi.operation import Answer, operation
from pgqueue_api.services import Services

__all__ = ["ROUTES"]

UserId = Annotated[int, PathParameter(description="The id of the user.", ge=1, le=2**53)]

_TAG = "access"
_ETAG = {"ETag": "The version of the user."}
_USERS = Editable("user", "/v1/users", "list_users", "patch_user", key="id")


@operation("GET /v1/users", Answer(200, "The users."), tag=_TAG, scope="admin")
async def list_users(services: NamedDependency[Services]) -> Json[Users]:
    """List users.

    Those who are disabled, too.
    """
    rows = await services.reads.rows("list_users", {"id": None})
    return items(row["item"] for row in rows)


@operation(
    "POST /v1/users",
    Answer(201, "Added.", {**_ETAG, "Location": "The path of the user."}),
    tag=_TAG,
    problems=(409,),
    scope="admin",
)
async def add_user(data: JSONBody[NewUser], services: NamedDependency[Services]) -> Json[User]:
    """Add a user.

    With the first one the server begins to ask who its callers are: make it an admin, with a
    password.
    """
    hashed = None if data.password is None else await services.passwords.hash(data.password)
    row = await services.writes.row(
        "add_user",
        {"email": data.email, "role": data.role, "name": data.name, "password_hash": hashed},
    )
    assert row is not None
    services.gate.forget()
    made = await services.writes.row("list_users", {"id": row["id"]})
    assert made is not None
    return _USERS.answer(made, status=201, Location=f"/v1/users/{row['id']}")


@operation(
    "GET /v1/users/{id:int}",
    Answer(200, "The user.", _ETAG),
    tag=_TAG,
    problems=(404,),
    scope="admin",
)
async def get_user(id: UserId, services: NamedDependency[Services]) -> Json[User]:
    """Read a user."""
    return await _USERS.get(services, id)


@operation(
    "PATCH /v1/users/{id:int}",
    Answer(200, "The user afterwards.", _ETAG),
    tag=_TAG,
    problems=(404, 409),
    scope="admin",
)
async def patch_user(
    id: UserId,
    data: JSONBody[UserSettings],
    services: NamedDependency[Services],
    if_match: IfMatch = None,
) -> Json[User]:
    """Change a user.

    What you leave out stays. A user who is disabled or has another role is signed out; one admin
    always stays. With a new password all their sessions end.
    """
    settings = data.model_copy(update={"password": None})
    answer = await _USERS.patch(services, id, settings, if_match)
    if data.password is not None:
        hashed = await services.passwords.hash(data.password)
        await services.writes.rows(
            "set_password", {"user_id": id, "password_hash": hashed, "kept_sha256": None}
        )
        answer = await _USERS.get(services, id)
    services.gate.forget()
    return answer


ROUTES = [list_users, add_user, get_user, patch_user]
