"""What a supervisor is asked to run."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pgqueue.commands.process_count import ONE, Processes
from pgqueue.models.webhook import QUEUE

__all__ = ["Plan"]

_MAX_DELIVERIES = 200  # webhooks under way at once: they mostly wait


@dataclass(frozen=True, slots=True)
class Plan:
    """What the processes of a supervisor run. No queues means all queues."""

    dsn: str
    app: str | None = None
    builtin: bool = False
    queues: tuple[str, ...] = ()
    processes: Processes = ONE
    concurrency: int = 10
    burst: bool = False
    delivers: bool = False

    def for_deliveries(self) -> Plan:
        """Return the plan of the process that sends webhooks, whatever the others run."""
        return replace(
            self,
            app=None,
            builtin=False,
            queues=(QUEUE,),
            concurrency=_MAX_DELIVERIES,
            delivers=True,
        )
