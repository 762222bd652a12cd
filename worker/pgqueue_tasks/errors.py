"""The errors that built-in task types raise."""

from __future__ import annotations

__all__ = ["EngineFailed", "InputRefused"]


class InputRefused(ValueError):
    """The payload cannot be processed; the message says what to change.

    Another attempt would end the same way: the types are registered with ``no_retry`` for it.
    """


class EngineFailed(RuntimeError):
    """The process that runs an engine died or broke its protocol; another attempt may pass."""
