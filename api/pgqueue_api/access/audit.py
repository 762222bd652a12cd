"""Notes who asks for a change before it is made, and how it was answered afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

    from pgqueue.database.pool import Pool
    from pgqueue_api.access.notes import Notes
    from pgqueue_api.access.principal import Principal

__all__ = ["Audit"]


class Audit:
    """The audit trail, as this process writes it."""

    def __init__(self, pool: Pool, notes: Notes) -> None:
        self._pool = pool
        self._notes = notes

    async def asked(self, principal: Principal, action: str, object: str, client: str) -> UUID:
        """Note that somebody asks for a change. What cannot be noted is not to be done."""
        return await self._note(
            user_id=principal.user_id,
            actor=principal.email,
            via=principal.via,
            key_id=principal.key_id,
            action=action,
            object=object,
            address=client or None,
            status=None,
        )

    async def tried(self, email: str, user_id: int, object: str, client: str, status: int) -> None:
        """Note that somebody tried to sign in."""
        await self._note(
            user_id=user_id,
            actor=email,
            via="password",
            key_id=None,
            action="sign_in",
            object=object,
            address=client or None,
            status=status,
        )

    def answered(self, id: UUID, status: int) -> None:
        """Note how it was answered. The answer does not wait for it."""
        self._notes.take("audit_answered", {"id": id, "status": status})

    async def _note(self, **entry: str | int | None) -> UUID:
        row = await self._pool.row("audit_asked", entry)
        assert row is not None
        id: UUID = row["id"]
        return id
