"""Notes who asks for a change before it is made, and how it was answered afterwards."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from pgqueue.errors import PgQueueError

if TYPE_CHECKING:
    from uuid import UUID

    from pgqueue.database.pool import Pool
    from pgqueue_api.access.principal import Principal

__all__ = ["Audit"]


class Audit:
    """The audit trail, as this process writes it."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._noting: set[asyncio.Task[None]] = set()

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
        """Note how it was answered, soon: the answer does not wait for it."""

        async def note() -> None:
            with suppress(PgQueueError):  # that it was asked for is known
                await self._pool.rows("audit_answered", {"id": id, "status": status})

        noting = asyncio.create_task(note())
        self._noting.add(noting)
        noting.add_done_callback(self._noting.discard)

    async def close(self) -> None:
        """Return when everything is noted."""
        if self._noting:
            await asyncio.wait(self._noting)

    async def _note(self, **entry: str | int | None) -> UUID:
        row = await self._pool.row("audit_asked", entry)
        assert row is not None
        id: UUID = row["id"]
        return id
