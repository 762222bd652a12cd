"""Settings of a database, a role or a caller's session change nothing of what is stored or done."""

import asyncio
import re
from typing import Any

import orjson
import psycopg
import pytest

from pgqueue import NewTask, PgQueue, SyncClient
from pgqueue.database.migrations import migrate
from pgqueue.database.queries import SQL
from pgqueue.errors import UsageError
from tests.servers import Server

MEANING = {
    "standard_conforming_strings": "off",
    "backslash_quote": "on",
    "escape_string_warning": "on",
    "client_encoding": "LATIN1",
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "sql_standard",
    "TimeZone": "Asia/Kathmandu",
    "bytea_output": "escape",
    "extra_float_digits": "-15",
    "search_path": "shadow, pg_catalog",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "row_security": "off",
    "xmlbinary": "hex",
    "array_nulls": "off",
    "quote_all_identifiers": "on",
    "transform_null_equals": "on",
    "synchronous_commit": "off",
    "check_function_bodies": "off",
    "client_min_messages": "error",
    "lc_messages": "C",
    "lc_monetary": "C",
    "lc_numeric": "C",
    "lc_time": "C",
    "default_toast_compression": "pglz",
}
SPEED = {
    "jit": "on",
    "jit_above_cost": "0",
    "plan_cache_mode": "force_custom_plan",
    "enable_indexscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_nestloop": "off",
    "work_mem": "64kB",
    "from_collapse_limit": "1",
    "idle_session_timeout": "30000",
    "idle_in_transaction_session_timeout": "30000",
    "lock_timeout": "30000",
    "statement_timeout": "30000",
    "transaction_timeout": "30000",
}
SINCE = {"transaction_timeout": 170000}
# what a shadow of a built-in function would do where the search path puts it first
SHADOW = """
    create schema shadow;
    create function shadow.length(text) returns int language sql immutable as 'select 0';
    create function shadow.now() returns timestamptz language sql stable
        as $$ select '1999-01-01'::timestamptz $$;
    create function shadow.to_char(timestamptz, text) returns text language sql immutable
        as $$ select 'shadow' $$;
    create function shadow.jsonb_typeof(jsonb) returns text language sql immutable
        as $$ select 'shadow' $$;
    create table shadow.task (id int);
    create table shadow.ready (id int);
    create table shadow.running (id int);
    create table shadow.listener (id int);
"""


def _impose(dsn: str, settings: dict[str, str]) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SHADOW)
        for name, value in settings.items():
            if connection.info.server_version < SINCE.get(name, 0):
                continue
            listed = name == "search_path"
            connection.execute(
                f"alter database {connection.info.dbname} set {name} to "
                + (value if listed else f"'{value}'")
            )


@pytest.mark.parametrize(
    "settings",
    [
        *({name: MEANING[name]} for name in (
            "standard_conforming_strings", "client_encoding", "extra_float_digits", "DateStyle",
            "default_transaction_isolation", "search_path",
        )),
        MEANING | SPEED,
    ],
    ids=lambda settings: next(iter(settings)) if len(settings) == 1 else "all",
)  # fmt: skip
async def test_hostile_settings_change_nothing_that_is_stored(
    direct: str, settings: dict[str, str]
) -> None:
    _impose(direct, settings)
    await _live(direct)


async def test_a_database_with_hostile_settings_is_migrated(server: Server) -> None:
    name = server.create()
    try:
        dsn = server.dsn(name)
        _impose(dsn, MEANING | SPEED)
        await asyncio.to_thread(migrate, dsn)
        await _live(dsn)
    finally:
        server.drop(name)


