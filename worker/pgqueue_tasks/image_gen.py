"""`image_gen`: draws a picture or edits an existing one, and saves it as an artifact.

Pictures are decoded, drawn and encoded in a process of its own with a memory limit (_sandbox.py
says why), whether a user or a model sent them.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
from typing import Any

from pgqueue import Context, NotFound, Retry, UsageError

from ._image.models import ImagePayload, ImageResult
from ._models.endpoint import Busy, Endpoint, later
from ._sandbox import sandboxed
from .errors import EngineFailed, InputRefused

__all__ = ["ImagePayload", "ImageResult", "image_gen"]

MAX_BYTES = 16 * 1024 * 1024
_MAX_SOURCE = 32 * 1024 * 1024


async def image_gen(ctx: Context, payload: ImagePayload) -> ImageResult | Retry:
    """Make the picture and save it as the task's artifact `image.png` (or `.jpeg`, `.webp`).

    Return `Retry` if the endpoint is busy, after as long as it asks for. Raise InputRefused for a
    source that is not a picture or is too large, EngineFailed if the endpoint fails.
    """
    endpoint = Endpoint()
    provider = model = source = None
    request: dict[str, Any] = {
        "operations": [step.model_dump(exclude_none=True) for step in payload.operations]
    }
    if payload.source is not None:
        source = await _source(ctx, payload)
    else:
        provider = payload.provider or ("openai" if endpoint.settings.has_endpoint else "local")
        if provider == "local":
            model = "pattern"
            request |= {"prompt": payload.prompt, "size": [payload.width, payload.height]}
        else:
            model = payload.model or endpoint.settings.openai_image_model
            ctx.progress(5, "asked the model")
            try:
                source = await _drawn(endpoint, payload, model)
            except Busy as busy:
                return later(busy)
    ctx.progress(50, "working on the picture")
    made, data = await sandboxed(
        ctx,
        "_image.editing:edit",
        request,
        source,
        memory_limit="1GiB",
        cpu_limit=60,
        output_limit=MAX_BYTES,
    )
    name = f"image.{made['format']}"
    await ctx.save_artifact(name, data, f"image/{made['format']}")
    ctx.progress(100, f"{made['width']} × {made['height']}")
    return ImageResult(
        artifact=name,
        **made,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        provider=provider,
        model=model,
    )


async def _source(ctx: Context, payload: ImagePayload) -> bytes:
    ref: Any = payload.source
    try:
        artifact = await ctx.open_artifact(ref if isinstance(ref, str) else ref.model_dump())
        data: bytes = await artifact.read(_MAX_SOURCE)
    except NotFound as error:
        raise InputRefused(f"the source does not exist: {error}") from None
    except UsageError as error:
        raise InputRefused(f"the source cannot be read: {error}") from None
    return data


async def _drawn(endpoint: Endpoint, payload: ImagePayload, model: str) -> bytes:
    """Ask the endpoint, and return its picture."""
    async with endpoint.model(
        model, default_from="PGQUEUE_OPENAI_IMAGE_MODEL", max_bytes=2 * _MAX_SOURCE
    ) as asked:
        images: Any = asked.client.images
        # OpenAI's newest models return base64 only, and refuse a request that asks for it
        wanted = {} if model.startswith("gpt-image") else {"response_format": "b64_json"}
        answer = await images.generate(
            model=asked.name,
            prompt=payload.prompt,
            n=1,
            size=f"{payload.width}x{payload.height}",
            **wanted,
        )
        encoded = answer.data[0].b64_json
        if not isinstance(encoded, str):
            raise EngineFailed("the endpoint sent no base64 picture")
        try:
            return await asyncio.to_thread(base64.b64decode, encoded, validate=True)
        except binascii.Error:
            raise EngineFailed("the endpoint sent a picture that is not valid base64") from None
