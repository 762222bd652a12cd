"""Request bodies: read within bounds, and parsed so that everything stored can be read again.

What is stored is what was checked: the parsed value is encoded anew, so a key that comes twice, or
another parser's idea of a number, makes no difference.
"""

from __future__ import annotations

import asyncio
import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import orjson

from pgqueue_api.problems import InvalidJson, TooLarge, UnsupportedMedia

if TYPE_CHECKING:
    from collections.abc import Mapping

    from litestar.types import Receive

__all__ = ["parse", "parsed", "read", "require_json", "whole"]

_LARGE = 64 * 1024
_MAX_MARKS = 250_000
"""Of lists, objects and keys, each of which costs 0.1 to 0.3 µs to parse."""
_PARSER = ThreadPoolExecutor(1, "parser")
"""One at a time: beside many threads that compute, the event loop would seldom get its turn."""
_LONG_NUMBER = re.compile(rb"\d{19}")
_I64_MIN, _U64_MAX = -(2**63), 2**64 - 1


def require_json(headers: Mapping[bytes, bytes]) -> None:
    """Raise ``UnsupportedMedia`` unless the body is declared as JSON: no form of a web page can."""
    declared = headers.get(b"content-type", b"").split(b";", 1)[0].strip().lower()
    if declared != b"application/json" and not (
        declared.startswith(b"application/") and declared.endswith(b"+json")
    ):
        raise UnsupportedMedia(
            f"the body is declared as {declared.decode('latin-1')[:100] or 'nothing'}",
            hint="send it with Content-Type: application/json",
        )
    if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        raise UnsupportedMedia("the body is compressed", hint="send it uncompressed")


async def read(
    receive: Receive, headers: Mapping[bytes, bytes], limit: int, within_s: float
) -> bytes:
    """Read the whole body of at most ``limit`` bytes; raises ``TooLarge``."""
    declared = headers.get(b"content-length")
    if declared is not None and declared.isdigit() and int(declared[:20]) > limit:
        raise _too_large(limit)
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        content: bytes = message.get("body", b"")
        _bound(content, limit)
        return content
    parts = bytearray()
    try:
        async with asyncio.timeout(within_s):
            while message["type"] == "http.request":
                parts += message.get("body", b"")
                _bound(parts, limit)
                if not message.get("more_body"):
                    return bytes(parts)
                message = await receive()
    except TimeoutError as error:
        raise InvalidJson(f"the body did not arrive within {within_s:g} s") from error
    raise InvalidJson("the client disconnected in the middle of the body")


async def parsed(body: bytes, depth: int) -> Any:
    """Return the value of a JSON text as ``parse`` does, and let others go on meanwhile."""
    if len(body) <= _LARGE:
        return parse(body, depth)
    if body.count(b"{") + body.count(b"[") + body.count(b":") > _MAX_MARKS:
        raise InvalidJson(
            f"the body has more than {_MAX_MARKS:,} braces, brackets and colons",
            hint="send fewer tasks in a request",
        )
    return await asyncio.get_running_loop().run_in_executor(_PARSER, parse, body, depth)


def parse(body: bytes, depth: int) -> Any:
    """Return the value of a JSON text, or raise ``InvalidJson``.

    Refused: what is not JSON (NaN and lone surrogates too), numbers that 64 bits cannot hold, NUL
    characters, and values nested in more than ``depth`` levels.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidJson(
            f"the body is not JSON: {error}",
            hint="numbers must fit 64 bits: send larger ones as strings",
        ) from error
    if body.count(b"[") + body.count(b"{") > depth:
        _check_depth(value, depth)
    if b"\\u0000" in body and _has_nul(value):
        raise InvalidJson(
            "a string holds a NUL character, which PostgreSQL cannot store",
            hint="leave it out, or send bytes as base64",
        )
    if _LONG_NUMBER.search(body):
        json.loads(body, parse_int=_check_int)
    return value


def whole(value: Any) -> Any:
    """Return settings with 5.0 as 5: one number to JSON, and not to PostgreSQL's integers."""
    if isinstance(value, dict):
        return {name: whole(part) for name, part in value.items()}
    if isinstance(value, list):
        return [whole(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _bound(content: bytes | bytearray, limit: int) -> None:
    if len(content) > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        f"the body has more than {limit:,} bytes", hint="upload the data as a file, and send its id"
    )


def _check_depth(value: Any, depth: int) -> None:
    level = [value]
    for _ in range(depth + 1):
        level = [
            child
            for parent in level
            if isinstance(parent, dict | list)
            for child in (parent.values() if isinstance(parent, dict) else parent)
        ]
        if not level:
            return
    raise InvalidJson(
        f"the body is nested in more than {depth} levels", hint="flatten it, or send it as a string"
    )


def _has_nul(value: Any) -> bool:
    left = [value]
    while left:
        item = left.pop()
        if isinstance(item, str):
            if "\0" in item:
                return True
        elif isinstance(item, dict):
            left += item.keys()
            left += item.values()
        elif isinstance(item, list):
            left += item
    return False


def _check_int(digits: str) -> int:
    # orjson turns it into a float, and silently loses digits
    if len(digits) > 20 or not _I64_MIN <= int(digits) <= _U64_MAX:
        raise InvalidJson(
            "an integer does not fit 64 bits", hint="send it as a string, or as a float: 1e20"
        )
    return 0
