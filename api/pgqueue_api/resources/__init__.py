"""The routes, one module for each noun."""

from __future__ import annotations

from pgqueue_api.resources import (
    batches,
    dead_letters,
    docs,
    events,
    health,
    hooks,
    limits,
    notices,
    operations,
    queues,
    schedules,
    stats,
    tasks,
    types,
    uploads,
    webhooks,
    workers,
)

__all__ = ["ROUTES"]

ROUTES = [
    *tasks.ROUTES,
    *batches.ROUTES,
    *hooks.ROUTES,
    *uploads.ROUTES,
    *dead_letters.ROUTES,
    *operations.ROUTES,
    *notices.ROUTES,
    *events.ROUTES,
    *queues.ROUTES,
    *schedules.ROUTES,
    *limits.ROUTES,
    *webhooks.ROUTES,
    *workers.ROUTES,
    *types.ROUTES,
    *stats.ROUTES,
    *health.ROUTES,
    *docs.ROUTES,
]
