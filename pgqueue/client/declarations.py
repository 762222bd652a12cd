"""What an app declares: task types by their handlers, and schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from pgqueue.errors import UsageError
from pgqueue.handlers.isolation import ProcessLimits
from pgqueue.handlers.task_type import Isolation, TaskType
from pgqueue.models.schedule import NewSchedule, ScheduleOptions
from pgqueue.models.tasks.task import number_option
from pgqueue.models.values import encode

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from pgqueue.models.tasks.backoff import Backoff

    Handler = TypeVar("Handler", bound=Callable[..., Any])

__all__ = ["Declarations"]

_MAX_NAME = 100


class Declarations:
    """The part of ``PgQueue`` that needs no database."""

    def __init__(self) -> None:
        self.types: dict[str, TaskType] = {}
        self.declared: dict[str, NewSchedule] = {}

    def task(
        self,
        name: str,
        *,
        queue: str = "default",
        max_attempts: int | None = None,
        timeout: timedelta | float | None = None,
        backoff: Backoff | None = None,
        no_retry: tuple[type[BaseException], ...] = (),
        isolation: Isolation | None = None,
        memory_limit: int | str | None = None,
        cpu_limit: timedelta | float | None = None,
        file_limit: int | str | None = None,
        env: bool = True,
        queue_settings: dict[str, Any] | None = None,
        description: str | None = None,
    ) -> Callable[[Handler], Handler]:
        """Declare a type by its handler: ``async def handler(ctx, payload)`` or a plain function.

        The payload's annotation is its schema. ``timeout`` is in seconds or a ``timedelta``.
        ``max_attempts`` and ``backoff`` apply unless a task brings its own; without them the
        queue's apply, and without those 3 attempts and ``Backoff()``. Exceptions listed in
        ``no_retry`` end the task at once. ``queue_settings`` are the settings that the queue is
        created with if it does not exist yet, such as ``{"concurrency": 5}``; an existing queue
        keeps its own.

        With ``isolation="process"`` the handler runs in a process of its own, which a timeout or a
        cancel kills if need be. The process may use at most ``memory_limit`` (bytes, or a text such
        as "512MB"), an attempt at most ``cpu_limit`` seconds of CPU, and no file that it writes may
        grow beyond ``file_limit``. With ``env=False`` it has no environment variables of the worker
        and no connection string.
        """
        _check_name(name)
        encode(queue_settings)

        def declare(handler: Handler) -> Handler:
            kind = TaskType(
                name=name,
                handler=handler,
                queue=queue,
                max_attempts=number_option("max_attempts", max_attempts),
                timeout_s=number_option("timeout", timeout),
                backoff=backoff,
                no_retry=no_retry,
                isolation=isolation,
                limits=ProcessLimits.parse(memory_limit, cpu_limit, file_limit),
                env=env,
                queue_settings=queue_settings,
                description=description or (handler.__doc__ or "").strip().split("\n")[0],
            )
            self._add_type(kind)
            return handler

        return declare

    def schedule(
        self, name: str, type: str, payload: Any = ..., **options: Unpack[ScheduleOptions]
    ) -> None:
        """Declare a schedule; a worker that starts creates or changes it as declared.

        One that is no longer declared is paused. Raises ``UsageError`` for what is invalid.
        """
        declared = NewSchedule(type, payload, **options)
        declared.as_settings()
        self._add_schedule(name, declared)

    def include(self, other: Declarations) -> None:
        """Add what another app declares; a name that both declare raises ``UsageError``."""
        for name, declared in other.declared.items():
            self._add_schedule(name, declared)
        for kind in other.types.values():
            self._add_type(kind)

    def _add_type(self, kind: TaskType) -> None:
        if self.types.setdefault(kind.name, kind).handler is not kind.handler:
            raise UsageError(
                f"type {kind.name!r} is declared twice", hint="use one handler for each type"
            )
        self.types[kind.name] = kind

    def _add_schedule(self, name: str, declared: NewSchedule) -> None:
        if self.declared.setdefault(name, declared) != declared:
            raise UsageError(
                f"schedule {name!r} is declared twice",
                hint="use a different name for each schedule",
            )


def _check_name(name: object) -> None:
    if callable(name):
        function = getattr(name, "__name__", "send_receipt")
        raise UsageError(
            f"the type of handler {function!r} has no name",
            hint=f'write @app.task("{function}")',
        )
    if not isinstance(name, str) or not 1 <= len(name) <= _MAX_NAME:
        raise UsageError(
            f"a type cannot have the name {name!r}", hint=f"pass 1 to {_MAX_NAME} characters"
        )
