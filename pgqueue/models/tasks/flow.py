"""Shapes of tasks that wait for each other: chain, group, chord. All are enqueued in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, overload

from pgqueue.errors import UsageError
from pgqueue.models.tasks.dependency import Dependencies, Dependency, OnFailure
from pgqueue.models.tasks.task import EnqueueOptions, NewTask

if TYPE_CHECKING:
    from collections.abc import Iterable

    Step: TypeAlias = "NewTask | dict[str, Any] | Flow"

__all__ = ["Flow", "chain", "chord", "group"]


class Flow(Sequence[NewTask]):
    """Tasks that wait for each other by place: pass it to ``enqueue_many``, or to another shape.

    ``starts`` are the places of the tasks that wait for none, ``ends`` of those that no other task
    waits for.
    """

    def __init__(
        self, tasks: Iterable[NewTask], starts: Iterable[int], ends: Iterable[int]
    ) -> None:
        self._tasks = tuple(tasks)
        self.starts = tuple(starts)
        self.ends = tuple(ends)

    @overload
    def __getitem__(self, index: int) -> NewTask: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[NewTask]: ...

    def __getitem__(self, index: int | slice) -> NewTask | Sequence[NewTask]:
        """Return the task at a place."""
        return self._tasks[index]

    def __len__(self) -> int:
        """Return the number of tasks."""
        return len(self._tasks)


def chain(*steps: Step, on_failure: OnFailure = "cancel") -> Flow:
    """Run steps one after another: each starts when all of the one before it has ended.

    A step is a task or another shape. ``on_failure`` says what happens to a step when something in
    the one before it does not complete.
    """
    return _after([_flow(step) for step in steps], on_failure)


def group(*steps: Step) -> Flow:
    """Run steps side by side."""
    flows = [_flow(step) for step in steps]
    tasks: list[NewTask] = []
    starts: list[int] = []
    ends: list[int] = []
    for flow in flows:
        moved = len(tasks)
        tasks += (_moved(task, moved) for task in flow)
        starts += (place + moved for place in flow.starts)
        ends += (place + moved for place in flow.ends)
    return Flow(tasks, starts, ends)


def chord(steps: Iterable[Step], then: Step, *, on_failure: OnFailure = "cancel") -> Flow:
    """Run steps side by side, and ``then`` when all have ended, with ``ctx.parents``."""
    return _after([group(*steps), _flow(then)], on_failure)


def _after(flows: list[Flow], on_failure: OnFailure) -> Flow:
    tasks: list[NewTask] = []
    starts: tuple[int, ...] = ()
    ends: tuple[int, ...] = ()
    for flow in flows:
        if not flow:
            continue
        moved = len(tasks)
        before = [Dependency(place, on_failure) for place in ends]
        for place, task in enumerate(flow):
            later = _moved(task, moved)
            if before and place in flow.starts:
                later = _waiting(later, [*_parents(later), *before])
            tasks.append(later)
        starts = starts or tuple(place + moved for place in flow.starts)
        ends = tuple(place + moved for place in flow.ends)
    return Flow(tasks, starts, ends)


def _flow(step: Step) -> Flow:
    if isinstance(step, Flow):
        return step
    task = step if isinstance(step, NewTask) else NewTask(**step)
    if any(isinstance(_task(parent), int) for parent in _parents(task)):
        message = f"a step of type {task.type!r} refers to another task by its place"
        raise UsageError(
            message, hint="the shape itself sets the positions: use ids, or build the list yourself"
        )
    return Flow([task], [0], [0])


def _moved(task: NewTask, by: int) -> NewTask:
    """Return a task with the positions of its parents moved by ``by``."""
    if not by or not _parents(task):
        return task
    parents = [
        parent._replace(task=parent.task + by)
        if isinstance(parent, Dependency) and isinstance(parent.task, int)
        else parent
        for parent in _parents(task)
    ]
    return _waiting(task, parents)


def _parents(task: NewTask) -> Dependencies:
    return task.options.get("depends_on") or ()


def _waiting(task: NewTask, parents: Dependencies) -> NewTask:
    options: EnqueueOptions = {**task.options, "depends_on": parents}
    return NewTask(task.type, task.payload, **options)


def _task(parent: object) -> object:
    return parent.task if isinstance(parent, Dependency) else parent
