"""What a user's SQL may and may not do in data_aggregation."""

import time
from pathlib import Path

import anyio
import psutil
import pytest
from pgqueue_tasks._aggregation.engine import aggregate
from pgqueue_tasks._aggregation.guard import check_select
from pgqueue_tasks._aggregation.models import AggregationPayload
from pgqueue_tasks._aggregation.session import open_session
from pgqueue_tasks.data_aggregation import data_aggregation
from pgqueue_tasks.errors import InputRefused

from tests.tasks.recording import RecordingContext, engines

ROWS = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


def payload(sql):
    return AggregationPayload.model_validate({"rows": ROWS, "sql": sql})


def run(sql):
    """In this process, without the child: the guard and the session must hold by themselves."""
    return aggregate(RecordingContext(), payload(sql), None)


@pytest.mark.parametrize(
    "sql",
    [
        "select getenv('HOME')",
        "select * from read_text('/etc/passwd')",
        "select * from read_blob('/etc/passwd')",
        "select * from read_csv('/etc/passwd')",
        "select * from read_json('/etc/passwd')",
        "select * from read_parquet('/etc/passwd')",
        "select * from read_duckdb('/etc/passwd')",
        "select * from sniff_csv('/etc/passwd')",
        "select * from glob('/*')",
        "select * from '/etc/passwd'",
        'select * from "/etc/passwd"',
        "select * from 'https://example.org/x.csv'",
        "select (select content from read_text('/etc/passwd'))",
        "select a from data where b in (select content from read_text('/etc/passwd'))",
        "select a from data order by (select content from read_text('/etc/passwd'))",
        "from read_text('/etc/passwd') select content",
        "copy data to '/tmp/pgqueue-stolen.csv'",
        "copy (select 1) to '/dev/stdout'",
        "attach '/tmp/pgqueue.db'",
        "attach ':memory:' as other",
        "detach memory",
        "export database '/tmp/pgqueue-export'",
        "import database '/tmp/pgqueue-export'",
        "install httpfs",
        "load httpfs",
        "load '/tmp/evil.so'",
        "set threads = 4",
        "set variable x = 1",
        "reset threads",
        "use memory",
        "pragma version",
        "pragma threads = 4",
        "pragma enable_profiling",
        "call pragma_version()",
        "call enable_logging()",
        "begin",
        "commit",
        "checkpoint",
        "vacuum",
        "prepare p as select 1",
        "execute p",
        "explain select 1",
        "explain analyze select 1",
        "insert into data values (3, 'z')",
        "update data set a = 0",
        "delete from data",
        "merge into data using data d on d.a = data.a when matched then delete",
        "drop table data",
        "alter table data add column c int",
        "create table t as select 1",
        "create macro m() as 1",
        "with x as (insert into data values (3, 'z') returning *) select * from x",
        "with x as (delete from data returning *) select * from x",
        "with x as (update data set a = 0 returning *) select * from x",
        "select 1; select 2",
        "select 1; drop table data",
        "select 1; copy data to '/tmp/pgqueue-stolen.csv'",
        "",
        " ",
        "-- nothing",
        ";",
        "show tables",
        "show all tables",
        "describe data",
        "summarize data",
        "select * from (describe data)",
        "select * from duckdb_secrets()",
        "select * from duckdb_settings()",
        "select * from duckdb_extensions()",
        "select * from duckdb_logs()",
        "select * from pg_settings",
        "select * from pg_catalog.pg_class",
        "select * from information_schema.tables",
        "select * from memory.main.data",
        "select * from main.data",
        "select * from sqlite_master",
        "select * from pragma_database_size()",
        "select * from which_secret('s3://x', 's3')",
        "select * from query('select 1')",
        "select * from query_table('data')",
        "select * from json_execute_serialized_sql(json_serialize_sql('select 1'))",
        "select * from arrow_scan(1::pointer, 2::pointer, 3::pointer)",
        "select * from pandas_scan(1::pointer)",
        "select * from test_all_types()",
        "select * from payload",
        "select * from ROWS",
        "select current_setting('memory_limit')",
        "select \"current_setting\"('memory_limit')",
        "select main.current_setting('memory_limit')",
        "select list_transform([1], x -> current_setting('memory_limit'))",
        "select getvariable('x')",
        "select write_log('x')",
        "select sleep_ms(100000)",
        "select current_query()",
        "select $1",
        "select ?",
        "select " + "(" * 3000 + "1" + ")" * 3000,
        "select " + "1+" * 5000 + "1",
        "selec a from data",
        "select nope from data",
        "select a::nope from data",
        "select a from",
        "select a || from data",
        "select 'x'::int from data",
        "pivot data on b using sum(a)",
    ],
)
def test_everything_but_one_select_over_data_is_refused(sql):
    if not sql:
        sql = "\n"
    with pytest.raises(InputRefused) as refusal:
        run(sql)
    assert "root:" not in str(refusal.value)


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        ("select sum(a) from data", [3]),
        ("from data select max(b)", ["y"]),
        ("select count(*) from data d join data e using (a);", [2]),
        ("with big as (select * from data where a > 1) select count(*) from big", [1]),
        (
            "with recursive r as (select 1 i union all select i + 1 from r where i < 9) from r",
            [1],
        ),
        ("select sum(i) from range(5) t(i)", [10]),
        ("select count(*) from (select a from data union all select a from data)", [4]),
        ("select row_number() over (order by a desc) from data where a = 1", [1]),
        ("select max(n) from (select unnest([1, 2, 3]) as n)", [3]),
        ('select "DATA".a from DATA order by a limit 1', [1]),
        ("select x from (pivot data on b in ('x', 'y') using sum(a)) where x = 1", [1]),
        ("values (5)", [5]),
        ("with data as (select 7 as a) select a from data", [7]),
        ("with x as (select 1 as i), y as (select i + 1 as i from x) select i from y", [2]),
        ("with x as (with x as (select 3 as i) select i from x) select i from X", [3]),
        ('with "a""b" as (select 4 as i) select i from "a""b"', [4]),
        ('with """a""" as (select 4 as i) select i from """a"""', [4]),
    ],
)
def test_ordinary_selects_run(sql, values):
    assert list(run(sql)["rows"][0].values()) == values


