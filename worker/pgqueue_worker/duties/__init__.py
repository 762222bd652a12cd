"""Maintenance: the duties that any supervisor may do, in modules by their subject.

Rows that are due enter, by way of the database. Out go changes to it, rings for queues that became
runnable, and samples for metrics. A duty is a function and a line in the ``DUTIES`` of its module;
a module is a line here.
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
from pgqueue_worker.duties.duty import DeadLetterLevel, Duty, QueueSample, Tools

__all__ = ["DUTIES", "DeadLetterLevel", "Duty", "QueueSample", "Tools"]

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
