"""The routes, one module for each noun."""

from __future__ import annotations

from pgqueue_api.routes import docs, health, overview, tasks

__all__ = ["ROUTES"]

ROUTES = [*tasks.ROUTES, *overview.ROUTES, *health.ROUTES, *docs.ROUTES]
