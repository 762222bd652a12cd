"""What /readyz says, of the API and of workers alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pgqueue.database import migrations

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["readiness"]


def readiness(version: int | None, min_code: int | None, unsafe: Sequence[str]) -> dict[str, Any]:
    """Judge what the query ``readiness`` found: ready, or degraded, if data may be lost.

    Raises ``SchemaMismatch`` where the schema is behind this code, or no longer allows it.
    """
    migrations.check(version, min_code)
    ready: dict[str, Any] = {"status": "ready", "schema": version}
    if unsafe:
        ready |= {"status": "degraded", "unsafe": list(unsafe)}
    return ready