async def _live(dsn: str) -> None:
    """Use every door once, and compare what a plain session finds with what was meant."""
    payload = {"name": "Zoë ☂", "x": 0.1, "back\\slash": "\\d"}
    async with PgQueue(dsn) as app:
        first, second = await app.enqueue_many(
            [NewTask("a", payload), NewTask("b", timeout=1234.5, depends_on=[0])]
        )
        await asyncio.gather(*(app.enqueue("p", payload) for _ in range(8)))
        await asyncio.gather(*(app.enqueue_unique("u", dedup_key=f"k{n % 2}") for n in range(8)))
        async with app.batch("é") as batch:
            third = await batch.enqueue("c", payload, tags=["NULL", "☂"])
        await app.schedules.put("nightly", "s", payload, cron="0 3 * * *", timezone="Asia/Tokyo")
        assert (await app.get(second)).status == "blocked"
        assert (
            "1 task" in (await app.explain(second)).why
            or "a task" in (await app.explain(second)).why
        )
        with psycopg.connect(dsn, autocommit=True) as sql:
            ids = _by_sql(sql, first)
        with psycopg.connect(dsn) as own:
            ids.append(SyncClient().enqueue("own", payload, connection=own))
        assert (await app.get(third)).tags == ["NULL", "☂"]
        assert [(await app.get(id)).status for id in ids] == [
            "blocked", "scheduled", "queued", "queued"
        ]  # fmt: skip
        schedule = await app.schedules.get("nightly")
        assert schedule.next_due_at is not None
        assert schedule.next_due_at.utctimetuple()[3:6] == (18, 0, 0)
    plain = " ".join(
        f"-c {one}"
        for one in ("extra_float_digits=1", "DateStyle=ISO", "TimeZone=UTC", "search_path=public")
    )
    with psycopg.connect(dsn, options=plain, client_encoding="UTF8") as reader:
        stored = {
            kind: (timeout, data, run_at)
            for kind, timeout, data, run_at in reader.execute(
                "select type, timeout_s, payload, run_at::text from pgqueue_private.task"
            )
        }
        seconds = reader.execute(
            """select (select ageing_s from pgqueue_private.queue where name = 'paced'),
                (select jitter_s from pgqueue_private.schedule where name = 'j'),
                (select per_second from pgqueue_private.operation)"""
        ).fetchone()
    assert seconds == (1234.5, 1234.5, 1234.5)
    assert stored["b"] == (1234.5, {}, None)
    assert stored["sql"][0] == 1234.5
    assert stored["sql"][1] == {"x": 0.1, "name": "ë"}
    assert stored["later"][2] == "2099-03-04 05:06:07.891234+00"
    assert stored["own"][1] == stored["a"][1] == stored["p"][1] == payload


def _by_sql(sql: psycopg.Connection[Any], parent: str) -> list[str]:
    """Enqueue by the SQL door; claim and finish the parent by what workers call."""
    sql.execute(
        "select pgqueue_private.register_worker('s', 'h', 1, '1', '{default}', '{}', 10, 15)"
    )
    sql.execute("select pgqueue.set_queue('paced', ageing_s => 1234.5)")
    sql.execute("select pgqueue.set_schedule('j', 't', cron => '0 3 * * *', jitter_s => 1234.5)")
    sql.execute("select pgqueue.start_operation('cancel', '{\"all\": true}', per_second => 1234.5)")
    dependent, later, chained = (
        sql.execute(statement, parameters).fetchone()[0]  # type: ignore[index]
        for statement, parameters in (
            (
                """select pgqueue.enqueue('sql', %s, timeout_s => 1234.5::float8,
                   depends_on => array[%s]::uuid[])::text""",
                ['{"x": 0.1, "name": "ë"}', parent],
            ),
            (
                """select pgqueue.enqueue('later',
                   run_at => '2099-03-04T05:06:07.891234Z'::timestamptz)::text""",
                None,
            ),
            (
                "select ids[2]::text from pgqueue.enqueue_unique(%s)",
                [orjson.dumps([{"type": "x"}, {"type": "y", "dedup_key": "k"}]).decode()],
            ),
        )
    )
    return [dependent, later, chained]


async def test_what_does_not_fit_the_encoding_of_a_database_is_refused_before_anything_is_made(
    server: Server,
) -> None:
    for encoding in ("LATIN1", "SQL_ASCII"):
        name = server.create()
        server.drop(name)
        with psycopg.connect(server.admin, autocommit=True) as admin:
            admin.execute(
                f"create database {name} encoding '{encoding}' locale 'C' template template0"
            )
        try:
            with pytest.raises(UsageError) as caught:
                migrate(server.dsn(name))
            assert caught.value.message == (
                f"the database {name} is encoded in {encoding}, pgqueue needs UTF8"
            )
            assert "encoding 'UTF8' template template0" in str(caught.value.hint)
            with psycopg.connect(server.dsn(name)) as connection:
                found = connection.execute("select to_regnamespace('pgqueue')").fetchone()
                assert found == (None,)
        finally:
            server.drop(name)


_LITERAL = re.compile(r"(?P<prefix>[A-Za-z]?)'(?:[^']|'')*'")


def test_no_literal_means_another_text_where_strings_do_not_conform() -> None:
    """With standard_conforming_strings off, a backslash in '…' escapes the next character."""
    wrong = [
        (file.name, found[0])
        for file in sorted(SQL.rglob("*.sql"))
        for found in _LITERAL.finditer(re.sub(r"--.*", "", file.read_text(encoding="utf-8")))
        if "\\" in found[0] and found["prefix"] not in {"E", "e"}
    ]
    assert wrong == []
