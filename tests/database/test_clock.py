"""One clock, the database's, and it can be set in tests."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from pgqueue.database.queries import SQL
from tests.database.queue import Queue

pytestmark = pytest.mark.usefixtures("running_clock")

OWN_CLOCK = re.compile(
    r"\b(now|(clock|statement|transaction)_timestamp|timeofday)\s*\(\s*\)"
    r"|\b(current_(timestamp|date|time)|localtime(stamp)?)\b"
    r"|'(now|today|tomorrow|yesterday)'",
)

# Where another clock is right, and why.
ALLOWED = {
    "functions/time/clock.sql",  # the clock itself
    "functions/time/shift_clock.sql",  # makes the clock
    "functions/reads/list_tasks.sql",  # how long a search may take is real time
    "functions/reads/search_facts.sql",  # likewise
    "functions/doctor/doctor_holders.sql",  # since when sessions run, by the server's own clock
    "functions/doctor/doctor_locks.sql",  # likewise
    "functions/doctor/doctor_settings.sql",  # whether somebody set the clock
    "functions/maintenance/lock_facts.sql",  # how long a lock may take is real time
    "functions/maintenance/replace_day.sql",  # since when a reader reads, by the server's own clock
    "queries/doctor.sql",  # the server's clock, to compare this machine's with
    "queries/testing.sql",  # how far the clock is off already
    "queries/schema.sql",  # when a migration ran is a note for people, made before there is a clock
}


def test_nothing_but_the_clock_asks_the_session_for_the_time() -> None:
    users = set()
    for file in SQL.resolve().rglob("*.sql"):
        statements = re.sub(r"--.*", "", file.read_text())
        path = file.relative_to(SQL.resolve())
        if path.parts[0] != "inspect" and OWN_CLOCK.search(statements):
            users.add(str(path))
    assert users == ALLOWED


def test_the_clock_is_not_frozen_in_a_transaction(queue: Queue) -> None:
    with queue.connection.transaction():
        first = queue.value("select pgqueue.clock()")
        assert queue.value("select pgqueue.clock()") > first


@pytest.mark.parametrize("hours", [-1, 5, 24 * 365])
def test_a_shifted_clock_is_everyones(queue: Queue, hours: int) -> None:
    warm, worker = queue.session(), queue.worker(1e9)
    for session in (queue, warm):  # their plans have the clock inlined
        session.finish(session.start(worker))
    queue.shift_clock(hours * 3600)
    for session in (queue, warm, queue.session()):
        lease = session.start(worker)
        session.finish(lease)
        task = session.task(lease["task_id"])
        expected = datetime.now(UTC) + timedelta(hours=hours)
        for column in ("created_at", "started_at", "finished_at"):
            assert abs(task[column] - expected) < timedelta(minutes=5)
    queue.shift_clock(0)
    assert abs(warm.value("select pgqueue.clock() - clock_timestamp()")) < timedelta(minutes=1)


def test_only_an_owner_may_shift_the_clock(queue: Queue) -> None:
    assert not queue.value(
        "select has_function_privilege('public', "
        "'pgqueue_private.shift_clock(interval)', 'execute')"
        if queue.connection.info.server_version >= 180000
        else """select coalesce(bool_or(a.grantee = 0), false)
                from pg_proc, aclexplode(proacl) as a where proname = 'shift_clock'"""
    )
