"""Connections to addresses that were looked at: the one resolved name is the one connected to."""

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

_MOST_ADDRESSES = 4


class ThreadedResolver:
    """The system's resolver, in threads of its own: a name server that is silent delays few.

    The threads of the event loop are four to six, and who waits for a name may do so for half a
    minute, whatever timeout its caller has.
    """

    def __init__(self, threads: int = 64) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="pgqueue-resolve")

    async def __call__(self, host: str, port: int) -> list[str]:
        """Give every address of a host."""
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, _look_up, host, port
        )
        return list(dict.fromkeys(found))

    def close(self) -> None:
        """Ask for no more names."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to a host only if every address it has may be reached, and then to one of these."""

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
        """Resolve once, look at all answers, and try them in their order."""
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
            # a share for each: one that is silent leaves time for the next
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
        return found[:_MOST_ADDRESSES]
