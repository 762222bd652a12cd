"""The ledger checker, after Jepsen's total-queue: what was said and done against what is stored.

Pure: histories go in, a verdict comes out. Clients write down each call before they make it and
what they heard after it; a call without an answer is unknown, and so is one whose connection died
in COMMIT. Handlers write down each execution, workers each completion that was accepted. None of
that is in the database under test, which is asked last, when the queue has drained.

A task is known by its key, ``call/n``, which is in its payload: so one that was stored by a call
without an answer can be told from one that nobody ever asked for.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Literal

__all__ = [
    "Attempt",
    "Call",
    "Cancel",
    "Effect",
    "Execution",
    "Fault",
    "History",
    "Stored",
    "Task",
    "Verdict",
    "check",
]

End = Literal["ok", "fail", "unknown", "rolled back"]

TOLERANCE_S = 0.05  # the clock of the histories has hundredths of a second
PLANNED = "Planned"  # the error of an attempt that was asked to fail


@dataclass(frozen=True, slots=True)
class Call:
    """A call that enqueues: the keys it asked for, how it ended, the ids it heard of."""

    id: str
    keys: tuple[str, ...]
    end: End = "unknown"
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cancel:
    """A call that cancels a task, and the status that it was told; None: unknown."""

    task_id: str
    status: str | None = None


@dataclass(frozen=True, slots=True)
class Execution:
    """A handler that ran: in seconds since the machine started; end None: it did not come to it."""

    task_id: str
    lease_id: int
    key: str
    worker: int
    start: float
    end: float | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """What was broken, and from when to when; ``disturbs``: attempts may be interrupted by it."""

    kind: str
    start: float
    end: float
    disturbs: bool = True


@dataclass(frozen=True, slots=True)
class Task:
    """A task as the database has it."""

    id: str
    key: str
    status: str
    has_effect: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt as the database has it; ``result``: the lease that its handler returned, if so."""

    task_id: str
    lease_id: int
    outcome: str
    final: bool = True
    result: int | None = None
    error: str | None = None
    finished: float | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """A row that a handler wrote in the transaction which completed its task."""

    task_id: str
    lease_id: int


@dataclass
class History:
    """What clients, handlers and workers wrote down, and what was broken."""

    calls: list[Call] = field(default_factory=list)
    cancels: list[Cancel] = field(default_factory=list)
    executions: list[Execution] = field(default_factory=list)
    accepted: list[tuple[str, int]] = field(default_factory=list)
    """Completions that workers were told are recorded: task and lease."""
    faults: list[Fault] = field(default_factory=list)


@dataclass
class Stored:
    """What the database says after the drain."""

    tasks: list[Task] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)


@dataclass
class Verdict:
    """Five lists that must be empty, with the evidence; and re-executions, which must be explained.

    ``in_flight`` is how many leases were, summed over the faults that disturb: no re-execution is
    explained but by one of them.
    """

    lost: list[str] = field(default_factory=list)
    double: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    phantom: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    acknowledged: int = 0
    unknown: int = 0
    completed: int = 0
    executions: int = 0
    reexecutions: int = 0
    in_flight: int = 0

    @property
    def sound(self) -> bool:
        """Whether nothing was found."""
        return not any(self.evidence().values())

    def evidence(self) -> dict[str, list[str]]:
        """Return what was found, by its name."""
        lists = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: found for name, found in lists.items() if isinstance(found, list)}


def check(history: History, stored: Stored, *, slack_s: float = 5) -> Verdict:
    """Compare. ``slack_s``: how long after its end a fault may still interrupt attempts."""
    books = _Books(history, stored)
    verdict = Verdict(
        lost=sorted(books.lost()),
        double=sorted(books.double()),
        stale=sorted(books.stale()),
        phantom=sorted(books.phantom()),
        unexpected=sorted(books.unexpected()),
        acknowledged=sum(len(call.keys) for call in history.calls if call.end == "ok"),
        unknown=sum(len(call.keys) for call in history.calls if call.end == "unknown"),
        completed=len(books.completed),
        executions=len(history.executions),
    )
    _judge_reexecutions(books, verdict, slack_s)
    return verdict


