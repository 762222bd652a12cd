"""The JSON Schema of retry policies."""

from __future__ import annotations

from typing import Any

__all__ = ["RETRY"]

_LONGEST_S = 10 * 365 * 86_400

RETRY: dict[str, Any] = {
    "type": ["object", "null"],
    "description": "how long to wait after a failed attempt; what is left out is as in the example",
    "properties": {
        "kind": {
            "enum": ["exponential", "linear", "fixed"],
            "description": "base_s · 2^(n-1), base_s · n, or base_s after the n-th attempt",
        },
        "base_s": {"type": "number", "minimum": 0, "maximum": _LONGEST_S},
        "cap_s": {
            "type": "number",
            "minimum": 0,
            "maximum": _LONGEST_S,
            "description": "never more than this",
        },
        "jitter": {
            "enum": ["full", "equal", "none"],
            "description": "spread over all of the delay, over its second half, or not at all",
        },
    },
    "additionalProperties": False,
    "examples": [{"kind": "exponential", "base_s": 1, "cap_s": 3600, "jitter": "equal"}],
}
