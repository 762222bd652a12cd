"""data_aggregation against a plain model in Python, on generated tables."""

import math
import statistics

import hypothesis.strategies as st
from hypothesis import given, settings
from pgqueue_tasks._aggregation.engine import aggregate
from pgqueue_tasks._aggregation.models import AggregationPayload

from tests.tasks.recording import RecordingContext

TABLES = st.lists(
    st.fixed_dictionaries(
        {
            "g": st.sampled_from(["a", "b", "B", "", None]),
            "i": st.none() | st.integers(-(2**40), 2**40),
            "x": st.none() | st.floats(-1e6, 1e6, allow_subnormal=False),
        }
    ),
    min_size=1,
    max_size=40,
)


def quantile(values, p):
    ordered = sorted(values)
    at = p * (len(ordered) - 1)
    low, high = ordered[math.floor(at)], ordered[math.ceil(at)]
    return low + (high - low) * (at - math.floor(at))


def model(rows, threshold, p):
    kept = [row for row in rows if row["i"] is not None and row["i"] >= threshold]
    groups = {}
    for row in kept:
        groups.setdefault(row["g"], []).append(row)
    for key in sorted(groups, key=lambda k: (k is None, k)):
        numbers = [float(r["x"]) for r in groups[key] if r["x"] is not None]
        yield {
            "g": key,
            "count": len(groups[key]),
            "sum_i": sum(r["i"] for r in groups[key]),
            "distinct": len({r["i"] for r in groups[key]}),
            "min_x": min(numbers, default=None),
            "max_x": max(numbers, default=None),
            "sum_x": math.fsum(numbers) if numbers else None,
            "avg_x": statistics.fmean(numbers) if numbers else None,
            "p": quantile(numbers, p) if numbers else None,
        }


def same(given, expected):
    if isinstance(expected, float) and given is not None:
        return math.isclose(given, expected, rel_tol=1e-9, abs_tol=1e-6)
    return given == expected


@settings(max_examples=40)
@given(rows=TABLES, threshold=st.integers(-(2**40), 2**40), p=st.floats(0, 1))
def test_groups_filters_and_figures_are_those_of_the_model(rows, threshold, p):
    result = aggregate(
        RecordingContext(),
        AggregationPayload.model_validate(
            {
                "rows": rows,
                "types": {"g": "text", "i": "integer", "x": "number"},
                "filters": [{"column": "i", "op": ">=", "value": threshold}],
                "group_by": ["g"],
                "aggregates": [
                    {"function": "count"},
                    {"function": "sum", "column": "i"},
                    {"function": "count_distinct", "column": "i", "as": "distinct"},
                    {"function": "min", "column": "x"},
                    {"function": "max", "column": "x"},
                    {"function": "sum", "column": "x"},
                    {"function": "avg", "column": "x"},
                    {"function": "percentile", "column": "x", "p": p, "as": "p"},
                ],
            }
        ),
        None,
    )
    expected = list(model(rows, threshold, p))
    assert len(result["rows"]) == len(expected)
    for row, wanted in zip(result["rows"], expected, strict=True):
        assert all(same(row[name], value) for name, value in wanted.items()), (row, wanted)


@settings(max_examples=60)
@given(
    rows=st.lists(
        st.dictionaries(
            st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8),
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
            min_size=1,
            max_size=4,
        ),
        min_size=1,
        max_size=8,
    )
)
def test_any_column_names_and_values_can_be_counted(rows):
    finite = [
        {
            name: None if isinstance(value, float) and math.isinf(value) else value
            for name, value in row.items()
        }
        for row in rows
    ]
    names = list(dict.fromkeys(name for row in finite for name in row))
    payload = {
        "rows": finite,
        "types": dict.fromkeys(names, "text"),
        "aggregates": [
            {"function": "count", "column": n, "as": f"n{i}"} for i, n in enumerate(names)
        ],
    }
    result = aggregate(RecordingContext(), AggregationPayload.model_validate(payload), None)
    counts = [sum(row.get(name) is not None for row in finite) for name in names]
    assert list(result["rows"][0].values()) == counts
