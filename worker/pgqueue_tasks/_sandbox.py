"""Run an engine on a user's input in a process of its own, with the errors of the built-in types.

Why not a thread: `select len(range(100000000))` ignored DuckDB's memory limit (7.3 GB resident) and
its interrupt (38 s); a Typst compilation cannot be interrupted at all, and keeps its caches.
"""

from __future__ import annotations

from typing import Any

from pgqueue import Context, FunctionFailed, ResourcesExceeded

from .errors import EngineFailed, InputRefused

__all__ = ["sandboxed"]


async def sandboxed(
    ctx: Context, function: str, *args: Any, memory_limit: str, cpu_limit: int, **more: Any
) -> Any:
    """Return what the function of this package returns; see `Context.run_isolated`.

    Raise InputRefused when the function does or needs more than its limits, EngineFailed when it
    breaks.
    """
    try:
        return await ctx.run_isolated(
            f"{__package__}.{function}",
            *args,
            memory_limit=memory_limit,
            cpu_limit=cpu_limit,
            raises=(InputRefused,),
            **more,
        )
    except ResourcesExceeded as error:
        raise InputRefused(str(error)) from None
    except FunctionFailed as error:
        raise EngineFailed(str(error)) from None
