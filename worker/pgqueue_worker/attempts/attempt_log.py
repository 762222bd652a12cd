"""Counts the attempts that ended, and logs them."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import structlog

from pgqueue.models.tasks.status import Outcome
from pgqueue_worker.measurements import DURATIONS_S

if TYPE_CHECKING:
    from pgqueue.handlers.ending import Ending
    from pgqueue_worker.lease import Lease
    from pgqueue_worker.measurements import Measurements

__all__ = ["AttemptLog", "Sampling"]

_log = structlog.get_logger("pgqueue.task")

_MAX_PER_S = 20  # completions that are logged in a second, and tracebacks
_MAX_ERROR = 500
_MAX_TRACEBACK = 8 * 1024  # the task keeps more
_USUAL = (Outcome.COMPLETED, Outcome.SNOOZED, Outcome.RELEASED)


class Sampling:
    """Allows 20 in a second, and counts the others."""

    def __init__(self) -> None:
        self._second = 0
        self._logged = 0
        self._left_out = 0

    def logs(self, now: float) -> bool:
        """Return whether one more at this time, in seconds, is allowed."""
        if int(now) != self._second:
            self._second, self._logged = int(now), 0
        self._logged += 1
        if self._logged > _MAX_PER_S:
            self._left_out += 1
            return False
        return True

    def take(self) -> int:
        """Return how many were left out since the last call."""
        left_out, self._left_out = self._left_out, 0
        return left_out


class AttemptLog:
    """What operators see of attempts: metrics by type and queue, and a line in the log for each."""

    def __init__(self, measurements: Measurements) -> None:
        self._measurements = measurements
        self._completions = Sampling()
        self._tracebacks = Sampling()
        self._loop = asyncio.get_running_loop()

    def ended(self, lease: Lease, ending: Ending, took_s: float) -> None:
        """Count and log an attempt that ran this long.

        One that was released is logged with its reason, and not counted: the task has it still.
        """
        task, outcome = lease.task, ending.outcome
        measurements = self._measurements
        if outcome is not Outcome.RELEASED:
            measurements.count("finished", task.type, task.queue, outcome)
            measurements.observe(DURATIONS_S, took_s, "run_seconds", task.type, task.queue)
            measurements.observe(DURATIONS_S, task.wait_s, "wait_seconds", task.type, task.queue)
        if outcome is Outcome.COMPLETED and not self._completions.logs(self._loop.time()):
            return
        _log.log(
            logging.INFO if outcome in _USUAL else logging.WARNING,
            f"task_{outcome}",
            task_id=task.id,
            type=task.type,
            attempt=task.attempt,
            queue=task.queue,
            seconds=round(took_s, 4),
            **({"not_logged": n} if (n := self._completions.take()) else {}),
            **self._why(ending),
        )

    def _why(self, ending: Ending) -> dict[str, str]:
        """Return the fields that say why an attempt ended as it did."""
        error = ending.error
        if error is None:
            return {} if ending.reason is None else {"reason": ending.reason}
        why = {"error": f"{error['type']}: {error['message'][:_MAX_ERROR]}"}
        traceback = error.get("traceback")
        if traceback and self._tracebacks.logs(self._loop.time()):
            why["exception"] = traceback[-_MAX_TRACEBACK:]  # structlog's name for it
        return why

    def ended_after_completion(self, lease: Lease, ending: Ending) -> None:
        """Log what is ignored because a transaction of the handler had completed its task."""
        _log.warning(
            "ended_after_completion",
            task_id=lease.task.id,
            type=lease.task.type,
            ignored=ending.outcome,
            error=ending.error["message"] if ending.error else None,
        )
