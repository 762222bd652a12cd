"""Webhooks: who is told of what, and what was sent."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from pgqueue.models.task import TaskId

__all__ = ["DELIVERY_TYPE", "QUEUE", "Secret", "Webhook", "WebhookDelivery"]

QUEUE = "pgqueue.webhooks"
DELIVERY_TYPE = "pgqueue.webhook_delivery"


class Webhook(BaseModel):
    """A subscription, with the same words as the view ``pgqueue.webhooks``."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    url: str
    description: str
    events: list[str]
    queues: list[str] | None
    types: list[str] | None
    enabled: bool
    disabled_at: datetime | None
    disabled_reason: str | None
    version: int
    created_at: datetime


class Secret(NamedTuple):
    """What signs: for good, or until it expires because another took its place."""

    secret: str
    created_at: datetime
    expires_at: datetime | None


class WebhookDelivery(BaseModel):
    """What was sent, or is to be, with the words of the view ``pgqueue.webhook_deliveries``."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    webhook_id: str | None
    event: str
    subject_id: str | None
    url: str
    status: str
    attempts: int
    response_status: int | None
    duration_s: float | None
    response: str | None
    error: str | None
    tried_at: datetime | None
    next_attempt_at: datetime | None
    tries: list[dict[str, Any]]
    body: str
    created_at: datetime
    ended_at: datetime | None
    task_id: TaskId
