"""The connections that reading and changing a noun needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pgqueue.database.pool import Pool

__all__ = ["Pools"]


class Pools(Protocol):
    """The connections that reading and changing a noun needs.

    ``reads`` may be a replica, a moment behind: after a write, read with ``writes``.
    """

    reads: Pool
    writes: Pool
