"""Server-sent events, read as a browser does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import orjson


@dataclass(frozen=True)
class Event:
    name: str
    data: Any
    id: str | None = None


class Events:
    """The frames of one stream; comments are counted, not given."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.comments: list[str] = []
        self._lines = response.aiter_lines()

    async def next(self) -> Event | None:
        """Return the next event; None at the end of the stream."""
        fields: dict[str, str] = {}
        async for line in self._lines:
            if line.startswith(":"):
                self.comments.append(line[1:].strip())
            elif line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "event" in fields:
                return Event(fields["event"], orjson.loads(fields["data"]), fields.get("id"))
        return None

    async def until(self, name: str) -> list[Event]:
        """Return the events up to and with the next of a name."""
        events: list[Event] = []
        while (event := await self.next()) is not None:
            events.append(event)
            if event.name == name:
                return events
        raise AssertionError(f"the stream ended before {name}: {events}")

    async def comment(self) -> str:
        """Wait for a comment."""
        seen = len(self.comments)
        async for line in self._lines:
            if line.startswith(":"):
                self.comments.append(line[1:].strip())
                break
        assert len(self.comments) > seen
        return self.comments[-1]


@asynccontextmanager
async def events(
    client: httpx.AsyncClient, path: str, last_event_id: str | None = None
) -> AsyncIterator[Events]:
    headers = {"last-event-id": last_event_id} if last_event_id else {}
    async with client.stream("GET", path, headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Events(response)
