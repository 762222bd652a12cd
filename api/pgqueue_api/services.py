"""What the routes of one process share: connections, types, the group commit, the hub."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from pgqueue.addresses import is_loopback
from pgqueue.database.options import Options, Timeouts
from pgqueue.database.pool import Pool
from pgqueue.errors import UsageError
from pgqueue_api.access.audit import Audit
from pgqueue_api.access.gate import Gate
from pgqueue_api.access.notes import Notes
from pgqueue_api.access.oidc import Oidc
from pgqueue_api.access.passwords import Passwords
from pgqueue_api.bounds import Bounds
from pgqueue_api.http.sites import Sites
from pgqueue_api.live.hub import Hub
from pgqueue_api.metrics import Metrics
from pgqueue_api.stats_cache import Stats
from pgqueue_api.submit.doorbell import Doorbell
from pgqueue_api.submit.group_commit import Submitter
from pgqueue_api.submit.types import Registry
from pgqueue_api.upload_store import Uploads

if TYPE_CHECKING:
    from pgqueue.settings import Settings

__all__ = ["Services"]


class Services:
    """Everything between the routes and PostgreSQL. Works, and says 503, without a database."""

    def __init__(self, settings: Settings, bounds: Bounds | None = None) -> None:
        dsn = settings.dsn()
        self._settings = settings
        self.sites = Sites.of(settings)
        self.bounds = bounds or Bounds.of(settings)
        self.metrics = Metrics()
        # reads never wait behind writes, nor health behind either
        self.reads = _pool(dsn, "pgqueue api reads", timeout_s=2, read_only=True)
        self.writes = _pool(dsn, "pgqueue api writes")
        # a task with a key may wait for another transaction that uses it: nobody else waits with it
        self.keyed = _pool(dsn, "pgqueue api keyed")
        # a large file keeps one of them busy again and again
        self.files = _pool(dsn, "pgqueue api files")
        self.uploads = Uploads(self.files, self.bounds)
        self.health = _pool(dsn, "pgqueue api health", size=1, timeout_s=2, read_only=True)
        # whoever asks is let in or not, whatever the others wait for
        self.access = _pool(dsn, "pgqueue api access", size=2, timeout_s=5)
        self.oidc = Oidc.of(settings)
        self.notes = Notes(self.access)
        self.gate = Gate(self.access, self.notes, self.oidc)
        self.passwords = Passwords(self.access)
        self.audit = Audit(self.access, self.notes)
        self.doorbell = Doorbell(dsn)
        self.submitter = Submitter(dsn, self.doorbell, self.bounds, self.metrics)
        self.registry = Registry(self.reads, self.bounds.types_s)
        self.stats = Stats(self.reads)
        self.hub = Hub(
            settings.listen_url or dsn,
            _pool(dsn, "pgqueue api hub", size=2, timeout_s=5),
            self.bounds,
            self.metrics,
            on_types=self.registry.expire,
            on_access=self.gate.forget,
        )
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def public_url(self) -> str:
        """Where browsers reach this server; ``UsageError`` if that is not known."""
        if self._settings.public_url is None:
            raise UsageError("the server does not know its address", hint="set PGQUEUE_PUBLIC_URL")
        return self._settings.public_url

    def listen_on(self, host: str) -> None:
        """Answer as the server that listens there: to names of this machine only, if it is here."""
        self.sites = Sites.of(self._settings, host)
        self.gate.local = is_loopback(host)

    async def start(self) -> None:
        """Start what runs beside the requests; does not wait for the database."""
        self.registry.expire()
        self._tasks = [
            asyncio.create_task(self.registry.keep_fresh()),
            asyncio.create_task(self.gate.keep_fresh()),
            *(asyncio.create_task(loop) for loop in self.hub.loops()),
        ]

    async def stop(self) -> None:
        """Store what waits, then close every connection."""
        self.hub.end_streams()
        await self.submitter.close()
        await self.doorbell.close()
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        await self.hub.close()
        await self.notes.done()
        if self.oidc is not None:
            await self.oidc.issuer.close()
        for pool in (
            self.reads,
            self.writes,
            self.keyed,
            self.files,
            self.health,
            self.access,
        ):
            await pool.close()


def _pool(
    dsn: str, name: str, *, size: int = 4, timeout_s: float = 10, read_only: bool = False
) -> Pool:
    """Return a pool whose statements take ``timeout_s``, after a wait that is little longer.

    It connects when a call needs it and fails at once where it cannot, so that a request need not
    wait for a server that is down.
    """
    options = Options(name, Timeouts(statement_s=timeout_s), read_only=read_only)
    return Pool(dsn, options, size=size, wait_s=timeout_s + 3)
