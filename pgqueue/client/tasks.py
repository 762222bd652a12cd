"""Tasks by their id: read, wait for, cancel, change, run again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pgqueue.client.calls import Part, as_uuid, with_text_ids
from pgqueue.errors import NotFound, missing_task
from pgqueue.models.tasks.explanation import Explanation
from pgqueue.models.tasks.status import Status
from pgqueue.models.tasks.task import Task
from pgqueue.models.values import check_time, parse_priority, seconds

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from uuid import UUID

__all__ = ["Tasks"]


class Tasks(Part):
    """The part of a client that is about single tasks.

    Each call raises ``NotFound`` if there is no such task, ``TaskPruned`` if there was one.
    """

    async def get(self, id: str | UUID) -> Task:
        """Return a task as it is now; ``NotFound`` if there is none, ``TaskPruned`` if it was."""
        row = await self._calls.row("get_task", id=as_uuid(id, "task"))
        if row is None:
            raise await self._missing(id)
        return Task(**with_text_ids(row))

    async def explain(self, id: str | UUID) -> Explanation:
        """Return why a task is where it is and when it may start; ``NotFound`` if there is none."""
        text = await self._calls.value("explain_task", id=as_uuid(id, "task"))
        if text is None:
            raise await self._missing(id)
        return Explanation.model_validate_json(text)

    async def wait(self, id: str | UUID, timeout: timedelta | float | None = None) -> Task:
        """Return the task once it has ended, or raise ``TimeoutError``: the task goes on."""
        wanted = as_uuid(id, "task")
        return await self._calls.until(
            wanted, lambda: self.get(wanted), lambda task: task.status.final, timeout
        )

    async def cancel(self, id: str | UUID, reason: str | None = None) -> Status:
        """Cancel a waiting task, or ask a running one to stop, and return its status."""
        return await self._changed("cancel_task", id, reason=reason)

    async def update(
        self,
        id: str | UUID,
        *,
        priority: int | str | None = None,
        run_at: datetime | None = None,
        delay: timedelta | float | None = None,
    ) -> Status:
        """Change the priority or the time of a waiting task, and return its status.

        ``delay=0`` runs it now. Raises ``Conflict`` when the task no longer waits.
        """
        check_time(run_at)
        return await self._changed(
            "update_task",
            id,
            priority=parse_priority(priority),
            run_at=run_at,
            delay_s=seconds(delay, "delay"),
            if_match=None,
        )

    async def retry(self, id: str | UUID) -> Status:
        """Run a failed or cancelled task again; ``Conflict`` for one in another status."""
        return await self._changed("retry_task", id)

    async def _changed(self, name: str, id: str | UUID, **parameters: object) -> Status:
        status = await self._calls.value(name, id=as_uuid(id, "task"), **parameters)
        if status is None:
            raise await self._missing(id)
        return Status(status)

    async def _missing(self, id: str | UUID) -> NotFound:
        pruned = await self._calls.value("is_pruned", id=as_uuid(id, "task"))
        return missing_task(id, pruned=bool(pruned))
