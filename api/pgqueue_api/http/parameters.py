"""What query parameters and path parts may hold."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from uuid import UUID

from pgqueue_api.problems import Invalid

__all__ = ["decode_id", "encode_id", "plain", "time_of", "wrong"]


def plain(text: str | None, parameter: str) -> str | None:
    """Give a text that PostgreSQL can take."""
    if text is not None and not text.isprintable():
        raise wrong(parameter, "characters that cannot be printed are not allowed")
    return text


def time_of(text: str | None, parameter: str) -> str | None:
    """Give a time as PostgreSQL takes it; without a time zone it is in UTC."""
    if text is None:
        return None
    try:
        # a plus sign that was not escaped arrives as a space
        at = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    except (ValueError, OverflowError) as error:
        raise wrong(parameter, "this is not a time such as 2026-01-02T03:04:05Z") from error


def wrong(parameter: str, message: str) -> Invalid:
    """Give the error that a parameter is."""
    return Invalid(
        "a parameter cannot be right", errors=[{"parameter": parameter, "message": message}]
    )


def encode_id(before: str | None) -> str | None:
    """Give the cursor that an id is."""
    if before is None:
        return None
    return base64.urlsafe_b64encode(UUID(before).bytes).decode().rstrip("=")


def decode_id(cursor: str | None) -> UUID | None:
    """Give the id that a cursor is."""
    if cursor is None:
        return None
    try:
        return UUID(bytes=base64.b64decode(cursor + "==", altchars=b"-_", validate=True))
    except (ValueError, binascii.Error) as error:
        raise wrong("cursor", "this is no cursor that a page gave as next") from error
