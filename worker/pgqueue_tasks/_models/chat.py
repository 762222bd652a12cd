"""A chat completion, streamed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from pgqueue.handlers.failure import clean
from pgqueue_tasks.errors import EngineFailed

from .endpoint import Endpoint

__all__ = ["Chat", "Reply", "Usage", "ask"]

_MAX_TEXT = 60_000  # characters: 240 kB of a result that may have 256 KiB
_MAX_BYTES = 32 * 1024 * 1024  # a token may come in 500 bytes of JSON


class Usage(BaseModel):
    """The tokens that a text took."""

    model_config = ConfigDict(extra="forbid")

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    estimated: bool = Field(
        description="Whether these are counts of words and pieces because the model reported none."
    )


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat completion to ask for."""

    messages: Sequence[dict[str, str]]
    model: str
    max_tokens: int
    temperature: float | None = None
    stop: Sequence[str] = ()
    seed: int | None = None

    def options(self) -> dict[str, Any]:
        """Return the options that are set; the endpoint chooses the rest."""
        given = {
            "temperature": self.temperature,
            "stop": list(self.stop) or None,
            "seed": self.seed,
        }
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer."""

    text: str
    model: str
    finish_reason: str
    usage: Usage


async def ask(endpoint: Endpoint, chat: Chat, on_piece: Callable[[str, int], object]) -> Reply:
    """Ask, and return the whole text; ``on_piece`` gets each piece and how many there have been.

    Raise what ``Endpoint.model`` does. A cancellation closes the connection, so that the model
    stops writing.
    """
    pieces: list[str] = []
    size = 0
    model, reason, counted = chat.model, "", None
    async with endpoint.model(
        chat.model, default_from="PGQUEUE_OPENAI_TEXT_MODEL", max_bytes=_MAX_BYTES
    ) as asked:
        completions: Any = asked.client.chat.completions  # its overloads know no union of options
        stream = await completions.create(
            model=asked.name,
            messages=list(chat.messages),
            max_tokens=chat.max_tokens,
            stream=True,
            stream_options={"include_usage": True},
            **chat.options(),
        )
        async with stream:
            async for chunk in stream:
                counted = chunk.usage or counted
                for choice in (chunk.choices or [])[:1]:
                    text = choice.delta.content
                    if text:
                        text = clean(text)
                        size += len(text)
                        if size > _MAX_TEXT:
                            raise EngineFailed(f"the text has more than {_MAX_TEXT:,} characters")
                        pieces.append(text)
                        on_piece(text, len(pieces))
                    reason = choice.finish_reason or reason
                if isinstance(chunk.model, str) and chunk.model:
                    model = clean(chunk.model)[:200]
        if not reason:
            raise EngineFailed("the endpoint's stream ended too early")
        usage = _usage(counted) or _estimated(chat, len(pieces))
    return Reply("".join(pieces), model, clean(str(reason))[:50], usage)


def _usage(counted: Any) -> Usage | None:
    if counted is None:
        return None
    return Usage(
        prompt_tokens=counted.prompt_tokens,
        completion_tokens=counted.completion_tokens,
        total_tokens=counted.total_tokens,
        estimated=False,
    )


def _estimated(chat: Chat, pieces: int) -> Usage:
    words = sum(len(message["content"].split()) for message in chat.messages)
    return Usage(
        prompt_tokens=words, completion_tokens=pieces, total_tokens=words + pieces, estimated=True
    )