@pytest.fixture(scope="module")
def connection():
    with open_session() as connection:
        connection.execute("create table data as select 1 as a")
        yield connection


SHAPES = [
    "select * from {0}, (with {0} as (select 1) select 1)",
    "select 1 from {0} where exists (with {0} as (select 1) select 1)",
    "with x as (with {0} as (select 1) select 1) select 1 from {0}",
    "with {0} as (select * from {0}) select * from {0}",
    "with x as (select * from {0}), {0} as (select 1) select * from x",
    "with x as (with {0} as (select 1) from {0}), y as (select * from {0}) select * from y",
    "select (with {0} as (select 1) select 1), (select count(*) from {0})",
    "select 1 from {0} union all (with {0} as (select 1) select 1)",
    "select (select count(*) from {0}) from (with recursive {0} as (select 1) select 1)",
    "select 1 from data order by (select 1 from {0} where 1 in (with {0} as (select 1) select 1))",
]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_name_of_a_cte_opens_nothing_outside_its_scope(connection, shape):
    views = connection.execute(
        "select view_name from duckdb_views() where schema_name in ('main', 'pg_catalog')"
    ).fetchall()
    names = [name for (name,) in views]
    assert {"pg_settings", "sqlite_master", "duckdb_tables"} <= set(names)
    for name in [*names, "PG_Settings", '"pg_settings"', '"/etc/x.csv"', '"x.parquet"']:
        with pytest.raises(InputRefused, match="is DuckDB's own or a file"):
            check_select(connection, shape.format(name))


def test_a_name_that_only_looks_like_a_cte_is_not_one(connection):
    with pytest.raises(InputRefused, match="pg_settings is DuckDB's own"):
        check_select(
            connection, "select * from pg_settings, (with pg_\u017fettings as (select 1) select 1)"
        )


def test_functions_that_read_a_catalog_are_refused(connection):
    macros = connection.execute(
        "select distinct function_name, len(parameters) from duckdb_functions()"
        " where function_type = 'macro' and macro_definition ilike '%select %'"
    ).fetchall()
    assert macros
    for name, parameters in macros:
        with pytest.raises(InputRefused, match=f"the function {name} is not allowed"):
            check_select(connection, f"select {name}({', '.join(['1'] * parameters)}) from data")


def test_no_file_was_written_by_any_of_it():
    with pytest.raises(InputRefused):
        run("copy data to '/tmp/pgqueue-stolen.csv'")
    assert not Path("/tmp/pgqueue-stolen.csv").exists()


def test_a_wrong_column_is_answered_with_the_columns_there_are():
    with pytest.raises(InputRefused, match=r"nope(.|\n)*The columns are: a, b"):
        run("select nope from data")


@pytest.mark.parametrize(
    "sql",
    [
        "select len(range(200000000))",
        "select length(repeat('x', 3000000000))",
        "select i from range(100000000) t(i) order by hash(i)",
    ],
)
async def test_a_query_that_wants_all_memory_is_refused_and_the_worker_does_not_grow(sql):
    before = psutil.Process().memory_info().rss
    with pytest.raises(InputRefused, match="memory"):
        await data_aggregation(RecordingContext(), payload(sql))
    assert psutil.Process().memory_info().rss - before < 64 << 20


ENDLESS = "select sum(i) from range(1000000000000) t(i)"


async def test_a_query_past_its_timeout_has_no_process_left():
    started = time.monotonic()
    with pytest.raises(TimeoutError), anyio.fail_after(1.5):
        await data_aggregation(RecordingContext(), payload(ENDLESS))
    assert time.monotonic() - started < 30
    assert engines() == []
