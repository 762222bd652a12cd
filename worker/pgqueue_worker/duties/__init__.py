"""The duties of maintenance, in modules by what they mind.

A new one is a function and a line in the ``DUTIES`` of its module, and a module is a line here.
"""

from __future__ import annotations

from pgqueue_worker.duties import (
    dead_letters,
    groups,
    operations,
    retention,
    schedules,
    statistics,
    tokens,
    uploads,
    webhooks,
)
from pgqueue_worker.duties.duty import Duty, Tools

__all__ = ["DUTIES", "Duty", "Tools"]

DUTIES: tuple[Duty, ...] = (
    *tokens.DUTIES,
    *statistics.DUTIES,
    *dead_letters.DUTIES,
    *groups.DUTIES,
    *operations.DUTIES,
    *schedules.DUTIES,
    *retention.DUTIES,
    *uploads.DUTIES,
    *webhooks.DUTIES,
)
