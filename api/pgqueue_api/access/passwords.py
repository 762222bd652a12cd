"""Signing in with a password: slow to guess, and nothing to learn from a refusal.

Unknown users, wrong passwords and users without one take as long and are answered alike. Tries that
fail make the next ones of the same address, and of the same network, wait: up to a minute.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from ipaddress import ip_address, ip_network
from math import ceil
from typing import TYPE_CHECKING

from pgqueue.credentials import hash_password, password_fits
from pgqueue_api.problems import TooManyTries, Unauthenticated

if TYPE_CHECKING:
    from pgqueue.database.pool import Pool, Row

__all__ = ["Passwords"]

_AT_ONCE = 2  # a hash takes 64 MiB
_FREE_TRIES = {"email": 5, "network": 20}
_LONGEST_S = 60.0
_FORGOTTEN_S = 15 * 60.0
_MAX_KNOWN = 10_000

_Source = tuple[str, str]


class Passwords:
    """Checks passwords, and counts the tries that failed in this process."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._failed: OrderedDict[_Source, tuple[int, float]] = OrderedDict()

    async def hash(self, password: str) -> str:
        """Return the hash of a password; ``UsageError`` if it is too short or long."""
        async with self._turns:
            return await asyncio.to_thread(hash_password, password)

    async def check(self, email: str, password: str, client: str) -> Row:
        """Return the user with this password.

        Raises:
            Unauthenticated: there is none.
            TooManyTries: there were too many tries lately.
        """
        sources = [("email", email.lower()), ("network", _network(client))]
        wait_s = max(map(self._wait_s, sources))
        if wait_s > 0:
            raise TooManyTries(
                "too many passwords were tried", retry_after_s=ceil(wait_s), hint="wait a moment"
            )
        for source in sources:  # before the answer is known: tries at the same time count, too
            self._count(source)
        async with self._turns:
            row = await self._pool.row("find_password", {"email": email})
            hashed = None if row is None else row["password_hash"]
            fits = await asyncio.to_thread(password_fits, password, hashed)
        if row is None or not fits:
            raise Unauthenticated(
                "the e-mail address or the password is wrong",
                hint="an admin can set a new one: `pgqueue users reset`",
            )
        self._failed.pop(sources[0], None)
        return row

    def _wait_s(self, source: _Source) -> float:
        tries, at = self._failed.get(source, (0, 0.0))
        over = tries - _FREE_TRIES[source[0]]
        if over < 0:
            return 0.0
        return at + min(2.0**over, _LONGEST_S) - time.monotonic()

    def _count(self, source: _Source) -> None:
        tries, at = self._failed.pop(source, (0, 0.0))
        now = time.monotonic()
        self._failed[source] = (1 if now - at > _FORGOTTEN_S else tries + 1, now)
        if len(self._failed) > _MAX_KNOWN:
            self._failed.popitem(last=False)


def _network(client: str) -> str:
    try:
        address = ip_address(client)
    except ValueError:
        return client
    return str(ip_network(f"{address}/{24 if address.version == 4 else 64}", strict=False))
