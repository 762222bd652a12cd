"""What a submit uses of the services of its process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pgqueue.database.pool import Pool
    from pgqueue_api.bounds import Bounds
    from pgqueue_api.live.hub import Hub
    from pgqueue_api.submit.doorbell import Doorbell
    from pgqueue_api.submit.group_commit import Submitter
    from pgqueue_api.submit.types import Registry

__all__ = ["Services"]


class Services(Protocol):
    """What a submit uses of the services of its process."""

    bounds: Bounds
    registry: Registry
    submitter: Submitter
    doorbell: Doorbell
    writes: Pool
    keyed: Pool
    hub: Hub
