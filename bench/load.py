"""The load: what is enqueued, the same for every system."""

from __future__ import annotations

import orjson

PAYLOAD_BYTES = 60
BATCH = 1_000
"""Tasks in one call of a bulk enqueue; each call is one durable transaction."""


def payload(number: int) -> dict[str, object]:
    """Return a payload that is 60 bytes of JSON, with the number of its task in it."""
    frame = len(orjson.dumps({"i": number, "text": ""}))
    return {"i": number, "text": "x" * (PAYLOAD_BYTES - frame)}
