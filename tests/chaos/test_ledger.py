"""The checker names each kind of damage, and finds none where there is none."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.chaos.histories import CALLS, FAULTS, WORK, Pen, read_history
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
    check,
)

Case = Callable[[History, Stored], None]


def sound() -> tuple[History, Stored]:
    """Two tasks of one call; the first crashed once, under a fault, the second has an effect."""
    history = History(
        calls=[Call("c", ("c/0", "c/1"), "ok", ("a", "b")), Call("r", ("r/0",), "rolled back")],
        executions=[
            Execution("a", 1, "c/0", 10, 5.0),
            Execution("a", 3, "c/0", 11, 6.0, 6.5),
            Execution("b", 2, "c/1", 10, 5.0, 5.2),
        ],
        accepted=[("a", 3), ("b", 2)],
        faults=[Fault("kill", 5.3, 5.4)],
    )
    stored = Stored(
        tasks=[Task("a", "c/0", "completed"), Task("b", "c/1", "completed", has_effect=True)],
        attempts=[
            Attempt("a", 1, "crashed", final=False, error="Crashed", finished=5.5),
            Attempt("a", 3, "completed", result=3, finished=6.6),
            Attempt("b", 2, "completed", finished=5.2),
        ],
        effects=[Effect("b", 2)],
    )
    return history, stored


def test_a_sound_history_has_nothing_to_name() -> None:
    verdict = check(*sound())
    assert verdict.sound, verdict.evidence()
    assert (verdict.acknowledged, verdict.completed, verdict.reexecutions) == (2, 2, 1)
    assert verdict.in_flight == 2, "both leases of the first: the second task was done by then"


def test_an_unknown_call_may_be_stored_or_not() -> None:
    for tasks in ([], [Task("x", "u/0", "completed")]):
        history, stored = sound()
        history.calls.append(Call("u", ("u/0",)))
        stored.tasks += tasks
        verdict = check(history, stored)
        assert verdict.sound, verdict.evidence()
        assert verdict.unknown == 1


def drop_task(history: History, stored: Stored) -> None:
    del stored.tasks[0], stored.attempts[:2], history.executions[:2], history.accepted[0]


def drop_completion(history: History, stored: Stored) -> None:
    del stored.attempts[1], history.accepted[0]
    stored.tasks[0] = replace(stored.tasks[0], status="active")


def forget_stored(history: History, stored: Stored) -> None:
    history.calls.append(Call("u", ("u/0",)))
    stored.tasks.append(Task("u", "u/0", "queued"))


def give_up(history: History, stored: Stored) -> None:
    del stored.attempts[1], history.accepted[0]
    stored.tasks[0] = replace(stored.tasks[0], status="failed")


def cancel_unasked(history: History, stored: Stored) -> None:
    stored.attempts[1] = replace(stored.attempts[1], outcome="cancelled")
    stored.tasks[0] = replace(stored.tasks[0], status="cancelled")
    del history.accepted[0]


def drop_effect(history: History, stored: Stored) -> None:
    stored.effects.clear()


def forget_acceptance(history: History, stored: Stored) -> None:
    drop_completion(history, stored)
    history.accepted.append(("a", 3))


def complete_twice(history: History, stored: Stored) -> None:
    stored.attempts[0] = replace(stored.attempts[0], outcome="completed")


def accept_before_a_crash(history: History, stored: Stored) -> None:
    history.accepted.append(("a", 1))


def store_twice(history: History, stored: Stored) -> None:
    stored.tasks.append(Task("z", "c/0", "completed"))


def repeat_effect(history: History, stored: Stored) -> None:
    stored.effects.append(Effect("b", 2))


def take_from_the_old_lease(history: History, stored: Stored) -> None:
    history.executions.append(Execution("b", 4, "c/1", 11, 5.1, 5.3))


def take_the_old_result(history: History, stored: Stored) -> None:
    stored.attempts[1] = replace(stored.attempts[1], result=1)


def take_too_early(history: History, stored: Stored) -> None:
    stored.attempts[2] = replace(stored.attempts[2], finished=5.1)


def take_what_never_ended(history: History, stored: Stored) -> None:
    history.executions[2] = replace(history.executions[2], end=None)


def keep_effect_of_the_old_lease(history: History, stored: Stored) -> None:
    stored.effects[0] = Effect("b", 1)


def give_a_lease_twice(history: History, stored: Stored) -> None:
    history.executions.append(Execution("b", 2, "c/1", 11, 5.1, 5.3))


def store_rolled_back(history: History, stored: Stored) -> None:
    stored.tasks.append(Task("r", "r/0", "queued"))


def store_rolled_back_id(history: History, stored: Stored) -> None:
    history.calls[1] = Call("r", ("r/0",), "rolled back", ("q",))
    stored.tasks.append(Task("q", "garbled", "completed"))


def store_refused(history: History, stored: Stored) -> None:
    history.calls.append(Call("f", ("f/0",), "fail"))
    stored.tasks.append(Task("f", "f/0", "completed"))


def complete_unattempted(history: History, stored: Stored) -> None:
    stored.tasks[0] = replace(stored.tasks[0], key="nobody/0")


def complete_unexecuted(history: History, stored: Stored) -> None:
    del history.executions[2]


def complete_cancelled(history: History, stored: Stored) -> None:
    history.cancels.append(Cancel("a", "cancelled"))


def execute_again(history: History, stored: Stored) -> None:
    history.faults.clear()


def execute_again_long_after(history: History, stored: Stored) -> None:
    history.faults[0] = Fault("kill", -1.0, -0.9)


def execute_again_under_what_disturbs_nobody(history: History, stored: Stored) -> None:
    history.faults[0] = replace(history.faults[0], disturbs=False)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("lost", drop_task),
        ("lost", drop_completion),
        ("lost", forget_stored),
        ("lost", give_up),
        ("lost", cancel_unasked),
        ("lost", drop_effect),
        ("lost", forget_acceptance),
        ("double", complete_twice),
        ("double", accept_before_a_crash),
        ("double", store_twice),
        ("double", repeat_effect),
        ("stale", take_from_the_old_lease),
        ("stale", take_the_old_result),
        ("stale", take_too_early),
        ("stale", take_what_never_ended),
        ("stale", keep_effect_of_the_old_lease),
        ("stale", give_a_lease_twice),
        ("phantom", store_rolled_back),
        ("phantom", store_rolled_back_id),
        ("phantom", store_refused),
        ("unexpected", complete_unattempted),
        ("unexpected", complete_unexecuted),
        ("unexpected", complete_cancelled),
        ("unexplained", execute_again),
        ("unexplained", execute_again_long_after),
        ("unexplained", execute_again_under_what_disturbs_nobody),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_damage_is_named(name: str, damage: Case) -> None:
    history, stored = sound()
    damage(history, stored)
    verdict = check(history, stored)
    assert not verdict.sound
    assert verdict.evidence()[name], verdict.evidence()


def test_retries_snoozes_and_cancels_as_asked_for_are_no_re_executions() -> None:
    history, stored = sound()
    history.cancels.append(Cancel("b", "active"))
    stored.tasks[1] = Task("b", "c/1", "cancelled")
    stored.effects.clear()
    history.faults.clear()
    stored.attempts = [
        Attempt("a", 1, "failed", final=False, error="Planned", finished=5.5),
        Attempt("a", 3, "completed", finished=6.6),
        Attempt("b", 2, "cancelled", finished=5.3),
    ]
    verdict = check(history, stored)
    assert verdict.sound, verdict.evidence()
    stored.attempts[0] = replace(stored.attempts[0], outcome="snoozed", error=None)
    assert check(history, stored).reexecutions == 0
    stored.attempts[0] = replace(stored.attempts[0], outcome="failed", error="DatabaseUnavailable")
    assert check(history, stored).unexplained


def test_histories_are_read_as_they_were_written(tmp_path: Path) -> None:
    pen = Pen(tmp_path, CALLS, "one")
    pen.write(what="enqueue", call="one-1", tasks=2)
    pen.write(what="enqueued", call="one-1", end="ok", ids=["a", "b"])
    pen.write(what="enqueue", call="one-2", tasks=1)
    pen.write(what="cancel", id="a")
    pen.write(what="cancelled", id="a", status="active")
    pen.write(what="cancel", id="b")
    with (tmp_path / "calls-one.jsonl").open("ab") as file:
        file.write(b'{"what": "enqueued", "call": "one-2", "en')  # killed in the middle
    work = Pen(tmp_path, WORK, "1-77")
    work.write(what="start", task="a", lease=1, key="one-1/0")
    work.write(what="start", task="b", lease=2, key="one-1/1")
    work.write(what="end", task="b", lease=2)
    work.write(what="accepted", task="b", lease=2)
    faults = Pen(tmp_path, FAULTS, "all")
    faults.write(what="begin", n=1, kind="kill", disturbs=True)
    faults.write(what="begin", n=2, kind="deafen", disturbs=False)
    faults.write(what="end", n=1)

    history = read_history(tmp_path)
    assert history.calls == [
        Call("one-1", ("one-1/0", "one-1/1"), "ok", ("a", "b")),
        Call("one-2", ("one-2/0",), "unknown"),
    ]
    assert history.cancels == [Cancel("a", "active"), Cancel("b", None)]
    assert [(e.task_id, e.worker, e.end is None) for e in history.executions] == [
        ("b", 77, False),
        ("a", 77, True),
    ]
    assert history.accepted == [("b", 2)]
    assert [(f.kind, f.disturbs) for f in history.faults] == [("kill", True), ("deafen", False)]
    assert history.faults[1].end == float("inf")
