"""What an address is: one rule for payloads, settings and each recipient."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import StringConstraints

__all__ = ["Address", "is_address"]

MAX_LENGTH = 254  # RFC 5321, with the two brackets around it

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# RFC 5322's dot-atom at a host name. Quoted local parts, comments, domain literals and anything
# beyond ASCII are refused: hardly a server takes them, and each is a way to hide something.
_ADDRESS = rf"{_ATOM}(\.{_ATOM})*@{_LABEL}(\.{_LABEL})*"
_IS_ADDRESS = re.compile(_ADDRESS)

Address = Annotated[str, StringConstraints(pattern=f"^{_ADDRESS}$", max_length=MAX_LENGTH)]


def is_address(text: str) -> bool:
    """Return whether a text is an ``Address``."""
    return len(text) <= MAX_LENGTH and _IS_ADDRESS.fullmatch(text) is not None
