"""Written from ``pgqueue.client.webhooks`` by ``make sync-client``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from types import EllipsisType
from uuid import UUID

from pgqueue.client.sync.bridge import Bridged
from pgqueue.client.webhooks import Webhooks
from pgqueue.models.webhook import TASK_EVENTS, Secret, Webhook, WebhookDelivery

__all__ = ["SyncWebhooks"]


class SyncWebhooks(Bridged[Webhooks]):
    """``client.webhooks``: subscriptions, their secrets, and the log of what was sent.

    Without an id, where it may be left out, a call is about the callback URLs of tasks and batches.
    Raises ``NotFound`` for an id that does not exist.
    """

    def create(
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
        return self._bridge.run(
            self._twin.create(
                url,
                events=events,
                queues=queues,
                types=types,
                description=description,
                enabled=enabled,
            )
        )

    def get(self, id: str | UUID) -> Webhook:
        """Return a webhook."""
        return self._bridge.run(self._twin.get(id))

    def all(self) -> list[Webhook]:
        """Return every webhook, oldest first."""
        return self._bridge.run(self._twin.all())

    def update(
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
        return self._bridge.run(
            self._twin.update(
                id,
                url=url,
                events=events,
                queues=queues,
                types=types,
                description=description,
                enabled=enabled,
            )
        )

    def delete(self, id: str | UUID) -> None:
        """Delete a webhook; what waits to be sent to it is cancelled."""
        self._bridge.run(self._twin.delete(id))

    def secrets(self, id: str | UUID | None = None) -> list[Secret]:
        """Return the secrets that sign, newest first."""
        return self._bridge.run(self._twin.secrets(id))

    def rotate_secret(
        self, id: str | UUID | None = None, *, overlap: timedelta | float = timedelta(days=1)
    ) -> str:
        """Make a new secret and return it; during the overlap the old one signs, too."""
        return self._bridge.run(self._twin.rotate_secret(id, overlap=overlap))

    def test(self, id: str | UUID) -> WebhookDelivery:
        """Send the event ``webhook.test``, and return its delivery."""
        return self._bridge.run(self._twin.test(id))

    def deliveries(
        self,
        id: str | UUID | None = None,
        *,
        status: str | None = None,
        limit: int = 50,
        before: str | UUID | None = None,
    ) -> list[WebhookDelivery]:
        """Return what was sent to a webhook, latest first; ``before``: the last id of a page."""
        return self._bridge.run(
            self._twin.deliveries(id, status=status, limit=limit, before=before)
        )

    def delivery(self, id: str | UUID) -> WebhookDelivery:
        """Return one delivery: its id is the ``webhook-id`` that was sent."""
        return self._bridge.run(self._twin.delivery(id))

    def redeliver(self, id: str | UUID) -> WebhookDelivery:
        """Send a delivery again, under its id; ``Conflict`` while it is still being tried."""
        return self._bridge.run(self._twin.redeliver(id))
