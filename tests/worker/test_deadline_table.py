"""The table in which a supervisor sees by when its process must act."""

from pgqueue_worker.deadline_table import DeadlineTable


def both_sides(size: int = 2) -> tuple[DeadlineTable, DeadlineTable]:
    reader = DeadlineTable.create(size)
    return reader, DeadlineTable(reader.descriptor, size)


def test_a_time_that_passes_is_seen_by_the_other_side() -> None:
    reader, writer = both_sides()
    writer.put(7, 10.0)
    writer.put(8, 20.0)
    assert reader.passed(9.9) == set()
    assert reader.passed(10.0) == {7}
    assert reader.passed(20.0) == {7, 8}


def test_a_time_may_be_put_off_and_taken_back() -> None:
    reader, writer = both_sides()
    writer.put(7, 10.0)
    writer.put(7, 30.0)
    assert reader.passed(20.0) == set()
    writer.put(7, None)
    assert reader.passed(99.0) == set()


def test_entries_are_used_again() -> None:
    reader, writer = both_sides()
    for lease in range(1, 100):
        writer.put(lease, 10.0)
        assert reader.passed(10.0) == {lease}
        writer.put(lease, None)


def test_a_lease_for_which_there_is_no_entry_is_left_to_its_process() -> None:
    reader, writer = both_sides()
    for lease in (1, 2, 3):
        writer.put(lease, 10.0)
    writer.put(3, None)
    assert reader.passed(10.0) == {1, 2}


def test_the_claim_loop_is_seen_to_come_round_unless_it_waits_for_a_slot() -> None:
    reader, writer = both_sides()
    assert reader.still_s(99.0) == 0
    writer.came_round(10.0)
    assert reader.still_s(10.0) == 0
    assert reader.still_s(17.0) == 7
    assert reader.passed(99.0) == set()
    writer.came_round(None)
    assert reader.still_s(99.0) == 0
