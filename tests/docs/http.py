"""The requests of a page, as a client sends them."""

from dataclasses import dataclass, field


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""


def parse(block: str) -> Request:
    """Read a block of ``http``: a line with method and path, headers, an empty line, a body."""
    head, _, body = block.strip().partition("\n\n")
    first, *headers = head.split("\n")
    method, path = first.split(" ", 1)
    named = dict(line.split(": ", 1) for line in headers)
    if body:
        named["content-type"] = "application/json"
    return Request(method, path, named, body)
