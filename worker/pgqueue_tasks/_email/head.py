"""The head of a message, written byte by byte.

`email.message` parses the values that it is given. Before Python 3.11.10 and 3.12.5 it decoded an
encoded word (RFC 2047) in a name or subject, and wrote the line break in it: a header of the
sender's choice. Here a text is a text: it is shown to the reader as it is.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence

from .addresses import is_address

__all__ = ["check_head", "head", "mailbox", "unstructured"]

_MAX_LINE = 76
_MAX_WORD = 42  # bytes in an encoded word: 56 characters, so that a name goes before the first one
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_PLAIN = re.compile(r"[!-~]+( [!-~]+)*")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+( [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_FIELD = re.compile(rb"([!-9;-~]+): ([!-~][ -~]*)?")
_FOLDED = re.compile(rb" [!-~][ -~]*")


def head(fields: Sequence[tuple[str, str]]) -> bytes:
    """Return the lines of these fields, with CRLF; the values come from the functions below."""
    return "".join(f"{name}: {value}\r\n" for name, value in fields).encode("ascii")


def unstructured(text: str) -> str:
    """Return the value of a field such as Subject that a reader shows as this text.

    Raise ``ValueError`` for a control character, a line break among them.
    """
    return text if not text or _is_plain(text) else _encoded(text)


def mailbox(name: str, address: str) -> str:
    """Return the value of a field such as To; raise ``ValueError`` as ``unstructured`` does."""
    if not is_address(address):
        raise ValueError(f"{address!a:.60} is not an address")
    if not name:
        return address
    if not _is_plain(name):
        phrase = _encoded(name)
    elif _ATOMS.fullmatch(name):
        phrase = name
    else:
        phrase = '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'
    return (
        f"{phrase}\r\n <{address}>" if len(phrase) + len(address) > 60 else f"{phrase} <{address}>"
    )


def check_head(message: bytes, names: Sequence[str]) -> None:
    """Raise ``ValueError`` unless the fields of a message are these, in this order.

    It reads the bytes as the most lenient server could: any line break ends a line.
    """
    lines, end, _ = message.partition(b"\r\n\r\n")
    found = [] if end else [b"no end"]
    for number, line in enumerate(re.split(rb"\r\n|\r|\n", lines)):
        if field := _FIELD.fullmatch(line):
            found.append(field[1])
        elif number == 0 or not _FOLDED.fullmatch(line):
            found.append(line)
    if found != [name.encode() for name in names] or re.search(rb"\r(?!\n)|(?<!\r)\n", lines):
        raise ValueError(f"the head of the message would be {found!r:.500}")


def _is_plain(text: str) -> bool:
    short = len(text) + len("Reply-To: ") <= _MAX_LINE
    return short and "=?" not in text and _PLAIN.fullmatch(text) is not None


def _encoded(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError(f"{text!a:.60} has a control character")
    words = (base64.b64encode(part.encode()).decode("ascii") for part in _parts(text))
    return "\r\n ".join(f"=?utf-8?b?{word}?=" for word in words)


def _parts(text: str) -> Iterator[str]:
    """Split where characters end: a word that ends within one cannot be shown."""
    part = ""
    for character in text:
        if len((part + character).encode()) > _MAX_WORD:
            yield part
            part = ""
        part += character
    yield part
