"""Operations over many tasks at once: redrive, cancel, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pgqueue.client.calls import Part, as_uuid, as_uuid_or_none, page_size, with_text_ids
from pgqueue.errors import NotFound
from pgqueue.models.operation import Operation, Preview
from pgqueue.models.values import encode, finite

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta
    from uuid import UUID

__all__ = ["Operations"]


class Operations(Part):
    """``app.operations``: work on many tasks at once.

    An operation runs on any supervisor, in throttled parts, and goes on if that one dies. ``kind``
    is ``redrive`` or ``delete`` of dead letters, or ``cancel`` of tasks that have not ended. A
    filter holds any of type, queue, from, to, ids, and fingerprint or status; or ``{"all": True}``.
    """

    async def start(
        self,
        kind: str,
        filter: Mapping[str, Any],
        *,
        per_second: float = 100,
        reason: str | None = None,
        requested_by: str | None = None,
    ) -> Operation:
        """Start an operation of at most ``per_second`` tasks a second, and return it."""
        id = await self._calls.value(
            "begin_operation",
            kind=kind,
            filter=encode(dict(filter)).decode(),
            per_second=finite(per_second, "per_second", "pass 0.1 to 2000"),
            reason=reason,
            requested_by=requested_by,
        )
        return await self.get(id)

    async def preview(self, kind: str, filter: Mapping[str, Any]) -> Preview:
        """Return what an operation would do; stores nothing."""
        filter_json = encode(dict(filter)).decode()
        (row,) = await self._calls.rows("look_ahead", kind=kind, filter=filter_json)
        return Preview(**row)

    async def get(self, id: str | UUID) -> Operation:
        """Return an operation as it is now; ``NotFound`` if there is none."""
        row = await self._calls.row("get_operation", id=as_uuid(id, "operation"))
        if row is None:
            raise NotFound(f"there is no operation {id}")
        return Operation(**with_text_ids(row))

    async def latest(self, *, limit: int = 50, before: str | UUID | None = None) -> list[Operation]:
        """Return the latest operations, or those before one."""
        place = as_uuid_or_none(before, "operation")
        rows = await self._calls.rows("find_operations", max_rows=page_size(limit), before=place)
        return [Operation(**with_text_ids(row)) for row in rows]

    async def cancel(self, id: str | UUID) -> Operation:
        """Stop an operation after the part that runs now; what is done stays done."""
        await self._calls.rows("stop_operation", id=as_uuid(id, "operation"))
        return await self.get(id)

    async def wait(self, id: str | UUID, timeout: timedelta | float | None = None) -> Operation:
        """Return the operation once it has ended, or raise ``TimeoutError``: it goes on."""
        wanted = as_uuid(id, "operation")
        return await self._calls.until(
            wanted, lambda: self.get(wanted), lambda operation: operation.state.final, timeout
        )
