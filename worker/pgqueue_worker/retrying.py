"""Waiting until the database is back: without noise, and never in step with others."""

from __future__ import annotations

import asyncio
import random

import structlog

__all__ = ["Patience"]

_log = structlog.get_logger("pgqueue.worker")

_FIRST_S = 0.1
_MAX_S = 3.0


class Patience:
    """Pauses longer after each failure in a row; logs only the first failure and the recovery."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._failures = 0

    async def failed(self, error: Exception) -> None:
        """Log the first failure, and pause."""
        if not self._failures:
            _log.warning("database_unavailable", doing=self._what, error=str(error))
        self._failures += 1
        pause = min(_MAX_S, _FIRST_S * 2.0 ** min(self._failures, 10))
        await asyncio.sleep(pause * (0.5 + random.random() / 2))  # noqa: S311  spread, not secrecy

    def succeeded(self) -> None:
        """Log the recovery, if there was a failure."""
        if self._failures:
            _log.info("database_available_again", doing=self._what, failures=self._failures)
            self._failures = 0
