"""What streams use of the services of their process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pgqueue.database.pool import Pool
    from pgqueue_api.access.gate import Gate
    from pgqueue_api.bounds import Bounds
    from pgqueue_api.live.hub import Hub
    from pgqueue_api.metrics import Metrics

__all__ = ["Services"]


class Services(Protocol):
    """What streams use of the services of their process."""

    bounds: Bounds
    metrics: Metrics
    reads: Pool
    hub: Hub
    gate: Gate
