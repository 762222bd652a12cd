"""The parameters that operations share, what they may hold, and who asks."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Request
from litestar.openapi.spec import Example
from litestar.params import HeaderParameter, PathParameter, QueryParameter

from pgqueue.models.base import EXAMPLE_ID
from pgqueue_api.problems import Invalid

__all__ = [
    "Cursor",
    "IfMatch",
    "PageSize",
    "QueueFilter",
    "Traceparent",
    "TypeFilter",
    "asker",
    "decode_id",
    "decode_name",
    "encode_id",
    "encode_name",
    "id_in_path",
    "name_in_path",
    "plain",
    "prefer_wait",
    "time_filter",
    "time_of",
    "wait_in",
    "wrong",
]

_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})\"?", re.IGNORECASE)

Cursor = Annotated[
    str | None,
    QueryParameter(name="cursor", max_length=400, description="`next` of the previous page."),
]
PageSize = Annotated[
    int,
    QueryParameter(name="limit", ge=1, le=200, description="How many items to return at most."),
]
TypeFilter = Annotated[
    str | None,
    QueryParameter(name="type", max_length=100, description="Only of this type."),
]
QueueFilter = Annotated[
    str | None,
    QueryParameter(name="queue", max_length=100, description="Only in this queue."),
]
IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        description="Change it only in this version: the ETag that you read. Without it, in any.",
        examples=[Example(value='"1"')],
    ),
]

Traceparent = Annotated[
    str | None,
    HeaderParameter(
        name="traceparent", description="The W3C trace context, which travels with the task."
    ),
]


def prefer_wait(description: str) -> HeaderParameter:
    """Describe the header ``Prefer: wait=N`` of an operation."""
    return HeaderParameter(
        name="Prefer", description=description, examples=[Example(value="wait=30")]
    )


def time_filter(name: str, description: str) -> QueryParameter:
    """Describe a time in a query."""
    return QueryParameter(
        name=name, max_length=40, description=description, schema_extra={"format": "date-time"}
    )


def id_in_path(description: str) -> PathParameter:
    """Describe an id in a path."""
    return PathParameter(description=description, examples=[Example(value=EXAMPLE_ID)])


def name_in_path(
    description: str, example: str, *, max_length: int = 100, pattern: str | None = None
) -> PathParameter:
    """Describe a name in a path."""
    return PathParameter(
        description=description,
        examples=[Example(value=example)],
        min_length=1 if pattern is None else None,
        max_length=max_length if pattern is None else None,
        pattern=pattern,
    )


def plain(text: str | None, parameter: str) -> str | None:
    """Return a text that PostgreSQL can take."""
    if text is not None and not text.isprintable():
        raise wrong(parameter, "characters that cannot be printed are not allowed")
    return text


def time_of(text: str | None, parameter: str) -> str | None:
    """Return a time as PostgreSQL takes it; without a time zone it is in UTC."""
    if text is None:
        return None
    try:
        # a plus sign that was not escaped arrives as a space
        at = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    except (ValueError, OverflowError) as error:
        raise wrong(parameter, "use a time such as 2026-01-02T03:04:05Z") from error


def wrong(parameter: str, message: str) -> Invalid:
    """Return the error for a parameter that is not valid."""
    return Invalid(
        "a parameter is not valid", errors=[{"parameter": parameter, "message": message}]
    )


def encode_id(before: str | None) -> str | None:
    """Return the cursor of an id."""
    if before is None:
        return None
    return base64.urlsafe_b64encode(UUID(before).bytes).decode().rstrip("=")


def decode_id(cursor: str | None) -> UUID | None:
    """Return the id of a cursor."""
    if cursor is None:
        return None
    try:
        return UUID(bytes=base64.b64decode(cursor + "==", altchars=b"-_", validate=True))
    except (ValueError, binascii.Error) as error:
        raise _wrong_cursor() from error


def encode_name(name: str) -> str:
    """Return the cursor of a name."""
    return base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")


def decode_name(cursor: str | None) -> str:
    """Return the name of a cursor; the empty one, which is before all, for none."""
    if cursor is None:
        return ""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        name = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (ValueError, binascii.Error) as error:
        raise _wrong_cursor() from error
    if "\0" in name:
        raise _wrong_cursor()
    return name


def _wrong_cursor() -> Invalid:
    return wrong("cursor", "use the `next` of a page")


def asker(request: Request[Any, Any, Any]) -> str:
    """Return who asks: the e-mail address of a user, else where the request came from."""
    email: str = request.user.email
    return email or f"http {request.client.host if request.client else 'client'}"


def wait_in(prefer: str | None, max_s: float) -> float | None:
    """Return the seconds that ``Prefer: wait`` asks for, at most ``max_s``; None if it does not."""
    asked = _WAIT.search(prefer or "")
    return None if asked is None else min(float(asked[1]), max_s)
