"""Webhooks: who is told of what, and what was sent."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg.rows import dict_row

from pgqueue.database.link import fetched
from pgqueue.database.queries import query
from pgqueue.errors import NotFound, UsageError
from pgqueue.models.values import encode, seconds
from pgqueue.models.webhook import TASK_EVENTS, Secret, Webhook, WebhookDelivery

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractAsyncContextManager
    from types import EllipsisType

    import psycopg

    Connect = Callable[[], AbstractAsyncContextManager[psycopg.AsyncConnection[Any]]]

__all__ = ["Webhooks"]

_DAY = timedelta(days=1)
_PAGE = 200


class Webhooks:
    """``app.webhooks``: subscriptions, their secrets, and the log of what was sent.

    Where an id may be left out, what is meant are the callback URLs of tasks and batches. Raises
    ``NotFound`` for an id that is not there.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect

    async def create(
        self,
        url: str,
        *,
        events: Sequence[str] = TASK_EVENTS,
        queues: Sequence[str] | None = None,
        types: Sequence[str] | None = None,
        description: str = "",
        enabled: bool = True,
    ) -> Webhook:
        """Tell a URL of events, of all queues and types or of those given, from now on."""
        rows = await self._rows(
            "create_webhook",
            url=url,
            events=[*events],
            queues=None if queues is None else [*queues],
            types=None if types is None else [*types],
            description=description,
            enabled=enabled,
        )
        return await self.get(rows[0]["id"])

    async def get(self, id: str | UUID) -> Webhook:
        """Give a webhook."""
        rows = await self._rows("get_webhook", id=_uuid(id))
        if not rows:
            raise _none(id)
        return Webhook(**{**rows[0], "id": str(rows[0]["id"])})

    async def all(self) -> list[Webhook]:
        """Give every webhook, oldest first."""
        rows = await self._rows("get_webhook", id=None)
        return [Webhook(**{**row, "id": str(row["id"])}) for row in rows]

    async def update(
        self,
        id: str | UUID,
        *,
        url: str | EllipsisType = ...,
        events: Sequence[str] | EllipsisType = ...,
        queues: Sequence[str] | EllipsisType | None = ...,
        types: Sequence[str] | EllipsisType | None = ...,
        description: str | EllipsisType = ...,
        enabled: bool | EllipsisType = ...,
    ) -> Webhook:
        """Change what is given; ``None`` for queues and types stands for all."""
        given = {
            "url": url,
            "events": events,
            "queues": queues,
            "types": types,
            "description": description,
            "enabled": enabled,
        }
        settings = encode({key: value for key, value in given.items() if value is not ...})
        await self._rows("patch_webhook", id=_uuid(id), settings=settings.decode(), versions=None)
        return await self.get(id)

    async def delete(self, id: str | UUID) -> None:
        """Delete a webhook; what waits to be sent to it is cancelled."""
        rows = await self._rows("delete_webhook", id=_uuid(id), versions=None)
        if not rows[0]["deleted"]:
            raise _none(id)

    async def secrets(self, id: str | UUID | None = None) -> list[Secret]:
        """Give the secrets that sign, newest first."""
        if id is not None:
            await self.get(id)
        rows = await self._rows("webhook_secrets", id=_optional(id))
        return [Secret(**row) for row in rows]

    async def rotate_secret(
        self, id: str | UUID | None = None, *, overlap: timedelta | float = _DAY
    ) -> str:
        """Give a new secret; for the time of the overlap the old one signs beside it."""
        parameters = {"id": _optional(id), "overlap_s": seconds(overlap)}
        rows = await self._rows("rotate_webhook_secret", **parameters)
        secret: str = rows[0]["secret"]
        return secret

    async def test(self, id: str | UUID) -> WebhookDelivery:
        """Send the event ``webhook.test``, and give its delivery."""
        rows = await self._rows("test_webhook", id=_uuid(id))
        return await self.delivery(rows[0]["id"])

    async def deliveries(
        self,
        id: str | UUID | None = None,
        *,
        status: str | None = None,
        limit: int = 50,
        before: str | UUID | None = None,
    ) -> list[WebhookDelivery]:
        """Give what was sent to a webhook, latest first; ``before``: the last id of a page."""
        found: list[WebhookDelivery] = []
        place = _optional(before)
        while len(found) < limit:
            (page,) = await self._rows(
                "list_deliveries",
                id=_optional(id),
                status=status,
                before=place,
                most=min(limit - len(found), _PAGE),
            )
            found += [WebhookDelivery.model_validate_json(item) for item in page["items"]]
            place = page["next"]
            if place is None:
                break
        return found

    async def delivery(self, id: str | UUID) -> WebhookDelivery:
        """Give one delivery: its id is the ``webhook-id`` that was sent."""
        rows = await self._rows("get_delivery", id=_uuid(id))
        if not rows:
            message = f"there is no delivery {id}"
            raise NotFound(message, hint="it was pruned")
        return WebhookDelivery.model_validate_json(rows[0]["state"])

    async def redeliver(self, id: str | UUID) -> WebhookDelivery:
        """Send a delivery again, under its id; ``Conflict`` while it is still being tried."""
        await self._rows("redeliver", id=_uuid(id))
        return await self.delivery(id)

    async def _rows(self, name: str, /, **parameters: Any) -> list[dict[str, Any]]:
        async with self._connect() as connection:
            cursor = connection.cursor(row_factory=dict_row)
            await cursor.execute(query(name), parameters)
            return await fetched(cursor)


def _none(id: str | UUID) -> NotFound:
    return NotFound(f"there is no webhook {id}", hint="it was deleted")


def _optional(id: str | UUID | None) -> UUID | None:
    return None if id is None else _uuid(id)


def _uuid(value: str | UUID) -> UUID:
    try:
        return value if isinstance(value, UUID) else UUID(value)
    except (ValueError, AttributeError, TypeError) as error:
        message = f"{value!r} is no id of a webhook or a delivery"
        raise UsageError(message, hint="an id is a UUID") from error
