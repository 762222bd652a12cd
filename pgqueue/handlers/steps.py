"""What a task keeps from one attempt to the next: results of steps, and the last checkpoint.

Values are stored and returned as JSON, in the first attempt, too, so that a handler sees the same
in every attempt: tuples come back as lists, models as dictionaries.
"""

from __future__ import annotations

import asyncio
import inspect
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
import structlog

from pgqueue import telemetry
from pgqueue.errors import UsageError
from pgqueue.handlers.outcomes import OUTCOMES
from pgqueue.models.values import encode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    Save = Callable[[str, bytes], Awaitable[None]]

__all__ = ["Steps", "encode_bounded", "on_loop"]

_LAST_CHECKPOINT = ""  # its name among the names of steps
_MAX_NAME = 100
_MAX_SIZE = 256 * 1024

_log = structlog.get_logger("pgqueue.task")

T = TypeVar("T")


class Steps:
    """What one task remembers, during one attempt.

    ``remembered`` is what earlier attempts stored, as JSON text by name. ``save`` makes a value
    durable: await it on the event loop; in a thread it returns once the value is durable.
    """

    __slots__ = ("_known", "_running", "_save", "_task_id")

    def __init__(self, task_id: str, remembered: Mapping[str, str | bytes], save: Save) -> None:
        self._task_id = task_id
        self._known = dict(remembered)
        self._running: set[str] = set()
        self._save = save

    def last_checkpoint(self) -> Any:
        """Return the data of the last checkpoint, or ``None``."""
        known = self._known.get(_LAST_CHECKPOINT)
        return None if known is None else orjson.loads(known)

    def checkpoint(self, data: Any) -> Awaitable[None]:
        """Save a checkpoint, replacing the last; see ``Context.checkpoint``."""
        encoded = encode_bounded(data, "a checkpoint")
        saving = self._save(_LAST_CHECKPOINT, encoded)
        if not on_loop():
            self._known[_LAST_CHECKPOINT] = encoded
            return saving
        return self._then_know(saving, encoded)

    def run(self, name: str, call: Callable[[], Any]) -> Any:
        """Run a step once, or return its stored result; see ``Context.step``."""
        _check_name(name)
        if name in self._known:
            _log.debug("step_remembered", task_id=self._task_id, step=name)
        return self._run(name, call) if on_loop() else self._run_in_thread(name, call)

    async def _then_know(self, saving: Awaitable[None], encoded: bytes) -> None:
        await saving
        self._known[_LAST_CHECKPOINT] = encoded

    async def _run(self, name: str, call: Callable[[], Any]) -> Any:
        if name not in self._known:
            with self._running_now(name):
                # plain functions would block the loop, so they run in a thread, as handlers do
                is_async = inspect.iscoroutinefunction(call)
                value = call() if is_async else await asyncio.to_thread(call)
                if inspect.isawaitable(value):
                    value = await value
                encoded = _result(name, value)
                await self._save(name, encoded)
                self._known[name] = encoded
        return orjson.loads(self._known[name])

    def _run_in_thread(self, name: str, call: Callable[[], Any]) -> Any:
        if name not in self._known:
            with self._running_now(name):
                value = call()
                if inspect.isawaitable(value):
                    value = asyncio.run(_awaited(value))
                encoded = _result(name, value)
                self._save(name, encoded)
                self._known[name] = encoded
        return orjson.loads(self._known[name])

    @contextmanager
    def _running_now(self, name: str) -> Iterator[None]:
        if name in self._running:
            raise UsageError(
                f"step {name!r} is already running in this attempt",
                hint="use a different name for each step of a task",
            )
        self._running.add(name)
        try:
            with telemetry.span_from(None, f"step {name}", {"pgqueue.step": name}):
                yield
        finally:
            self._running.discard(name)
        _log.debug("step_done", task_id=self._task_id, step=name)


def on_loop() -> bool:
    """Return whether an event loop runs here; elsewhere, in a thread, a call may block."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def encode_bounded(value: Any, what: str, *, round_trip: bool = True) -> bytes:
    """Return a value as JSON of at most 256 KiB, or raise ``UsageError``; see ``encode``."""
    encoded = encode(value, round_trip=round_trip)
    if len(encoded) > _MAX_SIZE:
        raise UsageError(
            f"{what} has {len(encoded):,} bytes",
            hint=f"at most {_MAX_SIZE:,} are stored: save it as an artifact",
        )
    return encoded


def _result(name: str, value: Any) -> bytes:
    if isinstance(value, OUTCOMES):
        raise UsageError(
            f"step {name!r} returned {type(value).__name__}",
            hint="raise it, or return it from the handler: a step's result cannot end the attempt",
        )
    return encode_bounded(value, f"the result of step {name!r}")


def _check_name(name: str) -> None:
    plain = 1 <= len(name) <= _MAX_NAME and "\0" not in name
    if plain:
        try:
            name.encode()
        except UnicodeEncodeError:
            plain = False
    if not plain:
        raise UsageError(
            f"a step cannot be named {name[:200]!r}",
            hint=f"a name has 1 to {_MAX_NAME} characters, none of them NUL",
        )


async def _awaited(value: Awaitable[T]) -> T:
    return await value
