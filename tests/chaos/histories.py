"""Histories: append-only files outside of the database under test, a line for each thing said.

A line is one write to a file opened with O_APPEND, so that a process which is killed leaves whole
lines; should the last one be cut all the same, it was not written.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import psycopg

from tests.chaos.ledger import (
    Attempt,
    Call,
    Cancel,
    Effect,
    Execution,
    Fault,
    History,
    Stored,
    Task,
)

__all__ = ["CALLS", "FAULTS", "WORK", "Pen", "moment", "read_history", "read_stored"]

CALLS, WORK, FAULTS = "calls", "work", "faults"

_TASKS = """
select id::text, payload ->> 'key', status, type = 'effect' from pgqueue.tasks
where type in ('work', 'threaded', 'effect')
"""
_ATTEMPTS = """
select
    task_id::text, lease_id, outcome, final,
    case when jsonb_typeof(result) = 'number' then result::bigint end,
    error ->> 'type', extract(epoch from finished_at)::float8 + %s
from pgqueue_private.attempt
"""


def moment() -> float:
    """Return the seconds since the machine started: no clock that libfaketime could shift."""
    with open("/proc/uptime", "rb") as file:  # noqa: PTH123  a third of the time of Path
        return float(file.read().split()[0])


class Pen:
    """Writes down what one process does, in a file of its own."""

    def __init__(self, folder: Path, kind: str, name: str) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self._file = os.open(folder / f"{kind}-{name}.jsonl", flags, 0o644)

    def write(self, **line: Any) -> None:
        """Write a line, with the time."""
        os.write(self._file, orjson.dumps({**line, "at": moment()}) + b"\n")


def lines(folder: Path, kind: str) -> Iterator[dict[str, Any]]:
    """Return the lines of all files of a kind, those of a file in order."""
    for path in sorted(folder.glob(f"{kind}-*.jsonl")):
        yield from map(orjson.loads, _whole(path))


def read_history(folder: Path) -> History:
    """Read what everybody wrote down."""
    history = History()
    _read_calls(folder, history)
    _read_work(folder, history)
    begun: dict[int, dict[str, Any]] = {}
    for line in lines(folder, FAULTS):
        if line["what"] == "begin":
            begun[line["n"]] = line
        else:
            first = begun.pop(line["n"])
            history.faults.append(
                Fault(first["kind"], first["at"], line["at"], disturbs=first["disturbs"])
            )
    for line in begun.values():
        history.faults.append(
            Fault(line["kind"], line["at"], float("inf"), disturbs=line["disturbs"])
        )
    return history


def _read_calls(folder: Path, history: History) -> None:
    calls: dict[str, Call] = {}
    cancels: dict[str, Cancel] = {}
    for line in lines(folder, CALLS):
        id = line.get("call", "")
        match line["what"]:
            case "enqueue":
                calls[id] = Call(id, tuple(f"{id}/{n}" for n in range(line["tasks"])))
            case "enqueued":
                ids = tuple(line.get("ids", ()))
                calls[id] = Call(id, calls[id].keys, line["end"], ids)
            case "cancel":
                cancels[line["id"]] = Cancel(line["id"])
            case "cancelled":
                cancels[line["id"]] = Cancel(line["id"], line["status"])
    history.calls = [*calls.values()]
    history.cancels = [*cancels.values()]


def _read_work(folder: Path, history: History) -> None:
    for path in sorted(folder.glob(f"{WORK}-*.jsonl")):
        open_: dict[tuple[str, int], list[dict[str, Any]]] = {}
        worker = int(path.stem.rpartition("-")[2])
        for line in map(orjson.loads, _whole(path)):
            key = line["task"], line["lease"]
            match line["what"]:
                case "start":
                    open_.setdefault(key, []).append(line)
                case "end":
                    start = open_[key].pop(0)
                    history.executions.append(
                        Execution(*key, start["key"], worker, start["at"], line["at"])
                    )
                case "accepted":
                    history.accepted.append(key)
        for key, starts in open_.items():
            for start in starts:
                history.executions.append(Execution(*key, start["key"], worker, start["at"]))


def _whole(path: Path) -> list[bytes]:
    return [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


def read_stored(connection: psycopg.Connection[Any], from_epoch: float) -> Stored:
    """Read what the database has; ``from_epoch`` added to its times gives those of `moment`."""
    tasks = [Task(*row) for row in connection.execute(_TASKS)]
    attempts = [Attempt(*row) for row in connection.execute(_ATTEMPTS, [from_epoch])]
    effects = [
        Effect(*row) for row in connection.execute("select task_id::text, lease_id from effect")
    ]
    return Stored(tasks, attempts, effects)
