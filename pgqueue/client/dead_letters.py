"""Dead letters: tasks that failed for good, to look at and to run again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pgqueue.client.calls import Part, Row, as_uuid, page_size, with_text_ids
from pgqueue.errors import NotFound
from pgqueue.models.dead_letter import DeadLetter
from pgqueue.models.tasks.status import TaskId
from pgqueue.models.values import encode

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

__all__ = ["DeadLetters"]

_PAGE = 200


class DeadLetters(Part):
    """The part of a client that is about dead letters."""

    async def dead_letters(
        self,
        *,
        type: str | None = None,
        queue: str | None = None,
        fingerprint: str | None = None,
        from_: datetime | None = None,
        to: datetime | None = None,
        limit: int = 100,
        before: DeadLetter | None = None,
    ) -> list[DeadLetter]:
        """Return tasks that failed for good, latest first; ``before``: the last one of a page."""
        page_size(limit)
        wanted = {"type": type, "queue": queue, "fingerprint": fingerprint, "from": from_, "to": to}
        filter = {name: value for name, value in wanted.items() if value is not None}
        found: list[DeadLetter] = []
        place: Row = {"at": None, "id": None}
        if before is not None:
            place = {"at": before.failed_at, "id": before.id}
        while len(found) < limit:
            rows = await self._calls.rows(
                "find_dead_letters",
                filter=encode(filter).decode(),
                max_rows=min(_PAGE, limit - len(found)),
                **place,
            )
            found += [DeadLetter(**with_text_ids(row)) for row in rows if row["id"] is not None]
            if rows[0]["place_ended"]:
                break
            place = {"at": rows[0]["place_at"], "id": rows[0]["place_id"]}
        return found

    async def redrive(self, id: str | UUID) -> TaskId:
        """Run a dead letter's task again and return its id: a new one where its day is gone."""
        redriven = await self._calls.value("redrive_task", id=as_uuid(id, "dead letter"))
        if redriven is None:
            raise NotFound(
                f"there is no dead letter {id}", hint="it was run again, deleted or pruned"
            )
        return TaskId(redriven)
