"""Duties that keep the statistics: they fold roll-ups and sample queues."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pgqueue_worker.duties.duty import SOON_S, Duty, QueueSample

if TYPE_CHECKING:
    from pgqueue_worker.duties.duty import Tools

__all__ = ["DUTIES"]

_FULL_FOLD = 20_000


async def _fold(tools: Tools) -> float | None:
    ((folded,),) = await tools.link.rows("fold_rollups")
    return SOON_S if folded >= _FULL_FOLD else None


async def _sample(tools: Tools) -> None:
    await tools.link.rows("sample_queues")
    samples = await tools.link.rows("read_samples")
    tools.on_samples([QueueSample._make(row) for row in samples])


DUTIES = (
    Duty("fold", _fold, interval_s=10.0),
    Duty("sample", _sample, interval_s=2.0),
)
