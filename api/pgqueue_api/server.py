"""The HTTP server of one API process."""

from __future__ import annotations

import asyncio
import gc
import resource
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from pgqueue import logs, telemetry
from pgqueue.database.access import prepare_access
from pgqueue.errors import DatabaseUnavailable
from pgqueue.processes import stop_signals
from pgqueue_api.app import create_app
from pgqueue_api.bounds import Bounds
from pgqueue_api.http.connection import Connection

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from pgqueue.settings import Settings
    from pgqueue_api.app import Api

__all__ = ["Server", "serve"]

_MANY = 1_000_000
_log = logs.get_logger("pgqueue.api")


class Server(uvicorn.Server):
    """uvicorn that ends the event streams first, so that a stop need not wait for them."""

    def __init__(self, app: Api, host: str, port: int, grace_s: float) -> None:
        self._app = app
        app.services.listen_on(host)
        self.ready = asyncio.Event()
        """Set when requests are taken."""
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                loop="uvloop",
                http=Connection.within(app.services.bounds),
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=max(1, int(grace_s)),
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGINT, SIGTERM and SIGHUP, and let the process exit with 0 afterwards."""
        loop = asyncio.get_running_loop()
        signals = stop_signals()
        for number in signals:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)

    @property
    def url(self) -> str:
        """Where it listens, once it is ready; with port 0 the system has chosen one."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to take requests."""
        await super().startup(sockets)
        # what is loaded by now stays for ever, so the garbage collector can ignore it
        gc.collect()
        gc.freeze()
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, answer what is under way, stop."""
        self._app.services.hub.end_streams()
        await super().shutdown(sockets)


def _open_files() -> int:
    """Return how many files this process may open, once it may open as many as it is allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return _MANY if hard == resource.RLIM_INFINITY else hard


def serve(host: str, port: int, settings: Settings) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP; requests under way are answered within the grace."""
    logs.configure(settings.log_format, settings.log_level)
    try:
        prepare_access(settings.dsn(), host, settings)
    except DatabaseUnavailable as error:  # it answers 503 until there is one, and is not open
        _log.warning("access_unknown", error=str(error))
    bounds = Bounds.of(settings).with_files(_open_files())
    telemetry.configure("pgqueue-api")
    try:
        Server(create_app(settings, bounds), host, port, settings.grace_s).run()
    finally:
        telemetry.shutdown()
