"""`pgqueue doctor`: each fault is made, and named with what to do."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
from click.testing import CliRunner

from pgqueue.commands.doctor import Finding, command, examine
from pgqueue.database.migrations import migrate
from tests.database.queue import Queue
from tests.servers import FAST, own_server

pytestmark = pytest.mark.usefixtures("running_clock")

RECORD = """select pgqueue_private.record_duties(%s::jsonb, 'here:1')::text"""
TOPICS = [
    *("schema", "clock", "settings", "partitions", "retention", "maintenance"),
    *("autovacuum", "bloat", "horizon", "locks", "waiting"),
]


@pytest.fixture(scope="session")
def template(pgqueue_template: str) -> str:
    """The tests here are about days: they need all that `migrate` makes."""
    return pgqueue_template


def maintained(queue: Queue, **changes: Any) -> None:
    """Tell of a duty as a supervisor does."""
    run = {"name": "promote", "interval_s": 0.25, "started_ago_s": 0, "finished_ago_s": 0}
    queue.value(RECORD, orjson.dumps([{**run, "due_ago_s": 0, **changes}]).decode())


def findings(queue: Queue, topic: str, look: str = "pgqueue.doctor()") -> list[str]:
    rows = queue.rows(f"select * from {look} where topic = %s and level <> 'ok'", topic)
    assert all(row["advice"] for row in rows)
    return [f"{row['level']}: {row['finding']}" for row in rows]


@pytest.fixture
def well(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> Queue:
    """A queue that is maintained, on a server that may lose data, as tests' do."""
    # The template may be from before midnight.
    queue.rows("select pgqueue.ensure_partitions((pgqueue.clock() at time zone 'utc')::date, 8)")
    maintained(queue)
    monkeypatch.setenv("PGQUEUE_DATABASE_URL", queue.connection.info.dsn)
    return queue


def test_where_all_is_well_each_topic_says_so(well: Queue, database: str) -> None:
    found = examine(database)
    assert [one.topic for one in found if one.topic != "settings"] == [
        topic for topic in TOPICS if topic != "settings"
    ]
    assert {one.level for one in found if one.topic != "settings"} == {"ok"}


def test_settings_that_lose_data_are_named(well: Queue) -> None:
    assert findings(well, "settings") == [  # what this server of tests runs with
        "error: fsync is off: a crash of the machine can destroy the whole database",
        "error: full_page_writes is off: a crash of the machine can leave torn pages",
    ]
    well.rows("set synchronous_commit = off")
    assert "error: synchronous_commit is off" in " ".join(findings(well, "settings"))


def test_a_schema_of_another_version_is_named(well: Queue, database: str) -> None:
    well.rows("update pgqueue_private.code set digest = 'other'")
    assert (examine(database)[0].topic, examine(database)[0].level) == ("schema", "warning")
    well.rows("delete from pgqueue_private.migration where version > 1")
    (only,) = examine(database)
    assert (only.topic, only.level) == ("schema", "error")
    assert "pgqueue migrate" in (only.advice or "")
    well.rows("drop table pgqueue_private.migration")
    (only,) = examine(database)
    assert (only.topic, only.level) == ("schema", "error")
    well.rows(
        "create table pgqueue_private.migration (version int, min_code int)"
    )  # for the invariants


def test_a_database_that_does_not_answer_is_named() -> None:
    (only,) = examine("host=/nowhere")
    assert (only.topic, only.level) == ("database", "error")


@pytest.mark.parametrize(("off_s", "word"), [(3600, "ahead of"), (-7, "behind")])
def test_a_clock_that_is_off_is_named(well: Queue, database: str, off_s: float, word: str) -> None:
    found = examine(database, now=lambda: time.time() + off_s)
    (clock,) = [one for one in found if one.topic == "clock" and one.level != "ok"]
    assert f"{abs(off_s)}.0 s {word} the server's" in (clock.finding or "")


def test_a_clock_that_a_test_shifted_is_named(well: Queue) -> None:
    well.shift_clock(90)
    assert findings(well, "clock") == [
        "error: the clock of pgqueue differs from the server's by 90 s"
    ]


def test_missing_partitions_are_named(well: Queue) -> None:
    days = well.values(
        "select to_char((pgqueue.clock() at time zone 'utc')::date + n, 'YYYYMMDD') "
        "from generate_series(0, 7) as n"
    )
    well.rows(f"drop table pgqueue_private.task_{days[6]}, pgqueue_private.attempt_{days[7]}")
    assert re.match(
        r"warning: partitions are missing for 2 of the next 8 days, the first for 20",
        findings(well, "partitions")[-1],
    )
    well.rows(f"drop table pgqueue_private.artifact_{days[1]}")
    assert findings(well, "partitions")[0].startswith("error: partitions are missing for 3 of")
    well.rows("select pgqueue.ensure_partitions((pgqueue.clock() at time zone 'utc')::date, 8)")
    assert findings(well, "partitions") == []
    well.rows(
        f"alter table pgqueue_private.attempt detach partition pgqueue_private.attempt_{days[7]}"
    )
    (stray,) = findings(well, "partitions")
    assert stray == (
        f"warning: pgqueue_private.attempt_{days[7]} is a day partition that is not attached "
        "to any table"
    )


def test_days_that_should_be_gone_are_named(well: Queue) -> None:
    well.shift_clock(8 * 86_400)
    assert findings(well, "retention") == []  # due for less than a day
    well.shift_clock(12 * 86_400)
    (late,) = findings(well, "retention")
    assert late.startswith("warning: days that should have been pruned more than a day ago: ")
    for day in well.values("select * from pgqueue_private.due_days()"):
        well.rows("select * from pgqueue_private.prune_day(%s)", day)
    assert findings(well, "retention") == []


def test_maintenance_that_nobody_does_is_named(queue: Queue) -> None:
    assert findings(queue, "maintenance") == ["error: no maintenance duty has ever run"]
    maintained(queue)
    assert findings(queue, "maintenance") == []
    queue.shift_clock(120)
    (late,) = findings(queue, "maintenance")
    assert late.startswith("error: no maintenance duty has run for 00:02:")


def test_a_duty_that_is_late_or_fails_is_named(well: Queue) -> None:
    maintained(
        well, name="rescue", started_ago_s=100, finished_ago_s=100, due_ago_s=99, duration_s=1
    )
    maintained(well, name="fold", error="canceling statement", error_ago_s=0, finished_ago_s=9)
    fails, late = findings(well, "maintenance")
    assert fails == "error: the duty fold fails: canceling statement"
    assert re.fullmatch(r"warning: the duty rescue is (92|99)\.?\d* s late", late)


def test_who_holds_the_horizon_is_named(well: Queue, connect: Callable[..., Any]) -> None:
    with connect(application_name="report", autocommit=False) as reader:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        reader.execute("select count(*) from pg_class")
        (pid,) = reader.execute("select pg_backend_pid()").fetchone()
        look = "pgqueue_private.doctor_holders('0 s')"
        (holder,) = [one for one in findings(well, "horizon", look) if f"pid {pid} " in one]
        assert holder.startswith(f"warning: pid {pid} (report, user ")
        assert "idle in transaction) keeps dead rows from being removed for 00:00:0" in holder
        assert findings(well, "horizon") == []  # not for long


def test_who_waits_for_a_lock_is_named_with_who_holds_it(well: Queue, database: str) -> None:
    with well.holding() as other:
        other.rows("lock table pgqueue_private.queue in access exclusive mode")
        holder = other.value("select pg_backend_pid()")
        waiting = well.blocked(lambda q: q.rows("select * from pgqueue.queues"))
        (one, *_) = findings(well, "locks", "pgqueue_private.doctor_locks('0 s')")
        assert f"for a lock on queue, behind pid {holder}" in one
        assert findings(well, "locks", "pgqueue_private.doctor_locks()") == []  # not for long
        look = "pgqueue_private.doctor_locks('-1 s')"
        assert any("has been idle in a transaction" in one for one in findings(well, "locks", look))
        (days,) = [one for one in examine(database) if one.topic == "partitions"]
        assert days.finding == "it cannot be examined: canceling statement due to lock timeout"
    waiting.result(45)


