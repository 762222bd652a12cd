"""Which web pages may use this API: those that it serves itself, and those of allowed origins.

A browser sends requests to any address that a page names, those of its own machine included, and a
page may even have its own name point there (DNS rebinding). So a server that only this machine
reaches answers to the names of this machine alone, and no page of another site changes anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from pgqueue.addresses import is_loopback
from pgqueue_api.problems import HostNotAllowed, OriginNotAllowed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pgqueue.settings import Settings

__all__ = ["Sites"]

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_SAFE = ("GET", "HEAD", "OPTIONS")
_OTHER_SITES = (b"cross-site", b"same-site")  # such as another port of this machine
_ANY = "*"


@dataclass(frozen=True, slots=True)
class Sites:
    """The names that the server answers to (None: any), and the origins that may change things."""

    hosts: frozenset[str] | None = None
    origins: frozenset[str] = frozenset()

    @classmethod
    def of(cls, settings: Settings, host: str | None = None) -> Self:
        """Return the sites of a server that listens on ``host``; None: that is not known."""
        hosts = _words(settings.api_allowed_hosts)
        if host is not None and is_loopback(host):
            hosts |= {*_LOOPBACK, f"[{host}]" if ":" in host else host.lower()}
        return cls(
            None if not hosts or _ANY in hosts else hosts, _words(settings.api_allowed_origins)
        )

    def check(self, method: str, headers: Mapping[bytes, bytes]) -> None:
        """Raise ``HostNotAllowed`` or ``OriginNotAllowed`` for what a page must not do."""
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if host and self.hosts is not None and _name_in(host) not in self.hosts:
            raise HostNotAllowed(
                f"this server does not answer to {host[:100]!r}",
                hint="use localhost, or name the host in PGQUEUE_API_ALLOWED_HOSTS",
            )
        if method in _SAFE:
            return
        if b"origin" in headers:
            origin = headers[b"origin"].decode("latin-1").lower()
            allowed = origin.partition("://")[2] == host or origin in self.origins
        else:
            origin = "of another site"
            allowed = headers.get(b"sec-fetch-site") not in _OTHER_SITES
        if not allowed:
            raise OriginNotAllowed(
                f"a page {origin[:100]} must not change anything here",
                hint="name its origin in PGQUEUE_API_ALLOWED_ORIGINS, such as https://example.com",
            )


def _words(text: str) -> frozenset[str]:
    return frozenset(word.strip().lower() for word in text.split(",")) - {""}


def _name_in(host: str) -> str:
    """Return a Host without its port."""
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host
