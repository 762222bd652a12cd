"""The routes, one module for each noun."""

from __future__ import annotations

from pgqueue_api.routes import docs, events, health, overview, queues, tasks

__all__ = ["ROUTES"]

ROUTES = [
    *tasks.ROUTES,
    *events.ROUTES,
    *queues.ROUTES,
    *overview.ROUTES,
    *health.ROUTES,
    *docs.ROUTES,
]
