"""The caller of an operation, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from pgqueue.models.access import ROLES, SCOPES, Role, Scope
from pgqueue_api.problems import Forbidden

if TYPE_CHECKING:
    from collections.abc import Collection

    from litestar.connection import ASGIConnection

__all__ = ["ANYONE", "NOBODY", "Principal", "principal_of"]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. ``queues`` and ``types``: the only ones to submit to; None: any."""

    user_id: int
    email: str
    role: Role | None
    via: Literal["key", "token", "session", "open"]
    scopes: frozenset[Scope]
    key_id: str | None = None
    queues: frozenset[str] | None = None
    types: frozenset[str] | None = None
    session_sha256: bytes | None = None
    csrf_token: str | None = None

    @property
    def narrow(self) -> bool:
        """Whether it may submit to some queues or types, and do nothing else."""
        return self.queues is not None or self.types is not None

    def check_scope(self, scope: Scope) -> None:
        """Raise ``Forbidden`` unless this may be done."""
        if scope in self.scopes:
            return
        if self.via == "key" and self.role is not None and scope in ROLES[self.role]:
            hint = f"use a key with the scope {scope}"
        else:
            able = [role for role, scopes in ROLES.items() if scope in scopes]
            hint = f"ask someone who is {' or '.join(able)}"
        raise Forbidden(f"this needs the scope {scope}", hint=hint)

    def check_task(self, queue: str, type: str) -> None:
        """Raise ``Forbidden`` unless a task of this type may be submitted to this queue."""
        for noun, asked, allowed in (("queue", queue, self.queues), ("type", type, self.types)):
            if allowed is not None and asked not in allowed:
                raise Forbidden(
                    f"this key does not submit to the {noun} {asked[:100]!r}",
                    hint=f"it is for {_listed(allowed)}",
                )


ANYONE = Principal(0, "", None, "open", frozenset(SCOPES))
"""Whoever asks a server that has no users."""

NOBODY = Principal(0, "", None, "open", frozenset())
"""Whoever asks for what everyone may have."""


def principal_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Principal:
    """Return who asks, whom the gate has let in."""
    return cast("Principal", connection.scope["user"])


def _listed(names: Collection[str]) -> str:
    shown = sorted(names)[:5]
    return ", ".join(shown) + (" and others" if len(names) > len(shown) else "")
