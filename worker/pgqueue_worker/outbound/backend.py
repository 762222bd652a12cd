"""Connections to addresses that were checked: the address that was resolved is connected to."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpcore

from pgqueue_worker.outbound.addresses import Address, Allowed
from pgqueue_worker.outbound.errors import Refused, Unreachable

__all__ = ["GuardedBackend", "Resolve", "ThreadedResolver"]

Resolve = Callable[[str, int], Awaitable[list[str]]]

_MAX_ADDRESSES = 4


class ThreadedResolver:
    """The system's resolver, in threads of its own, so that a silent name server delays few.

    The event loop has four to six threads, and a look-up may take half a minute, whatever the
    timeout of its caller.
    """

    def __init__(self, threads: int = 64) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="pgqueue-resolve")

    async def __call__(self, host: str, port: int) -> list[str]:
        """Return every address of a host."""
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, _look_up, host, port
        )
        return list(dict.fromkeys(found))

    def close(self) -> None:
        """Look up no more names."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to a host only if all of its addresses are permitted, and then to one of these."""

    def __init__(self, resolve: Resolve, allowed: Allowed) -> None:
        self._resolve = resolve
        self._allowed = allowed
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve once, check all answers, and try them in order."""
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        try:
            async with asyncio.timeout_at(deadline):
                addresses = await self._addresses(host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"{host} was not resolved in time") from error
        left = len(addresses)
        while True:
            address = addresses[-left]
            # an equal share of the time: an address that is silent leaves time for the next
            share = None if deadline is None else max(0.0, deadline - loop.time()) / left
            left -= 1
            try:
                return await self._backend.connect_tcp(
                    str(address), port, share, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if not left:
                    raise

    async def _addresses(self, host: str, port: int) -> list[Address]:
        try:
            found = [ipaddress.ip_address(text) for text in await self._resolve(host, port)]
        except (OSError, UnicodeError) as error:
            raise Unreachable(f"{host} has no address: {error}") from error
        if not found:
            raise Unreachable(f"{host} has no address")
        for address in found:
            if not self._allowed.permits(host, address):
                raise Refused(f"{host} has the address {address}, which is not public")
        return found[:_MAX_ADDRESSES]
