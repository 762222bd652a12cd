"""Server-sent events of one operation: its state, whole, whenever it moved on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pgqueue.errors import NotFound
from pgqueue_api.live.state_stream import StateStream
from pgqueue_api.live.task_stream import EventStream, chained
from pgqueue_api.problems import Overloaded

if TYPE_CHECKING:
    from uuid import UUID

    from pgqueue_api.services import Services

__all__ = ["open_operation_stream"]

_LIVE = ("queued", "running")


async def open_operation_stream(services: Services, id: UUID) -> EventStream:
    """Open the stream of one operation; raises before anything is sent, or not at all."""
    if len(services.hub.hint_listeners) >= services.bounds.queue_streams:
        raise Overloaded(
            f"{services.bounds.queue_streams} such streams are open",
            hint="poll GET /v1/operations/{id}",
        )
    asked = {"id": id, "kind": None, "state": None, "before": None, "most": 1}

    async def read() -> tuple[bytes, bool]:
        row = await services.reads.row("operation_states", asked)
        if row is None:
            raise NotFound(f"there is no operation {id}")
        return row["item"].encode(), row["state"] in _LIVE

    frames = StateStream(services, read, hints=lambda ids: str(id) in ids).frames()
    return EventStream(services, "operation", chained(await anext(frames), frames))
