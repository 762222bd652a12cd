"""Connection strings: checked before use, and never shown, because they may hold a password."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import unquote

import psycopg
from psycopg.conninfo import conninfo_to_dict

from pgqueue.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["check_address", "is_loopback", "redact", "redacted"]

_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*)://")
_USER_INFO = re.compile(r"://[^:/?#\s]*:(.*)@", re.DOTALL)
_NAMED = re.compile(
    r"\b(?:password|sslpassword|oauth_client_secret)\s*=\s*('(?:\\.|[^'\\])*'?|[^\s&]*)",
    re.IGNORECASE | re.DOTALL,
)
_PARTS = re.compile(r"[@:/?#&=\s%'\"\\]+")
_MIN_LENGTH = 3  # of what is hidden: to hide each "a" would leave no message


def check_address(dsn: str, name: str = "PGQUEUE_DATABASE_URL") -> None:
    """Raise ``UsageError`` if libpq cannot read a connection string; it quotes nothing of it.

    libpq's own messages quote what they could not read, which may be the password.
    """
    scheme = _SCHEME.match(dsn)
    if scheme and scheme[0] not in {"postgresql://", "postgres://"}:
        raise UsageError(
            f"{name} begins with {scheme[1]}://, which is not PostgreSQL's",
            hint="begin it with postgresql://, such as postgresql://user:password@host:5432/database",
        )
    said = _complaint(dsn)
    if said is not None:
        raise UsageError(
            f"{name} is not a connection string: {said}",
            hint="write postgresql://user:password@host:5432/database, with %-escapes for special "
            "characters, or libpq's form: host=… user=… dbname=…",
        )


def redacted(text: str, dsn: str) -> str:
    """Return a text without the secrets of a connection string, however it was misread."""
    for secret in sorted({*_secrets(dsn)}, key=len, reverse=True):
        text = text.replace(secret, "…")
    return text


def redact(error: BaseException, dsn: str) -> None:
    """Remove the secrets of a connection string from an error and from those that it came of."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        following.args = tuple(
            redacted(one, dsn) if isinstance(one, str) else one for one in following.args
        )
        following = following.__cause__ or following.__context__


def _complaint(dsn: str) -> str | None:
    """Return what libpq says of a connection string that it cannot read, up to what it quotes."""
    try:
        conninfo_to_dict(dsn)
    except psycopg.Error as error:
        said = str(error).partition('"')[0].strip(" :\n")
        return "it is not made of name=value pairs" if said == "missing" else said
    return None


def _secrets(dsn: str) -> Iterator[str]:
    found = [match[1] for match in (*_USER_INFO.finditer(dsn), *_NAMED.finditer(dsn))]
    for one in found:
        for form in (one, one.strip("'"), unquote(one)):
            for part in (form, *_PARTS.split(form)):
                if len(part) >= _MIN_LENGTH:
                    yield part


def is_loopback(host: str) -> bool:
    """Return whether who listens there is reached from this machine only."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
