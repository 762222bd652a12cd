"""The duty that watches the growth of dead letters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from pgqueue_worker.duties.duty import DeadLetterLevel, Duty

if TYPE_CHECKING:
    from pgqueue_worker.duties.duty import Tools

__all__ = ["DUTIES"]

_log = structlog.get_logger("pgqueue.maintenance")


async def _watch(tools: Tools) -> None:
    for kind, queue, message, data in await tools.link.rows("watch_dead_letters"):
        log = _log.warning if kind == "dead_letters_growing" else _log.info
        log(kind, queue=queue, said=message, last_hour=data["last_hour"])
    levels = await tools.link.rows("read_dead_letter_levels")
    tools.on_dead_letters([DeadLetterLevel._make(row) for row in levels])


DUTIES = (Duty("dead_letters", _watch, interval_s=10.0),)
