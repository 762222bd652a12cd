"""The resources: one module a noun, and in it the handlers of its routes.

A handler's signature, models, docstring and one decorator are its documentation: see ``openapi``.
Models enter, JSON text that PostgreSQL wrote leaves.
"""

from __future__ import annotations

from pgqueue_api.resources import (
    access,
    attempts,
    batches,
    dead_letters,
    events,
    hooks,
    limits,
    operations,
    queues,
    schedules,
    stats,
    tasks,
    uploads,
    webhooks,
    workers,
)

__all__ = ["ROUTES"]

ROUTES = [
    *tasks.ROUTES,
    *attempts.ROUTES,
    *batches.ROUTES,
    *hooks.ROUTES,
    *uploads.ROUTES,
    *dead_letters.ROUTES,
    *operations.ROUTES,
    *events.ROUTES,
    *queues.ROUTES,
    *schedules.ROUTES,
    *limits.ROUTES,
    *webhooks.ROUTES,
    *workers.ROUTES,
    *stats.ROUTES,
    *access.ROUTES,
]
