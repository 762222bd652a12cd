"""The routes, one module for each noun."""

from __future__ import annotations

from pgqueue_api.routes import docs, events, health, overview, tasks

__all__ = ["ROUTES"]

ROUTES = [*tasks.ROUTES, *events.ROUTES, *overview.ROUTES, *health.ROUTES, *docs.ROUTES]
