"""The one listener of a supervisor: wake-ups and control messages for all its worker processes.

A notification is a hint: after every connect all processes look once, and workers poll in any case.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from pgqueue.database.listener import Listener

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["doorbell"]


def doorbell(
    dsn: str,
    name: str,
    *,
    listen: str,
    echo: Callable[[str], Awaitable[Any]],
    on_ring: Callable[[list[str]], None],
    on_control: Callable[[str], None],
) -> Listener:
    """Return the listener of a supervisor; ``echo`` notifies a payload over another connection."""

    def hear(channel: str, payload: str) -> None:
        if channel == "pgqueue_ready":
            on_ring(payload.split(","))
        else:
            on_control(payload)

    return Listener(
        dsn,
        f"worker {name}:{secrets.token_hex(4)}",  # containers may share host and pid
        application_name="pgqueue listen",
        listen=listen,
        echo=echo,
        hear=hear,
        on_connect=lambda: on_ring([]),
    )
