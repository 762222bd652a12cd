"""An issuer of OpenID Connect: where it is asked, and the keys by which its tokens are checked.

Both are fetched when they are needed first, at most once at a time, and kept. Keys are fresh for
ten minutes. A token with an unknown key has them fetched again, at most once a minute, whoever
sends such tokens; an issuer that cannot be reached is trusted by its last keys for a day.
"""

from __future__ import annotations

import asyncio
import time
from base64 import urlsafe_b64decode
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import httpcore
import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from pgqueue import logs
from pgqueue_api.problems import IssuerUnavailable, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Issuer"]

_ALGORITHMS = ["RS256", "ES256", "EdDSA"]
_LEEWAY_S = 30
_FRESH_S = 600.0
_REFETCH_S = 60.0
_STALE_S = 86_400.0
_MAX_ANSWER = 1024 * 1024
_MAX_TOKEN = 16 * 1024
_TIMEOUT_S = 5.0

_log = logs.get_logger("pgqueue.api")


class Issuer:
    """The issuer at ``url``."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpcore.AsyncConnectionPool(max_connections=4)
        self._turn = asyncio.Lock()
        self._metadata: dict[str, Any] | None = None
        self._keys: KeySet | None = None
        self._fetched_at = -_STALE_S
        self._tried_at = -_STALE_S

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def endpoint(self, name: str) -> str:
        """Return the URL of an endpoint, such as ``token_endpoint``."""
        async with self._turn:
            if self._metadata is None:
                self._metadata = await self._discover()
        found = self._metadata.get(name)
        if not isinstance(found, str):
            raise IssuerUnavailable(f"{self.url} has no {name}", hint="is it the right issuer?")
        return found

    async def claims(self, token: str, audience: str) -> dict[str, Any]:
        """Return the claims of a token of this issuer for an audience, with ``typ`` of its header.

        Raises:
            Unauthenticated: it is not such a token, or not any more.
            IssuerUnavailable: its keys cannot be fetched.
        """
        if len(token) > _MAX_TOKEN:
            raise _refused("it is too long")
        try:
            header = _header(token)
            keys = await self._keys_with(header.get("kid"))
            decoded = jwt.decode(token, keys, algorithms=_ALGORITHMS)
            jwt.JWTClaimsRegistry(
                leeway=_LEEWAY_S,
                iss={"essential": True, "value": self.url},
                aud={"essential": True, "value": audience},
                sub={"essential": True},
                exp={"essential": True},
            ).validate(decoded.claims)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise _refused(type(error).__name__) from None
        return {**decoded.claims, "header_typ": str(header.get("typ", ""))}

    async def post(self, url: str, form: Mapping[str, str]) -> dict[str, Any]:
        """Send a form, and return the JSON of the answer."""
        content = urlencode(form).encode()
        return await self._ask("POST", url, content)

    async def _keys_with(self, kid: object) -> KeySet:
        if not isinstance(kid, str):
            raise _refused("it names no key")
        async with self._turn:
            now = time.monotonic()
            old = now - self._fetched_at > _FRESH_S
            known = self._keys is not None and any(key.kid == kid for key in self._keys.keys)
            if (old or not known) and now - self._tried_at > (
                0 if self._keys is None else _REFETCH_S
            ):
                self._tried_at = now
                try:
                    await self._fetch()
                except IssuerUnavailable as error:
                    _log.warning("issuer_unavailable", error=str(error))
                    if self._keys is None:
                        self._tried_at = now - _REFETCH_S  # the next caller may try
                        raise
            if self._keys is None or time.monotonic() - self._fetched_at > _STALE_S:
                raise IssuerUnavailable(f"the keys of {self.url} cannot be fetched")
            found = [key for key in self._keys.keys if key.kid == kid]
        if not found:
            raise _refused("its key is not known")
        return KeySet(found)

    async def _fetch(self) -> None:
        if self._metadata is None:
            self._metadata = await self._discover()
        answer = await self._ask("GET", str(self._metadata.get("jwks_uri")))
        try:
            keys = KeySet.import_key_set(
                {"keys": [key for key in answer["keys"] if key.get("kty") in ("RSA", "EC", "OKP")]}
            )
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise IssuerUnavailable(f"{self.url} has keys that cannot be read") from error
        self._keys = keys
        self._fetched_at = time.monotonic()

    async def _discover(self) -> dict[str, Any]:
        found = await self._ask("GET", self.url.rstrip("/") + "/.well-known/openid-configuration")
        if found.get("issuer") != self.url:
            raise IssuerUnavailable(
                f"{self.url} calls itself {str(found.get('issuer'))[:200]!r}",
                hint="set PGQUEUE_OIDC_ISSUER to that, exactly",
            )
        return found

    async def _ask(self, method: str, url: str, content: bytes = b"") -> dict[str, Any]:
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1"):
            raise IssuerUnavailable(f"{url[:200]!r} is not https", hint="an issuer needs TLS")
        headers = [(b"Host", parts.netloc.encode()), (b"Accept", b"application/json")]
        if content:
            headers.append((b"Content-Type", b"application/x-www-form-urlencoded"))
            headers.append((b"Content-Length", b"%d" % len(content)))
        timeouts = dict.fromkeys(("connect", "read", "write", "pool"), _TIMEOUT_S)
        body = b""
        try:
            async with (
                asyncio.timeout(2 * _TIMEOUT_S),
                self._http.stream(
                    method, url, headers=headers, content=content, extensions={"timeout": timeouts}
                ) as answer,
            ):
                async for piece in answer.aiter_stream():
                    body += piece
                    if len(body) > _MAX_ANSWER:
                        raise IssuerUnavailable(f"{parts.netloc} sent too much")
            found = orjson.loads(body)
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
            raise IssuerUnavailable(f"{parts.netloc} does not answer: {error}") from error
        except (TimeoutError, OSError) as error:
            raise IssuerUnavailable(f"{parts.netloc} does not answer") from error
        except ValueError as error:
            raise IssuerUnavailable(f"{parts.netloc} did not answer with JSON") from error
        if answer.status >= 400 or not isinstance(found, dict):
            what = found.get("error") if isinstance(found, dict) else None
            raise IssuerUnavailable(f"{parts.netloc} answered {answer.status}: {str(what)[:100]}")
        return found


def _header(token: str) -> dict[str, Any]:
    first = token.partition(".")[0]
    header = orjson.loads(urlsafe_b64decode(first + "=" * (-len(first) % 4)))
    if not isinstance(header, dict):
        raise _refused("its header is no object")
    return header


def _refused(why: str) -> Unauthenticated:
    _log.info("token_refused", why=why)
    return Unauthenticated(
        "this key or session is not valid, or not any more",
        hint="send Authorization: Bearer pgq_…: `pgqueue keys create` makes a key",
    )
