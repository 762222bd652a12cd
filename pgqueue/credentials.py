"""Secrets of people and programs: how they are made, recognised and kept.

Only hashes are stored. An API key is ``pgq_ID_SECRETCHECK``: the id finds it, the secret is 256
random bits, and the check tells a typing error from a revoked key without a database, as it tells a
scanner that a string in a repository is one of ours. A password is hashed with Argon2id, because
people choose it.
"""

from __future__ import annotations

import binascii
import hashlib
import re
import secrets
from typing import NamedTuple

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from pgqueue.errors import UsageError

__all__ = [
    "MAX_PASSWORD",
    "MIN_PASSWORD",
    "ApiKeySecret",
    "hash_password",
    "new_api_key",
    "new_token",
    "parse_api_key",
    "password_fits",
    "sha256",
]

MIN_PASSWORD, MAX_PASSWORD = 12, 1024

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID, _SECRET, _CHECK = 12, 43, 6
_KEY = re.compile(
    rf"pgq_([0-9A-Za-z]{{{_ID}}})_([0-9A-Za-z]{{{_SECRET}}})([0-9A-Za-z]{{{_CHECK}}})"
)
_hasher = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)  # 64 MiB and some 50 ms a hash
_nobodys = ""  # a hash to compare with when there is no user, so that it takes as long


class ApiKeySecret(NamedTuple):
    """An API key: its id, its secret, and the two as they are sent."""

    id: str
    secret: str

    @property
    def text(self) -> str:
        """The key as its owner sends it."""
        return f"pgq_{self.id}_{self.secret}{_check(self.id, self.secret)}"


def new_api_key() -> ApiKeySecret:
    """Return a new API key."""
    return ApiKeySecret(_random(_ID), _random(_SECRET))


def parse_api_key(text: str) -> ApiKeySecret | None:
    """Return the parts of an API key; ``None`` if no key was ever like this."""
    found = _KEY.fullmatch(text)
    if found is None:
        return None
    id, secret, check = found.groups()
    return ApiKeySecret(id, secret) if check == _check(id, secret) else None


def new_token() -> str:
    """Return the token of a session: 256 random bits."""
    return secrets.token_urlsafe(32)


def sha256(text: str) -> bytes:
    """Return the hash by which a random secret is kept."""
    return hashlib.sha256(text.encode()).digest()


def hash_password(password: str) -> str:
    """Return the hash by which a password is kept; ``UsageError`` if it is too short or long."""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise UsageError(
            f"a password has {MIN_PASSWORD} to {MAX_PASSWORD:,} characters, "
            f"this one has {len(password):,}",
            hint="use a few words, or what a password manager makes",
        )
    return _hasher.hash(password)


def password_fits(password: str, hashed: str | None) -> bool:
    """Return whether a password has this hash; without one it takes as long and is ``False``."""
    global _nobodys  # noqa: PLW0603  made when it is needed first
    if not _nobodys:
        _nobodys = _hasher.hash(secrets.token_hex())
    try:
        _hasher.verify(hashed or _nobodys, password[: MAX_PASSWORD + 1])
    except (VerificationError, InvalidHashError):
        return False
    return hashed is not None


def _check(id: str, secret: str) -> str:
    return _base62(binascii.crc32(f"{id}{secret}".encode()), _CHECK)


def _random(length: int) -> str:
    return "".join(secrets.choice(_DIGITS) for _ in range(length))


def _base62(number: int, length: int) -> str:
    digits = ""
    for _ in range(length):
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits
