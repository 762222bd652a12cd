"""What a built-in task type raises when the payload itself is at fault."""

from __future__ import annotations

__all__ = ["EngineFailed", "InputRefused"]


class InputRefused(ValueError):
    """The payload cannot be worked on as it is; the message says what to change.

    Another attempt would end the same way, so ``retryable`` is False.
    """

    retryable = False


class EngineFailed(RuntimeError):
    """The process that runs an engine died or broke its protocol; another attempt may pass."""

    retryable = True
