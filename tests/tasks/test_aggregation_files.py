"""data_aggregation over files: typed as inline CSV is, never whole in memory, bombs refused."""

import gzip

import duckdb
import pytest
from pgqueue_tasks._aggregation import source
from pgqueue_tasks.data_aggregation import AggregationPayload, data_aggregation
from pgqueue_tasks.errors import EngineFailed, InputRefused

from pgqueue import NotFound
from tests.tasks.recording import RecordingContext

ID = "0198c0de-0000-7000-8000-00000000000a"
CSV = "text/csv"
PARQUET = "application/vnd.apache.parquet"
SALES = b"shop,price,sold\n007,1.5,2026-01-01\n012,2.5,2026-01-02\n007,,\n"


async def run(data, content_type=CSV, **payload):
    ctx = RecordingContext()
    ctx.recorder.files[ID] = (data, content_type)
    asked = {"artifact": ID, "aggregates": [{"function": "count"}]} | payload
    if "sql" in payload:
        del asked["aggregates"]
    return await data_aggregation(ctx, AggregationPayload.model_validate(asked))


def parquet(path, select):
    duckdb.sql(f"copy ({select}) to '{path}' (format parquet)")
    return path.read_bytes()


async def test_a_csv_file_gives_what_the_same_text_gives_inline():
    asked = {
        "group_by": ["shop", "sold"],
        "aggregates": [{"function": "sum", "column": "price"}, {"function": "count"}],
        "filters": [{"column": "shop", "op": "=", "value": "007"}],
    }
    inline = AggregationPayload.model_validate({"csv": SALES.decode(), **asked})
    expected = await data_aggregation(RecordingContext(), inline)
    assert await run(SALES, **asked) == expected
    assert await run(gzip.compress(SALES, mtime=0), "application/gzip", **asked) == expected
    assert expected.row_count == 2


async def test_sql_sees_the_file_as_data_with_its_names_and_nothing_else(tmp_path):
    result = await run(SALES, sql="select shop, max(price) as best from data group by 1 order by 1")
    assert result.rows == [{"shop": "007", "best": 1.5}, {"shop": "012", "best": 2.5}]
    for sql in ("select * from read_csv('/etc/passwd')", "select * from '/etc/passwd'"):
        with pytest.raises(InputRefused, match="sql: "):
            await run(SALES, sql=sql)


async def test_a_parquet_file_keeps_its_types(tmp_path):
    data = parquet(
        tmp_path / "a.parquet",
        "select 'k' || i % 3 as k, i, i / 4 as x, date '2026-01-01' + i::int as d, [i] as l, "
        "i % 2 = 0 as b, i::decimal(9, 2) as m from range(9) t(i)",
    )
    result = await run(
        data,
        PARQUET,
        group_by=["k"],
        aggregates=[
            {"function": "sum", "column": "i"},
            {"function": "avg", "column": "x"},
            {"function": "max", "column": "d"},
            {"function": "sum", "column": "m"},
            {"function": "min", "column": "l"},
        ],
        filters=[{"column": "b", "op": "=", "value": True}],
    )
    assert result.rows[0] == {
        "k": "k0",
        "sum_i": 6,
        "avg_x": 0.75,
        "max_d": "2026-01-07",
        "sum_m": 6,
        "min_l": "[0]",
    }


@pytest.mark.parametrize(
    ("data", "content_type", "more", "said"),
    [
        (SALES, CSV, {"group_by": ["nowhere"]}, "group_by: no such column: nowhere"),
        (SALES, CSV, {"types": {"x": "text"}}, "types: no such column: x"),
        (SALES, "image/png", {}, "it is image/png"),
        (b"PAR1 and no more", PARQUET, {}, "(?i)parquet"),
        (b"a,b\n" + b"1,2\n" * 30_000 + b"1,2,3\n", CSV, {}, "(?i)csv error"),
        (
            b"a\n" + b"1\n" * 30_000 + b"x\n",
            CSV,
            {"aggregates": [{"function": "sum", "column": "a"}]},
            "Could not convert string 'x'",
        ),
        (b"\x1f\x8b\x08\x00broken", "application/gzip", {}, "gzip"),
        (gzip.compress(SALES, mtime=0)[:-9], "application/gzip", {}, "truncated"),
        (gzip.compress(SALES, mtime=0) * 2, "application/gzip", {}, "data follows"),
    ],
)
async def test_what_cannot_be_read_is_refused_with_the_reason(data, content_type, more, said):
    with pytest.raises(InputRefused, match=said):
        await run(data, content_type, **more)


async def test_a_file_that_is_gone_ends_the_task():
    payload = {"artifact": ID, "aggregates": [{"function": "count"}]}
    with pytest.raises(NotFound):
        await data_aggregation(RecordingContext(), AggregationPayload.model_validate(payload))


async def test_a_gzip_bomb_is_refused_before_it_has_unpacked():
    bomb = gzip.compress(b"1,2\n" * (48 << 20), 1)  # 192 MiB out of less than 1
    with pytest.raises(InputRefused, match="unpack to more than"):
        await run(bomb, "application/gzip")


async def test_no_file_unpacks_to_more_than_is_allowed(monkeypatch):
    monkeypatch.setattr(source, "MAX_UNPACKED", 10)
    with pytest.raises(InputRefused, match="unpack to more than"):
        await run(gzip.compress(SALES, mtime=0), "application/gzip")


async def test_a_parquet_bomb_is_refused_when_it_has_taken_its_memory(tmp_path):
    data = parquet(tmp_path / "b.parquet", "select repeat('x', 1000000) as a from range(3000)")
    assert len(data) < 8 << 20
    with pytest.raises((InputRefused, EngineFailed), match="memory"):
        await run(data, PARQUET, sql="select list(a || i::varchar) from data, range(9) t(i)")


async def test_what_a_task_has_made_is_read_by_its_id_and_name():
    ctx = RecordingContext()
    ctx.recorder.files[f"{ID}/out.csv"] = (SALES, CSV)
    payload = {
        "artifact": {"task_id": ID, "name": "out.csv"},
        "aggregates": [{"function": "count"}],
    }
    result = await data_aggregation(ctx, AggregationPayload.model_validate(payload))
    assert result.rows == [{"count": 3}]
