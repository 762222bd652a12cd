"""The SMTP server as a campaign uses it: one connection, one message at a time."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pgqueue.handlers.failure import clean
from pgqueue_tasks.errors import EngineFailed

from .settings import MailSettings

if TYPE_CHECKING:
    import aiosmtplib

__all__ = ["Deferred", "MailServer", "NoAnswer", "NotTaken", "connected"]

_MAX_SAID = 120  # bytes: a checkpoint has them for each of 1,000 recipients


class NotTaken(Exception):
    """A message was refused for good: by the server (5xx), or because it cannot be composed."""


class Deferred(Exception):
    """The server refused a message for now (4xx)."""


class NoAnswer(Exception):
    """The message was handed over, and no answer came: it is unknown whether it was accepted."""


class MailServer:
    """A connection that is open, and greeted, and logged in."""

    def __init__(self, client: aiosmtplib.SMTP, settings: MailSettings) -> None:
        self._client = client
        self._settings = settings
        self._errors = import_module("aiosmtplib")

    async def address(self, sender: str, recipient: str) -> None:
        """Announce a message; raises ``NotTaken``, ``Deferred`` or ``EngineFailed``."""
        try:
            await self._client.mail(sender)
            await self._client.rcpt(recipient)
        except self._errors.SMTPResponseException as error:
            said = self._said(error)
            try:
                await self._client.rset()
            except self._errors.SMTPException as lost:
                raise EngineFailed(f"the mail server failed: {said_of(lost)}") from None
            raise (NotTaken(said) if error.code >= 500 else Deferred(said)) from None
        except (self._errors.SMTPException, OSError) as error:
            raise EngineFailed(f"the mail server failed: {said_of(error)}") from None

    async def hand_over(self, message: bytes) -> None:
        """Send a message that was announced; raises as ``address`` does, and ``NoAnswer``."""
        try:
            await self._client.data(message)
        except self._errors.SMTPResponseException as error:
            said = self._said(error)
            raise (NotTaken(said) if error.code >= 500 else Deferred(said)) from None
        except (self._errors.SMTPException, OSError) as error:
            raise NoAnswer(said_of(error)) from None

    def _said(self, error: Any) -> str:
        return _without(f"{error.code} {error.message}", self._settings)


@asynccontextmanager
async def connected(settings: MailSettings) -> AsyncIterator[MailServer]:
    """Return a connection for the block; raise ``EngineFailed`` when there is none."""
    library = import_module("aiosmtplib")
    client: aiosmtplib.SMTP = library.SMTP(
        hostname=settings.host,
        port=settings.port_used,
        timeout=settings.timeout_s,
        use_tls=settings.tls == "tls",
        start_tls=settings.tls == "starttls",
        tls_context=_tls(settings) if settings.tls != "none" else None,
    )
    where = f"{settings.host}:{settings.port_used}"
    try:
        try:
            await client.connect()
            if settings.username:
                await client.login(settings.username, settings.password.get_secret_value())
        except (library.SMTPException, OSError, ValueError) as error:
            said = _without(said_of(error), settings)
            raise EngineFailed(f"the mail server {where} cannot be used: {said}") from None
        yield MailServer(client, settings)
    finally:
        _hang_up(client)


def _hang_up(client: aiosmtplib.SMTP) -> None:
    """Close at once: answered messages are done, and a stalled server is not worth waiting for."""
    transport = client.transport
    client.close()
    if isinstance(transport, asyncio.Transport):
        transport.abort()  # with TLS, close would wait for the other side to close


def said_of(error: BaseException) -> str:
    """Return the message of an error, on one line."""
    return _line(str(error) or type(error).__name__)


def _tls(settings: MailSettings) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if settings.ca_file:
        context.load_verify_locations(settings.ca_file)
    return context


def _without(text: str, settings: MailSettings) -> str:
    password = settings.password.get_secret_value()
    return _line(text.replace(password, "***") if password else text)


def _line(text: str) -> str:
    line = clean(" ".join(text.split()))
    return line.encode()[:_MAX_SAID].decode(errors="ignore")
