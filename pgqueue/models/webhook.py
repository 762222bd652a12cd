"""Webhooks: subscriptions to events, and their deliveries."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from pgqueue.models.base import Count, Input, Name, Page, Record, Url, Uuid, examples

__all__ = [
    "DELIVERY_TYPE",
    "QUEUE",
    "TASK_EVENTS",
    "DeliveryStatus",
    "Event",
    "NewWebhook",
    "Secret",
    "SecretRotation",
    "Webhook",
    "WebhookDeliveries",
    "WebhookDelivery",
    "WebhookSecrets",
    "WebhookSettings",
    "Webhooks",
]

QUEUE = "pgqueue.webhooks"
DELIVERY_TYPE = "pgqueue.webhook_delivery"

Event: TypeAlias = Literal[
    "task.completed",
    "task.failed",
    "task.cancelled",
    "batch.completed",
    "batch.failed",
    "batch.cancelled",
    "dead_letters.growing",
    "dead_letters.settled",
]
DeliveryStatus: TypeAlias = Literal["pending", "delivered", "failed", "cancelled"]

TASK_EVENTS: tuple[Event, ...] = ("task.completed", "task.failed", "task.cancelled")

_Where = Annotated[
    Url,
    Field(description="Where events are sent. The host must be public, unless workers allow it."),
]
_Events = Annotated[
    list[Event],
    Field(
        min_length=1,
        max_length=20,
        description="The events to send; by default the three of tasks.",
    ),
]
_Names = Annotated[list[Name], Field(min_length=1, max_length=100)]
_Queues = Annotated[
    _Names | None, Field(description="Send only events of these queues; null: of every queue.")
]
_Types = Annotated[
    _Names | None,
    Field(description="Send only events of tasks of these types; null: all events."),
]
_Description = Annotated[str, Field(max_length=1000)]


class WebhookSettings(Input):
    """Settings of a webhook to change. What you leave out stays."""

    model_config = examples({"queues": ["email"], "enabled": True})

    url: _Where = Field(default_factory=str)
    events: _Events = Field(default_factory=lambda: [*TASK_EVENTS])
    queues: _Queues = None
    types: _Types = None
    description: _Description = Field(default_factory=str)
    enabled: bool = Field(default_factory=lambda: True)


class NewWebhook(WebhookSettings):
    """A webhook to create; by default it is enabled."""

    model_config = examples({"url": "https://example.com/hooks", "events": ["task.failed"]})

    url: _Where


class Webhook(Record):
    """A subscription to events. Its secrets are read separately."""

    model_config = examples(
        {
            "id": "01900000-0000-7000-8000-000000000000",
            "url": "https://example.com/hooks",
            "description": "",
            "events": ["task.failed"],
            "queues": None,
            "types": None,
            "enabled": True,
            "disabled_at": None,
            "disabled_reason": None,
            "version": 1,
            "created_at": "2026-01-02T03:04:05.678901Z",
        }
    )

    id: Uuid
    url: str
    description: str
    events: list[str]
    queues: list[str] | None
    types: list[str] | None
    enabled: bool
    disabled_at: datetime | None = Field(description="When it was disabled; null: it is enabled.")
    disabled_reason: str | None
    version: int = Field(ge=1, description="Each change adds one.")
    created_at: datetime


class Webhooks(Record):
    """Every webhook, oldest first, at most 500."""

    items: list[Webhook]


class SecretRotation(Input):
    """How the old secret is retired."""

    model_config = examples({"overlap_s": 3600})

    overlap_s: float = Field(
        default=86_400,
        ge=0,
        le=2_592_000,
        description="For how many seconds the old secret signs, too. 0: it is invalid at once.",
    )


class Secret(Record):
    """A secret that signs."""

    secret: str = Field(description="In the format of Standard Webhooks: `whsec_…`.")
    created_at: datetime
    expires_at: datetime | None = Field(
        description="When it stops signing, because a newer one has replaced it; null: never."
    )


class WebhookSecrets(Record):
    """The secrets that sign, newest first."""

    items: list[Secret]


class WebhookDelivery(Record):
    """An event that was sent, or is to be sent."""

    id: Uuid = Field(description="The `webhook-id` of every try.")
    webhook_id: Uuid | None = Field(description="null: it goes to a `callback_url`.")
    event: str
    subject_id: Uuid | None = Field(description="The task or batch that the event is about.")
    url: str = Field(description="The URL when the event was stored.")
    status: DeliveryStatus
    attempts: Count
    response_status: int | None
    duration_s: float | None
    response: str | None = Field(description="The first 1,024 bytes of the last response.")
    error: str | None = Field(description="Why the last try failed.")
    tried_at: datetime | None = Field(description="When it was last tried.")
    next_attempt_at: datetime | None = Field(description="When it is tried next.")
    tries: list[dict[str, Any]] = Field(
        description="The newest 20 tries: `{at, response_status, duration_s, response, error}`."
    )
    body: str = Field(description="The exact body that is sent.")
    created_at: datetime = Field(description="When the event happened.")
    ended_at: datetime | None = Field(
        description="When it was delivered, given up or cancelled; null: it has not ended."
    )
    task_id: Uuid = Field(description="The task that sends it.")


class WebhookDeliveries(Page):
    """Deliveries, latest first.

    With a `status`, a page may hold fewer items than asked for and still have a `next`.
    """

    items: list[WebhookDelivery]
