"""Finds out who asks, and lets in who may.

A caller is known by an API key in ``Authorization: Bearer pgq_…`` or by the cookie of a session. As
long as the database has no user, and the server listens on its own machine only, everyone may do
everything.

What is known of a key or a session is asked of the database once in ten seconds. The database says
when something was revoked; then all of it is asked again. While it cannot be asked, who was known
is still known, for an hour at most and while it is valid; who was not is not let in.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import math
import time
from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from pgqueue import credentials
from pgqueue.errors import DatabaseUnavailable, PgQueueError
from pgqueue.models.access import ROLES
from pgqueue_api.access.principal import ANYONE, Principal
from pgqueue_api.access.rules import KNOWN
from pgqueue_api.problems import Forbidden, Invalid, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pgqueue.database.pool import Pool
    from pgqueue.models.access import Scope
    from pgqueue_api.access.notes import Notes
    from pgqueue_api.access.oidc import Oidc
    from pgqueue_api.access.rules import Need

__all__ = ["COOKIE", "SAFE", "Gate"]

COOKIE = "__Host-pgqueue"
"""The cookie of a session. Browsers take it over HTTPS, and from their own machine."""
_IDLE_S = 8 * 3600.0
_KNOWN_S = 10.0
_UNKNOWN_S = 1.0
_OUTAGE_S = 3600.0
_WATCH_S = 60.0
_LEEWAY_S = 30
_MAX_KNOWN = 10_000
SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
"""The methods that change nothing."""


class _Known(NamedTuple):
    """What was found of a key, token or session; the times are ``time.monotonic``'s."""

    principal: Principal | None
    fresh_until: float
    valid_until: float


