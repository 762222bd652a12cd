"""The assertion that a task was enqueued; it fails with what was enqueued instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from pgqueue.errors import UsageError
from pgqueue.models.tasks.task import Task
from pgqueue.models.values import encode, parse_priority
from pgqueue.testing.sources import tasks_of
from pgqueue.testing.stored import stored_tasks

if TYPE_CHECKING:
    from pgqueue.client.app import PgQueue

__all__ = ["assert_enqueued"]

_MAX_LISTED = 20
_MAX_LENGTH = 200


def assert_enqueued(
    type: str,
    *,
    payload: Any = ...,
    count: int | None = None,
    app: PgQueue | None = None,
    **fields: Any,
) -> list[Task]:
    """Assert that a matching task was enqueued, and return all that match, oldest first.

    ``payload`` may be a part of the task's: each of its keys must be present with its value, also
    within nested objects; lists and other values must be equal. ``fields`` are fields of ``Task``,
    such as queue, status, priority or max_attempts, and must be equal. With ``count`` exactly that
    many tasks must match, otherwise at least one. ``app`` may be left out inside ``inline`` and
    ``on_database``. Only committed tasks are seen.
    """
    if unknown := sorted(set(fields) - set(Task.model_fields)):
        raise UsageError(
            f"a task has no field {unknown[0]!r}",
            hint=f"its fields are {', '.join(Task.model_fields)}",
        )
    if "priority" in fields:
        fields["priority"] = parse_priority(fields["priority"])
    wanted = {"type": type, **fields}
    part = payload if payload is ... else orjson.loads(encode(payload))
    tasks = tasks_of(app, stored_tasks)
    found = [task for task in tasks if not _differences(task, wanted, part)]
    if len(found) != count if count is not None else not found:
        raise AssertionError(_report(tasks, found, wanted, part, count))
    return found


def _differences(task: Task, wanted: dict[str, Any], part: Any) -> list[str]:
    differences = [
        f"{name} is {_short(getattr(task, name))}, not {_short(value)}"
        for name, value in wanted.items()
        if getattr(task, name) != value
    ]
    return differences + ([] if part is ... else _missing(part, task.payload, "payload"))


def _missing(part: Any, whole: Any, path: str) -> list[str]:
    if not (isinstance(part, dict) and isinstance(whole, dict)):
        return [] if part == whole else [f"{path} is {_short(whole)}, not {_short(part)}"]
    missing = []
    for key, value in part.items():
        place = f"{path}/{key}"
        missing += _missing(value, whole[key], place) if key in whole else [f"{place} is missing"]
    return missing


def _report(
    tasks: list[Task], found: list[Task], wanted: dict[str, Any], part: Any, count: int | None
) -> str:
    asked = ", ".join(f"{name}={value!r}" for name, value in wanted.items())
    asked += "" if part is ... else f", payload with {_short(part)}"
    many = "no task" if count is None else f"{len(found)} instead of {count} tasks"
    if not tasks:
        return f"{many} with {asked} enqueued: no task was enqueued at all"
    same_type = [task for task in tasks if task.type == wanted["type"]]
    near = same_type or tasks
    lines = [f"{many} with {asked} enqueued. There {'is' if len(near) == 1 else 'are'}:"]
    for task in near[:_MAX_LISTED]:
        lines.append(
            f"  {task.type}  queue={task.queue} status={task.status} priority={task.priority} "
            f"payload={_short(task.payload)}"
        )
        if same_type:
            lines += [f"      {difference}" for difference in _differences(task, wanted, part)]
    if len(near) > _MAX_LISTED:
        lines.append(f"  and {len(near) - _MAX_LISTED} more")
    return "\n".join(lines)


def _short(value: Any) -> str:
    try:
        text = orjson.dumps(value, default=str).decode()
    except TypeError:
        text = repr(value)
    return text if len(text) <= _MAX_LENGTH else text[:_MAX_LENGTH] + "…"
