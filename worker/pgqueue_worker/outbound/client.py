"""One request to a host that a user named, within bounds.

Requests go to public addresses only, and to those that an operator allows. A host with any other
address is refused, and the address that was checked is the one that is connected to. Redirects are
not followed, proxies of the environment are not used, and nothing is kept between requests.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import httpcore

from pgqueue_worker.outbound.addresses import Allowed
from pgqueue_worker.outbound.backend import GuardedBackend, Resolve, ThreadedResolver
from pgqueue_worker.outbound.errors import AnswerLost, Refused, TimedOut, Unreachable

__all__ = ["Answer", "Outbound"]

_CONNECT_S = 5.0
_TOTAL_S = 15.0
_MAX_BYTES = 64 * 1024
_MAX_URL = 2048
_PLAIN = re.compile(r"[!-~]+")
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]+\]")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the body up to the bound; ``cut`` says that there was more."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: bool
    took_s: float


class Outbound:
    """Makes requests; any number at once."""

    def __init__(
        self,
        allowed: Allowed | None = None,
        *,
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
        connect_s: float = _CONNECT_S,
        total_s: float = _TOTAL_S,
        max_bytes: int = _MAX_BYTES,
    ) -> None:
        self._backend = GuardedBackend(resolve or ThreadedResolver(), allowed or Allowed())
        self._tls = tls or httpcore.default_ssl_context()
        self._connect_s = connect_s
        self._total_s = total_s
        self._max_bytes = max_bytes

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
    ) -> Answer:
        """Make one request and return its answer, whatever its status.

        Raise an ``OutboundError`` that says why there is none.
        """
        parts = check_url(url)
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(self._total_s):
                status, received, body, cut = await self._exchange(method, parts, headers, content)
        except TimeoutError as error:
            raise TimedOut(f"no whole answer within {self._total_s:g} s") from error
        except httpcore.ConnectTimeout as error:
            raise TimedOut(f"not connected within {self._connect_s:g} s") from error
        except httpcore.TimeoutException as error:
            raise TimedOut(f"no answer within {self._total_s:g} s") from error
        except (httpcore.ConnectError, ssl.SSLError) as error:
            raise Unreachable(f"no connection: {_text_of(error)}") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            raise AnswerLost(f"no answer: {_text_of(error)}") from error
        return Answer(status, received, body, cut, loop.time() - began)

    async def _exchange(
        self,
        method: str,
        parts: SplitResult,
        headers: Mapping[str, str] | None,
        content: bytes,
    ) -> tuple[int, dict[str, str], bytes, bool]:
        sent = {
            "Host": parts.netloc,
            "Accept-Encoding": "identity",  # what is decompressed has no bound
            "Connection": "close",
            **(headers or {}),
            "Content-Length": str(len(content)),
        }
        async with (
            httpcore.AsyncConnectionPool(
                ssl_context=self._tls, network_backend=self._backend, max_keepalive_connections=0
            ) as pool,
            pool.stream(
                method.encode("ascii"),
                httpcore.URL(
                    scheme=parts.scheme.encode("ascii"),
                    host=(parts.hostname or "").encode("ascii"),
                    port=parts.port or _PORTS[parts.scheme],
                    target=_target(parts).encode("ascii"),
                ),
                headers=[(name.encode(), value.encode("latin-1")) for name, value in sent.items()],
                content=content,
                extensions={"timeout": {"connect": self._connect_s}},
            ) as response,
        ):
            body = bytearray()
            async for chunk in response.aiter_stream():
                body += chunk
                if len(body) > self._max_bytes:
                    break
        names = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in response.headers}
        return response.status, names, bytes(body[: self._max_bytes]), len(body) > self._max_bytes


def check_url(url: str) -> SplitResult:
    """Return the parts of a URL, or raise ``Refused``.

    It must be http or https, with a host and without a user, in ASCII, of at most 2,048 characters.
    """
    if len(url) > _MAX_URL or not _PLAIN.fullmatch(url):
        raise Refused(
            f"the URL must be plain ASCII of at most {_MAX_URL:,} characters; it has {len(url):,}"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Refused(f"the URL cannot be read: {error}") from error
    if parts.scheme not in _PORTS:
        raise Refused(f"the URL must be http or https, not {parts.scheme or 'without a scheme'}")
    if "@" in parts.netloc:
        raise Refused("the URL must not name a user")
    bare = parts.netloc.removesuffix(f":{port}") if port is not None else parts.netloc.rstrip(":")
    if port == 0 or not _HOST.fullmatch(bare):
        raise Refused(f"the URL names no host: {url[:100]!r}")
    return parts._replace(fragment="")


def _target(parts: SplitResult) -> str:
    path = parts.path or "/"
    return f"{path}?{parts.query}" if parts.query else path


def _text_of(error: BaseException) -> str:
    text = str(error) or (str(error.__cause__) if error.__cause__ else "")
    return (text or type(error).__name__)[:500]
