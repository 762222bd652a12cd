"""The duty that deletes uploaded files that have expired."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pgqueue_worker.duties.duty import SOON_S, Duty

if TYPE_CHECKING:
    from pgqueue_worker.duties.duty import Tools

__all__ = ["DUTIES"]

_FULL_STEP = 100


async def _prune_uploads(tools: Tools) -> float | None:
    ((done,),) = await tools.link.rows("prune_uploads")
    return SOON_S if done >= _FULL_STEP else None


DUTIES = (Duty("prune_uploads", _prune_uploads, interval_s=60.0),)