class Gate:
    """Who may pass. ``local``: the server listens on its own machine only."""

    def __init__(self, pool: Pool, notes: Notes, oidc: Oidc | None = None) -> None:
        self._pool = pool
        self._notes = notes
        self._oidc = oidc
        self.local = True
        self._open: bool | None = None
        self._looking = asyncio.Lock()
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[Principal | None]] = {}
        self._forgotten = 0
        self._changed = asyncio.Event()

    async def is_open(self) -> bool:
        """Return whether nobody is asked who they are."""
        if not self.local:
            return False
        while self._open is None:
            async with self._looking:
                if self._open is None:
                    await self._look()
        return self._open

    async def keep_fresh(self) -> None:
        """Look every few seconds whether there are users, should that not have been heard."""
        while True:
            await asyncio.sleep(_KNOWN_S / 2)
            with suppress(PgQueueError):
                await self._look()

    async def _look(self) -> None:
        forgotten = self._forgotten
        row = await self._pool.row("access_is_open")
        if row is not None and forgotten == self._forgotten:
            self._open = row["open"]

    def forget(self) -> None:
        """Something was revoked or added, or may have been: ask the database again."""
        self._forgotten += 1
        self._open = None
        self._known.clear()
        self._asking.clear()
        self._changed.set()
        self._changed = asyncio.Event()

    async def admit(
        self,
        need: Need,
        method: str,
        headers: Mapping[bytes, bytes],
        *,
        submits: bool = False,
    ) -> Principal:
        """Return who asks, if they may; ``need`` is what they need, ``submits`` what they do.

        Raises:
            Unauthenticated: nobody, or a key or a session that is not valid.
            Forbidden: someone who may not do this, or a page without its token.
            DatabaseUnavailable: it cannot be found out.
        """
        principal = await self.principal(headers)
        if need != KNOWN:
            principal.check_scope(need)
            if principal.narrow and not submits:
                raise Forbidden("this key only submits", hint="it is for some queues or types")
        if principal.csrf_token is not None and method not in SAFE:
            token = headers.get(b"x-csrf-token", b"")
            if not hmac.compare_digest(token, principal.csrf_token.encode()):
                raise Forbidden(
                    "the page did not send its X-CSRF-Token",
                    hint="send the csrf_token of GET /v1/me, or use an API key",
                )
        return principal

    async def principal(self, headers: Mapping[bytes, bytes]) -> Principal:
        """Return who asks, or raise ``Unauthenticated``."""
        if await self.is_open():
            return ANYONE
        authorization, token = headers.get(b"authorization"), _cookie(headers.get(b"cookie", b""))
        if authorization is not None and token is not None:
            raise Invalid("the request has a key and a session", hint="send one of them")
        found: Principal | None = None
        if authorization is not None:
            kind, _, text = authorization.decode("latin-1").partition(" ")
            if kind.lower() == "bearer":
                found = await self._find(text.strip(), session=False)
        elif token is not None:
            found = await self._find(token, session=True)
        if found is None:
            raise Unauthenticated(
                "who are you?"
                if authorization is None and token is None
                else "this key or session is not valid, or not any more",
                hint="send Authorization: Bearer pgq_…: `pgqueue keys create` makes a key",
            )
        return found

    async def may(self, scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
        """Return whether a caller who need not say who they are may do this."""
        try:
            return scope in (await self.principal(headers)).scopes
        except (Unauthenticated, Invalid):
            return False

    async def watch(self, principal: Principal, headers: Mapping[bytes, bytes]) -> None:
        """Return when this caller may no longer stay.

        Looks when something changes, and a minute after the last look in any case.
        """
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_WATCH_S):
                    await self._changed.wait()
            with suppress(PgQueueError):
                try:
                    now = await self.principal(headers)
                except (Unauthenticated, Invalid):
                    return
                if not principal.scopes <= now.scopes:
                    return

    async def _find(self, text: str, *, session: bool) -> Principal | None:
        digest = credentials.sha256(text)
        known = self._known.get(digest)
        if known is not None and known.fresh_until > time.monotonic():
            return known.principal
        asking = self._asking.get(digest)
        if asking is None:  # who asks at the same time shares the answer
            asking = asyncio.create_task(self._ask(digest, text, session=session))
            self._asking[digest] = asking
            asking.add_done_callback(lambda done: self._asked(digest, done))
        return await asyncio.shield(asking)

    def _asked(self, digest: bytes, asking: asyncio.Task[Principal | None]) -> None:
        if self._asking.get(digest) is asking:
            del self._asking[digest]
        if not asking.cancelled():
            asking.exception()  # whoever waits for it gets it

    async def _ask(self, digest: bytes, text: str, *, session: bool) -> Principal | None:
        forgotten = self._forgotten
        try:
            found, left_s = await (self._session(digest) if session else self._key(text))
        except DatabaseUnavailable:
            known = self._known.get(digest)
            if known is None or known.principal is None:
                raise
            if min(known.fresh_until + _OUTAGE_S, known.valid_until) < time.monotonic():
                raise
            return known.principal  # so that metrics can be read during an outage, too
        if forgotten == self._forgotten:
            now = time.monotonic()
            lasts_s = _UNKNOWN_S if found is None else min(_KNOWN_S, left_s)
            self._known[digest] = _Known(found, now + lasts_s, now + left_s)
            self._known.move_to_end(digest)
            if len(self._known) > _MAX_KNOWN:
                self._known.popitem(last=False)
        return found

    async def _key(self, text: str) -> tuple[Principal | None, float]:
        if self._oidc is not None and text.count(".") == 2:
            return await self._token(self._oidc, text)
        key = credentials.parse_api_key(text)
        if key is None:
            return None, 0.0
        row = await self._pool.row("find_api_key", {"id": key.id})
        if row is None or not hmac.compare_digest(
            credentials.sha256(key.secret), bytes(row["secret_sha256"])
        ):
            return None, 0.0
        if row["unused_today"]:
            self._notes.take("use_api_key", {"id": key.id})
        found = Principal(
            row["user_id"],
            row["email"],
            row["role"],
            "key",
            ROLES[row["role"]] & frozenset(row["scopes"]),
            key.id,
            _some(row["queues"]),
            _some(row["types"]),
        )
        return found, math.inf if row["left_s"] is None else row["left_s"]

    async def _token(self, oidc: Oidc, text: str) -> tuple[Principal | None, float]:
        try:
            row, until = await oidc.user_of_token(text, self._pool)
        except Unauthenticated:
            return None, 0.0
        scopes = ROLES[row["role"]]
        found = Principal(row["user_id"], row["email"], row["role"], "token", scopes)
        return found, until + _LEEWAY_S - time.time()

    async def _session(self, digest: bytes) -> tuple[Principal | None, float]:
        asked = {"token_sha256": digest, "idle_s": _IDLE_S}
        row = await self._pool.row("find_session", asked)
        if row is None:
            return None, 0.0
        if row["unseen"]:
            self._notes.take("see_session", {"token_sha256": digest})
        found = Principal(
            row["user_id"],
            row["email"],
            row["role"],
            "session",
            ROLES[row["role"]],
            session_sha256=digest,
            csrf_token=hashlib.sha256(b"csrf" + digest).hexdigest(),
        )
        return found, row["left_s"]


def _some(names: list[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)


def _cookie(header: bytes) -> str | None:
    """Return the token of a session in a Cookie header."""
    for part in header.decode("latin-1").split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE and value:
            return value
    return None
