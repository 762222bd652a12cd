"""What data_aggregation computes, refuses and bounds."""

import json
import math
import random
import statistics
import tracemalloc
from datetime import datetime
from decimal import Decimal

import pytest
from pgqueue_tasks._aggregation.engine import aggregate
from pgqueue_tasks._aggregation.values import MAX_RESULT_BYTES, json_safe, unique_names
from pgqueue_tasks.data_aggregation import AggregationPayload, AggregationResult, data_aggregation
from pgqueue_tasks.errors import InputRefused
from pydantic import ValidationError

from tests.tasks.recording import RecordingContext

SALES = [
    {"region": "north", "amount": 10, "price": 0.1},
    {"region": "south", "amount": 20, "price": 0.2},
    {"region": "north", "amount": 30, "price": None},
    {"region": None, "amount": 40, "price": 0.3},
]


async def run(**payload):
    """In this process: what the child of the handler does."""
    given = AggregationPayload.model_validate(payload)
    return AggregationResult.model_validate(aggregate(RecordingContext(), given, None))


async def one(**payload):
    [row] = (await run(**payload)).rows
    return row


async def test_the_figures_are_those_of_pythons_statistics_module():
    source = random.Random(7)
    values = [source.gauss(100, 30) for _ in range(5000)]
    row = await one(
        rows=[{"x": x} for x in values],
        aggregates=[
            {"function": name, "column": "x", "as": name}
            for name in ("sum", "avg", "min", "max", "median", "count")
        ]
        + [{"function": "percentile", "column": "x", "p": [0.25, 0.5, 0.99]}],
    )
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    assert row == {
        "sum": pytest.approx(math.fsum(values), rel=1e-14),
        "avg": pytest.approx(statistics.fmean(values), rel=1e-14),
        "min": min(values),
        "max": max(values),
        "median": pytest.approx(statistics.median(values), rel=1e-14),
        "count": 5000,
        "p25_x": pytest.approx(cuts[24], rel=1e-12),
        "p50_x": pytest.approx(cuts[49], rel=1e-12),
        "p99_x": pytest.approx(cuts[98], rel=1e-12),
    }


async def test_ten_times_a_tenth_is_one():
    row = await one(
        rows=[{"x": 0.1}] * 10,
        aggregates=[{"function": "sum", "column": "x"}, {"function": "avg", "column": "x"}],
    )
    assert row == {"sum_x": 1.0, "avg_x": 0.1}


async def test_groups_come_in_their_order_with_null_last_and_nulls_are_not_counted():
    result = await run(
        rows=SALES,
        group_by=["region"],
        aggregates=[
            {"function": "sum", "column": "amount"},
            {"function": "count", "column": "price"},
            {"function": "count"},
        ],
    )
    assert result.columns == ["region", "sum_amount", "count_price", "count"]
    assert [list(row.values()) for row in result.rows] == [
        ["north", 40, 1, 2],
        ["south", 20, 1, 1],
        [None, 40, 1, 1],
    ]


@pytest.mark.parametrize(
    ("column", "op", "value", "amounts"),
    [
        ("amount", "=", 20, [20]),
        ("amount", "!=", 20, [10, 30, 40]),
        ("amount", "<", 20.5, [10, 20]),
        ("amount", "<=", 20, [10, 20]),
        ("amount", ">", 20, [30, 40]),
        ("amount", ">=", 20, [20, 30, 40]),
        ("amount", "in", [10, 40, 99], [10, 40]),
        ("amount", "not_in", [10, 40], [20, 30]),
        ("region", "contains", "ort", [10, 30]),
        ("region", "contains", "%", []),
        ("region", "is_null", None, [40]),
        ("region", "not_null", None, [10, 20, 30]),
        ("region", "!=", "north", [20]),
        ("region", "=", "' or 1=1 --", []),
    ],
)
async def test_each_filter_keeps_the_rows_it_names(column, op, value, amounts):
    condition = {"column": column, "op": op} | ({} if value is None else {"value": value})
    result = await run(
        rows=SALES, filters=[condition], group_by=["amount"], aggregates=[{"function": "count"}]
    )
    assert [row["amount"] for row in result.rows] == amounts


