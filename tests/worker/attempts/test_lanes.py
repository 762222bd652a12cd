"""Where claims start: at cursors, and behind what is of others."""

import pytest
from pgqueue_worker.attempts.lanes import Lanes, Read
from pgqueue_worker.attempts.served_queues import ServedQueues

MAIL = (5, "mail")


def start(lanes: Lanes, *, sweeps: bool = False) -> int:
    """Return where a claim of mail starts at priority 5."""
    starts = lanes.starts(["mail"], sweeps=sweeps)
    return 0 if starts is None else int(starts.strip("{}").split(",")[5])


def look(lanes: Lanes, read: Read, again: Read | None = None) -> None:
    lanes.heads([MAIL], all_lanes=True)
    rereads = lanes.rereads()
    lanes.read(MAIL, read)
    for lane, _ in rereads:
        lanes.reread(lane, again or Read(None, read.passed, ended=True))


def test_a_claim_starts_at_its_cursor_and_a_sweep_at_0() -> None:
    lanes = Lanes()
    lanes.took(MAIL, 7)
    lanes.took(MAIL, 3)
    assert (start(lanes), start(lanes, sweeps=True)) == (7, 0)


def test_a_claim_passes_over_tasks_of_others_at_once_and_a_sweep_a_look_later() -> None:
    lanes = Lanes()
    look(lanes, Read(None, 900, ended=True))
    assert (start(lanes), start(lanes, sweeps=True)) == (900, 0)
    look(lanes, Read(None, 950, ended=True))
    assert (start(lanes), start(lanes, sweeps=True)) == (950, 900)


def test_a_task_that_committed_late_behind_those_of_others_is_found_again() -> None:
    lanes = Lanes()
    look(lanes, Read(None, 900, ended=True))
    look(lanes, Read(None, 900, ended=True), again=Read(450, 449, ended=False))
    assert (start(lanes), start(lanes, sweeps=True)) == (449, 449)


def test_a_sweep_passes_over_a_long_backlog_of_others_at_once_but_for_its_end() -> None:
    lanes = Lanes()
    lanes.heads([MAIL], all_lanes=True)
    for passed in (5000, 10_000, 12_000):
        lanes.read(MAIL, Read(None, passed, ended=passed == 12_000))
    assert (start(lanes), start(lanes, sweeps=True)) == (12_000, 10_000)


def test_what_was_passed_is_read_again_part_by_part() -> None:
    lanes = Lanes()
    look(lanes, Read(None, 900, ended=True))
    lanes.heads([MAIL], all_lanes=True)
    assert lanes.rereads() == [(MAIL, 0)]
    lanes.reread(MAIL, Read(None, 400, ended=False))
    assert lanes.rereads() == [(MAIL, 400)]
    lanes.reread(MAIL, Read(None, 900, ended=False))
    assert lanes.rereads() == [(MAIL, 0)]


def test_a_lane_that_is_empty_is_forgotten() -> None:
    lanes = Lanes()
    look(lanes, Read(None, 900, ended=True))
    lanes.heads([], all_lanes=False)  # a look at some queues only
    assert start(lanes) == 900
    lanes.heads([], all_lanes=True)
    assert start(lanes) == 0


def test_a_claim_names_the_queues_used_lately_and_those_that_may_hold_tasks() -> None:
    queues = ServedQueues(["mail"], all_queues=True)
    queues.emptied(queues.turn())
    queues.expect([f"once-{n}" for n in range(1000)])
    seen: set[str] = set()
    while queues.expecting:
        turn = queues.turn()
        assert len(turn) <= 500
        seen.update(turn)
        queues.emptied(turn)
    assert len(seen) == 1001
    for n in range(1000):
        queues.expect([f"single-{n}"])
        queues.emptied(queues.turn())
    assert len(queues.turn()) == 32


@pytest.mark.parametrize("all_queues", [True, False])
def test_queues_take_turns(all_queues: bool) -> None:
    queues = ServedQueues(["a", "b", "c"], all_queues=all_queues)
    assert {queues.turn()[0] for _ in range(3)} == {"a", "b", "c"}


def test_only_served_queues_are_expected() -> None:
    assert ServedQueues(["mail"], all_queues=False).expect(["pdf", "mail"]) == ["mail"]
    assert ServedQueues([], all_queues=True).expect(["pdf", "pgqueue.webhooks"]) == ["pdf"]
