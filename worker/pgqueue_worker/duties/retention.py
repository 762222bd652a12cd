"""Duties for days: create partitions ahead, and prune days past their retention."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from pgqueue.errors import PgQueueError
from pgqueue.settings import Settings
from pgqueue_worker.duties.duty import FULL_STEP, SOON_S, Duty, is_away

if TYPE_CHECKING:
    from pgqueue_worker.duties.duty import Tools

__all__ = ["DUTIES"]

_log = structlog.get_logger("pgqueue.maintenance")

_DAYS_AHEAD = 8
_HOUSEKEEPING_S = 600.0
_MAX_SLOTS = 5_000  # that prune_schedule_slots deletes in one call
_COPY_S = 1800.0


async def _make_days(tools: Tools) -> None:
    await tools.link.rows("make_partitions", {"days": _DAYS_AHEAD})


async def _prune_days(tools: Tools) -> float | None:
    """Take a step with the first due day that allows one; ask again later for days in use."""
    refused: PgQueueError | None = None
    for (day,) in await tools.link.rows("due_days"):
        try:
            ((did, kept),) = await tools.link.rows("prune_day", {"day": day})
        except PgQueueError as error:
            if is_away(error):
                raise
            refused = refused or error
            continue
        if did != "busy":
            if did not in ("going on", "nothing"):
                await tools.link.rows("forget_day", {"day": day})
                _log.info("day_pruned", day=str(day), did=did, kept=kept)
            return SOON_S
    if refused is not None:
        raise refused
    return None


async def _prune(tools: Tools) -> None:
    await tools.link.rows("prune")
    await tools.link.rows("prune_audit", {"keep_days": Settings().audit_days})
    while (await tools.link.rows("prune_batches"))[0][0] >= FULL_STEP:
        pass
    while (await tools.link.rows("prune_dead_letters"))[0][0]:
        pass
    while (await tools.link.rows("prune_schedule_slots"))[0][0] >= _MAX_SLOTS:
        pass
    while (await tools.link.rows("prune_dedup"))[0][0] >= FULL_STEP:
        pass


DUTIES = (
    Duty("make_days", _make_days, interval_s=_HOUSEKEEPING_S),
    Duty("prune_days", _prune_days, interval_s=_HOUSEKEEPING_S, statement_timeout_s=_COPY_S),
    Duty("prune", _prune, interval_s=_HOUSEKEEPING_S),
)