def test_dead_rows_that_nobody_cleans_up_are_named(well: Queue) -> None:
    well.rows("alter table pgqueue_private.expiry set (autovacuum_enabled = off)")
    well.rows(
        "insert into pgqueue_private.expiry select pgqueue.clock(), gen_random_uuid() "
        "from generate_series(1, 200000)"
    )
    well.rows("delete from pgqueue_private.expiry")
    well.rows("select pg_stat_force_next_flush()")
    well.rows("select 1")
    assert findings(well, "autovacuum") == [
        "error: autovacuum is off for pgqueue_private.expiry",
        (
            "warning: pgqueue_private.expiry has 200000 dead rows beside 0 live ones; "
            "last vacuumed: never"
        ),
    ]
    assert re.match(
        r"warning: pgqueue_private.expiry takes \d+ MB for 0 rows", findings(well, "bloat")[0]
    )
    well.rows("vacuum full pgqueue_private.expiry")
    assert findings(well, "bloat") == []


def test_what_only_a_server_of_its_own_can_show_is_named(
    tmp_path_factory: pytest.TempPathFactory, postgres_major: str
) -> None:
    settings = {
        **FAST,
        "autovacuum": "off",
        "max_prepared_transactions": "2",
        "wal_level": "logical",
        "max_wal_senders": "2",
    }
    with own_server(tmp_path_factory.mktemp("ill"), postgres_major, settings) as server:
        migrate(server.dsn())
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            for statement in (
                "select pg_create_logical_replication_slot('unread', 'test_decoding')",
                "begin",
                "select pgqueue.enqueue('t')",
                "prepare transaction 'forgotten'",
            ):
                connection.execute(statement)
            rows = connection.execute(
                "select finding, advice from pgqueue.doctor() where topic = 'autovacuum' "
                "union all select finding, advice from pgqueue_private.doctor_holders('0 s')"
            ).fetchall()
            text = "\n".join(" ".join(row) for row in rows)
            assert "autovacuum does not run: autovacuum is off" in text
            assert (
                "the prepared transaction forgotten keeps dead rows from being removed for 00:00:0"
                in text
            )
            assert "rollback prepared 'forgotten'" in text
            assert "the replication slot unread has no consumer" in text
            assert "pg_drop_replication_slot('unread')" in text
            connection.execute("rollback prepared 'forgotten'")
            connection.execute("select pg_drop_replication_slot('unread')")


def test_the_command_prints_what_to_do_and_ends_with_what_was_found(well: Queue) -> None:
    result = CliRunner().invoke(command)
    assert result.exit_code == 2  # fsync is off
    assert "ERROR  settings     fsync is off: a crash" in result.output
    assert "→ alter system set fsync = on; select pg_reload_conf()" in result.output
    assert "ok     locks\n" in result.output
    found = orjson.loads(CliRunner().invoke(command, ["--json"]).output)
    assert {"topic": "bloat", "level": "ok", "finding": None, "advice": None} in found


@pytest.mark.parametrize(("level", "status"), [("ok", 0), ("warning", 1), ("error", 2)])
def test_the_exit_status_is_that_of_the_worst(
    monkeypatch: pytest.MonkeyPatch, level: Any, status: int
) -> None:
    monkeypatch.setenv("PGQUEUE_DATABASE_URL", "host=/nowhere")
    monkeypatch.setattr("pgqueue.commands.doctor.examine", lambda _: [Finding("a", level)])
    assert CliRunner().invoke(command).exit_code == status


def test_psql_users_have_it_too() -> None:
    folder = Path(__file__).parents[2] / "sql" / "inspect"
    assert "pgqueue.doctor()" in (folder / "doctor.sql").read_text()
