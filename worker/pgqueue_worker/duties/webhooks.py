"""Duties about webhooks: have them sent, and prune their log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pgqueue.models.webhook import QUEUE
from pgqueue_worker.duties.duty import Duty

if TYPE_CHECKING:
    from pgqueue_worker.duties.duty import Tools

__all__ = ["DUTIES"]


async def _wake(tools: Tools) -> None:
    """Ring when webhooks wait: the supervisor then starts the process that sends them."""
    if (await tools.link.rows("webhooks_wait"))[0][0]:
        tools.ring([QUEUE])


async def _prune(tools: Tools) -> None:
    while (await tools.link.rows("prune_webhooks"))[0][0]:
        pass


DUTIES = (
    Duty("webhooks", _wake, interval_s=1.0),
    Duty("prune_webhooks", _prune, interval_s=600.0),
)