async def test_nothing_left_gives_null_sums_and_a_count_of_zero():
    row = await one(
        rows=SALES,
        filters=[{"column": "amount", "op": ">", "value": 1000}],
        aggregates=[{"function": "sum", "column": "amount"}, {"function": "count"}],
    )
    assert row == {"sum_amount": None, "count": 0}


async def test_order_and_limit_keep_the_largest_and_say_that_rows_were_left_out():
    result = await run(
        rows=SALES,
        group_by=["amount"],
        aggregates=[{"function": "count"}],
        order_by=[{"column": "amount", "descending": True}],
        limit=2,
    )
    assert [row["amount"] for row in result.rows] == [40, 30]
    assert result.row_count == 2
    assert result.truncated


async def test_csv_columns_get_the_types_their_text_shows():
    result = await run(
        csv='id,code,day,at,ok,x,note\n1,007,2026-01-31,2026-01-31T10:00:00+02:00,true,1.5,"a, b"\n'
        "2,012,2026-02-01,2026-02-01 00:00,FALSE,,\n",
        sql="select *, typeof(columns(*)) from data order by id",
    )
    first = list(result.rows[0].values())
    assert first[:7] == [1, "007", "2026-01-31", "2026-01-31T08:00:00", True, 1.5, "a, b"]
    assert first[7:] == ["BIGINT", "VARCHAR", "DATE", "TIMESTAMP", "BOOLEAN", "DOUBLE", "VARCHAR"]
    assert list(result.rows[1].values())[5:7] == [None, None]


@pytest.mark.parametrize(
    "text", ['[{"a": 1}, {"a": 2, "b": {"c": [1]}}]', '{"a": 1}\n\n{"a": 2, "b": {"c": [1]}}\n']
)
async def test_json_may_be_an_array_or_an_object_a_line_and_nested_values_are_text(text):
    result = await run(json=text, sql="select a, b from data order by a")
    assert result.rows == [{"a": 1, "b": None}, {"a": 2, "b": '{"c": [1]}'}]


async def test_integers_of_38_digits_are_summed_exactly_and_given_as_text():
    big = 10**37
    row = await one(
        rows=[{"x": big}, {"x": big + 1}], aggregates=[{"function": "sum", "column": "x"}]
    )
    assert row == {"sum_x": str(2 * big + 1)}


async def test_decimals_are_exact():
    row = await one(
        rows=[{"x": "0.1"}, {"x": 0.2}, {"x": 12345678901234567}],
        types={"x": "decimal"},
        aggregates=[{"function": "sum", "column": "x"}],
    )
    assert row == {"sum_x": "12345678901234567.3"}


