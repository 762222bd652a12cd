"""Waiting out a database that is away: quietly, with jitter, never in step with others."""

from __future__ import annotations

import asyncio
import random

import structlog

_log = structlog.get_logger("pgqueue.worker")

_FIRST_S = 0.1
_LONGEST_S = 3.0


class Patience:
    """Grows the pause with each failure in a row, and logs the first and the recovery only."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._failures = 0

    async def failed(self, error: Exception) -> None:
        """Log the first failure and pause."""
        if not self._failures:
            _log.warning("database_unavailable", doing=self._what, error=str(error))
        self._failures += 1
        longest = min(_LONGEST_S, _FIRST_S * 2.0 ** min(self._failures, 10))
        await asyncio.sleep(longest * (0.5 + random.random() / 2))  # noqa: S311  spread, not secrecy

    def succeeded(self) -> None:
        """Log the recovery, if there was a failure."""
        if self._failures:
            _log.info("database_available_again", doing=self._what, failures=self._failures)
            self._failures = 0