class _Books:
    """Both sides, by what they are looked up by."""

    def __init__(self, history: History, stored: Stored) -> None:
        self.history = history
        self.stored = stored
        self.tasks = {task.id: task for task in stored.tasks}
        self.attempts: dict[str, list[Attempt]] = defaultdict(list)
        self.effects: dict[str, list[Effect]] = defaultdict(list)
        self.leases: dict[str, set[int]] = defaultdict(set)
        self.completed: dict[str, set[int]] = defaultdict(set)
        for attempt in stored.attempts:
            self.attempts[attempt.task_id].append(attempt)
            self.leases[attempt.task_id].add(attempt.lease_id)
            if attempt.outcome == "completed":
                self.completed[attempt.task_id].add(attempt.lease_id)
        for effect in stored.effects:
            self.effects[effect.task_id].append(effect)
        self.executed: dict[tuple[str, int], list[Execution]] = defaultdict(list)
        for execution in history.executions:
            self.executed[execution.task_id, execution.lease_id].append(execution)
            self.leases[execution.task_id].add(execution.lease_id)

    def lost(self) -> Iterator[str]:
        """Acknowledged or stored, and not ended as it should be."""
        acknowledged: set[str] = set()
        for call in self.history.calls:
            if call.end != "ok":
                continue
            acknowledged.update(call.ids)
            for key, id in zip(call.keys, call.ids, strict=True):
                if id not in self.tasks:
                    yield f"{id} ({key}): acknowledged, but there is no such task"
        cancels = {cancel.task_id for cancel in self.history.cancels}
        for task in self.stored.tasks:
            if wrong := self._wrong_end(task, cancels):
                how = "acknowledged" if task.id in acknowledged else "stored"
                yield f"{task.id} ({task.key}): {how}, and {wrong}"
        final = {(a.task_id, a.lease_id) for a in self.stored.attempts if a.final}
        for task_id, lease_id in self.history.accepted:
            # accepted as cancelled, perhaps: the worker is not told
            if not self.completed[task_id] and (task_id, lease_id) not in final:
                yield f"{task_id}: its completion by lease {lease_id} was accepted and is gone"

    def _wrong_end(self, task: Task, cancels: set[str]) -> str | None:
        match task.status:
            case "completed":
                missing = task.has_effect and not self.effects[task.id]
                return "its effect is missing" if missing else None
            case "cancelled":
                return None if task.id in cancels else "cancelled by nobody"
            case "failed":
                errors = [a.error or a.outcome for a in self.attempts[task.id]]
                return f"failed: {', '.join(errors)}"
            case status:
                return f"did not end: {status}"

    def double(self) -> Iterator[str]:
        """Accepted more than once, or stored or done more than once."""
        accepted = {id: set(leases) for id, leases in self.completed.items()}
        for task_id, lease_id in self.history.accepted:
            accepted.setdefault(task_id, set()).add(lease_id)
        for id, leases in accepted.items():
            if len(leases) > 1:
                yield f"{id}: completions of leases {sorted(leases)} were accepted"
        for key, n in Counter(task.key for task in self.stored.tasks).items():
            if n > 1:
                yield f"{key}: asked for once, stored {n} times"
        for id, effects in self.effects.items():
            if len(effects) > 1:
                yield f"{id}: has {len(effects)} effects"

    def stale(self) -> Iterator[str]:
        """Accepted from one who no longer held the lease, or with a lease that two held."""
        for id, leases in self.completed.items():
            newest = max(self.leases[id])
            for lease in leases:
                if lease < newest:
                    yield f"{id}: accepted with lease {lease}, the newest is {newest}"
        for attempt in self.stored.attempts:
            if attempt.outcome == "completed":
                yield from self._not_by_its_holder(attempt)
        for effect in self.stored.effects:
            if effect.lease_id not in self.completed[effect.task_id]:
                yield f"{effect.task_id}: has an effect of lease {effect.lease_id}, not accepted"
        for (id, lease), executions in self.executed.items():
            if len(executions) > 1:
                workers = [execution.worker for execution in executions]
                yield f"{id}: lease {lease} was given {len(executions)} times, to {workers}"

    def _not_by_its_holder(self, attempt: Attempt) -> Iterator[str]:
        id, lease = attempt.task_id, attempt.lease_id
        if attempt.result not in (None, lease):
            yield f"{id}: accepted for lease {lease} with the result of lease {attempt.result}"
        for execution in self.executed.get((id, lease), ()):
            if execution.end is None:
                yield f"{id}: accepted for lease {lease}, whose handler never ended"
            elif attempt.finished is not None and attempt.finished + TOLERANCE_S < execution.end:
                early = execution.end - attempt.finished
                yield f"{id}: accepted for lease {lease} {early:.2f} s before its handler ended"

    def phantom(self) -> Iterator[str]:
        """Stored, though its call was rolled back or refused."""
        never = {"fail": "refused", "rolled back": "rolled back"}
        ends = {key: never.get(call.end) for call in self.history.calls for key in call.keys}
        by_id = {
            id: never[call.end]
            for call in self.history.calls
            if call.end in never
            for id in call.ids
        }
        for task in self.stored.tasks:
            if end := ends.get(task.key) or by_id.get(task.id):
                yield f"{task.id} ({task.key}): stored, and its call was {end}"

    def unexpected(self) -> Iterator[str]:
        """Completed, and nobody asked for it or did it."""
        attempted = {key for call in self.history.calls for key in call.keys}
        for id, leases in self.completed.items():
            task = self.tasks.get(id)
            if task is None or task.key not in attempted:
                yield f"{id} ({task.key if task else 'no task'}): completed, and never attempted"
            for lease in leases:
                if (id, lease) not in self.executed:
                    yield f"{id}: completed by lease {lease}, which nobody executed"
        for cancel in self.history.cancels:
            if cancel.status == "cancelled" and self.completed.get(cancel.task_id):
                yield f"{cancel.task_id}: completed, and its cancel was acknowledged"


