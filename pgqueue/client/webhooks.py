"""Webhooks: subscriptions to events, and their deliveries."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pgqueue.client.calls import (
    Part,
    as_uuid,
    as_uuid_or_none,
    given,
    page_size,
    with_text_ids,
)
from pgqueue.errors import NotFound
from pgqueue.models.values import seconds
from pgqueue.models.webhook import TASK_EVENTS, Secret, Webhook, WebhookDelivery

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import EllipsisType
    from uuid import UUID

__all__ = ["Webhooks"]

_PAGE = 200


class Webhooks(Part):
    """``app.webhooks``: subscriptions, their secrets, and the log of what was sent.

    Without an id, where it may be left out, a call is about the callback URLs of tasks and batches.
    Raises ``NotFound`` for an id that does not exist.
    """

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
        """Tell a URL of events from now on: of all queues and types, or of those given."""
        id = await self._calls.value(
            "create_webhook",
            url=url,
            events=[*events],
            queues=None if queues is None else [*queues],
            types=None if types is None else [*types],
            description=description,
            enabled=enabled,
        )
        return await self.get(id)

    async def get(self, id: str | UUID) -> Webhook:
        """Return a webhook."""
        row = await self._calls.row("get_webhook", id=as_uuid(id, "webhook"))
        if row is None:
            raise _no_webhook(id)
        return Webhook(**with_text_ids(row))

    async def all(self) -> list[Webhook]:
        """Return every webhook, oldest first."""
        rows = await self._calls.rows("get_webhook", id=None)
        return [Webhook(**with_text_ids(row)) for row in rows]

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
        """Change what is given; ``None`` for queues or types means all."""
        settings = given(
            url=url,
            events=events,
            queues=queues,
            types=types,
            description=description,
            enabled=enabled,
        )
        wanted = as_uuid(id, "webhook")
        await self._calls.rows("patch_webhook", id=wanted, settings=settings, versions=None)
        return await self.get(id)

    async def delete(self, id: str | UUID) -> None:
        """Delete a webhook; what waits to be sent to it is cancelled."""
        wanted = as_uuid(id, "webhook")
        if not await self._calls.value("delete_webhook", id=wanted, versions=None):
            raise _no_webhook(id)

    async def secrets(self, id: str | UUID | None = None) -> list[Secret]:
        """Return the secrets that sign, newest first."""
        if id is not None:
            await self.get(id)
        rows = await self._calls.rows("webhook_secrets", id=as_uuid_or_none(id, "webhook"))
        return [Secret(**row) for row in rows]

    async def rotate_secret(
        self, id: str | UUID | None = None, *, overlap: timedelta | float = timedelta(days=1)
    ) -> str:
        """Make a new secret and return it; during the overlap the old one signs, too."""
        secret: str = await self._calls.value(
            "rotate_webhook_secret",
            id=as_uuid_or_none(id, "webhook"),
            overlap_s=seconds(overlap, "overlap"),
        )
        return secret

    async def test(self, id: str | UUID) -> WebhookDelivery:
        """Send the event ``webhook.test``, and return its delivery."""
        return await self.delivery(
            await self._calls.value("test_webhook", id=as_uuid(id, "webhook"))
        )

    async def deliveries(
        self,
        id: str | UUID | None = None,
        *,
        status: str | None = None,
        limit: int = 50,
        before: str | UUID | None = None,
    ) -> list[WebhookDelivery]:
        """Return what was sent to a webhook, latest first; ``before``: the last id of a page."""
        found: list[WebhookDelivery] = []
        page_size(limit)
        place = as_uuid_or_none(before, "webhook delivery")
        while len(found) < limit:
            (page,) = await self._calls.rows(
                "list_deliveries",
                id=as_uuid_or_none(id, "webhook"),
                status=status,
                before=place,
                max_rows=min(limit - len(found), _PAGE),
            )
            found += [WebhookDelivery.model_validate_json(item) for item in page["items"]]
            place = page["next"]
            if place is None:
                break
        return found

    async def delivery(self, id: str | UUID) -> WebhookDelivery:
        """Return one delivery: its id is the ``webhook-id`` that was sent."""
        row = await self._calls.row("get_delivery", id=as_uuid(id, "webhook delivery"))
        if row is None:
            raise NotFound(f"there is no delivery {id}", hint="it was pruned")
        return WebhookDelivery.model_validate_json(row["state"])

    async def redeliver(self, id: str | UUID) -> WebhookDelivery:
        """Send a delivery again, under its id; ``Conflict`` while it is still being tried."""
        await self._calls.rows("redeliver", id=as_uuid(id, "webhook delivery"))
        return await self.delivery(id)


def _no_webhook(id: str | UUID) -> NotFound:
    return NotFound(f"there is no webhook {id}", hint="it was deleted")