async def test_columns_whose_names_are_code_are_only_names():
    name = '"; drop table data; --'
    result = await run(
        rows=[{name: "a", "Name": 1, "name": 2}],
        group_by=[name],
        aggregates=[{"function": "sum", "column": "Name"}, {"function": "sum", "column": "name"}],
    )
    assert result.rows == [{name: "a", "sum_Name": 1, "sum_name": 2}]
    sql = await run(rows=[{name: 5}], sql="select * from data")
    assert sql.rows == [{name: 5}]


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({"group_by": ["regio"]}, ["group_by", "regio", "region, amount, price"]),
        ({"filters": [{"column": "x", "op": "is_null"}]}, ["filters", "x", "region, amount"]),
        ({"aggregates": [{"function": "sum", "column": "region"}]}, ["sum", "region", "text"]),
        ({"filters": [{"column": "amount", "op": "=", "value": "1"}]}, ["amount", "integer"]),
        ({"filters": [{"column": "amount", "op": "contains", "value": "1"}]}, ["contains"]),
        ({"types": {"nope": "text"}}, ["types", "nope", "region"]),
        ({"types": {"region": "integer"}}, ["region", "row 1", "'north'", "integer"]),
        ({"rows": [{}]}, ["no columns"]),
    ],
)
async def test_a_mistake_is_refused_in_words_that_name_it(payload, said):
    with pytest.raises(InputRefused) as refusal:
        await run(**{"rows": SALES, "aggregates": [{"function": "count"}]} | payload)
    assert all(part in str(refusal.value) for part in said), str(refusal.value)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"csv": "a,b\n1\n"}, "record 2 has 1 fields"),
        ({"csv": "a,a\n1,2\n"}, "twice: a"),
        ({"csv": "a,\n1,2\n"}, "name"),
        ({"csv": "a\n"}, "0 rows"),
        ({"csv": 'a\n"x\n'}, "csv line"),
        ({"json": "[1, 2]"}, "row 1 is not an object"),
        ({"json": '[{"a": NaN}]'}, "NaN"),
        ({"json": "{" * 5000}, "json"),
        ({"json": "[" * 100_000}, "json"),
        ({"json": "[]"}, "0 rows"),
        ({"json": '[{"a": "\\ud800"}]'}, "not a text"),
        ({"json": '[{"\\ud800": 1}]'}, "name"),
        ({"json": '[{"\\u0000": 1}]'}, "name"),
        ({"rows": [{"a": i} for i in range(3)], "types": {"a": "date"}}, "row 1"),
    ],
)
async def test_text_that_holds_no_table_is_refused(source, said):
    with pytest.raises(InputRefused, match=said):
        await run(**source, aggregates=[{"function": "count"}])


NEW_KEYS = [{f"k{n}": 1} for n in range(13_000)]
LONG_HEADER = ",".join(f"{n:x}" for n in range(40_000))
SPARSE = "\n".join([json.dumps({f"k{n}": 1 for n in range(200)}), *["{}"] * 20_000])


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"rows": NEW_KEYS}, "at most 200 columns"),
        ({"json": json.dumps(NEW_KEYS)}, "at most 200 columns"),
        ({"json": "\n".join(map(json.dumps, NEW_KEYS))}, "at most 200 columns"),
        ({"csv": LONG_HEADER + "\n1\n"}, "at most 200 columns"),
        ({"csv": "," * 250_000}, "at most 200 columns"),
        ({"csv": "a\n" + "1\n" * 60_000}, "at most 50,000 rows"),
        ({"csv": "a\n" + '"\n"\n' * 51_000}, "at most 50,000 rows"),
        ({"csv": "a\n" + "1,2\n" * 60_000}, "record 2 has 2 fields"),
        ({"json": "{}\n" * 60_000}, "at most 50,000 rows"),
        ({"json": SPARSE}, "20,001 rows of 200 columns have more than 1,000,000 values"),
    ],
)
async def test_columns_rows_and_values_are_counted_before_they_take_memory(source, said):
    payload = {**source, "aggregates": [{"function": "count"}]}
    given = AggregationPayload.model_validate(payload)
    tracemalloc.start()
    try:
        with pytest.raises(InputRefused, match=said):
            aggregate(RecordingContext(), given, None)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64 << 20


def test_a_row_may_have_200_keys():
    row = {f"k{n}": n for n in range(200)}
    payload = {"rows": [row], "aggregates": [{"function": "count"}]}
    assert AggregationPayload.model_validate(payload).rows == [row]
    with pytest.raises(ValidationError, match="at most 200 keys"):
        AggregationPayload.model_validate(payload | {"rows": [row | {"more": 1}]})


