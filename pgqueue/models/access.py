"""Users, what they may do, and the keys and sessions by which they are known."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal, TypeAlias, get_args

from pydantic import AwareDatetime, Field

from pgqueue.models.base import Input, Name, Page, QueueName, Record, Uuid, examples

__all__ = [
    "ROLES",
    "SCOPES",
    "ApiKey",
    "ApiKeys",
    "AuditEntry",
    "AuditPage",
    "ChangedPassword",
    "Me",
    "NewApiKey",
    "NewUser",
    "Role",
    "Scope",
    "ShownApiKey",
    "SignIn",
    "User",
    "UserSettings",
    "Users",
]

Scope: TypeAlias = Literal[
    "tasks:read", "tasks:write", "queues:write", "schedules:write", "work", "metrics", "admin"
]
Role: TypeAlias = Literal["viewer", "operator", "admin"]

SCOPES: tuple[Scope, ...] = get_args(Scope)
ROLES: dict[Role, frozenset[Scope]] = {
    "viewer": frozenset(("tasks:read", "metrics")),
    "operator": frozenset(SCOPES) - {"admin"},
    "admin": frozenset(SCOPES),
}
"""What the users of each role may do, and so what their keys may be allowed."""

_Email = Annotated[
    str,
    Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$", description="What the user signs in with."),
]
_Password = Annotated[
    str,
    Field(
        min_length=12,
        max_length=1024,
        json_schema_extra={"format": "password"},
        description="12 to 1,024 characters. Only a hash of it is kept.",
    ),
]
_RoleField = Annotated[
    Role,
    Field(
        description="`viewer` reads everything; `operator` also submits, cancels, retries, pauses "
        "and schedules; `admin` may do everything, such as deleting, users, keys and secrets."
    ),
]


class NewUser(Input):
    """A user to add."""

    model_config = examples(
        {"email": "ada@example.com", "name": "Ada", "role": "operator", "password": "correct horse"}
    )

    email: _Email
    name: Annotated[str, Field(max_length=200)] = ""
    role: _RoleField = "viewer"
    password: Annotated[
        _Password | None,
        Field(description="Without a password the user has only the keys that an admin makes."),
    ] = None


class UserSettings(Input):
    """What can be changed of a user."""

    model_config = examples({"role": "viewer"}, {"enabled": False})

    name: Annotated[str | None, Field(max_length=200)] = None
    role: _RoleField | None = None
    enabled: Annotated[
        bool | None,
        Field(description="A user who is not enabled is signed out, and their keys do not work."),
    ] = None
    password: _Password | None = None


class User(Record):
    """Someone who may use the service."""

    id: int
    email: str = Field(description="What the user signs in with.")
    name: str
    role: _RoleField
    enabled: bool
    disabled_at: datetime | None
    has_password: bool = Field(description="Whether the user can sign in with a password.")
    version: int = Field(description="Each change of the settings adds one.")
    created_at: datetime


class Users(Record):
    """All users, by id."""

    items: list[User]


_Scopes = Annotated[
    list[Scope],
    Field(
        min_length=1,
        max_length=len(SCOPES),
        description="What the key may do. It never may do more than its user.",
    ),
]
_Queues = Annotated[
    list[QueueName] | None,
    Field(
        min_length=1,
        max_length=100,
        description="The only queues that it may submit to; null: any. Such a key has the scope "
        "`tasks:write` alone, and does nothing but submit.",
    ),
]
_Types = Annotated[
    list[Name] | None,
    Field(
        min_length=1,
        max_length=100,
        description="The only types that it may submit; null: any. As for `queues`.",
    ),
]


class NewApiKey(Input):
    """An API key to create."""

    model_config = examples(
        {"name": "shop", "scopes": ["tasks:write"], "queues": ["mail"]},
        {"name": "grafana", "scopes": ["metrics"]},
    )

    name: Annotated[Name, Field(description="What it is for.")]
    scopes: _Scopes
    queues: _Queues = None
    types: _Types = None
    expires_at: Annotated[
        AwareDatetime | None, Field(description="When it stops working; null: when it is revoked.")
    ] = None
    user_id: Annotated[
        int | None, Field(description="Whose key it is, if not yours: for admins.")
    ] = None


class ApiKey(Record):
    """An API key, without its secret."""

    id: str = Field(description="The part of the key that is no secret.")
    name: str
    user_id: int
    email: str = Field(description="Whose key it is.")
    scopes: list[Scope]
    queues: list[str] | None
    types: list[str] | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_on: date | None = Field(description="The last day on which it was used, in UTC.")


class ShownApiKey(ApiKey):
    """An API key when it is created: the only time that it is shown."""

    key: str = Field(
        description="Send it as `Authorization: Bearer pgq_…`. It is not shown again.",
        json_schema_extra={"format": "password"},
    )


class ApiKeys(Record):
    """API keys: those that work first, the newest at the top."""

    items: list[ApiKey]


class SignIn(Input):
    """An e-mail address and a password."""

    email: Annotated[str, Field(max_length=254)]
    password: Annotated[str, Field(max_length=1024, json_schema_extra={"format": "password"})]


class ChangedPassword(Input):
    """A password to be replaced."""

    old: Annotated[str, Field(max_length=1024, json_schema_extra={"format": "password"})]
    new: _Password


class Me(Record):
    """Who is asking, and what they may do."""

    user_id: int | None = Field(description="null: the server does not ask who you are.")
    email: str | None
    role: Role | None
    via: Literal["key", "token", "session", "open"] = Field(
        description="How you are known: by an API key, by an access token of the issuer, by the "
        "cookie of a session, or not at all, because the server has no users yet."
    )
    key_id: str | None = Field(description="The id of your API key.")
    scopes: list[Scope] = Field(description="What you may do here.")
    queues: list[str] | None = Field(description="The only queues to submit to; null: any.")
    types: list[str] | None = Field(description="The only types to submit; null: any.")
    csrf_token: str | None = Field(
        description="What a page sends as `X-CSRF-Token` with each change, if `via` is `session`."
    )


class AuditEntry(Record):
    """A change that somebody asked for."""

    id: Uuid
    at: datetime = Field(description="When it was asked for, which is before it was made.")
    user_id: int = Field(description="Who asked; 0: nobody who is known.")
    actor: str = Field(description="The e-mail address of who asked.")
    via: Literal["key", "token", "session", "password", "open", "command"]
    key_id: str | None = Field(description="The id of the API key.")
    action: str = Field(description="The operation, such as `pause_queue`.")
    object: str = Field(description="The path of what it was about.")
    address: str | None = Field(description="The address that the request came from.")
    status: int | None = Field(
        description="The status of the answer; null: there was none, or not yet."
    )


class AuditPage(Page):
    """A page of the audit trail, newest first."""

    items: list[AuditEntry]
