"""Who may use the service: sign-in, users, their keys, and what they asked for."""

from __future__ import annotations

from pgqueue_api.resources.access import audit, keys, oidc, session, users

__all__ = ["ROUTES"]

ROUTES = [*session.ROUTES, *oidc.ROUTES, *keys.ROUTES, *users.ROUTES, *audit.ROUTES]