def _judge_reexecutions(books: _Books, verdict: Verdict, slack_s: float) -> None:
    """Count executions that came to nothing, and explain each by a fault that met it in flight."""
    ended = {(a.task_id, a.lease_id): a for a in books.stored.attempts}
    faults = [fault for fault in books.history.faults if fault.disturbs]
    for execution in books.history.executions:
        attempt = ended.get((execution.task_id, execution.lease_id))
        until = _released(execution, attempt)
        met = [f for f in faults if execution.start < f.end + slack_s and f.start < until]
        verdict.in_flight += len(met)
        if attempt is not None and _as_planned(attempt):
            continue
        verdict.reexecutions += 1
        if not met:
            outcome = attempt.error or attempt.outcome if attempt else "nothing recorded"
            verdict.unexplained.append(
                f"{execution.task_id} ({execution.key}): lease {execution.lease_id} came to "
                f"{outcome} at {execution.start:.2f} s, and nothing was broken then"
            )


def _as_planned(attempt: Attempt) -> bool:
    if attempt.outcome == "failed":
        return attempt.error == PLANNED
    return attempt.outcome in ("completed", "cancelled", "snoozed")


def _released(execution: Execution, attempt: Attempt | None) -> float:
    """Say until when a lease was in flight: its end is recorded a moment after its handler's."""
    if attempt is not None and attempt.finished is not None:
        return max(attempt.finished, execution.end or 0)
    return float("inf") if execution.end is None else execution.end + 1
