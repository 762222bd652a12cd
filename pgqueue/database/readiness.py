"""The answer of /readyz, for both the API and workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NotRequired, TypedDict

from pgqueue.database import migrations

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ReadinessReport", "readiness"]


class ReadinessReport(TypedDict):
    """The answer: ``detail`` says what is missing, ``unsafe`` which settings may lose data."""

    status: Literal["ready", "degraded", "not_ready"]
    schema: NotRequired[int | None]
    unsafe: NotRequired[list[str]]
    detail: NotRequired[str]


def readiness(version: int | None, min_code: int | None, unsafe: Sequence[str]) -> ReadinessReport:
    """Return ready, or degraded if data may be lost, by what the query ``readiness`` returned.

    Raise ``SchemaMismatch`` where the schema is behind this code, or no longer allows it.
    """
    migrations.check(version, min_code)
    if unsafe:
        return {"status": "degraded", "schema": version, "unsafe": list(unsafe)}
    return {"status": "ready", "schema": version}