async def test_every_form_runs_in_a_process_of_its_own_with_limits(monkeypatch):
    calls = []
    ctx = RecordingContext()

    async def run_isolated(context, call):
        calls.append(call)
        return await type(ctx.recorder).run_isolated(ctx.recorder, context, call)

    monkeypatch.setattr(ctx.recorder, "run_isolated", run_isolated)
    count = {"aggregates": [{"function": "count"}]}
    for payload in (
        {"rows": SALES} | count,
        {"csv": "a\n1\n"} | count,
        {"csv": "a\n1\n", "sql": "select 1"},
    ):
        await data_aggregation(ctx, AggregationPayload.model_validate(payload))
    assert len(calls) == 3
    assert {(call.limits.memory, call.limits.cpu_s) for call in calls} == {(1 << 30, 120)}


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"rows": SALES},
        {"rows": SALES, "csv": "a\n1", "sql": "select 1"},
        {"rows": SALES, "sql": "select 1", "group_by": ["region"]},
        {"rows": SALES, "aggregates": [{"function": "count"}], "sql": "select 1"},
        {"rows": SALES, "aggregates": []},
        {"rows": SALES, "aggregates": [{"function": "sum"}]},
        {"rows": SALES, "aggregates": [{"function": "percentile", "column": "amount"}]},
        {"rows": SALES, "aggregates": [{"function": "percentile", "column": "amount", "p": 1.1}]},
        {"rows": SALES, "aggregates": [{"function": "count"}, {"function": "count"}]},
        {"rows": SALES, "aggregates": [{"function": "count"}], "order_by": [{"column": "x"}]},
        {"rows": SALES, "aggregates": [{"function": "count"}], "limit": 0},
        {"rows": SALES, "aggregates": [{"function": "count"}], "limit": "5"},
        {"rows": SALES, "aggregates": [{"function": "count"}], "surprise": 1},
        {"rows": [{"a": [1]}], "sql": "select 1"},
        {"rows": [{"a": float("nan")}], "sql": "select 1"},
    ],
)
def test_a_payload_that_is_not_one_question_about_one_source_is_invalid(payload):
    with pytest.raises(ValidationError):
        AggregationPayload.model_validate(payload)


async def test_the_result_stays_within_its_bytes_and_cuts_long_text():
    result = await run(rows=[{"a": 1}], sql="select repeat('x', 9000) as t from range(100)")
    assert result.truncated
    assert len(json.dumps(result.rows, ensure_ascii=False).encode()) <= MAX_RESULT_BYTES
    assert all(len(row["t"]) == 8193 for row in result.rows)
    assert 0 < result.row_count < 100


async def test_values_that_json_cannot_hold_become_ones_it_can():
    row = await one(
        rows=[{"a": 1}],
        sql="select 'nan'::double as n, 'inf'::double as i, 2::hugeint ** 100 as f, "
        "(2::hugeint << 90) as h, 1.5 as d, date '2026-01-02' as day, '\\x00ab'::blob as b, "
        "chr(0) as z, [1, null] as l, {'k': 'v'} as s, interval 90 second as v",
    )
    json.dumps(row, allow_nan=False)
    assert row["n"] is row["i"] is None
    assert row["h"] == str(2 << 90)
    assert (row["d"], row["day"], row["z"], row["l"]) == (1.5, "2026-01-02", "\ufffd", [1, None])
    assert row["s"] == {"k": "v"}


@pytest.mark.parametrize(
    ("value", "safe"),
    [
        (2**53 - 1, 2**53 - 1),
        (2**53, str(2**53)),
        (Decimal("0.10"), 0.1),
        (Decimal("1234567890.1234567"), "1234567890.1234567"),
        (Decimal("NaN"), None),
        (-math.inf, None),
        (datetime.fromisoformat("2026-01-02T03:04:00"), "2026-01-02T03:04:00"),
        ("\x00a", "\ufffda"),
        (b"\xff", "/w=="),
    ],
)
def test_a_cell_is_exact_or_text_or_null(value, safe):
    assert json_safe(value) == safe


def test_repeated_result_names_are_told_apart():
    assert unique_names(["a", "a", "b", "a", "a_2"]) == ["a", "a_2", "b", "a_3", "a_2_2"]


async def test_progress_grows_and_ends_at_100():
    for question in ({"aggregates": [{"function": "count"}]}, {"sql": "select 1"}):
        ctx = RecordingContext()
        await data_aggregation(ctx, AggregationPayload.model_validate({"rows": SALES} | question))
        percents = [percent for percent, _ in ctx.progress_calls]
        assert percents == sorted(percents)
        assert len(percents) >= 4
        assert percents[-1] == 100
        assert ctx.progress_calls[0] == (20, "4 rows read")
