"""How many processes a load asks for: every case by itself, without a clock."""

import pytest
from pgqueue_worker.supervisor.sizing import Advice, Load, advise, decide

from pgqueue.commands.process_count import Processes, parse

BOUNDS = Processes(1, 8)


@pytest.mark.parametrize(
    ("wanted", "slots", "running", "processes"),
    [
        (0, 10, 1, 0),
        (10, 10, 1, 1),
        (11, 10, 1, 2),
        (1000, 10, 1, 100),
        (40, 40, 2, 2),  # two of four: the others' share is the others'
        (80, 40, 2, 4),
        (5, 0, 1, 1),  # ours are not counted yet
        (5, 20, 0, 0),  # none of ours is there to compare with
    ],
)
def test_a_supervisor_takes_its_share_of_what_is_wanted(
    wanted: int, slots: int, running: int, processes: int
) -> None:
    assert advise(Load(wanted, slots), running) == processes


@pytest.mark.parametrize(
    ("advised", "kept", "processes"),
    [
        ([(0, 3)], 2, 3),  # more: at once
        ([(0, 100)], 1, 2),  # but twice as many at most
        ([(0, 100)], 5, 8),  # and never beyond the bounds
        ([(0, 1), (1, 1)], 4, 4),  # fewer: not before they were enough for long
        ([(0, 1), (29, 1)], 4, 4),
        ([(0, 0), (31, 0)], 4, 1),  # and never beyond the bounds
        ([(0, 4), (20, 2), (31, 1)], 4, 2),  # as many as were needed meanwhile
        ([(0, 1), (20, 6), (31, 1)], 4, 4),  # needed in between
        ([(0, 1), (31, 4)], 4, 4),
        ([], 3, 3),
    ],
)
def test_more_come_at_once_and_fewer_when_they_were_enough_for_long(
    advised: list[tuple[float, int]], kept: int, processes: int
) -> None:
    advice = [Advice(*each) for each in advised]
    now = advice[-1].at if advice else 0
    assert decide(advice, now, kept, BOUNDS, 30) == processes


def test_a_load_that_comes_and_goes_does_not_make_processes_come_and_go() -> None:
    advice: list[Advice] = []
    kept, changes = 1, 0
    for second in range(300):
        advice.append(Advice(second, 6 if second // 10 % 2 else 1))
        now = decide(advice[-32:], second, kept, BOUNDS, 30)
        changes += now != kept
        kept = now
    assert (kept, changes) == (6, 3)  # 1, 2, 4, 6


@pytest.mark.parametrize("text", ["0", "8..1", "1..257", "1...3", "-1", "1..", "a"])
def test_bounds_that_are_none_are_refused(text: str) -> None:
    from click import BadParameter

    with pytest.raises(BadParameter):
        parse(text)


def test_bounds_are_read_and_written_alike() -> None:
    for text in ("1", "4", "1..8", "256"):
        assert str(parse(text)) == text
    assert parse("3..3").fixed
