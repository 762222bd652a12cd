"""`noop` and `sleep`: types for load tests, demonstrations and trying out retries."""

from __future__ import annotations

import asyncio

from pydantic import BaseModel, ConfigDict, Field

from pgqueue import Context

from ._schema import Payload

__all__ = ["NoopPayload", "SleepPayload", "SleepResult", "noop", "sleep"]


class NoopPayload(BaseModel):
    """Anything; it is ignored."""

    model_config = ConfigDict(extra="allow", title="noop")


class SleepPayload(Payload):
    """How long to wait, and how often to fail first."""

    model_config = ConfigDict(title="sleep")

    delay_ms: int = Field(default=100, ge=0, le=3_600_000, description="Milliseconds to wait.")
    fail_times: int = Field(
        default=0,
        ge=0,
        le=100,
        description="How many attempts, from the first, fail after the wait.",
    )


class SleepResult(BaseModel):
    """What the attempt that succeeded did."""

    slept_ms: int
    attempt: int = Field(description="The attempt that succeeded, from 1.")


async def noop(ctx: Context, payload: NoopPayload) -> None:
    """Complete at once."""


async def sleep(ctx: Context, payload: SleepPayload) -> SleepResult:
    """Wait in ten steps with progress, then fail while `attempt <= fail_times`, else complete."""
    for step in range(10):
        await asyncio.sleep(payload.delay_ms / 10_000)
        ctx.progress((step + 1) * 10, "sleeping")
    if ctx.attempt <= payload.fail_times:
        raise RuntimeError(f"attempt {ctx.attempt} fails as requested ({payload.fail_times} times)")
    return SleepResult(slept_ms=payload.delay_ms, attempt=ctx.attempt)
