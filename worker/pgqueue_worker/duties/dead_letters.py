"""Duties about dead letters: their growth is watched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from pgqueue_worker.duties.duty import Duty

if TYPE_CHECKING:
    from pgqueue_worker.duties.duty import Tools

__all__ = ["DUTIES"]

_log = structlog.get_logger("pgqueue.maintenance")


async def _letters(tools: Tools) -> None:
    for kind, queue, message, data in await tools.link.rows("watch_dead_letters"):
        growing = kind == "dead_letters_growing"
        say = _log.warning if growing else _log.info
        say(kind, queue=queue, said=message, last_hour=data["last_hour"])
    tools.on_letters(await tools.link.rows("read_dead_letter_levels"))


DUTIES = (Duty("letters", _letters, interval_s=10.0),)
