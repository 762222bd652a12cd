"""``PgQueue``: declares task types and is the client of the service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from pgqueue.client.batches import Batches, OpenBatch
from pgqueue.client.calls import Calls
from pgqueue.client.dead_letters import DeadLetters
from pgqueue.client.declarations import Declarations
from pgqueue.client.enqueueing import Enqueueing
from pgqueue.client.operations import Operations
from pgqueue.client.queues import Queues
from pgqueue.client.schedules import Schedules
from pgqueue.client.tasks import Tasks
from pgqueue.client.webhooks import Webhooks
from pgqueue.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from uuid import UUID

    from pgqueue.handlers.task_type import TaskType
    from pgqueue.models.batch import Batch

__all__ = ["Client", "PgQueue"]


class Client(Enqueueing, Tasks, Queues, DeadLetters):
    """The calls of the service.

    Connects on first use, in each event loop; use it as an async context manager, or call
    ``close``, to close the connections.
    """

    def __init__(
        self,
        database_url: str | None = None,
        *,
        settings: Settings | None = None,
        types: Mapping[str, TaskType] | None = None,
    ) -> None:
        self.settings = settings or Settings()
        super().__init__(Calls(database_url, self.settings), {} if types is None else types)

    async def __aenter__(self) -> Self:
        """Open the connections."""
        await self._calls.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self.close()

    async def close(self) -> None:
        """Close the connections of this event loop; the next call opens them again."""
        gatherer = self._gatherers.pop()
        if gatherer is not None:
            await gatherer.drained()
        await self._calls.close()

    @property
    def operations(self) -> Operations:
        """Redrive, cancel or delete many tasks at once."""
        return Operations(self._calls)

    @property
    def webhooks(self) -> Webhooks:
        """Send events to URLs by signed HTTP requests."""
        return Webhooks(self._calls)

    @property
    def schedules(self) -> Schedules:
        """Make, read and change schedules."""
        return Schedules(self._calls, self._types)

    @property
    def batches(self) -> Batches:
        """Make, read and change batches: tasks that belong together."""
        return Batches(self._calls, self._types)

    def batch(self, name: str, **options: Any) -> OpenBatch:
        """Return a batch to fill: ``async with app.batch("name") as batch``, closed at the end.

        ``options`` are those of ``Batches.create``: metadata, on_success, on_failure, on_complete,
        parent, callback_url, and tasks to begin with.
        """
        return OpenBatch(self.batches, name, options)

    async def get_batch(self, id: str | UUID) -> Batch:
        """Return a batch as it is now; ``NotFound`` if there is none."""
        return await self.batches.get(id)


class PgQueue(Declarations, Client):
    """Declares task types and schedules, and calls the service.

    Connects on first use with ``PGQUEUE_DATABASE_URL`` or the connection string given; use it as an
    async context manager, or call ``close``, to close the connections.
    """

    def __init__(
        self, database_url: str | None = None, *, settings: Settings | None = None
    ) -> None:
        Declarations.__init__(self)
        Client.__init__(self, database_url, settings=settings, types=self.types)
