"""The paths of workers, types and figures."""

from __future__ import annotations

from typing import Any

from pgqueue_api.openapi.parts import NAME, TASK_FILTERS, content, filter_by, operation

__all__ = ["PATHS"]

PATHS: dict[str, dict[str, Any]] = {
    "/v1/workers": {
        "get": operation(
            "overview",
            "list_workers",
            "List worker processes",
            "Those that run; with `all` those that are gone, too.",
            {200: content("Workers", "The workers.")},
            *(422, 503),
            parameters=[filter_by("all", {"type": "boolean", "default": False}, "the gone, too")],
        )
    },
    "/v1/types": {
        "get": operation(
            "overview",
            "list_types",
            "List types",
            "As workers have published them, with the schema of their payload.",
            {200: content("Types", "The types.")},
            503,
        )
    },
    "/v1/types/{name}": {
        "get": operation(
            "overview",
            "get_type",
            "Read a type",
            "With the schema of its payload.",
            {200: content("Type", "The type.")},
            *(404, 422, 503),
            parameters=[{**NAME, "example": "sleep"}],
        )
    },
    "/v1/stats": {
        "get": operation(
            "overview",
            "get_stats",
            "Read figures",
            "Counts, success rate, throughput, waits and runs, the last 7 days. From the roll-up: "
            "it costs the same however many tasks there are.",
            {200: content("Stats", "The figures.")},
            *(422, 503),
            parameters=[
                filter_by(
                    "window_s",
                    {"type": "integer", "minimum": 60, "maximum": 604_800, "default": 3600},
                    "how far back rates and percentiles look, in seconds",
                ),
                *TASK_FILTERS[:2],
            ],
        )
    },
}
