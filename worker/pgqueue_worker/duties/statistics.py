"""Duties that keep the statistics: they fold roll-ups and sample queues."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pgqueue_worker.duties.duty import SOON_S, Duty, QueueSample

if TYPE_CHECKING:
    from pgqueue_worker.duties.duty import Tools

__all__ = ["DUTIES"]

_FULL_FOLD = 20_000
_SAMPLE_S = 2.0
_SHARE = 20  # a sample that took t is repeated after 20 t: it reads the whole backlog


async def _fold(tools: Tools) -> float | None:
    ((folded,),) = await tools.link.rows("fold_rollups")
    return SOON_S if folded >= _FULL_FOLD else None


async def _sample(tools: Tools) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    await tools.link.rows("sample_queues")
    took = loop.time() - began
    samples = await tools.link.rows("read_samples")
    unhandled = await tools.link.rows("read_unhandled")
    tools.on_samples([QueueSample._make(row) for row in samples], dict(unhandled))
    return max(_SAMPLE_S, _SHARE * took)


DUTIES = (
    Duty("fold", _fold, interval_s=10.0),
    Duty("sample", _sample, interval_s=_SAMPLE_S),
)
