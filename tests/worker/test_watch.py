"""The table in which a supervisor sees by when its process must act."""

from pgqueue_worker.deadline_table import Watch


def both_sides(size: int = 2) -> tuple[Watch, Watch]:
    reader = Watch.create(size)
    return reader, Watch(reader.descriptor, size)


def test_a_time_that_passes_is_seen_by_the_other_side() -> None:
    reader, writer = both_sides()
    writer.note(7, 10.0)
    writer.note(8, 20.0)
    assert reader.passed(9.9) == set()
    assert reader.passed(10.0) == {7}
    assert reader.passed(20.0) == {7, 8}


def test_a_time_may_be_put_off_and_taken_back() -> None:
    reader, writer = both_sides()
    writer.note(7, 10.0)
    writer.note(7, 30.0)
    assert reader.passed(20.0) == set()
    writer.note(7, None)
    assert reader.passed(99.0) == set()


def test_places_are_used_again() -> None:
    reader, writer = both_sides()
    for lease in range(1, 100):
        writer.note(lease, 10.0)
        assert reader.passed(10.0) == {lease}
        writer.note(lease, None)


def test_a_lease_for_which_there_is_no_place_is_left_to_its_process() -> None:
    reader, writer = both_sides()
    for lease in (1, 2, 3):
        writer.note(lease, 10.0)
    writer.note(3, None)
    assert reader.passed(10.0) == {1, 2}


def test_the_claim_loop_is_seen_to_come_round_unless_it_waits_for_room() -> None:
    reader, writer = both_sides()
    assert reader.still_s(99.0) == 0
    writer.came_round(10.0)
    assert reader.still_s(10.0) == 0
    assert reader.still_s(17.0) == 7
    assert reader.passed(99.0) == set()
    writer.came_round(None)
    assert reader.still_s(99.0) == 0
