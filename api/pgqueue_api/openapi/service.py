"""The paths for orchestrators, and those of this document."""

from __future__ import annotations

from typing import Any

from pgqueue_api.openapi.parts import operation, other
from pgqueue_api.schemas.parts import object_of

__all__ = ["PATHS"]

PATHS: dict[str, dict[str, Any]] = {
    "/healthz": {
        "get": operation(
            "operation",
            "healthz",
            "Alive?",
            "Asks nobody else.",
            {200: other("application/json", "Yes.", {"type": "object"})},
        )
    },
    "/readyz": {
        "get": operation(
            "operation",
            "readyz",
            "Ready?",
            "Database reachable, schema fitting, notifications arriving. `degraded` (200): "
            "settings of PostgreSQL that `unsafe` names are off, so a crash may lose tasks.",
            {
                200: other(
                    "application/json",
                    "Yes.",
                    object_of(
                        {
                            "status": {"enum": ["ready", "degraded"]},
                            "schema": {"type": "integer"},
                            "unsafe": {"type": "array", "items": {"type": "string"}},
                        },
                        "Ready.",
                        "unsafe",
                    ),
                )
            },
            503,
        )
    },
    "/metrics": {
        "get": operation(
            "operation",
            "metrics",
            "Prometheus metrics",
            "Of this process, and the depth of the queues.",
            {200: other("text/plain", "The metrics.")},
        )
    },
    "/openapi.json": {
        "get": operation(
            "operation",
            "openapi",
            "This document",
            "OpenAPI 3.1.",
            {200: other("application/json", "The document.", {"type": "object"})},
        )
    },
    "/docs": {
        "get": operation(
            "operation",
            "docs",
            "This document, for people",
            "Works offline.",
            {200: other("text/html", "The page.")},
        )
    },
}
