"""`text_gen`: text from a language model, streamed to watchers as it is written.

The model is that of any OpenAI-compatible endpoint (_models). If the worker has none, the provider
is `local`, a Markov chain, and the result says so.
"""

from __future__ import annotations

from pgqueue import Context, Retry

from ._models.chat import Chat, Usage, ask
from ._models.endpoint import Busy, Endpoint, later
from ._sandbox import sandboxed
from ._text.models import TextPayload, TextResult

__all__ = ["TextPayload", "TextResult", "text_gen"]


async def text_gen(ctx: Context, payload: TextPayload) -> TextResult | Retry:
    """Write a text; the task's `text` events carry the pieces, its result the whole.

    Return `Retry` if the endpoint is busy, after as long as it asks for. Raise InputRefused if no
    attempt can succeed, EngineFailed if the endpoint fails.
    """
    endpoint = Endpoint()
    provider = payload.provider or ("openai" if endpoint.settings.has_endpoint else "local")
    if provider == "local":
        return await _local(ctx, payload)
    try:
        return await _asked(ctx, payload, endpoint)
    except Busy as busy:
        return later(busy)


async def _asked(ctx: Context, payload: TextPayload, endpoint: Endpoint) -> TextResult:
    system = [{"role": "system", "content": payload.system}] if payload.system else []
    chat = Chat(
        messages=[*system, {"role": "user", "content": payload.prompt}],
        model=payload.model or endpoint.settings.openai_text_model,
        max_tokens=payload.max_tokens,
        temperature=payload.temperature,
        stop=payload.stop,
        seed=payload.seed,
    )

    def on_piece(text: str, n: int) -> None:
        ctx.stream(text)
        ctx.progress(min(99.0, n / payload.max_tokens * 100), f"{n:,} tokens")

    reply = await ask(endpoint, chat, on_piece)
    ctx.progress(100, f"{reply.usage.completion_tokens:,} tokens")
    return TextResult(
        text=reply.text,
        provider="openai",
        model=reply.model,
        finish_reason=reply.finish_reason,
        usage=reply.usage,
    )


async def _local(ctx: Context, payload: TextPayload) -> TextResult:
    request = payload.model_dump(include={"prompt", "corpus", "max_tokens", "seed", "stop"})
    written = await sandboxed(
        ctx, "_text.markov:write", request, memory_limit="512MiB", cpu_limit=20
    )
    asked = len(payload.prompt.split())
    ctx.progress(100, f"{written['words']:,} words")
    return TextResult(
        text=written["text"],
        provider="local",
        model="markov-2",
        finish_reason=written["reason"],
        usage=Usage(
            prompt_tokens=asked,
            completion_tokens=written["words"],
            total_tokens=asked + written["words"],
            estimated=True,
        ),
    )
