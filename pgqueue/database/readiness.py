"""The answer of /readyz, for both the API and workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NotRequired

from typing_extensions import TypedDict

from pgqueue.database import migrations

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["HeldTask", "ReadinessReport", "readiness"]


class HeldTask(TypedDict):
    """A task that does not start, how long it has waited, and why; of the query ``held_back``."""

    queue: str
    type: str
    task_id: str
    waits_s: float
    code: str
    message: str


class ReadinessReport(TypedDict):
    """The answer.

    ``detail`` says what is missing, ``unsafe`` which settings may lose data, ``waiting`` what holds
    tasks back anywhere in the service.
    """

    status: Literal["ready", "degraded", "not_ready"]
    schema: NotRequired[int | None]
    unsafe: NotRequired[list[str]]
    detail: NotRequired[str]
    waiting: NotRequired[list[HeldTask]]


def readiness(version: int | None, min_code: int | None, unsafe: Sequence[str]) -> ReadinessReport:
    """Return ready, or degraded if data may be lost, by what the query ``readiness`` returned.

    Raise ``SchemaMismatch`` where the schema is behind this code, or no longer allows it.
    """
    migrations.check(version, min_code)
    if unsafe:
        return {"status": "degraded", "schema": version, "unsafe": list(unsafe)}
    return {"status": "ready", "schema": version}
